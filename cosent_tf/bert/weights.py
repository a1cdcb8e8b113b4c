"""The weights of a trained model, as HDF5 files that are written whole or not at all.

Every array except scalars has a checksum, so that a damaged file is refused. The state of an
interrupted run (`run.state`) is such a file, with the variables of the optimizer in it too.
"""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.pretrained import set_weights
from cosent_tf.errors import UserError
from cosent_tf.files import write_atomic


def model_weights(model: keras.Model) -> dict[str, tf.Variable]:
    """Return the weights of a model by stable names: Google's, and `head/kernel`, `head/bias`."""
    weights = {}
    for layer in model.layers:
        if hasattr(layer, 'named_weights'):  # the encoder
            weights |= layer.named_weights
        else:
            for weight in layer.weights:
                weights[f'{layer.name}/{weight.name.split("/")[-1].removesuffix(":0")}'] = weight
    return weights


def weight_arrays(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the values of a model's weights by the same names."""
    return {name: weight.numpy() for name, weight in model_weights(model).items()}


def read_weights(path: Path, weights: dict[str, tf.Variable]) -> None:
    """Load weights into variables of the same names; see `read_arrays`."""
    set_weights(weights, read_arrays(path, weights)[0])


def read_arrays(path: Path, variables: dict) -> tuple[dict[str, np.ndarray], dict]:
    """Read the arrays of variables by their names, and the state, {} if there is none.

    A missing or broken file, or one that lacks a variable, is a UserError.
    """
    with open_weights(path) as file:
        arrays = {name: file[name][()] for name in variables}
        state = json.loads(file['state'][()].tobytes()) if 'state' in file else {}
    for name, variable in variables.items():
        if arrays[name].shape != tuple(variable.shape):
            raise UserError(f'{path}: {name} has shape {arrays[name].shape}, not {variable.shape}')
    return arrays, state


@contextmanager
def open_weights(path: Path) -> Iterator[h5py.File]:
    """Open a file of weights to read from; a missing or broken one becomes a UserError."""
    try:
        with h5py.File(path, 'r') as file:
            yield file
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        reason = ' '.join(str(error).split())
        raise UserError(
            f'{path}: broken or of another model ({reason}); train the run anew (--overwrite)'
        ) from error


def write_weights(path: Path, weights: dict[str, tf.Variable], state: dict | None = None) -> None:
    """Write weights by their names, and the state if given; see `write_atomic`."""
    image = io.BytesIO()  # HDF5 crashes the process when it writes to a full disk itself
    with h5py.File(image, 'w', libver='latest') as file:  # whose structure has checksums too
        for name, variable in weights.items():
            _add(file, name, variable.numpy())
        if state is not None:  # a dataset: attributes are limited to 64 KiB
            _add(file, 'state', np.frombuffer(json.dumps(state).encode(), np.uint8))
    write_atomic(path, lambda temporary: temporary.write_bytes(image.getbuffer()))


def _add(file: h5py.File, name: str, array: np.ndarray) -> None:
    file.create_dataset(name, data=array, fletcher32=array.ndim > 0)  # a scalar cannot have it

"""The weights of a trained model, read from what `run.checkpoints` writes."""

import json
from pathlib import Path

import h5py
import numpy as np

from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.pretrained import set_weights
from cosent_tf.errors import UserError


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
    """Load weights that `write_weights` wrote into variables of the same names.

    Raises:
        UserError: the file is missing or broken, or lacks a weight.
    """
    set_weights(weights, read_arrays(path, weights)[0])


def read_arrays(path: Path, variables: dict) -> tuple[dict[str, np.ndarray], dict]:
    """Read the arrays of some variables by their names, and the state if there is one.

    Raises:
        UserError: the file is missing or broken, or lacks a variable.
    """
    try:
        with h5py.File(path, 'r') as file:
            arrays = {name: file[name][()] for name in variables}
            state = json.loads(file['state'][()].tobytes()) if 'state' in file else {}
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        reason = ' '.join(str(error).split())
        raise UserError(
            f'{path}: broken or of another model ({reason}); train the run anew (--overwrite)'
        ) from error
    for name, variable in variables.items():
        if arrays[name].shape != tuple(variable.shape):
            raise UserError(f'{path}: {name} has shape {arrays[name].shape}, not {variable.shape}')
    return arrays, state

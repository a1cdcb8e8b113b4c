"""Weights and the state of an interrupted run, as HDF5 files that are there whole or not at all."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import h5py
import numpy as np

from cosent_tf.backend import keras, tf
from cosent_tf.errors import UserError
from cosent_tf.pretrained import set_weights
from cosent_tf.runs import write_atomic


@dataclass
class State:
    """Where a run stands after an epoch. The order of examples follows from seed and epoch."""

    epoch: int = 0  # epochs done
    best_epoch: int = 0
    best_value: float = 0.0  # valid accuracy of the best epoch, or Spearman for graded labels
    history: list[dict] = field(default_factory=list)  # rows of history.csv
    losses: list[float] = field(default_factory=list)  # of every step so far


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


def write_weights(path: Path, weights: dict[str, tf.Variable]) -> None:
    """Write weights, one dataset each, by their names.

    Raises:
        UserError: the file cannot be written.
    """
    write_atomic(path, lambda temporary: _write_arrays(temporary, weights))


def read_weights(path: Path, weights: dict[str, tf.Variable]) -> None:
    """Load weights that `write_weights` wrote into variables of the same names.

    Raises:
        UserError: the file is missing or broken, or lacks a weight.
    """
    set_weights(weights, _read_arrays(path, weights)[0])


def write_state(path: Path, state: State, model: keras.Model) -> None:
    """Write the state of a run with the weights of its model and optimizer.

    Raises:
        UserError: the file cannot be written.
    """
    variables = model_weights(model) | _optimizer_weights(model)
    write_atomic(path, lambda temporary: _write_arrays(temporary, variables, asdict(state)))


def read_state(path: Path, model: keras.Model) -> State:
    """Load what `write_state` wrote into a model and its optimizer; without a file, begin anew.

    Raises:
        UserError: the file is broken or belongs to another model.
    """
    if not path.exists():
        return State()
    variables = model_weights(model) | _optimizer_weights(model)
    arrays, state = _read_arrays(path, variables)
    set_weights(variables, arrays)
    return State(**state)


def _optimizer_weights(model: keras.Model) -> dict[str, tf.Variable]:
    return {f'optimizer/{i:04d}': weight for i, weight in enumerate(model.optimizer.weights)}


def _write_arrays(path: Path, variables: dict[str, tf.Variable], state: dict | None = None) -> None:
    with h5py.File(path, 'w') as file:
        for name, variable in variables.items():
            file[name] = variable.numpy()
        if state is not None:  # a dataset: attributes are limited to 64 KiB
            file['state'] = json.dumps(state)


def _read_arrays(path: Path, variables: dict) -> tuple[dict[str, np.ndarray], dict]:
    try:
        with h5py.File(path, 'r') as file:
            arrays = {name: file[name][()] for name in variables}
            state = json.loads(file['state'][()]) if 'state' in file else {}
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise UserError(f'{path}: broken or of another model: {error}') from error
    for name, variable in variables.items():
        if arrays[name].shape != tuple(variable.shape):
            raise UserError(f'{path}: {name} has shape {arrays[name].shape}, not {variable.shape}')
    return arrays, state

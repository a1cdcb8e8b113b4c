"""The state of an interrupted run: all that its next step depends on."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.pretrained import set_weights
from cosent_tf.bert.weights import model_weights, read_arrays, write_weights


@dataclass
class State:
    """Where a run stands after an epoch. The order of examples follows from seed and epoch."""

    epoch: int = 0  # epochs done
    best_epoch: int = 0
    best_value: float = 0.0  # on valid, of what --select names
    history: list[dict] = field(default_factory=list)  # rows of history.csv
    losses: list[float] = field(default_factory=list)  # of every step so far


def write_state(path: Path, state: State, model: keras.Model) -> None:
    """Write the state of a run with the variables that its next step depends on."""
    write_weights(path, state_variables(model), asdict(state))


def read_state(path: Path, model: keras.Model) -> State:
    """Load what `write_state` wrote into the same variables; without a file, begin anew.

    A file that is broken or of another model is a UserError.
    """
    if not path.exists():
        return State()
    variables = state_variables(model)
    arrays, state = read_arrays(path, variables)
    set_weights(variables, arrays)
    return State(**state)


def state_variables(model: keras.Model) -> dict[str, tf.Variable]:
    """Return all that the next step depends on, by stable names.

    The generator of the dropout masks has one state: each replica folds its number in.
    """
    variables = model_weights(model)
    variables |= {f'optimizer/{i:04d}': weight for i, weight in enumerate(model.optimizer.weights)}
    scaling = getattr(model.optimizer, '_loss_scale', None)  # of fp16; `weights` leaves it out
    if scaling is not None:
        variables['loss_scale/current'] = scaling.current_loss_scale
        variables['loss_scale/finite_steps'] = scaling.counter
    return variables | {'dropout/generator': tf.random.get_global_generator().state}

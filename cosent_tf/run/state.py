"""The state of an interrupted run: all that its next step depends on."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.pretrained import set_weights
from cosent_tf.bert.weights import model_weights, read_arrays, write_weights


@dataclass
class State:
    """A run after an epoch. The order of examples is not kept: it follows from seed and epoch."""

    epoch: int = 0  # epochs done
    best_epoch: int = 0
    best_value: float = 0.0  # of the validation metric
    history: list[dict] = field(default_factory=list)  # rows of history.csv
    losses: list[float] = field(default_factory=list)  # of every step so far


def write_state(path: Path, state: State, model: keras.Model) -> None:
    """Write the state of a run, and the variables that its next step depends on."""
    write_weights(path, state_variables(model), asdict(state))


def read_state(path: Path, model: keras.Model) -> State:
    """Load what `write_state` wrote, if anything; UserError if broken or of another model."""
    if not path.exists():
        return State()
    variables = state_variables(model)
    arrays, state = read_arrays(path, variables)
    set_weights(variables, arrays)
    return State(**state)


def state_variables(model: keras.Model) -> dict[str, tf.Variable]:
    """Return the variables that the next step depends on, by stable names.

    All replicas share one dropout state, and each folds its number in.
    """
    variables = model_weights(model)
    variables |= {f'optimizer/{i:04d}': weight for i, weight in enumerate(model.optimizer.weights)}
    scaling = getattr(model.optimizer, '_loss_scale', None)  # for fp16; not in `weights`
    if scaling is not None:
        variables['loss_scale/current'] = scaling.current_loss_scale
        variables['loss_scale/finite_steps'] = scaling.counter
    return variables | {'dropout/generator': tf.random.get_global_generator().state}

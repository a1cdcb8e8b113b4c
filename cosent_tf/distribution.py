"""Several GPUs, or several machines: every step sees the whole batch, and one process writes.

A CoSENT loss compares all pairs of a batch, so a loss of each replica's part would be another loss.
Replicas therefore encode their part of the rows, gather all outputs, and compute the very loss of
one device; its gradient flows back to each replica's own rows.
"""

import importlib.util
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import numpy as np

from cosent_tf.bert.compat import has_hidden_gpu, tf
from cosent_tf.errors import RunError, UserError
from cosent_tf.process import use_cpu

STRATEGIES = {
    'one': lambda: None,
    'mirrored': tf.distribute.MirroredStrategy,  # the GPUs of this machine
    'multiworker': tf.distribute.MultiWorkerMirroredStrategy,  # the machines of TF_CONFIG
}
PREFETCHED = 8  # parts of a batch, made ahead of the step that needs them


def use_device(name: str) -> None:
    """Train on the GPUs that are there (auto), or on none (cpu); first thing in a process."""
    if name == 'cpu':
        use_cpu()
    elif has_hidden_gpu():
        why = 'TF_CPP_MIN_LOG_LEVEL=0 in the environment tells why'
        if importlib.util.find_spec('nvidia') is None:
            why = 'no CUDA libraries'
        raise UserError(
            f'an NVIDIA driver is there, but TensorFlow sees no GPU ({why}): '
            f"pip install 'tensorflow[and-cuda]=={tf.__version__}' installs what it needs; "
            '--device cpu trains on the CPU all the same'
        )


def use_strategy(name: str) -> None:
    """Place all that is built from now on by one of `STRATEGIES`; before anything is built."""
    if name == 'multiworker' and 'TF_CONFIG' not in os.environ:
        raise UserError(
            '--strategy multiworker needs TF_CONFIG in the environment of every process, such as '
            '\'{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}\''
        )
    tf.distribute.experimental_set_strategy(STRATEGIES[name]())


def replicas() -> int:
    """Return how many devices share a batch."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def distribute(
    generate: Callable[[int, slice], Iterator], signature: tf.TensorSpec | tuple
) -> tf.data.Dataset:
    """Make a dataset that gives every replica its own part, of a `signature`, of each step.

    `generate` takes the number of replicas, and which of them this process has, and yields their
    parts of the first step, of the second, …
    """

    def own_parts(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * count
        own = slice(first, first + count)
        parts = tf.data.Dataset.from_generator(
            lambda: generate(context.num_replicas_in_sync, own), output_signature=signature
        )
        options = tf.data.Options()
        # there is nothing to tune, and its thread delays the end of an iterator by seconds
        options.autotune.enabled = False
        return parts.prefetch(PREFETCHED).with_options(options)

    return tf.distribute.get_strategy().distribute_datasets_from_function(own_parts)


def is_chief() -> bool:
    """Return whether this process is the one that writes."""
    return tf.distribute.get_strategy().extended.should_checkpoint


def has_workers() -> bool:
    """Return whether other processes take part."""
    return isinstance(tf.distribute.get_strategy(), STRATEGIES['multiworker'])


def gather(value: tf.Tensor) -> tf.Tensor:
    """Return a replica's rows together with those of all others; gradients come back."""
    if replicas() == 1:
        return value
    value = tf.identity(value)  # labels come without a device, and all_gather asks for one
    return tf.distribute.get_replica_context().all_gather(value, axis=0)


def copy_from_chief(variables: Collection[tf.Variable]) -> None:
    """Give variables the chief's values; see `from_chief`."""
    if has_workers():
        values = from_chief([variable.numpy() for variable in variables])
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def from_chief(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Return the chief's values; other processes give any of the same shape.

    Where another process has ended, there is a RunError instead.
    """
    if not has_workers():
        return arrays

    @tf.function
    def sum_up(values: list[tf.Tensor]) -> list[tf.Tensor]:
        context = tf.distribute.get_replica_context()
        first = context.replica_id_in_sync_group == 0
        kept = [tf.where(first, value, tf.zeros_like(value)) for value in values]
        return [context.all_reduce('SUM', value) for value in kept]

    strategy = tf.distribute.get_strategy()
    with explain_lost_workers():
        shared = strategy.run(sum_up, ([tf.constant(array) for array in arrays],))
    return [strategy.experimental_local_results(value)[0].numpy() for value in shared]


@contextmanager
def explain_lost_workers() -> Iterator[None]:
    """Turn the error of a step that other workers do not finish into a RunError that says so."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if not has_workers():
            raise  # a fault of this process, which TensorFlow's own message tells
        message = 'another worker has ended, see there; then start all of them with --resume'
        raise RunError(message) from error

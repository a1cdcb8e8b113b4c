"""Several GPUs, or several machines: every step sees the whole batch, and one process writes.

The CoSENT loss compares all pairs of a batch, so losses of parts of it would be another loss. Each
replica therefore encodes its part of the rows, gathers all outputs, and computes the same loss as a
single device; the gradient flows back to its own rows.
"""

import importlib.util
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cosent_tf.bert.compat import has_hidden_gpu, tf
from cosent_tf.errors import RunError, UserError
from cosent_tf.process import use_cores

STRATEGIES = {
    'one': lambda: None,
    'mirrored': tf.distribute.MirroredStrategy,  # the GPUs of this machine
    'multiworker': tf.distribute.MultiWorkerMirroredStrategy,  # the machines of TF_CONFIG
}
PREFETCHED = 8  # parts of batches prepared in advance


def use_device(name: str) -> None:
    """Use the GPUs, if any (auto), or none (cpu); call it before TensorFlow is used."""
    if name == 'cpu':
        tf.config.set_visible_devices([], 'GPU')
        use_cores()
    elif has_hidden_gpu():
        why = 'TF_CPP_MIN_LOG_LEVEL=0 in the environment shows why'
        if importlib.util.find_spec('nvidia') is None:
            why = 'no CUDA libraries'
        raise UserError(
            f'there is an NVIDIA driver, but TensorFlow sees no GPU ({why}): '
            f"pip install 'tensorflow[and-cuda]=={tf.__version__}' installs what it needs; "
            '--device cpu trains on the CPU instead'
        )


def use_strategy(name: str) -> None:
    """Set the strategy, one of `STRATEGIES`; call it before any model is built."""
    if name == 'multiworker' and 'TF_CONFIG' not in os.environ:
        raise UserError(
            '--strategy multiworker needs TF_CONFIG in the environment of every process, such as '
            '\'{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}\''
        )
    tf.distribute.experimental_set_strategy(STRATEGIES[name]())


def replicas() -> int:
    """Return the number of devices that share a batch."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def distribute(generate: Callable[[int, slice], Iterator], signature: Any) -> tf.data.Dataset:
    """Make a dataset that gives every replica its part of each step, as its tf `signature` says.

    `generate` gets the number of replicas and the slice of them that is in this process, and yields
    their parts of the first step, then of the second, …
    """

    def own_parts(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * count
        own = slice(first, first + count)
        parts = tf.data.Dataset.from_generator(
            lambda: generate(context.num_replicas_in_sync, own), output_signature=signature
        )
        options = tf.data.Options()
        # nothing to tune, and its thread delays the end of an iterator by seconds
        options.autotune.enabled = False
        return parts.prefetch(PREFETCHED).with_options(options)

    return tf.distribute.get_strategy().distribute_datasets_from_function(own_parts)


def is_chief() -> bool:
    """Return whether this process writes the files."""
    return tf.distribute.get_strategy().extended.should_checkpoint


def has_workers() -> bool:
    """Return whether other processes take part."""
    return isinstance(tf.distribute.get_strategy(), STRATEGIES['multiworker'])


def gather(value: tf.Tensor) -> tf.Tensor:
    """Return the rows of all replicas; gradients flow back to their own."""
    if replicas() == 1:
        return value
    value = tf.identity(value)  # labels have no device, which all_gather requires
    return tf.distribute.get_replica_context().all_gather(value, axis=0)


def copy_from_chief(variables: Collection[tf.Variable]) -> None:
    """Give variables the chief's values; see `from_chief`."""
    if has_workers():
        values = from_chief([variable.numpy() for variable in variables])
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def from_chief(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Return the chief's values, or raise a RunError; others pass any of the same shape."""
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
    """Turn the error of a step that other workers do not finish into a RunError."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if not has_workers():
            raise  # a fault of this process
        message = 'another worker has ended: see its output, then start all workers with --resume'
        raise RunError(message) from error

"""Batches on their way to the devices that share them, one or several."""

from collections.abc import Callable, Iterator

from cosent_tf.bert.compat import tf

PREFETCHED = 8  # parts of a batch, made ahead of the step that needs them


def replicas() -> int:
    """Return how many devices share a batch."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def distribute(
    generate: Callable[[int, slice], Iterator], signature: tf.TensorSpec | tuple
) -> tf.data.Dataset:
    """Make a dataset that gives every replica its own part of each step.

    Args:
        generate: the number of replicas, and which of them this process has → their parts of the
            first step, of the second, …
        signature: of a part.
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

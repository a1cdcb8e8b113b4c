"""A model applied to many token rows of different lengths, fast.

Longest rows first, so that the rows of a batch are similar in length and a batch that does not fit
into memory fails at once; every batch holds about the same number of tokens.
"""

from itertools import zip_longest

import numpy as np
from tqdm import tqdm

from cosent_tf.bert.compat import keras, tf
from cosent_tf.data import TokenRows
from cosent_tf.distribution import replicas
from cosent_tf.process import check_process

TOKENS_PER_BATCH = 4096  # bounds memory, and is enough to keep the processor busy
NO_ROWS = np.zeros(0, np.int64)


class RowEncoder:
    """Applies a model with TensorFlow, on the devices that this process uses."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        signature = [tf.TensorSpec((None, None), tf.int32)] if replicas() == 1 else None
        self._step = tf.function(self._encode, signature, reduce_retracing=True)

    def __call__(self, rows: TokenRows) -> np.ndarray:
        """Return the model's outputs, (n, D) float32, in the order of `rows`."""
        check_process()
        outputs = np.zeros((len(rows), self._model.output_shape[-1]), np.float32)
        strategy = tf.distribute.get_strategy()
        with encoding_bar(len(rows)) as bar:
            batches = [iter(row_batches(rows.lengths, TOKENS_PER_BATCH))] * replicas()
            for step in zip_longest(*batches, fillvalue=NO_ROWS):  # a batch for each replica
                parts = [rows.padded(numbers) for numbers in step]
                token_ids = strategy.experimental_distribute_values_from_function(
                    lambda its, parts=parts: tf.constant(parts[its.replica_id_in_sync_group])
                )
                numbers = np.concatenate(step)
                outputs[numbers] = self._step(token_ids).numpy()
                bar.update(len(numbers))
        return outputs

    def _encode(self, token_ids: tf.Tensor) -> tf.Tensor:
        strategy = tf.distribute.get_strategy()
        outputs = strategy.run(self._model, (token_ids,), {'training': False})
        return strategy.gather(outputs, axis=0)


def row_batches(lengths: np.ndarray, tokens: int) -> list[np.ndarray]:
    """Return batches of row numbers, longest rows first, of at most `tokens` padded tokens each.

    A longer row is a batch of its own.
    """
    order = np.argsort(-lengths, kind='stable')
    batches, start = [], 0
    while start < len(order):
        count = max(1, tokens // int(lengths[order[start]]))
        batches.append(order[start : start + count])
        start += count
    return batches


def encoding_bar(rows: int) -> tqdm:
    """Return a progress bar, shown only on a terminal and only after two seconds."""
    return tqdm(total=rows, desc='encoding', delay=2, leave=False, disable=None)

"""Vectors from a BERT, without work on padding: in training, in scoring, for your own use."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cosent_tf.bert.backends import make_row_encoder
from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.packed import PackedBERT, split_rows
from cosent_tf.bert.precision import computing_in
from cosent_tf.bert.pretrained import (
    PooledBERT,
    build_bert,
    load_bert,
    load_tokenizer,
    named_weights,
    row_lengths,
)
from cosent_tf.bert.settings import POOLERS
from cosent_tf.bert.sources import WEIGHTS_FILE, Source, find_source
from cosent_tf.bert.weights import read_weights
from cosent_tf.data import tokenize_texts
from cosent_tf.errors import UserError
from cosent_tf.texts import iter_texts

GROUPS = 2  # of rows of a batch: the cores of a CPU encode them side by side
XLA_GROUPS = 4
XLA_MULTIPLE = 32


class PooledVector(keras.layers.Layer):
    """One vector for each token row, without encoding padding unless asked to.

    It is that of [CLS], what the pooler makes of it, or the mean of all tokens, [CLS] and [SEP]
    included, as `bert` was built.

    The rows of a batch are sorted by length and encoded in groups of about as many tokens. The
    vectors are those of the whole padded batch, up to float32 rounding.

    Input: token ids (n, L) int32, padded with 0 at the end; a 0 before a row's last token is a
    token. Segment ids are all 0, as in every method of the article. Output: (n, D) float32.

    Args:
        bert: what `load_bert` returns.
        keep_padding: encode the batch as it is, with bert4keras's own model.
        jit: compile the encoder of training steps with XLA. As XLA compiles once for every shape,
            groups then have as many rows, padded to lengths that are multiples of 32.
    """

    def __init__(self, bert: PooledBERT, keep_padding: bool = False, jit: bool = False) -> None:
        super().__init__()
        self.bert = bert.model
        self.packed = PackedBERT(bert)
        self.pooling = bert.pooling
        self.named_weights = named_weights(bert)
        self.keep_padding = keep_padding
        self.positions = bert.max_position
        self.compiled = tf.function(self._encode_padded, jit_compile=True) if jit else None

    def call(self, token_ids: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        compiled = self.compiled is not None and training  # batches to be scored vary in shape
        padded = self._encode_compiled if compiled else self._encode_padded
        lengths = row_lengths(token_ids)  # (n,)
        if self.keep_padding:
            return padded(token_ids, lengths)
        encode = padded if compiled else self.packed
        order = tf.argsort(lengths, direction='DESCENDING')
        lengths = tf.gather(lengths, order)
        sizes, groups = (tf.ones_like(lengths), XLA_GROUPS) if compiled else (lengths, GROUPS)
        vectors = [
            encode(tf.gather(token_ids, order[start:end]), lengths[start:end])
            for start, end in split_rows(sizes, groups)
        ]
        return tf.gather(tf.concat(vectors, axis=0), tf.argsort(order))

    def _encode_padded(self, token_ids: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        hidden = self.bert([token_ids, tf.zeros_like(token_ids)])
        hidden = tf.cast(hidden, tf.float32)  # (n, 1, D); (n, L, D) for the mean, a pooler's (n, D)
        if self.pooling in POOLERS:
            return hidden
        if self.pooling == 'cls':
            return hidden[:, 0]
        inside = tf.sequence_mask(lengths, tf.shape(token_ids)[1], tf.float32)  # (n, L)
        total = tf.reduce_sum(hidden * inside[:, :, None], axis=1)
        return total / tf.cast(lengths, tf.float32)[:, None]

    def _encode_compiled(self, token_ids: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        longest = tf.reduce_max(tf.concat([lengths, [1]], axis=0))
        width = tf.minimum(-(-longest // XLA_MULTIPLE) * XLA_MULTIPLE, self.positions)
        token_ids = tf.pad(token_ids[:, :longest], [[0, 0], [0, width - longest]])
        return self.compiled(token_ids, lengths)


class SentenceEncoder:
    """Sentences to vectors."""

    def __init__(self, bert: PooledBERT, source: Source, precision: str, backend: str) -> None:
        token_ids = keras.Input((None,), dtype='int32')
        self.model = keras.Model(token_ids, PooledVector(bert)(token_ids))  # (n, L) → (n, D)
        self.encode_rows = make_row_encoder(self.model, source, precision, backend)
        self.tokenizer = load_tokenizer(source.bert_dir)
        self.maxlen = source.maxlen
        self.pooling = source.pooling

    def encode(self, texts: Iterable[str], normalize: bool = True) -> np.ndarray:
        """Return the vectors of texts, in their order, each distinct text encoded once.

        Args:
            texts: any strings, also empty ones, in a list, an array, a column, a generator, …; over
                `maxlen` tokens they are cut.
            normalize: scale every vector to unit length.

        Returns:
            (n, D) float32.

        Raises:
            TypeError: what is no string, by its position; one text instead of a list.
        """
        encoded = tokenize_texts(self.tokenizer, iter_texts(texts), self.maxlen)
        vectors = self.encode_rows(encoded.rows)
        if normalize:
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors[encoded.index]


def load_encoder(
    run_or_bert_dir: str | Path,
    pooling: str | None = None,
    maxlen: int | None = None,
    precision: str = 'fp32',
    backend: str = 'tensorflow',
) -> SentenceEncoder:
    """Load the encoder of a run (its best epoch), or a pretrained one.

    Args:
        run_or_bert_dir: `runs/{task}.{model}.{method}.seed{n}`, a folder with a BERT, or `hf:NAME`.
        pooling: how a pretrained encoder makes a vector of its tokens: 'cls', 'mean', 'pooler', or
            'pooler_linear' (SimBERT). Left out, a folder of sentence-transformers says it, and of
            any other [CLS] is assumed. A run has what it was trained with.
        maxlen: tokens a text, of a pretrained encoder. Left out, it comes likewise, or is 64.
        precision: what it computes in, whatever the run was trained in or this process uses:
            'fp32', 'bf16' or 'fp16'. On GPUs from Ampere on, fp32 is TF32 unless the process has
            switched that off (`configure_process`).
        backend: what it computes with: 'tensorflow', or 'openvino', on the CPU and in fp32 only.

    Raises:
        UserError: none of these, a broken file, a run of Interact, a pooling or maxlen for a run,
            another pooling, files that ask for what cannot be done (see `settings`), or a backend
            that cannot be had.
        ValueError: another precision or backend.
    """
    source = find_source(run_or_bert_dir, pooling, maxlen)
    if source.is_joint:
        raise UserError(
            f'{source.run}: {source.method} reads both sentences as one input, so it has no '
            'sentence vectors; train_cosent.py and train_sbert.py do'
        )
    with computing_in(precision):
        if source.run is None:
            bert = load_bert(source.bert_dir, source.maxlen, pooling=source.pooling)
        else:
            bert = build_bert(source.bert_dir, source.maxlen, pooling=source.pooling)
            read_weights(source.run / WEIGHTS_FILE, named_weights(bert))
        return SentenceEncoder(bert, source, precision, backend)

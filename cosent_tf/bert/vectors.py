"""Vectors from a BERT, without work on padding: in training, in scoring, for your own use."""

from pathlib import Path

import numpy as np

from cosent_tf.bert.backends import make_row_encoder
from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.precision import computing_in
from cosent_tf.bert.pretrained import (
    PooledBERT,
    build_bert,
    load_bert,
    load_tokenizer,
    named_weights,
    row_lengths,
)
from cosent_tf.bert.sources import WEIGHTS_FILE, Source, find_source
from cosent_tf.bert.weights import read_weights
from cosent_tf.data import tokenize_texts
from cosent_tf.errors import UserError

GROUPS = 4  # of rows of a batch, by length
XLA_MULTIPLE = 32


class PooledVector(keras.layers.Layer):
    """One vector for each token row, without encoding most of the padding.

    It is that of [CLS], or the mean of all tokens, [CLS] and [SEP] included, as `bert` was built.

    The rows of a batch are sorted by length and encoded in groups of about as many tokens, each
    cut to its own longest row. The vectors are those of the whole padded batch, up to float32
    rounding.

    Input: token ids (n, L) int32, padded with 0 at the end; a 0 before a row's last token is a
    token. Segment ids are all 0, as in every method of the article. Output: (n, D) float32.

    Args:
        bert: what `load_bert` returns.
        keep_padding: encode the batch as it is, in one group.
        jit: compile the encoder of training steps with XLA. As XLA compiles once for every shape,
            groups then have as many rows, and lengths that are multiples of 32.
    """

    def __init__(
        self, bert: PooledBERT, keep_padding: bool = False, jit: bool = False, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.bert = bert.model
        self.pooling = bert.pooling
        self.named_weights = named_weights(bert)
        self.groups = 1 if keep_padding else GROUPS
        self.positions = bert.max_position
        self.compiled = tf.function(self._encode, jit_compile=True) if jit else None

    def call(self, token_ids: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        jit = self.compiled is not None and training  # batches to be scored vary in shape
        encode = self._encode_compiled if jit else self._encode
        if self.groups == 1:
            return encode(token_ids, training)
        lengths = row_lengths(token_ids)  # (n,)
        order = tf.argsort(lengths, direction='DESCENDING')
        sizes = tf.ones_like(lengths) if jit else tf.gather(lengths, order)
        bounds = _bounds(sizes, self.groups)
        vectors = []
        for group in range(self.groups):
            rows = order[bounds[group] : bounds[group + 1]]
            longest = tf.reduce_max(tf.concat([tf.gather(lengths, rows), [1]], axis=0))
            vectors.append(encode(tf.gather(token_ids, rows)[:, :longest], training))
        return tf.gather(tf.concat(vectors, axis=0), tf.argsort(order))

    def _encode(self, token_ids: tf.Tensor, training: bool) -> tf.Tensor:
        hidden = self.bert([token_ids, tf.zeros_like(token_ids)], training=training)
        hidden = tf.cast(hidden, tf.float32)  # (n, 1, D), or (n, L, D) for the mean
        if self.pooling == 'cls':
            return hidden[:, 0]
        lengths = row_lengths(token_ids)
        inside = tf.sequence_mask(lengths, tf.shape(token_ids)[1], tf.float32)  # (n, L)
        total = tf.reduce_sum(hidden * inside[:, :, None], axis=1)
        return total / tf.cast(lengths, tf.float32)[:, None]

    def _encode_compiled(self, token_ids: tf.Tensor, training: bool) -> tf.Tensor:
        length = tf.shape(token_ids)[1]
        padded = tf.minimum(-(-length // XLA_MULTIPLE) * XLA_MULTIPLE, self.positions)
        return self.compiled(tf.pad(token_ids, [[0, 0], [0, padded - length]]), training)


def _bounds(sizes: tf.Tensor, groups: int) -> tf.Tensor:
    """Return where rows of these sizes, (n,), are split into groups of one size, (groups + 1,)."""
    shares = tf.reduce_sum(sizes) * tf.range(1, groups) // groups
    ends = tf.searchsorted(tf.cumsum(sizes), shares) + 1  # after the row that reaches the share
    return tf.concat([[0], ends, [tf.size(sizes)]], axis=0)


class SentenceEncoder:
    """Sentences to vectors."""

    def __init__(self, bert: PooledBERT, source: Source, precision: str, backend: str) -> None:
        token_ids = keras.Input((None,), dtype='int32')
        self.model = keras.Model(token_ids, PooledVector(bert)(token_ids))  # (n, L) → (n, D)
        self.encode_rows = make_row_encoder(self.model, source, precision, backend)
        self.tokenizer = load_tokenizer(source.bert_dir)
        self.maxlen = source.maxlen
        self.pooling = source.pooling

    def encode(self, texts: list[str], normalize: bool = True) -> np.ndarray:
        """Return the vectors of texts, in their order, each distinct text encoded once.

        Args:
            texts: any strings, also empty ones; over `maxlen` tokens they are cut.
            normalize: scale every vector to unit length.

        Returns:
            (n, D) float32.

        Raises:
            TypeError: one text instead of a list, which would be taken for its characters.
        """
        if isinstance(texts, str):
            raise TypeError(f'texts must be a list: encode([{texts[:20]!r}]) for one text')
        encoded = tokenize_texts(self.tokenizer, texts, self.maxlen)
        vectors = self.encode_rows(encoded.rows)
        if normalize:
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors[encoded.index]


def load_encoder(
    run_or_bert_dir: str | Path, precision: str = 'fp32', backend: str = 'tensorflow'
) -> SentenceEncoder:
    """Load the encoder of a run (its best epoch), or a pretrained one.

    A run has the pooling it was trained with, a folder of sentence-transformers its own, and any
    other BERT [CLS].

    Args:
        run_or_bert_dir: `runs/{task}.{model}.{method}.seed{n}`, a folder with a BERT, or `hf:NAME`.
        precision: what it computes in, whatever the run was trained in or this process uses:
            'fp32', 'bf16' or 'fp16'.
        backend: what it computes with: 'tensorflow', or 'openvino', on the CPU and in fp32 only.

    Raises:
        UserError: none of these, a broken file, a run of Interact, files that ask for what cannot
            be done (see `settings`), or a backend that cannot be had.
        ValueError: another precision or backend.
    """
    source = find_source(run_or_bert_dir)
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

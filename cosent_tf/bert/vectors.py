"""Vectors from a BERT, without work on padding: for training, scoring and other programs."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cosent_tf.bert.backends import check_backend, computing_in, make_row_encoder
from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.packed import PackedBERT, split_rows
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
from cosent_tf.bert.weights import model_weights, open_weights, read_weights
from cosent_tf.data import tokenize_texts
from cosent_tf.errors import UserError
from cosent_tf.methods import find_method
from cosent_tf.texts import iter_texts

GROUPS = 2  # of rows per batch, which the cores of a CPU encode in parallel
XLA_GROUPS = 4
XLA_MULTIPLE = 32


class PooledVector(keras.layers.Layer):
    """One vector per token row, computed without the padding.

    It is the vector of [CLS], the output of the pooler, or the mean over all tokens, [CLS] and
    [SEP] included, depending on the pooling that `bert` was built with.

    The rows of a batch are sorted by length and encoded in groups with about as many tokens each.
    The vectors equal those of the whole padded batch up to float32 rounding.

    Input: token ids (n, L) int32, padded with 0 at the end; a 0 before a row's last token is a
    token. Segment ids are all 0, as in every method of the article. Output: (n, D) float32.

    Args:
        bert: from `load_bert`.
        keep_padding: encode the padded batch, with bert4keras's own model.
        jit: compile the encoder of training steps with XLA. XLA compiles once per shape, so all
            groups then have equally many rows, padded to a multiple of 32 tokens.
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
        compiled = self.compiled is not None and training  # when scoring, batches vary in shape
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
        hidden = tf.cast(hidden, tf.float32)  # (n, 1, D); mean: (n, L, D); pooler: (n, D)
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
    """Encodes sentences as vectors; see `load_encoder`."""

    def __init__(self, source: Source, precision: str, backend: str) -> None:
        self.model = load_model(source, precision)  # (n, L) → (n, D)
        self.encode_rows = make_row_encoder(self.model, source, precision, backend)
        self.tokenizer = load_tokenizer(source.bert_dir)
        self.maxlen = source.maxlen
        self.pooling = source.pooling

    def encode(self, texts: Iterable[str], normalize: bool = True) -> np.ndarray:
        """Return the vectors of texts, in their order; each distinct text is encoded once.

        Args:
            texts: strings, possibly empty, in a list, an array, a column, a generator, …; they are
                cut to `maxlen` tokens.
            normalize: scale every vector to unit length.

        Returns:
            (n, D) float32.

        Raises:
            TypeError: an item that is not a string (with its position), or one text, not a list.
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
        pooling: how a pretrained encoder turns its tokens into a vector: 'cls', 'mean', 'pooler',
            or 'pooler_linear' (SimBERT). Default: what a sentence-transformers folder specifies,
            else 'cls'. A run keeps the pooling it was trained with.
        maxlen: tokens per text of a pretrained encoder. Default: likewise, else 64.
        precision: 'fp32', 'bf16' or 'fp16', whatever the run was trained in or this process uses.
            On GPUs from Ampere on, fp32 is TF32 unless the process has switched that off
            (`configure_process`).
        backend: 'tensorflow', or 'openvino': CPU only, fp32, or bf16 if the processor has it.

    Raises:
        UserError: not a run, folder or model; a broken file; a run of Interact; a pooling or maxlen
            for a run; an unknown pooling; files that ask for something unsupported (see
            `settings`); or a backend that is not installed or lacks the precision.
        ValueError: unknown precision or backend.
    """
    check_backend(backend, precision)
    source = find_source(run_or_bert_dir, pooling, maxlen)
    if source.is_joint:
        raise UserError(
            f'{source.run}: {source.method} reads both sentences as one input, so it has no '
            'sentence vectors; train_cosent.py and train_sbert.py do'
        )
    return SentenceEncoder(source, precision, backend)


def load_model(source: Source, precision: str = 'fp32') -> keras.Model:
    """Load a model: token ids (n, L) → vectors (n, D), or outputs (n, C) of a joint method.

    Raises:
        UserError: a file is missing or broken.
        ValueError: unknown precision.
    """
    load = load_bert if source.run is None else build_bert
    token_ids = keras.Input((None,), dtype='int32')
    with computing_in(precision):
        bert = load(source.bert_dir, source.maxlen, pooling=source.pooling)
        outputs = PooledVector(bert)(token_ids)  # (n, D)
        if source.is_joint:
            with open_weights(source.run / WEIGHTS_FILE) as file:
                classes = len(file['head/bias'])
            head = find_method(source.method).head
            outputs = keras.layers.Dense(classes, head, name='head', dtype='float32')(outputs)
    model = keras.Model(token_ids, outputs)
    if source.run is not None:
        read_weights(source.run / WEIGHTS_FILE, model_weights(model))
    return model

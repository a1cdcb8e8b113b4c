"""Scores of sentence pairs by a run, as in its predictions.

Loaded in another precision than it was trained in, they differ from these by rounding.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np

from cosent_tf.bert.backends import make_row_encoder
from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.precision import computing_in
from cosent_tf.bert.pretrained import build_bert, load_tokenizer
from cosent_tf.bert.sources import WEIGHTS_FILE, Source, find_source
from cosent_tf.bert.vectors import PooledVector, SentenceEncoder, load_encoder
from cosent_tf.bert.weights import model_weights, read_weights
from cosent_tf.data import tokenize_pairs
from cosent_tf.errors import UserError
from cosent_tf.methods import find_method
from cosent_tf.metrics import cosine_similarity
from cosent_tf.texts import iter_pairs

Scorer = Callable[[Iterable[Sequence]], np.ndarray]


def load_scorer(
    run_or_bert_dir: str | Path,
    pooling: str | None = None,
    maxlen: int | None = None,
    precision: str = 'fp32',
    backend: str = 'tensorflow',
) -> Scorer:
    """Load what scores pairs: the cosine of two vectors, or the output of Interact.

    Args:
        run_or_bert_dir: a run of any method, a folder with a BERT, or `hf:NAME`.
        pooling: of a pretrained encoder, as for `load_encoder`.
        maxlen: of a pretrained encoder, as for `load_encoder`.
        precision: what it computes in: 'fp32', 'bf16' or 'fp16'.
        backend: what it computes with, as for `load_encoder`.

    Returns:
        A function of n pairs (text1, text2), whatever follows in them, to their scores, (n,), or
        to the probabilities of all classes, (n, C), of an Interact run with C > 2. What is no pair
        of strings is a TypeError that names its position.

    Raises:
        UserError: none of these, a broken file, a pooling or maxlen for a run, or a backend that
            cannot be had.
        ValueError: another precision or backend.
    """
    source = find_source(run_or_bert_dir, pooling, maxlen)
    if source.is_joint:
        with computing_in(precision):
            score = _joint_scorer(source, precision, backend)
    else:
        encoder = load_encoder(run_or_bert_dir, pooling, maxlen, precision, backend)
        score = _cosine_scorer(encoder)
    return lambda pairs: score(list(iter_pairs(pairs)))


def _cosine_scorer(encoder: SentenceEncoder) -> Scorer:
    def score(pairs: list[tuple[str, str]]) -> np.ndarray:
        vectors = encoder.encode(itertools.chain(*pairs), normalize=False)  # (2n, D)
        return cosine_similarity(vectors[::2], vectors[1::2])

    return score


def _joint_scorer(source: Source, precision: str, backend: str) -> Scorer:
    tokenizer = load_tokenizer(source.bert_dir)
    encode = make_row_encoder(build_joint(source), source, precision, backend)

    def score(pairs: list[tuple[str, str]]) -> np.ndarray:
        rows, index = tokenize_pairs(tokenizer, pairs, source.maxlen)
        return joint_scores(encode(rows)[index])

    return score


def build_joint(source: Source) -> keras.Model:
    """Build an Interact run's model with its best weights, token ids (n, L) → (n, C) or (n, 1).

    Raises:
        UserError: a file is missing or broken.
    """
    path = source.run / WEIGHTS_FILE
    token_ids = keras.Input((None,), dtype='int32')
    bert = build_bert(source.bert_dir, source.maxlen, pooling=source.pooling)
    vectors = PooledVector(bert)(token_ids)  # (n, D)
    activation = find_method(source.method).head
    head = keras.layers.Dense(_outputs(path), activation=activation, name='head', dtype='float32')
    model = keras.Model(token_ids, head(vectors))
    read_weights(path, model_weights(model))
    return model


def joint_scores(outputs: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
    """Return the scores, (n,), of a joint model's outputs; of C > 2 classes all, (n, C)."""
    return outputs if outputs.shape[1] > 2 else outputs[:, -1]


def _outputs(path: Path) -> int:
    """Return how many outputs the head in a file of weights has."""
    try:
        with h5py.File(path, 'r') as file:
            return file['head/bias'].shape[0]
    except (OSError, KeyError) as error:
        raise UserError(f'{path}: broken or of another model: {error}') from error

"""Scores of sentence pairs by a run: as in its predictions, near them in another precision."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from cosent_tf.bert.backends import check_backend, make_row_encoder
from cosent_tf.bert.compat import tf
from cosent_tf.bert.pretrained import load_tokenizer
from cosent_tf.bert.sources import find_source
from cosent_tf.bert.vectors import SentenceEncoder, load_model
from cosent_tf.data import tokenize_pairs
from cosent_tf.metrics import cosine_similarity
from cosent_tf.texts import iter_pairs


def load_scorer(
    run_or_bert_dir: str | Path,
    pooling: str | None = None,
    maxlen: int | None = None,
    precision: str = 'fp32',
    backend: str = 'tensorflow',
) -> Callable[[Iterable[Sequence]], np.ndarray]:
    """Load a scorer of pairs: the cosine of their vectors, or the output of Interact.

    Args:
        run_or_bert_dir: a run of any method, a folder with a BERT, or `hf:NAME`.
        pooling, maxlen, precision, backend: as for `load_encoder`.

    Returns:
        A function from n pairs (text1, text2), each possibly with more fields, to their scores,
        (n,), or for an Interact run with C > 2 classes to the probabilities of all classes, (n, C).
        It raises a TypeError with the position of what is not a pair of strings.

    Raises:
        UserError: as `load_encoder`; but runs of Interact can be loaded.
        ValueError: unknown precision or backend.
    """
    check_backend(backend, precision)
    source = find_source(run_or_bert_dir, pooling, maxlen)
    if source.is_joint:
        encode = make_row_encoder(load_model(source, precision), source, precision, backend)
        tokenizer = load_tokenizer(source.bert_dir)

        def score(pairs: Iterable[Sequence]) -> np.ndarray:
            rows, index = tokenize_pairs(tokenizer, iter_pairs(pairs), source.maxlen)
            return joint_scores(encode(rows)[index])
    else:
        encoder = SentenceEncoder(source, precision, backend)

        def score(pairs: Iterable[Sequence]) -> np.ndarray:
            texts = itertools.chain.from_iterable(iter_pairs(pairs))
            vectors = encoder.encode(texts, normalize=False)  # (2n, D)
            return cosine_similarity(vectors[::2], vectors[1::2])

    return score


def joint_scores(outputs: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
    """Return the scores, (n,), from a joint model's outputs; for C > 2 classes all, (n, C)."""
    return outputs if outputs.shape[1] > 2 else outputs[:, -1]

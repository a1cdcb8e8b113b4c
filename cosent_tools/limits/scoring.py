"""Scores of both models for all pairs of the sampled sentences, and of the edited ones."""

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit

import cosent_tf
from cosent_tf.methods import find_method
from cosent_tools.limits.edits import Chain
from cosent_tools.limits.trained import TrainedRun


class MethodScores(NamedTuple):
    """Scores of one method on the sampled and the edited sentences."""

    matrix: np.ndarray  # (n, n), of all ordered pairs of the sampled ones
    edited: np.ndarray  # (chains, TIMES + 2), see `Chain.pairs`
    threshold: float  # pairs with a score above it are similar
    per_second: float  # pairs scored, or sentences encoded


def score_by_interact(run: TrainedRun, texts: list[str], chains: list[Chain]) -> MethodScores:
    """Score all pairs with Interact, in [0, 1]."""
    show(f'loading {run.folder}')
    score = cosent_tf.load_scorer(run.folder)
    score([('', '')])  # so that tracing is not measured
    bounded = find_method(run.name.method).is_bounded

    def probabilities(pairs: list[tuple[str, str]]) -> np.ndarray:
        scores = score(pairs).astype(np.float64)
        return scores if bounded else expit(scores - run.threshold)

    grid = [(first, second) for first in texts for second in texts]
    scores, per_second = timed('pairs of sentences, scored by Interact', probabilities, grid)
    pairs = [pair for chain in chains for pair in chain.pairs]
    edited, _ = timed('pairs of edited sentences, scored by Interact', probabilities, pairs)
    matrix, edited = scores.reshape(len(texts), -1), edited.reshape(len(chains), -1)
    return MethodScores(matrix, edited, run.threshold if bounded else 0.5, per_second)


def score_by_vectors(
    run: TrainedRun, texts: list[str], chains: list[Chain]
) -> tuple[MethodScores, np.ndarray]:
    """Encode all sentences; return their cosines, and the unit vectors (n, D) of the texts."""
    show(f'loading {run.folder}')
    encoder = cosent_tf.load_encoder(run.folder)
    encoder.encode([''])
    distinct = dict.fromkeys([*texts, *(text for chain in chains for text in chain.texts)])
    number = {text: i for i, text in enumerate(distinct)}
    vectors, per_second = timed('sentences, encoded', encoder.encode, list(number))
    vectors = vectors.astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)  # to 1 in float64, too
    pairs = np.array([[[number[a], number[b]] for a, b in chain.pairs] for chain in chains])
    edited = np.einsum('cpd,cpd->cp', vectors[pairs[..., 0]], vectors[pairs[..., 1]])
    unit = vectors[: len(texts)]  # the texts are different, and come first
    return MethodScores(unit @ unit.T, edited, run.threshold, per_second), unit


def timed(what: str, function: Callable[[list], np.ndarray], items: list) -> tuple:
    """Return the result of a function for items, and how many items it processes per second."""
    show(f'{len(items):,} {what} …')
    start = time.perf_counter()
    result = function(items)
    seconds = time.perf_counter() - start
    show(f'    {seconds:.1f} s, {len(items) / seconds:,.0f} per second')
    return result, len(items) / seconds


def show(progress: str) -> None:
    """Print progress to stderr."""
    print(progress, file=sys.stderr, flush=True)

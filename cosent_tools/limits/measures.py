"""The figures of the report: each step of the theory, measured on the scores of both methods."""

import time
from itertools import pairwise

import numpy as np

from cosent_tools.limits import theory
from cosent_tools.limits.edits import Chain, Change, changes
from cosent_tools.limits.scoring import MethodScores
from cosent_tools.limits.trained import TrainedRun
from cosent_tools.report.overlap import BINS, character_overlap

SIZES = (10**4, 10**5, 10**6)  # simulated sentences
WIDTH = 768  # dimensions of the article's vectors
RESAMPLES = 1000
MIN_PAIRS = 5  # of each class; below it no AUC is given


def measure_similarity(scores: MethodScores) -> tuple[dict, np.ndarray]:
    """Return properties of the matrix of scores, and B, whose inner products the scores are."""
    similarity = theory.symmetric(scores.matrix)
    shift, represented = theory.represent(similarity)  # BBᵀ = S + c·I
    cosines, unit = similarity / (1 + shift), represented / (1 + shift) ** 0.5
    margin = scores.threshold / (1 + shift)  # the threshold of the cosines
    matrix = {
        **theory.measure_matrix(scores.matrix, scores.threshold)._asdict(),
        'shift': shift,
        'margin': margin,
        'inner_products': theory.compare(similarity, represented, scores.threshold),
        'cosines': theory.compare(cosines, unit, margin),
    }
    return matrix, represented


def measure_dimensions(scores: MethodScores, vectors: np.ndarray) -> list[dict]:
    """Return how well fewer dimensions preserve the vectors that represent the scores."""
    return theory.dimension_curve(theory.symmetric(scores.matrix), vectors, scores.threshold)


def simulate_many(margin: float) -> list[theory.Simulated]:
    """Project up to a million vectors to 8·ln n dimensions, and to as many as the article's."""
    return [
        theory.simulate(n, d, margin) for n in SIZES for d in (theory.enough_dimensions(n), WIDTH)
    ]


def measure_overlap(interact: TrainedRun, vectors: TrainedRun) -> list[dict]:
    """Return AUC and confidence interval of both runs on all valid pairs, and by overlap."""
    labels, texts = interact.valid.labels, interact.valid.texts
    bins = np.digitize(character_overlap(texts), BINS[1:-1])
    chosen = {'all': bins >= 0}
    chosen |= {f'{low} to {high}': bins == i for i, (low, high) in enumerate(pairwise(BINS))}
    return [
        {
            'overlap': name,
            'pairs': int(rows.sum()),
            'positive': int(labels[rows].sum()),
            'interact': auc_interval(labels[rows], interact.valid.scores[rows]),
            'vectors': auc_interval(labels[rows], vectors.valid.scores[rows]),
        }
        for name, rows in chosen.items()
    ]


def auc_interval(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float, float] | None:
    """Return AUC and its 95 % bootstrap interval, each class resampled; None for too few pairs.

    Args:
        labels: (n,), 0 or 1.
        scores: (n,).
    """
    from sklearn.metrics import roc_auc_score  # not at the top: it takes some seconds

    sides = [np.flatnonzero(labels == label) for label in (1, 0)]
    if min(map(len, sides)) < MIN_PAIRS:
        return None
    random = np.random.default_rng(0)

    def draw() -> float:
        rows = np.concatenate([random.choice(side, len(side)) for side in sides])
        return float(roc_auc_score(labels[rows], scores[rows]))

    low, high = np.quantile([draw() for _ in range(RESAMPLES)], [0.025, 0.975]).tolist()
    return float(roc_auc_score(labels, scores)), low, high


def measure_edits(scores: MethodScores, chains: list[Chain]) -> list[Change]:
    """Return the effect of edits on the scores, relative to two of the sampled sentences."""
    unrelated = theory.mean_of_pairs(scores.matrix)
    return changes(chains, scores.edited, scores.threshold, unrelated)


def measure_triangles(scores: MethodScores) -> dict[str, theory.Triangles]:
    """Count over all triples of sentences, and of sentences with their first two edits."""
    similarity = theory.symmetric(scores.matrix)
    return {
        'all': theory.all_triangles(similarity, scores.threshold),
        'edited': theory.triangles(*scores.edited[:, [1, -1, 2]].T, scores.threshold),
    }


def measure_products(width: int) -> float:
    """Return how many inner products of vectors are computed per second by a matrix product."""
    block = np.random.default_rng(0).standard_normal((20_000, width), np.float32)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        block @ block[0]
        seconds.append(time.perf_counter() - start)
    return len(block) / float(np.median(seconds))

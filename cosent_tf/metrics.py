"""Measures of similarity scores and of decisions."""

import numpy as np
from numpy.typing import ArrayLike


def cosine_similarity(u: ArrayLike, v: ArrayLike) -> np.ndarray:
    """Return the row-wise cosines of two (n, D), (n,) float64; those of zero vectors are 0."""
    u, v = np.asarray(u, np.float64), np.asarray(v, np.float64)
    norms = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
    return np.einsum('nd,nd->n', u, v) / np.where(norms > 0, norms, 1)


def has_two_labels(labels: ArrayLike) -> bool:
    """Return whether (n,) labels differ; if not, or if all are NaN, they measure nothing."""
    return len(np.unique(labels)) > 1


def spearman(y_true: ArrayLike, y_score: ArrayLike) -> float:
    """Return Spearman's rank correlation of (n,) labels and (n,) scores, in [-1, 1].

    Constant labels or scores give 0.0, where scipy warns and gives NaN; NaN scores give NaN.
    """
    from scipy.stats import spearmanr  # not at the top: takes about a second

    if np.ptp(y_true) == 0 or np.ptp(y_score) == 0:
        return 0.0
    return float(spearmanr(y_true, y_score).statistic)


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the share of the (n,) predicted labels that are correct."""
    return float(np.mean(np.asarray(y_true) == np.asarray(y_pred)))


def f1(y_true: ArrayLike, y_pred: ArrayLike, positive: int = 1) -> float:
    """Return F1 of one class for (n,) labels; 0.0 if nothing is, or is predicted, positive."""
    true, predicted = np.asarray(y_true) == positive, np.asarray(y_pred) == positive
    return float(2 * np.sum(true & predicted) / max(np.sum(true) + np.sum(predicted), 1))


def macro_f1(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the mean F1 of the classes that occur in either of the (n,) arrays."""
    return float(np.mean([f1(y_true, y_pred, c) for c in np.union1d(y_true, y_pred)]))

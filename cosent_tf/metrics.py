"""Measures of similarity scores and of decisions, without TensorFlow.

scipy.stats takes about a second to import, so it is imported on first use.
"""

import numpy as np


def cosine_similarity(u, v):
    """Cosine of each row of `u` with the same row of `v`: (n, D), (n, D) -> (n,) float64.

    A zero vector has no direction; its cosine is 0 here.
    """
    u, v = np.asarray(u, np.float64), np.asarray(v, np.float64)
    norms = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
    return np.einsum('nd,nd->n', u, v) / np.where(norms > 0, norms, 1)


def spearman(y_true, y_score):
    """Spearman's rank correlation of (n,) labels and (n,) scores, a float in [-1, 1].

    Constant labels or scores rank nothing: 0.0 then, where scipy warns and gives NaN. NaN scores
    do give NaN.
    """
    from scipy.stats import spearmanr

    if np.ptp(y_true) == 0 or np.ptp(y_score) == 0:
        return 0.0
    return float(spearmanr(y_true, y_score).statistic)


def accuracy(y_true, y_pred):
    """Share of the (n,) predicted labels that are right, a float in [0, 1]."""
    return float(np.mean(np.asarray(y_true) == np.asarray(y_pred)))


def f1(y_true, y_pred, positive=1):
    """F1 of class `positive` for (n,) labels; 0.0 where nothing is or should be positive."""
    true, predicted = np.asarray(y_true) == positive, np.asarray(y_pred) == positive
    return float(2 * np.sum(true & predicted) / max(np.sum(true) + np.sum(predicted), 1))


def macro_f1(y_true, y_pred):
    """Mean F1 of the classes that occur in either of the (n,) arrays: every class counts alike."""
    return float(np.mean([f1(y_true, y_pred, c) for c in np.union1d(y_true, y_pred)]))

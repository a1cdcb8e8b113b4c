"""More measures of one run, and whether it has learned anything.

scikit-learn takes some seconds to import, so it is imported on first use.
"""

from typing import NamedTuple

import numpy as np

from cosent_tf.decisions import is_graded
from cosent_tools.report.evaluation import Result

TOLERANCE = 1e-6  # scores that differ by no more are equal up to rounding


class Details(NamedTuple):
    """Measures on test of class 1, or means over C classes; None where undefined."""

    precision: float | None  # of the decisions
    recall: float | None
    average_precision: float | None  # of the scores
    roc_auc: float | None


def details(result: Result) -> Details:
    """Measure a run's decisions and scores, as scikit-learn defines the measures."""
    from sklearn.metrics import (
        average_precision_score,
        precision_recall_fscore_support,
        roc_auc_score,
    )

    labels, scores = result.test.labels, result.test.scores
    decided = ranked = (None, None)
    if result.predicted is not None:
        average = 'macro' if result.weights else 'binary'
        predicted = labels, result.predicted
        decided = precision_recall_fscore_support(*predicted, average=average, zero_division=0)[:2]
    classes = [1] if scores.ndim == 1 else range(scores.shape[1])
    truth, scores = labels[:, None] == classes, scores.reshape(len(labels), -1)  # (n, C), (n, C)
    usable = truth.any(axis=0) & ~truth.all(axis=0)  # one class alone cannot be ranked
    if usable.any() and not is_graded(labels, result.test.scores):
        columns = truth[:, usable], scores[:, usable]
        ranked = average_precision_score(*columns), roc_auc_score(*columns)
    return Details(*(None if value is None else float(value) for value in (*decided, *ranked)))


def collapse(result: Result) -> str | None:
    """Return why a run's scores show that it has learned nothing, None if they do not.

    A bad threshold, or one fitted for another measure, is no collapse: only scores that do not
    separate the classes are.
    """
    scores, labels = result.test.scores, result.test.labels
    if np.ptp(scores, axis=0).max() <= TOLERANCE:
        return 'all test scores are equal'
    if result.value is None or is_graded(labels, scores):
        return None
    classes = [(labels == 1, scores)]
    if scores.ndim == 2:
        classes = [(labels == c, scores[:, c]) for c in np.unique(labels)]
    areas = [auc_interval(positive, ranking) for positive, ranking in classes]
    if not all(low <= 0.5 <= high for _, low, high in areas):
        return None
    area, low, high = (f'{100 * value:.2f}' for value in np.mean(areas, axis=0))
    return f'test scores do not separate the classes, ROC AUC {area} [{low}, {high}]'


def auc_interval(positive: np.ndarray, scores: np.ndarray) -> tuple[float, float, float]:
    """Return the ROC AUC and its 95 % interval, by DeLong's variance (Biometrics 44, 1988, 837).

    Args:
        positive: (n,) bool; with fewer than two of either class, anything is possible.
        scores: (n,).
    """
    from scipy.stats import rankdata  # not at the top: slow

    counts = positive.sum(), (~positive).sum()
    if min(counts) < 2:
        return 0.5, 0.0, 1.0
    ranks = rankdata(scores)
    # for each pair, the share of the other class that is below it, ties by half
    shares = [
        (ranks[own] - rankdata(scores[own])) / other
        for own, other in ((positive, counts[1]), (~positive, counts[0]))
    ]
    area = float(shares[0].mean())
    variance = sum(share.var(ddof=1) / len(share) for share in shares)
    return area, area - 1.96 * float(variance**0.5), area + 1.96 * float(variance**0.5)


def has_useless_threshold(result: Result) -> bool:
    """Return whether the decisions on test are no better than one answer for all pairs."""
    if result.predicted is None or result.value is None:
        return False
    majority = np.unique(result.test.labels, return_counts=True)[1].max() / len(result.predicted)
    # a threshold fitted for another measure may well cost accuracy
    is_worse = result.measure == 'accuracy' and result.accuracy <= majority
    return is_worse or np.ptp(result.predicted) == 0

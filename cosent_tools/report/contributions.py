"""Contributions of the test pairs to a measure: n numbers whose mean is the measure.

For accuracy they are 1 (right) and 0 (wrong). F1 and Spearman's correlation are no means; there
they are the measure plus its empirical influence function: the change of leaving one pair out,
times n, up to terms of order 1/n (the infinitesimal jackknife; Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 21). So all measures are compared in one way.
"""

import numpy as np

from cosent_tools.report.evaluation import Result


def pair_contributions(result: Result) -> np.ndarray:
    """Return the contributions (n,) of a run's test pairs; their mean is `result.value`."""
    labels = result.test.labels
    if result.measure == 'spearman':
        return _spearman(labels, result.test.scores)
    if result.measure == 'accuracy':
        return result.correct.astype(np.float64)
    macro = result.measure == 'macro_f1'
    classes = np.union1d(labels, result.predicted) if macro else [1]
    return np.mean([_f1(labels == c, result.predicted == c) for c in classes], axis=0)


def _f1(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """F1 of one class is the ratio 2 · mean(both) / mean(true + predicted)."""
    both, either = 2.0 * (true & predicted), true.astype(np.float64) + predicted
    if not either.any():
        return either
    value = both.mean() / either.mean()
    return value + (both - value * either) / either.mean()


def _spearman(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Spearman's is the correlation of u and v, the shares of pairs below one (ties: half)."""
    n = len(labels)
    groups = [np.unique(values, return_inverse=True)[1] for values in (labels, scores)]
    if not all(group.any() for group in groups):
        return np.zeros(n)  # constant: see metrics.spearman

    def below(group: np.ndarray) -> np.ndarray:
        counts = np.bincount(group)
        return (np.cumsum(counts) - counts / 2)[group] / n

    def weight_above(group: np.ndarray, weights: np.ndarray) -> np.ndarray:
        sums = np.bincount(group, weights)
        return (sums.sum() - np.cumsum(sums) + sums / 2)[group] / n

    u, v = map(below, groups)

    def moment(first: int, second: int) -> tuple[float, np.ndarray]:
        """Return the covariance of u or v with u or v, and its influences."""
        a, b = (u, v)[first], (u, v)[second]
        mean = np.mean(a * b)
        others = weight_above(groups[first], b) + weight_above(groups[second], a)
        return mean - 0.25, a * b + others - 3 * mean  # the mean of u and of v is 1/2

    (uv, at_uv), (uu, at_uu), (vv, at_vv) = moment(0, 1), moment(0, 0), moment(1, 1)
    value = uv / np.sqrt(uu * vv)
    return value + at_uv / np.sqrt(uu * vv) - value / 2 * (at_uu / uu + at_vv / vv)

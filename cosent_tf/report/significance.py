"""Is the difference real? Intervals and paired tests for accuracies on one test split.

All of it is about the noise of a finite test split, given two trained models. How much a method
varies from one training run to the next is the standard deviation over seeds, another question.
scipy.stats is imported on first use, it takes a second.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cosent_tf.report.evaluation import Result

RESAMPLES = 10_000


class Difference(NamedTuple):
    """Two sets of decisions on the same n pairs; the difference is first minus second."""

    n: int
    only_first: int  # pairs that only the first gets right
    only_second: int
    difference: float  # of the accuracies, in [-1, 1]
    low: float  # 95 % interval of the difference
    high: float
    p_value: float  # McNemar's exact test


class Comparison(NamedTuple):
    """Two methods with the same encoder on the same test pairs, one run each."""

    task: str
    model: str
    methods: tuple[str, str]
    seeds: tuple[int, int]
    difference: Difference


def compare_methods(results: list[Result]) -> list[Comparison]:
    """Compare all pairs of methods with the same task and encoder.

    A test needs one set of decisions a method: the lowest seed that both have, or each one's
    lowest seed where they share none. Pooling seeds would count every test pair several times.
    """
    groups = {}
    for result in results:
        if result.correct is not None:
            methods = groups.setdefault((result.name.task, result.name.model), {})
            methods.setdefault(result.name.method, {})[result.name.seed] = result.correct
    comparisons = []
    for (task, model), methods in sorted(groups.items(), key=lambda group: group[0][0]):
        for (first, a), (second, b) in combinations(methods.items(), 2):
            common = a.keys() & b.keys()
            seeds = (min(common or a), min(common or b))
            difference = compare_decisions(a[seeds[0]], b[seeds[1]])
            comparisons.append(Comparison(task, model, (first, second), seeds, difference))
    return comparisons


def accuracy_interval(correct: np.ndarray) -> tuple[float, float]:
    """Return Wilson's 95 % interval of an accuracy: (n,) bool → (low, high)."""
    from scipy.stats import binomtest

    interval = binomtest(int(np.sum(correct)), len(correct)).proportion_ci(0.95, 'wilson')
    return float(interval.low), float(interval.high)


def compare_decisions(first: ArrayLike, second: ArrayLike) -> Difference:
    """Compare two sets of decisions on the same pairs, (n,) bool each: which are right."""
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    n = len(first)
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    low, high = bootstrap_interval(only_first, only_second, n)
    p_value = mcnemar_p(only_first, only_second)
    difference = (only_first - only_second) / n
    return Difference(n, only_first, only_second, difference, low, high, p_value)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Return the two-sided p of McNemar's exact test: are both as often the only right one?"""
    from scipy.stats import binomtest

    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def bootstrap_interval(only_first: int, only_second: int, n: int) -> tuple[float, float]:
    """Return the 95 % percentile interval of the difference under paired resampling of n pairs.

    A resample matters only through how many of its pairs each side alone gets right, and those
    counts are multinomial: drawing them is the paired bootstrap itself, without touching the
    pairs. The generator's seed is fixed, so a report is reproducible.
    """
    chances = np.array([only_first, only_second, n - only_first - only_second]) / n
    counts = np.random.default_rng(0).multinomial(n, chances, RESAMPLES)  # (RESAMPLES, 3)
    low, high = np.quantile((counts[:, 0] - counts[:, 1]) / n, [0.025, 0.975])
    return float(low), float(high)

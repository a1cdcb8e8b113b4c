"""Is the difference real? All runs of two methods compared, with the noise of seeds and test pairs.

A measure moves with the seed of the training and with the pairs that happen to be in test. The
design is that of several readers (here: seeds), different ones in each arm, who judge the same
cases (pairs), and so is the analysis: variance components of what each pair contributes, a
t-distribution with Satterthwaite's degrees of freedom. Sources: Dorfman, Berbaum and Metz,
Investigative Radiology 27 (1992) 723-731; Hillis, Statistics in Medicine 26 (2007) 596-619, and,
for arms with readers of their own, 33 (2014) 330-360. Resampling seeds and pairs with replacement
is simpler, but no such bootstrap has the right variance (McCullagh, Bernoulli 6 (2000)
285-301): few seeds count too little in it, the interaction of seed and pair three times.
`python -m benchmarks.coverage` shows how often the intervals of both hold the true difference.
scipy takes a second to import, so it is imported on first use.
"""

from itertools import combinations, groupby
from typing import NamedTuple

import numpy as np

from cosent_tools.report.contributions import pair_contributions
from cosent_tools.report.evaluation import Result

RESAMPLES = 10_000  # of the permutation test


class Estimate(NamedTuple):
    """A difference of means over seeds, and the parts of its variance."""

    difference: float
    test_variance: float  # of drawing test pairs, for these models
    mixed_variance: float  # what of that differs from seed to seed
    run_variances: np.ndarray  # (2,), of one run of each method, by seed; (0,) where unknown
    seeds: np.ndarray  # (2,), of each method, how many


class Comparison(NamedTuple):
    """Two methods with the same task, encoder and test pairs; differences are first minus second.

    None is unknown: with one seed of a method, the share of training in the variance.
    """

    task: str
    model: str
    methods: tuple[str, str]
    measure: str
    seeds: tuple[tuple[int, ...], tuple[int, ...]]
    difference: float  # of the means over seeds
    low: float  # 95 % interval of the difference
    high: float
    p_value: float
    corrected_p: float  # p_value, by Holm for all comparisons of the report
    permutation_p: float  # for these models, see `permutation_p_values`
    training_share: float | None  # share of the variance that is due to the training seed
    only_one_right: tuple[int, int] | None  # of two single runs: pairs only one of which is right


def compare_methods(results: list[Result]) -> list[Comparison]:
    """Compare all pairs of methods with the same task, encoder and measure, by all of their runs.

    p_value is that of `interval`. Where a method has one seed, only these models can be compared:
    by McNemar's exact test for the accuracies of two single runs, else by the permutation test.
    """
    measured = (result for result in results if result.value is not None)
    ordered = sorted(measured, key=lambda result: result.name.task)  # stable: encoders, methods
    comparisons = []
    for _, group in groupby(ordered, key=lambda result: result.name.task):
        comparisons += _compare_task(list(group))
    corrected = holm([comparison.p_value for comparison in comparisons])
    return [
        comparison._replace(corrected_p=p)
        for comparison, p in zip(comparisons, corrected, strict=True)
    ]


def _compare_task(results: list[Result]) -> list[Comparison]:
    groups = {}
    for result in results:
        methods = groups.setdefault((result.name.model, result.measure), {})
        methods.setdefault(result.name.method, []).append(result)
    values = {id(result): pair_contributions(result) for result in results}
    couples, arms = [], []
    for methods in groups.values():
        for couple in combinations(methods.values(), 2):
            couples.append(couple)
            arms.append([np.stack([values[id(run)] for run in runs]) for runs in couple])
    differences = [first.mean(axis=0) - second.mean(axis=0) for first, second in arms]
    permuted = permutation_p_values(np.array(differences)) if arms else []
    return [
        _compare(*couple, estimate(*pair), float(p))
        for couple, pair, p in zip(couples, arms, permuted, strict=True)
    ]


def _compare(
    first: list[Result], second: list[Result], found: Estimate, permuted: float
) -> Comparison:
    name, measure = first[0].name, first[0].measure
    low, high, p_value = interval(found)
    is_known, only_one_right = len(found.run_variances) > 0, None
    if not is_known:
        p_value = permuted
    if len(first) == len(second) == 1 and measure == 'accuracy':
        one, other = first[0].correct, second[0].correct
        only_one_right = int(np.sum(one & ~other)), int(np.sum(other & ~one))
        p_value = mcnemar_p(*only_one_right)
    return Comparison(
        name.task,
        name.model,
        (name.method, second[0].name.method),
        measure,
        tuple(tuple(run.name.seed for run in runs) for runs in (first, second)),
        found.difference,
        low,
        high,
        p_value,
        corrected_p=p_value,
        permutation_p=permuted,
        training_share=training_share(found) if is_known else None,
        only_one_right=only_one_right,
    )


def estimate(first: np.ndarray, second: np.ndarray) -> Estimate:
    """Estimate difference and variances from contributions, (seeds, n) of each method.

    A contribution is the method's mean + a seed's effect + a pair's + a mixed one of both. The
    first varies with the seed, the second with the pair, alike in all runs of the method, the third
    with both; the mean squares tell them apart. Seeds of the two methods have nothing in common.
    """
    n = first.shape[1]
    by_pair = first.mean(axis=0) - second.mean(axis=0)
    test_variance = np.var(by_pair) / max(n - 1, 1)
    seeds = np.array([len(first), len(second)])
    mixed_variance, run_variances = 0.0, []
    for values in (first, second) if seeds.min() > 1 else ():
        runs = values.mean(axis=1)
        mixed = values - values.mean(axis=0) - (runs - runs.mean())[:, None]
        mixed_variance += np.sum(mixed**2) / ((len(values) - 1) * max(n - 1, 1) * values.size)
        run_variances.append(np.var(runs, ddof=1))
    difference = float(by_pair.mean())
    return Estimate(difference, test_variance, mixed_variance, np.array(run_variances), seeds)


def interval(found: Estimate) -> tuple[float, float, float]:
    """Return the 95 % interval of a difference, (low, high), and the two-sided p of no difference.

    Both are for other seeds and pairs; where the noise of seeds is unknown, for other pairs only.
    """
    from scipy.special import stdtr, stdtrit

    variance, freedom = _spread(found)
    if variance == 0:
        return found.difference, found.difference, float(found.difference == 0)
    error = np.sqrt(variance)
    margin = stdtrit(freedom, 0.975) * error
    p_value = float(2 * stdtr(freedom, -abs(found.difference) / error))
    return float(found.difference - margin), float(found.difference + margin), p_value


def training_share(found: Estimate) -> float:
    """Return the share of the variance due to training, in [0, 1]; the rest is the test split's."""
    variance, _ = _spread(found)
    return max(0.0, 1 - float(found.test_variance / variance)) if variance else 0.0


def _spread(found: Estimate) -> tuple[float, float]:
    """Return the variance of a difference and its degrees of freedom.

    The seeds' part has few degrees of freedom (Satterthwaite), the pairs' part so many that they
    are taken as infinite.
    """
    if not len(found.run_variances):
        return found.test_variance, np.inf
    parts = found.run_variances / found.seeds
    variance = max(found.test_variance - found.mixed_variance, 0.0) + parts.sum()
    if not parts.any():
        return variance, np.inf
    return variance, variance**2 / np.sum(parts**2 / (found.seeds - 1))


def permutation_p_values(differences: np.ndarray) -> np.ndarray:
    """Return the two-sided p of a paired permutation test over n pairs: (K, n) → (K,).

    If two methods are equally good, the results on a pair could be exchanged: the signs of the
    pairs' differences, means over seeds, are drawn at random, for all seeds of a pair together,
    since a hard pair is hard for all. The p is for these trained models, not for other seeds.
    """
    random, n = np.random.default_rng(0), differences.shape[1]
    sums, sizes = differences.sum(axis=1), np.abs(differences).sum(axis=1)
    columns, rows = differences.T.astype(np.float32), 1 + 2**22 // n  # 16 MB at a time
    count = np.zeros(len(differences), int)
    for start in range(0, RESAMPLES, rows):
        shape = min(rows, RESAMPLES - start), -(-n // 8)
        kept = np.unpackbits(random.integers(0, 256, shape, np.uint8), axis=1, count=n)
        drawn = 2 * (kept.astype(np.float32) @ columns) - sums  # (rows, K)
        count += np.sum(np.abs(drawn) >= np.abs(sums) - 1e-6 * sizes, axis=0)
    return (1 + count) / (1 + RESAMPLES)


def holm(p_values: list[float]) -> list[float]:
    """Return p-values corrected for being several, by Holm's step-down method."""
    m, order = len(p_values), np.argsort(p_values, kind='stable')
    steps = (m - np.arange(m)) * np.array(p_values)[order]
    corrected = np.empty(m)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected.tolist()


def accuracy_interval(correct: np.ndarray) -> tuple[float, float]:
    """Return Wilson's 95 % interval of an accuracy: (n,) bool → (low, high)."""
    from scipy.stats import binomtest

    interval = binomtest(int(np.sum(correct)), len(correct)).proportion_ci(0.95, 'wilson')
    return float(interval.low), float(interval.high)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Return the two-sided p of McNemar's exact test: are both as often the only right one?"""
    from scipy.stats import binomtest

    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)

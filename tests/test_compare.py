"""Significance: hand-worked values, libraries' own, and simulated runs whose truth is known."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.stats import t as student
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from benchmarks.coverage import Method, contributions, simulate
from cosent_tf.metrics import f1, macro_f1, spearman
from cosent_tf.predictions import Predictions
from cosent_tools.report.contributions import pair_contributions
from cosent_tools.report.evaluation import Result
from cosent_tools.report.significance import (
    accuracy_interval,
    compare_methods,
    estimate,
    holm,
    interval,
    mcnemar_p,
    permutation_p_values,
    training_share,
)
from cosent_tools.runs import RunName

pytestmark = pytest.mark.fast


def test_mcnemar_by_hand_and_against_statsmodels():
    # Two-sided: 2 * (C(10, 0) + C(10, 1)) / 2 ** 10.
    assert mcnemar_p(9, 1) == pytest.approx(22 / 1024)
    assert mcnemar_p(0, 0) == mcnemar_p(5, 5) == 1.0
    assert mcnemar_p(31, 54) == pytest.approx(mcnemar([[7, 31], [54, 9]], exact=True).pvalue)


def test_accuracy_interval_is_wilsons():
    correct = np.array([True] * 83 + [False] * 17)
    assert accuracy_interval(correct) == pytest.approx(proportion_confint(83, 100, method='wilson'))


def test_holm_is_that_of_statsmodels():
    p_values = [0.04, 0.001, 0.03, 0.5, 0.011, 0.9]
    assert holm(p_values) == pytest.approx(multipletests(p_values, method='holm')[1])
    assert holm([]) == []


MEASURES = {
    'f1': lambda labels, scores, predicted: f1(labels, predicted),
    'macro_f1': lambda labels, scores, predicted: macro_f1(labels, predicted),
    'spearman': lambda labels, scores, predicted: spearman(labels, scores),
}


@pytest.mark.parametrize('measure', MEASURES)
def test_contributions_are_what_leaving_a_pair_out_changes(measure):
    """A pair's contribution to each measure is the change when the pair is left out."""
    random, n = np.random.default_rng(0), 150
    labels = random.integers(0, 3 if measure != 'f1' else 2, n)
    scores = np.round(labels + random.normal(0, 1, n), 1)
    predicted = np.clip(np.round(scores), 0, 1 if measure == 'f1' else 2).astype(int)
    name = RunName('T', 'bert', 'cosent', 1)
    run = Result(name, Predictions(labels, scores, []), measure, 0, 0, predicted=predicted)
    found = pair_contributions(run)
    columns = (labels, scores, predicted)
    value = MEASURES[measure](*columns)
    others = [MEASURES[measure](*(np.delete(column, i) for column in columns)) for i in range(n)]
    assert found.mean() == pytest.approx(value)
    np.testing.assert_allclose(found, n * value - (n - 1) * np.array(others), atol=8 / n)


METHODS = (Method(1.5, 0.15), Method(1.3, 0.3))  # the second trains less reliably


@pytest.mark.parametrize('measure', ['accuracy', 'f1', 'spearman'])
def test_intervals_of_five_seeds_hold_the_true_difference(measure):
    """Of 200 intervals of 95 %, about 190 contain the true difference, training included."""
    random, held = np.random.default_rng(1), 0
    truth = METHODS[0].truth(measure) - METHODS[1].truth(measure)
    for _ in range(200):
        arms = [contributions(runs, measure) for runs in simulate(random, METHODS, 5, pairs=300)]
        low, high, _ = interval(estimate(*arms))
        held += low <= truth <= high
    assert 183 <= held <= 197  # 190 expected, with a standard deviation of 3


@pytest.mark.parametrize('sd', [0.0, 0.3])
def test_no_difference_is_seldom_rejected(sd):
    """Of 500 comparisons without a true difference, at most 30 have p below 0.05."""
    random, rejected = np.random.default_rng(2), 0
    for _ in range(500):
        runs = simulate(random, (Method(1.4, sd), Method(1.4, sd)), 5, pairs=300)
        _, _, p_value = interval(estimate(*(contributions(arm, 'accuracy') for arm in runs)))
        rejected += p_value < 0.05
    assert rejected <= 30


def test_variance_is_split_between_training_and_test():
    """The share of training is 0 if all seeds are alike, and 1 if all pairs are."""
    random = np.random.default_rng(3)
    pairs = random.integers(0, 2, 1000) * np.ones((4, 1))  # every seed alike
    by_test = estimate(pairs, np.ones((4, 1000)))
    assert training_share(by_test) == 0
    runs = np.array([[0.80], [0.81], [0.82], [0.83]]) * np.ones(1000)  # every pair alike
    by_training = estimate(runs, runs + 0.1)
    assert training_share(by_training) == pytest.approx(1)
    low, high, _ = interval(by_training)
    half = student.ppf(0.975, 6) * np.sqrt(2 * np.var([0, 1, 2, 3], ddof=1) / 4) / 100
    assert (low, high) == pytest.approx((-0.1 - half, -0.1 + half))


def test_permutation_test_agrees_with_all_permutations():
    """p is that of all 1,024 sign changes; without any difference it is 1."""
    differences = np.array([[0.5, 1, -0.5, 1, 0, 1, 0.5, -1, 1, 0.5], [0.0] * 10])
    signs = np.array(list(product([-1, 1], repeat=10)))
    exact = np.mean(np.abs(signs @ differences[0]) >= differences[0].sum() - 1e-9)
    found = permutation_p_values(differences)
    assert found == pytest.approx([exact, 1], abs=0.015)


def test_methods_are_compared_by_all_of_their_runs():
    """Each two methods of a task are compared over all their seeds, first minus second."""
    random = np.random.default_rng(4)
    [first, second] = simulate(random, METHODS, 3)
    one = [replace(run, name=run.name._replace(method='single')) for run in second[:1]]
    ranked = [replace(run, measure='spearman', predicted=None) for run in first]
    ranked = [replace(run, name=run.name._replace(task='RANKED')) for run in ranked]
    comparisons = compare_methods([*first, *second, *one, *ranked])
    assert [item.methods for item in comparisons] == [
        ('method0', 'method1'),
        ('method0', 'single'),
        ('method1', 'single'),
    ]
    several, unequal, _ = comparisons
    means = [np.mean([run.correct for run in runs]) for runs in (first, second)]
    assert several.difference == pytest.approx(means[0] - means[1])
    assert several.low < several.difference < several.high
    assert several.seeds == ((0, 1, 2), (0, 1, 2)) and 0 <= several.training_share <= 1
    assert several.only_one_right is None
    assert unequal.training_share is None
    assert unequal.p_value == unequal.permutation_p


def test_single_runs_are_compared_by_mcnemar():
    """Two single runs are compared by McNemar's exact test."""
    [[first], [second]] = simulate(np.random.default_rng(5), METHODS, 1)
    [found] = compare_methods([first, second])
    alone = int(np.sum(first.correct & ~second.correct))
    other = int(np.sum(second.correct & ~first.correct))
    assert found.only_one_right == (alone, other)
    assert found.p_value == mcnemar_p(alone, other) == found.corrected_p
    assert found.difference == pytest.approx((alone - other) / 400)
    variance = (alone + other) / 400 - found.difference**2
    assert found.high - found.difference == pytest.approx(1.96 * np.sqrt(variance / 399), rel=1e-3)
    [ranked] = compare_methods([replace(run, measure='spearman') for run in (first, second)])
    assert ranked.only_one_right is None and ranked.p_value == ranked.permutation_p

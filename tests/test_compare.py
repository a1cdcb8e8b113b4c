"""Significance: hand-worked values and the libraries' own, since nobody rechecks a p-value."""

import numpy as np
import pytest
from scipy.stats import bootstrap
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from cosent_tf.report.significance import (
    accuracy_interval,
    bootstrap_interval,
    compare_decisions,
    mcnemar_p,
)


def decisions(both, only_first, only_second, neither):
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return np.array(first), np.array(second)


def test_mcnemar_by_hand_and_against_statsmodels():
    # Two-sided: 2 * (C(10, 0) + C(10, 1)) / 2 ** 10.
    assert mcnemar_p(9, 1) == pytest.approx(22 / 1024)
    assert mcnemar_p(0, 0) == mcnemar_p(5, 5) == 1.0
    assert mcnemar_p(31, 54) == pytest.approx(mcnemar([[7, 31], [54, 9]], exact=True).pvalue)


def test_multinomial_resampling_is_the_paired_bootstrap():
    """The shortcut over counts must agree with resampling the pairs themselves."""
    first, second = decisions(600, 150, 90, 160)
    expected = bootstrap(
        (first.astype(float) - second,), np.mean, method='percentile', rng=1, n_resamples=4000
    ).confidence_interval
    low, high = bootstrap_interval(150, 90, 1000)
    assert (low, high) == pytest.approx(tuple(expected), abs=0.003)
    # By the normal approximation: 0.06 ± 1.96 * sqrt((0.24 - 0.06 ** 2) / 1000).
    assert (low, high) == pytest.approx((0.0299, 0.0901), abs=0.0015)
    assert bootstrap_interval(0, 0, 50) == (0.0, 0.0)


def test_comparison_counts_who_alone_is_right():
    """Exchanged counts would print the sign of every difference the wrong way round."""
    difference = compare_decisions(*decisions(5, 4, 1, 10))
    assert (difference.n, difference.only_first, difference.only_second) == (20, 4, 1)
    assert difference.difference == pytest.approx(3 / 20)
    assert difference.low < 3 / 20 < difference.high
    assert difference == compare_decisions(*decisions(5, 4, 1, 10))  # a report is reproducible


def test_accuracy_interval_is_wilsons():
    correct = np.array([True] * 83 + [False] * 17)
    assert accuracy_interval(correct) == pytest.approx(proportion_confint(83, 100, method='wilson'))

"""Threshold searches: a wrong one would silently make every accuracy in the report wrong."""

import numpy as np
import pytest
from scipy.optimize import minimize

from cosent_tf.decisions import Rule
from cosent_tf.errors import UserError
from cosent_tf.metrics import f1
from cosent_tf.thresholds import best_threshold, powell_class_weights, powell_threshold

pytestmark = pytest.mark.fast


def brute_force(labels, scores, metric):
    """The best value over every distinct decision that some threshold makes."""
    measure = (lambda y, p: np.mean(y == p)) if metric == 'accuracy' else f1
    return max(measure(labels, scores > cut) for cut in [-np.inf, *scores])


@pytest.mark.parametrize('metric', ['accuracy', 'f1'])
def test_exact_search_finds_the_optimum_of_small_cases_with_ties(metric):
    rng = np.random.default_rng(0)
    for _ in range(2000):
        n = rng.integers(1, 12)
        labels = rng.integers(0, 2, n)
        scores = rng.integers(-3, 4, n) * 10.0 ** rng.integers(-300, 300)
        threshold, value = best_threshold(labels, scores, metric)
        assert value == pytest.approx(brute_force(labels, scores, metric), abs=1e-12)
        # The threshold returned must itself make the decisions whose value is claimed.
        decided = scores > threshold
        got = np.mean(decided == labels) if metric == 'accuracy' else f1(labels, decided)
        assert np.isfinite(threshold) and got == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('score', [-1e30, -1.0, -1e-40, 0.0, 1e-40, 0.1, 1.0, 1e30])
def test_a_cut_between_adjacent_floats_still_separates_them(score, dtype):
    """A midpoint that rounds up to the upper score would turn a right decision into a wrong one."""
    low = dtype(score)
    scores = np.array([low, np.nextafter(low, dtype(np.inf))])
    for labels, right in (([0, 1], 1.0), ([1, 1], 1.0), ([0, 0], 1.0), ([1, 0], 0.5)):
        threshold, value = best_threshold(labels, scores)
        assert value == right
        assert np.mean((scores > dtype(threshold)) == labels) == right


def test_largest_scores_do_not_overflow():
    scores = [-1.7e308, 1.7e308]
    for labels in ([0, 1], [1, 1], [0, 0]):
        with np.errstate(over='raise'):
            threshold, value = best_threshold(labels, scores)
        assert np.isfinite(threshold) and value == 1.0
        assert ((np.array(scores) > threshold) == labels).all()


def test_powell_stalls_on_a_flat_piece_where_the_exact_search_does_not():
    """The case of the article's search that the report warns of: tanh(1), 43.5 % against 56.5 %."""
    labels = np.array([1] * 87 + [0] * 113)
    scores = np.linspace(0.999, 0.9999, 200)  # an untrained encoder: all cosines are nearly 1
    threshold, value = powell_threshold(labels, scores)
    assert type(threshold) is float and type(value) is float
    assert threshold == pytest.approx(np.tanh(1))
    assert value == pytest.approx(0.435)
    assert best_threshold(labels, scores)[1] > 0.56


def test_powell_is_the_published_search():
    """Another optimiser would give other thresholds, and another table than the article's code."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 500)
    scores = np.tanh(rng.normal(size=500) + labels)
    expected = minimize(
        lambda t: -np.mean((scores > np.tanh(t)) == labels), 1, method='Powell'
    )  # protocol: minimise -accuracy of score > tanh(t) from t = 1
    threshold, value = powell_threshold(labels, scores)
    assert threshold == np.tanh(expected.x.item()) and value == -expected.fun
    assert 0.6 < value == np.mean((scores > threshold) == labels)


def test_class_weights_mend_a_biased_model():
    """Also that the article's search runs at all: as printed there it fails on today's scipy."""
    rng = np.random.default_rng(2)
    probs = rng.dirichlet([1, 1, 1], 2000)
    labels = np.argmax(probs * [0.3, 1.0, 0.6], axis=1)
    weights, value = powell_class_weights(labels, probs)
    assert weights.shape == (3,)
    assert value == np.mean(np.argmax(probs * weights, axis=1) == labels)
    assert np.mean(np.argmax(probs, axis=1) == labels) + 0.2 < value


def test_class_weights_are_never_worse_than_argmax():
    rng = np.random.default_rng(3)
    for _ in range(40):
        classes = rng.integers(2, 5)
        labels, probs = rng.integers(0, classes, 30), rng.dirichlet(np.ones(classes), 30)
        weights, value = powell_class_weights(labels, probs)
        argmax = np.mean(np.argmax(probs, axis=1) == labels)
        assert value == np.mean(np.argmax(probs * weights, axis=1) == labels)
        assert value > argmax or (value == argmax and len(set(weights)) == 1)


@pytest.mark.parametrize('search', [powell_threshold, best_threshold])
@pytest.mark.parametrize(
    ('labels', 'scores', 'message'),
    [
        ([0, 1], [0.1, np.nan], 'finite: example 1'),
        ([0, 1], [np.inf, 0.1], 'finite: example 0'),
        ([0, 2], [0.1, 0.2], 'must be 0 or 1'),
        ([0, 1, 1], [0.1, 0.2], r'\(3,\) and \(2,\)'),
        ([[0], [1]], [[0.1], [0.2]], r'\(2, 1\)'),
        ([], [], 'n >= 1'),
    ],
)
def test_bad_input_is_refused(search, labels, scores, message):
    with pytest.raises(UserError, match=message):
        search(labels, scores)


def test_decisions_are_those_of_the_search_whatever_the_precision_of_the_scores():
    """float32 scores are decided as their float64 values are."""
    scores = np.float32([0.1, 0.2])  # the first is 0.1 and a little more
    for of in (scores, scores.astype(np.float64)):
        assert Rule(threshold=0.1).predict(of).tolist() == [1, 1]


def test_unknown_metric_is_refused():
    with pytest.raises(UserError, match='precision'):
        best_threshold([0, 1], [0.1, 0.2], 'precision')


@pytest.mark.parametrize(
    ('labels', 'probs', 'message'),
    [
        ([0, 3], [[0.2, 0.3, 0.5]] * 2, 'labels 0 .. 2'),
        ([0, 1], [[0.5, np.nan]] * 2, 'finite'),
        ([0, 1], [[-2.0, 3.0]] * 2, 'softmax'),
        ([0, 1], [0.5, 0.5], r'\(n, C\)'),
        ([0, 0], [[1.0], [1.0]], 'only one class'),
    ],
)
def test_bad_probabilities_are_refused(labels, probs, message):
    with pytest.raises(UserError, match=message):
        powell_class_weights(labels, probs)

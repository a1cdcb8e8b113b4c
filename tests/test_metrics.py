"""Measures against the libraries' own, and the cases where those give NaN or a warning."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from cosent_tf.metrics import accuracy, cosine_similarity, f1, macro_f1, spearman

pytestmark = pytest.mark.fast


def test_cosine_is_rowwise_and_zero_for_a_zero_vector():
    """An empty text may encode to zeros: NaN here would fail the whole threshold search."""
    u = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0], [1e-30, 0.0]], np.float32)
    v = np.array([[4.0, 3.0], [-2.0, 0.0], [1.0, 1.0], [1e-30, 0.0]], np.float32)
    assert cosine_similarity(u, v) == pytest.approx([0.96, -1.0, 0.0, 1.0])


def test_spearman_of_graded_labels_uses_ranks_and_shares_ties():
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: Pearson's correlation 4.5 / sqrt(4.5 * 5).
    assert spearman([0, 3, 3, 5], [-10.0, 0.1, 0.2, 1e6]) == pytest.approx(4.5 / np.sqrt(22.5))


def test_spearman_of_constant_scores_is_zero():
    """A collapsed model gives one score for all: the epoch must be reported, not NaN."""
    assert spearman([0, 1, 2], [0.5, 0.5, 0.5]) == 0.0
    assert spearman([1, 1, 1], [0.1, 0.2, 0.3]) == 0.0


def test_accuracy_and_f1_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    for classes in (2, 2, 3, 5):
        true, predicted = rng.integers(0, classes, (2, 40))
        assert accuracy(true, predicted) == np.mean(true == predicted)
        assert macro_f1(true, predicted) == pytest.approx(
            f1_score(true, predicted, average='macro')
        )
        if classes == 2:
            assert f1(true, predicted) == pytest.approx(f1_score(true, predicted))
    assert f1([0, 0], [0, 0]) == 0.0

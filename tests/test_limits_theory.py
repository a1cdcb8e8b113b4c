"""The mathematics of limits.py, on examples worked by hand."""

import numpy as np
import pytest

from cosent_tf.errors import UserError
from cosent_tools.limits import measures, theory
from cosent_tools.limits.edits import TIMES, Chain, changes, edit_all, exchange, insert_not, swap
from tests.helpers import assert_close

pytestmark = pytest.mark.fast


def off_diagonal(matrix):
    return matrix[~np.eye(len(matrix), dtype=bool)]


def test_a_matrix_is_described_as_by_hand():
    """Guards the first table: S has 0.9 one way and 0.1 the other; its mean has λ = 1.5 and 0.5."""
    found = theory.measure_matrix(np.array([[1, 0.9], [0.1, 1]]), threshold=0.4)
    assert found.eigenvalues == pytest.approx([1.5, 0.5]) and found.negative_mass == 0
    assert found.asymmetry_largest == found.asymmetry_rms == pytest.approx(0.8)
    assert (found.order_decides, found.similar) == (1, 1)
    found = theory.measure_matrix(np.array([[0.2, 1], [1, 0]]), threshold=0.4)
    assert found.negative_mass == pytest.approx(0.905 / 2.01, abs=1e-3)  # λ = 1.105 and −0.905
    assert (found.order_decides, found.diagonal_smallest, found.diagonal_mean) == (0, 0, 0.1)


def test_two_sentences_more_than_the_same_get_vectors():
    """Guards the repair itself: [[1, 2], [2, 1]] has λ = 3 and −1, so c = 1, two equal vectors."""
    shift, vectors = theory.represent(np.array([[1.0, 2], [2, 1]]))
    assert shift == pytest.approx(1)
    assert_close(vectors @ vectors.T, [[2, 2], [2, 2]], rtol=1e-12)
    shift, vectors = theory.represent(np.array([[1, 0.5], [0.5, 1]]))  # nothing to repair
    assert shift == 0
    assert_close(vectors @ vectors.T, [[1, 0.5], [0.5, 1]], rtol=1e-12)


@pytest.mark.parametrize('n', [2, 3, 20, 64])
def test_every_symmetric_similarity_is_one_of_vectors(n):
    """Guards the claim: not semi-definite, and yet the same scores, order and decisions."""
    random = np.random.default_rng(n)
    scores = random.uniform(-1, 1, (n, n))
    similarity = theory.symmetric(scores)
    similarity[0, 1] = similarity[1, 0] = 1.5
    assert np.linalg.eigvalsh(similarity)[0] < 0
    assert (np.diag(similarity) == 1).all() and (np.diag(scores) != 1).all()
    shift, vectors = theory.represent(similarity)
    fit = theory.compare(similarity, vectors, threshold=0.3)
    assert fit.largest < 1e-12 and fit.kept == fit.balanced == 1  # of scores up to 1.5, in float64
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert_close(off_diagonal(cosines), off_diagonal(similarity) / (1 + shift), rtol=1e-12)
    assert theory.compare(similarity / (1 + shift), unit, 0.3 / (1 + shift)).kept == 1
    assert np.linalg.eigvalsh(similarity + (1 - 1e-6) * shift * np.eye(n))[0] < 0  # none smaller


def test_vectors_are_compared_as_by_hand():
    """Guards "balanced": of one similar and two other pairs, the similar one alone is lost."""
    similarity = theory.symmetric(np.array([[0, 0.9, 0.1], [0.9, 0, 0.2], [0.1, 0.2, 0]]))
    fit = theory.compare(similarity, np.zeros((3, 2)), threshold=0.5)
    assert fit == pytest.approx((0.9, np.sqrt((0.81 + 0.01 + 0.04) / 3), 2 / 3, 0.5))
    assert theory.compare(similarity, np.zeros((3, 2)), threshold=1).balanced == 1


def test_fewer_dimensions_do_not_count_the_diagonal():
    """Guards "how many dimensions": uuᵀ off the diagonal needs one, however long the vectors."""
    direction = np.linspace(0.2, 1, 12)[:, None]
    similarity = theory.symmetric(direction @ direction.T - 3 * np.eye(12))
    similarity[np.diag_indices(12)] = 4
    _, vectors = theory.represent(similarity)
    one = theory.reduce(vectors, 1)
    assert one.shape == (12, 1)
    assert_close(off_diagonal(one @ one.T), off_diagonal(similarity), rtol=1e-6)
    curve = theory.dimension_curve(similarity, vectors, threshold=0.5)
    assert [row['d'] for row in curve] == [1, 2, 4, 8, 12, 16, 20, *(2**i for i in range(5, 11))]
    assert theory.first_enough(curve, 'best', 'balanced') == 1
    assert curve[4]['best'].largest < 1e-12 and curve[5]['best'] is None
    rms = [row['random'].rms for row in curve]
    assert rms[0] / rms[-1] == pytest.approx(np.sqrt(1024), rel=0.5)


def test_the_curve_reaches_all_dimensions_of_the_vectors():
    """Guards "more than 1024" where as many as the vectors have keep every decision."""
    vectors = np.random.default_rng(0).normal(size=(60, 48))
    curve = theory.dimension_curve(vectors @ vectors.T, vectors, threshold=0)
    assert theory.first_enough(curve, 'best', 'kept') == 48


def test_more_dimensions_use_what_fewer_have_found():
    """Guards the best of the curve: from a long diagonal alone, 32 dimensions end at 0.035."""
    draw = np.random.default_rng(0)
    level = draw.random(40)
    similarity = theory.symmetric(0.9 * (level[:, None] + level > 1) + 0.1 * draw.random((40, 40)))
    _, vectors = theory.represent(similarity)
    curve = theory.dimension_curve(similarity, vectors, threshold=0.5)
    rms = {row['d']: row['best'].rms for row in curve if row['best']}
    assert list(rms.values()) == sorted(rms.values(), reverse=True)
    assert rms[32] < 0.01 and rms[40] < 1e-12


def test_enough_dimensions_are_those_from_which_on_all_are():
    """Guards the figure below the curve against a lucky draw, and a curve that never gets there."""
    curve = [
        {'d': d, 'best': theory.Fit(0, 0, kept, 0.5)}
        for d, kept in ((1, 1.0), (2, 0.98), (4, 0.99), (8, 1.0))
    ] + [{'d': 16, 'best': None}]
    assert theory.first_enough(curve, 'best', 'kept') == 4
    assert theory.first_enough(curve, 'best', 'balanced') is None
    assert theory.enough_dimensions(128) == 39


def test_the_simulation_is_of_all_n_vectors(monkeypatch):
    """Guards its chunks: none is left out, each error is a projection's, memory has a bound."""
    monkeypatch.setattr(theory, 'CHUNK', 300)
    found = theory.simulate(1000, 100, margin=-2, queries=4)
    assert (found.pairs, found.false_per_query) == (4000, 1000)
    assert found.rms == pytest.approx(0.1, rel=0.05)
    assert (
        0.3 < found.largest < found.largest_of_all == pytest.approx(np.sqrt(4 * np.log(1e3)) / 10)
    )


def test_auc_is_that_of_all_pairs(monkeypatch):
    """Guards ties and the interval: of 2 · 2 pairs three are right and one is a tie."""
    monkeypatch.setattr(measures, 'RESAMPLES', 100)
    labels, scores = np.array([1, 1, 0, 0] * 5), np.array([0.5, 0.9, 0.5, 0.1] * 5)
    value, low, high = measures.auc_interval(labels, scores)
    assert value == pytest.approx(0.875) and 0.6 < low < value < high < 1
    assert measures.auc_interval(labels[:16], scores[:16]) == measures.auc_interval(
        labels[:16], 3 * scores[:16] - 7
    )
    assert measures.auc_interval(labels[:8], scores[:8]) is None


def test_triangles_that_no_vectors_have():
    """Guards 5: A = B = C but A ⊥ C is broken; angles that just add up, and real vectors, not."""
    impossible = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1.0]])
    assert theory.all_triangles(impossible, 0.5) == (1, 1, 1, 1)
    ab, bc, ac = np.cos(np.radians([[60.0, 40], [30, 30], [90, 80]]))
    assert theory.triangles(ab, bc, ac, threshold=0.8) == (2, 1, 0, 0)
    vectors = np.random.default_rng(0).normal(size=(20, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = theory.all_triangles(vectors @ vectors.T, 0.5)
    assert (found.triples, found.broken) == (20 * 19 * 18 / 6, 0) and found.chains > 0


def test_edits_change_what_is_said():
    """Guards the three edits: where 不 goes, numbers before characters, one character alone."""
    random = np.random.default_rng(0)
    assert insert_not('他会来', random, '') == '他不会来'
    assert insert_not('不会', random, '') is None  # each has its 不
    assert swap('从 3 到 15', random, '') == '从 15 到 3'
    assert swap('Leurda 河在 3 楼', random, '') == '3 河在 Leurda 楼'
    assert swap('天地', random, '') == '地天' and swap('天天', random, '') is None
    assert exchange('天 1', random, '地') == '地 1' and exchange('1', random, '地') is None


def test_a_chain_is_of_different_sentences():
    """Guards the curve by number of edits: an edit that takes back another one is none."""
    chains = edit_all(['今天去北京', '天', '1'])
    assert {chain.kind for chain in chains} == {'insert 不', 'swap two', 'exchange one'}
    assert [chain.kind for chain in chains if chain.texts[0] == '天'] == ['exchange one']
    for chain in chains:
        assert len(chain.texts) == len(set(chain.texts)) == TIMES + 1
        assert len(chain.pairs) == TIMES + 2 and chain.pairs[-1] == tuple(chain.texts[1:3])
    with pytest.raises(UserError, match="can be edited: '1'"):
        edit_all(['1'])


def test_changes_are_those_of_the_score():
    """Guards 3: from 0.9 with itself to 0.1 unrelated, 0.7 is a quarter of the way."""
    chains = [Chain('a', []), Chain('b', []), Chain('a', [])]
    scores = np.array([[0.9, 0.8, 0.5, 0.1, 0.1, 7], [0] * 6, [0.9, 0.6, 0.5, 0.1, 0.1, 7]])
    scores[1, 0] = 1
    rows = changes(chains, scores, threshold=0.6, unrelated=0.1)
    assert [row[:3] for row in rows[:5]] == [*(('a', i, 2) for i in (1, 2, 3, 4)), ('b', 1, 1)]
    assert [row.change for row in rows[:4]] == pytest.approx([0.25, 0.5, 1, 1])
    assert [row.different for row in rows[:4]] == [0.5, 1, 1, 1]
    assert changes(chains, 0 * scores, threshold=0.6, unrelated=0)[0].change is None  # collapsed

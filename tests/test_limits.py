"""limits.py: the mathematics on examples worked by hand, and the whole report on tiny runs."""

import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import cosent_tf
import limits
from cosent_tf.errors import UserError
from cosent_tf.predictions import write_predictions
from cosent_tf.run.folder import TEST_FILE, VALID_FILE
from cosent_tools.limits import measures, theory
from cosent_tools.limits.edits import TIMES, Chain, changes, edit_all, exchange, insert_not, swap
from tests.handmade import write_bert_dir, write_run
from tests.helpers import assert_close, exit_code, toy_lines

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


INTERACT, VECTORS = 'TOY.bert.interact.seed1', 'TOY.bert.cosent.seed1'
LABELS = np.arange(24) % 2
HISTORY = 'epoch,loss,valid_accuracy\n1,0.7,0.5\n2,0.4,0.75\n'


def finish(folder, labels=LABELS):
    """Write what a finished run has beside its encoder."""
    pairs = [line.split('\t')[:2] for line in toy_lines(24, seed=1)]
    scores = np.random.default_rng(0).uniform(size=24)
    for file in (VALID_FILE, TEST_FILE):
        write_predictions(folder / file, labels, scores, pairs)
    (folder / 'history.csv').write_text(HISTORY)
    (folder / 'metrics.json').write_text('{}')


@pytest.fixture
def runs(tmp_path):
    """The folder of a run of each kind, on the task TOY."""
    bert_dir = write_bert_dir(tmp_path / 'bert')
    for method in ('cosent', 'interact', 'interact_cosent'):
        folder = tmp_path / f'TOY.bert.{method}.seed1'
        write_run(folder, bert_dir, method)
        finish(folder)
    return tmp_path


@pytest.fixture
def start(tensorflow, runs, monkeypatch, capsys):
    """Run limits.py in this process; return its exit code, stdout and stderr."""

    def start(*flags, interact=INTERACT, vectors=VECTORS, sentences=12):
        folders = (runs / interact, runs / vectors)
        arguments = ['limits.py', '--interact', folders[0], '--vectors', folders[1]]
        arguments += ['--sentences', sentences, *flags]
        monkeypatch.setattr(sys, 'argv', [str(part) for part in arguments])
        monkeypatch.setattr(measures, 'SIZES', (200,))
        monkeypatch.setattr(measures, 'RESAMPLES', 50)
        code = exit_code(limits.exit_on_error, limits.main)
        return code, *capsys.readouterr()

    return start


def test_the_report_of_two_runs(start, tmp_path):
    """Guards the command: all six steps as text, with the picture."""
    code, out, err = start('--plot', tmp_path / 'limits.png')
    assert code == 0, err
    titles = re.findall(r'^\d\. .*$', out, re.MULTILINE)
    assert [title[0] for title in titles] == list('122233456')
    assert max(map(len, out.splitlines())) <= 100
    assert re.search(r'^2 +0.4000 +75.00 +0.4000 +75.00$', out, re.MULTILINE)
    assert '144 pairs of sentences, scored by Interact' in err
    assert (tmp_path / 'limits.png').read_bytes().startswith(b'\x89PNG')


def test_a_number_without_bounds_becomes_a_similarity(start, monkeypatch):
    """Guards Interact with the CoSENT loss, and JSON: scores in [0, 1], cut at a half."""
    encoder = SimpleNamespace(encode=lambda texts: np.float32([[1, len(text)] for text in texts]))
    monkeypatch.setattr(cosent_tf, 'load_encoder', lambda run: encoder)
    monkeypatch.setattr(
        cosent_tf,
        'load_scorer',
        lambda run: lambda pairs: np.float32([9.0 if a == b else -9.0 for a, b in pairs]),
    )
    code, out, err = start('--format', 'json', interact='TOY.bert.interact_cosent.seed1')
    assert code == 0, err
    report = json.loads(out)
    assert report['thresholds']['interact'] == 0.5
    matrix = report['matrix']
    assert matrix['diagonal_mean'] == pytest.approx(1, abs=1e-3) and matrix['similar'] == 0
    assert len(matrix['eigenvalues']) == 12 and matrix['cosines']['kept'] == 1
    assert set(report['price']) == {f'{n}_per_second' for n in ('pairs', 'sentences', 'products')}
    assert report['overlap'][0]['pairs'] == 24 and len(report['overlap'][0]['vectors']) == 3
    counts = {'triples': 220, 'broken': 0, 'chains': 0, 'broken_chains': 0}
    assert report['triangles']['interact']['all'] == counts
    changed = report['edits']['interact'][0]
    assert changed['change'] == pytest.approx(1) and changed['different'] == 1


WRONG = {
    'no run': ({'interact': 'no.bert.interact.seed1'}, 'not the folder of a run'),
    'vectors for Interact': ({'interact': VECTORS}, 'must be interact or interact_cosent, not '),
    'Interact for vectors': ({'vectors': INTERACT}, 'must be cosent or sbert, not interact'),
    'another task': ({'vectors': 'OTHER.bert.cosent.seed1'}, 'the tasks differ: TOY and OTHER'),
    'other pairs': ({'vectors': 'TOY.bert.cosent.seed2'}, 'their valid pairs differ'),
    'unfinished': ({'vectors': 'TOY.bert.cosent.seed3'}, 'no metrics.json: unfinished'),
    'grades': ({'vectors': 'TOY.bert.cosent.seed4'}, 'the labels must be 0 and 1'),
    'no history': ({'vectors': 'TOY.bert.cosent.seed5'}, 'history.csv: not the history of a run'),
    'too few': ({'sentences': 1000}, 'different ones'),
}


def test_wrong_usage_is_one_clear_line(start, runs):
    """Guards the first steps of a user: the run or flag at fault, before a model is loaded."""
    for name, labels in {
        'OTHER.bert.cosent.seed1': LABELS,
        **{f'TOY.bert.cosent.seed{i}': LABELS for i in (3, 5)},
        'TOY.bert.cosent.seed2': 1 - LABELS,
        'TOY.bert.cosent.seed4': 2 * LABELS,
    }.items():
        (runs / name).mkdir()
        finish(runs / name, labels)
    (runs / 'TOY.bert.cosent.seed3' / 'metrics.json').unlink()
    (runs / 'TOY.bert.cosent.seed5' / 'history.csv').write_text('epoch,loss\n1,0.5\n')
    for case, (flags, message) in WRONG.items():
        code, out, err = start(**flags)
        assert (code, out, err.count('\n')) == (2, '', 1) and message in err, (case, err)

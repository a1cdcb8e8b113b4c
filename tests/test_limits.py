"""The whole report of limits.py on tiny runs."""

import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import cosent_tf
import limits
from cosent_tf.predictions import write_predictions
from cosent_tf.run.folder import TEST_FILE, VALID_FILE
from cosent_tools.limits import measures
from tests.handmade import write_bert_dir, write_run
from tests.helpers import exit_code, toy_lines

pytestmark = pytest.mark.fast


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

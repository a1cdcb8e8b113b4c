"""Test files without labels, or all 0, as competitions publish them: scored, but not measured."""

import json
import shutil

import numpy as np
import pytest
from scipy.stats import spearmanr

from cosent_tf.predictions import read_predictions
from cosent_tf.predictions import write_predictions as write
from cosent_tf.run.folder import TEST_FILE, VALID_FILE
from cosent_tools.report.evaluation import evaluate as evaluate_runs
from cosent_tools.runs import list_runs
from tests.helpers import read_json, write_lines
from tests.predictions import LABELS, PAIRS, add_run

pytestmark = pytest.mark.fast

N = len(LABELS)
PROBABILITIES = np.where(LABELS[:, None] == np.arange(3), 0.8, 0.1)  # of three classes
TESTS = {'none': np.full(N, np.nan), 'all 0': np.zeros(N, int)}


@pytest.mark.parametrize('suffix', ['', '\t0'])
def test_a_task_without_test_labels_is_trained(suffix, short, run, tmp_path):
    """Valid alone chooses the epoch, test is scored as always, and has no measure."""
    folders = {}
    for task in ('TOY', 'BARE'):
        shutil.copytree(f'{short["data_dir"]}/TOY', tmp_path / 'data' / task)
        for file in (tmp_path / 'data' / task).iterdir():
            file.rename(file.with_name(file.name.replace('TOY', task)))
        folders[task] = tmp_path / f'{task}.bert.cosent.seed42'
    path = tmp_path / 'data' / 'BARE' / 'BARE.test.data'
    lines = [line.rpartition('\t')[0] for line in path.read_text('utf-8').splitlines()]
    write_lines(path, [line + suffix for line in lines])
    flags = short | {'data_dir': str(tmp_path / 'data'), 'epochs': '1'}
    for task in folders:
        assert run('cosent', flags | {'task': task}, '--keep_padding') == (0, '')
    whole, bare = (read_json(folder / 'metrics.json') for folder in folders.values())
    assert [bare[f'test_{name}'] for name in ('accuracy', 'f1', 'spearman')] == [None] * 3
    for name in ('valid_accuracy', 'valid_spearman', 'threshold', 'one_class_batches'):
        assert bare[name] == whole[name] is not None
    whole, bare = (read_predictions(folder / TEST_FILE) for folder in folders.values())
    assert np.array_equal(bare.scores, whole.scores) and bare.texts == whole.texts
    assert np.array_equal(bare.labels, np.full(24, 0 if suffix else np.nan), equal_nan=True)
    assert run('cosent', flags | {'task': 'BARE'}, '--keep_padding', '--resume') == (0, '')


def add_unmeasured(folder, name, labels, scores=None):
    """A run with valid as always and these labels of test."""
    if scores is None:  # of every seed others: equal ones would be a copied run
        scores = np.where(LABELS > 0, 0.9, 0.1) + 0.01 * int(name[-1])
    valid = LABELS if scores.ndim == 1 else scores.argmax(axis=1)
    write(folder / name / VALID_FILE, valid, scores, PAIRS)
    write(folder / name / TEST_FILE, labels, scores, PAIRS)


@pytest.fixture(params=TESTS)
def runs(request, tmp_path):
    """A task with test labels, and three without: by two methods, of classes, and graded."""
    labels = TESTS[request.param]
    for seed in (1, 2):
        add_run(tmp_path, f'BQ.bert.cosent.seed{seed}', wrong=4)
        add_unmeasured(tmp_path, f'AFQMC.bert.cosent.seed{seed}', labels)
        add_unmeasured(tmp_path, f'AFQMC.bert.sbert.seed{seed}', labels)
    add_unmeasured(tmp_path, 'NLI.bert.interact.seed1', labels, PROBABILITIES)
    write(tmp_path / 'STS.bert.cosent.seed1' / VALID_FILE, np.arange(N) % 6, np.arange(N), PAIRS)
    write(tmp_path / 'STS.bert.cosent.seed1' / TEST_FILE, labels, np.arange(N), PAIRS)
    return tmp_path


def cells(out, row):
    return next(line for line in out.splitlines() if line.startswith(row))


@pytest.mark.parametrize('metric', ['accuracy', 'f1', 'spearman'])
def test_the_report_says_no_labels(metric, runs, evaluate):
    """The cell shows "no labels" and the report the valid accuracy; no other figure changes."""
    how = ('--runs_dir', runs, '--metric', metric)
    more = ('--details', *(() if metric == 'spearman' else ('--by', 'overlap')))
    code, out, err = evaluate(*how, *more)
    assert (code, err) == (0, '') and 'nan' not in out.lower()
    assert out.count('no labels') == 4  # the cells: AFQMC of two methods, NLI, STS
    section = out[out.index('Runs without test labels') :]
    valid = {'accuracy': '100.00', 'f1': '100.00', 'spearman': '100.00'}[metric]
    row = cells(section, 'AFQMC.bert.cosent.seed1').split()
    assert row[1] == '40' and valid in row

    code, out, _ = evaluate(*how, *more, '--format', 'json')
    report = json.loads(out)
    figures = {run['run']: (run['valid'], run['test'], run['accuracy']) for run in report['runs']}
    assert figures['AFQMC.bert.cosent.seed1'] == (pytest.approx(1), None, None)
    measured = read_predictions(runs / 'BQ.bert.cosent.seed1' / TEST_FILE)
    correlation = spearmanr(measured.labels, measured.scores).statistic
    assert figures['BQ.bert.cosent.seed1'][1] == pytest.approx(
        {'accuracy': 0.9, 'f1': 0.9, 'spearman': correlation}[metric]
    )
    assert {c['mean'] for c in report['table'] if c['no_labels']} == {None}
    assert [run['collapsed'] for run in report['runs']] == [None] * 8
    assert report['comparisons'] == []
    odd = report['audit']['AFQMC']
    assert odd['contradictory_pairs'] == 0 == odd['identical_labelled_0']['test']


def test_page_and_picture_leave_such_runs_to_the_tables(runs, evaluate):
    """The page's pairs and the picture's panels are of runs with labels on test."""
    picture, page = runs / 'a.png', runs / 'a.html'
    code, _, err = evaluate('--runs_dir', runs, '--plot', picture, '--html', page)
    assert (code, err) == (0, '') and picture.stat().st_size > 10_000
    text = page.read_text('utf-8')
    assert '"only_in_tables":["AFQMC.bert.cosent.seed1"' in text and 'no labels' in text
    assert all(
        words in text for words in ('测试集没有标签的训练', '测试集没有标签，或标签全部相同')
    )
    shutil.rmtree(runs / 'BQ.bert.cosent.seed1')
    shutil.rmtree(runs / 'BQ.bert.cosent.seed2')
    assert evaluate('--runs_dir', runs, '--html', page)[0] == 0
    code, out, err = evaluate('--runs_dir', runs, '--plot', picture)
    assert code == 2 and 'nothing to draw' in err and out.count('no labels') == 4


def test_runs_of_one_test_are_compared_whether_labelled_or_not(runs):
    """A run on the labelled test is not one on the bare test: it is left out, and named."""
    add_run(runs, 'AFQMC.bert.interact.seed1')
    results, left_out = evaluate_runs(list_runs(runs)[0], 'accuracy', 'powell')
    assert list(left_out) == ['AFQMC.bert.interact.seed1'] and len(results) == 8


def test_valid_without_labels_is_named(runs):
    """Of valid there must be labels: a threshold without them would mean nothing."""
    name = 'STS.bert.cosent.seed1'
    write(runs / name / VALID_FILE, np.full(N, np.nan), np.arange(N), PAIRS)
    for metric in ('accuracy', 'spearman'):
        left_out = evaluate_runs(list_runs(runs)[0], metric, 'powell')[1]
        assert f'{name}/{VALID_FILE}: the labels are missing or all the same' in left_out[name]

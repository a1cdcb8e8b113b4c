"""What eval_accuracy.py says against believing too much: comparisons, details, collapsed runs."""

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_score, recall_score, roc_auc_score

from cosent_tf.run.folder import run_name
from cosent_tools.report.details import auc_interval
from tests.predictions import LABELS, add_run, add_scores

pytestmark = pytest.mark.fast


def section(out, title):
    return out[out.index(title) :].split('\n\n')


def noisy(folder, method, seeds, strength):
    for seed in range(seeds):
        random = np.random.default_rng([seed, int(10 * strength)])
        scores = np.tanh(strength * (LABELS - 0.5) + random.normal(0, 0.5, len(LABELS)))
        add_scores(folder, run_name('BQ', 'bert', method, seed), LABELS, scores)


@pytest.mark.parametrize('metric', ['accuracy', 'f1', 'spearman'])
def test_methods_are_compared_by_the_metric_and_all_seeds(metric, evaluate, tmp_path):
    """The comparison table has the differences of the table above it."""
    noisy(tmp_path, 'cosent', 3, strength=2.0)
    noisy(tmp_path, 'interact', 3, strength=1.0)
    _, out, _ = evaluate('--runs_dir', tmp_path, '--metric', metric)
    _, table, notes, *_ = section(out, 'Is the difference real?')
    row = table.splitlines()[2].split()
    assert ' '.join(row[:6]) == 'BQ bert cosent − interact 3'
    assert row[-1] == '%' and 'for these trained models only' in notes.replace('\n', ' ')
    assert 'unknown' not in notes
    _, out, _ = evaluate('--runs_dir', tmp_path, '--metric', metric, '--format', 'json')
    report = json.loads(out)
    means = {cell['method']: cell['mean'] for cell in report['table'] if cell['column'] == 'BQ'}
    [comparison] = report['comparisons']
    assert comparison['measure'] == metric
    assert comparison['difference'] == pytest.approx(means['cosent'] - means['interact'])


def test_one_seed_says_that_training_noise_is_unknown(evaluate, tmp_path):
    """One seed per method has the interval over test pairs, and a note that says so."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=9)
    add_run(tmp_path, 'BQ.bert.interact.seed1', wrong=1)
    _, out, _ = evaluate('--runs_dir', tmp_path)
    _, table, notes, *_ = section(out, 'Is the difference real?')
    row = table.splitlines()[2].split()
    # 8 pairs that only the second gets right: p = 2 / 2 ** 8, ± 1.96 * sqrt(0.2 * 0.8 / 39).
    assert row[5:9] == '1 -20.00 ±12.55 0.0078'.split() and row[-1] == '?'
    assert 'the noise of training is unknown' in notes


def test_details_are_scikit_learns(evaluate, tmp_path):
    """--details equals scikit-learn's figures for two and three classes; grades have none."""
    random = np.random.default_rng(0)
    scores = LABELS * 0.3 + random.random(40)
    add_scores(tmp_path, 'BQ.bert.cosent.seed1', LABELS, scores)
    classes = np.arange(40) % 3
    probs = random.dirichlet(np.ones(4), 40)  # no pair of class 3
    add_scores(tmp_path, 'NLI.bert.interact.seed1', classes, probs)
    add_scores(tmp_path, 'STS-B.bert.cosent.seed1', classes, scores)
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'json')
    runs = {run['task']: run for run in json.loads(out)['runs']}
    predicted = scores > runs['BQ']['threshold']
    expected = {
        'precision': precision_score(LABELS, predicted),
        'recall': recall_score(LABELS, predicted),
        'average_precision': average_precision_score(LABELS, scores),
        'roc_auc': roc_auc_score(LABELS, scores),
    }
    assert {name: runs['BQ'][name] for name in expected} == pytest.approx(expected)
    areas = [roc_auc_score(classes == c, probs[:, c]) for c in range(3)]
    assert runs['NLI']['roc_auc'] == pytest.approx(np.mean(areas))
    predicted = (probs * runs['NLI']['weights']).argmax(axis=1)
    recall = recall_score(classes, predicted, average='macro', zero_division=0)
    assert runs['NLI']['recall'] == pytest.approx(recall)
    assert {runs['STS-B'][name] for name in expected} == {None}
    _, out, _ = evaluate('--runs_dir', tmp_path, '--details')
    _, table, *_ = section(out, 'Every run on test, in detail')
    row = next(line.split() for line in table.splitlines() if line.startswith('BQ'))
    assert row[1:] == [f'{100 * value:.2f}' for value in expected.values()]
    assert 'in detail' not in evaluate('--runs_dir', tmp_path)[1]


def test_collapsed_runs_are_named(evaluate, tmp_path):
    """A mean over seeds of which one has learned nothing is not taken for the method's."""
    collapsed = 0.999 + 1e-7 * np.arange(40) / 40
    add_scores(tmp_path, 'BQ.bert.cosent.seed1', LABELS, collapsed)
    add_run(tmp_path, 'BQ.bert.cosent.seed2', wrong=20)
    add_run(tmp_path, 'BQ.bert.cosent.seed3', wrong=8)
    _, out, _ = evaluate('--runs_dir', tmp_path)
    out = ' '.join(out.split())
    assert 'Collapsed (all test scores are equal): BQ.bert.cosent.seed1.' in out
    # half of label 1 is above all of label 0, half below: 1/2 ± 1.96 · sqrt(1/4 / 19)
    nothing = 'test scores do not separate the classes, ROC AUC 50.00 [27.52, 72.48]'
    assert f'Collapsed ({nothing}): BQ.bert.cosent.seed2.' in out
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'json')
    assert [run['collapsed'] is None for run in json.loads(out)['runs']] == [False, False, True]


def test_a_stalled_search_is_no_collapse(evaluate, tmp_path):
    """Scores that separate the classes are not called collapsed for a search that stood still."""
    stalled = np.where(LABELS > 0, 0.9999, 0.999)
    add_scores(tmp_path, 'BQ.bert.cosent.seed1', LABELS, stalled)
    _, out, _ = evaluate('--runs_dir', tmp_path)
    out = ' '.join(out.split())
    assert "Powell's search stalled at its start" in out and 'Collapsed' not in out
    assert 'exact finds the optimum: BQ.bert.cosent.seed1 (valid 50.00, exact 100.00).' in out
    _, out, _ = evaluate('--runs_dir', tmp_path, '--search', 'exact')
    assert 'stalled' not in out and '100.00' in out


@pytest.mark.parametrize('n', [(9, 30), (400, 300)])
def test_the_interval_of_the_area_is_delongs(n):
    """The interval is that of all pairs of one of each class, counted one by one."""
    random = np.random.default_rng(0)
    positive = np.repeat([True, False], n)
    scores = np.round(random.normal(0.5 * positive, 1), 1)  # with ties
    wins = (scores[positive][:, None] > scores[~positive]) + 0.5 * (
        scores[positive][:, None] == scores[~positive]
    )
    variance = wins.mean(1).var(ddof=1) / n[0] + wins.mean(0).var(ddof=1) / n[1]
    area, low, high = auc_interval(positive, scores)
    assert area == pytest.approx(roc_auc_score(positive, scores))
    assert [area - low, high - area] == pytest.approx([1.96 * np.sqrt(variance)] * 2)


def test_a_threshold_for_f1_that_costs_accuracy_is_no_collapse(evaluate, tmp_path):
    """On a skewed task the best F1 takes more pairs than it loses accuracy: the run is sound."""
    labels, scores = np.repeat([1, 0], [4, 36]), np.linspace(0.9, 0.1, 40)
    scores[:4], scores[4:12] = scores[8:12], scores[:8].copy()
    add_scores(tmp_path, 'BQ.bert.cosent.seed1', labels, scores)
    _, out, _ = evaluate('--runs_dir', tmp_path, '--metric', 'f1', '--format', 'json')
    [run] = json.loads(out)['runs']
    assert run['accuracy'] < 0.9 and run['collapsed'] is None
    add_scores(tmp_path, 'BQ.bert.cosent.seed1', labels, scores, valid=scores + 1)
    _, out, _ = evaluate('--runs_dir', tmp_path, '--metric', 'f1')
    assert 'All test pairs get the same decision: BQ.bert.cosent.seed1.' in out
    assert 'Collapsed' not in out


def test_what_a_column_holds_is_what_it_is_called(evaluate, tmp_path):
    """F1 on valid is not called "Valid", nor a share of pairs "Label 1" among accuracies."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=1)
    _, out, _ = evaluate('--runs_dir', tmp_path, '--metric', 'f1')
    assert 'Valid F1' in out and 'Valid accuracy' not in out
    _, out, _ = evaluate('--runs_dir', tmp_path, '--by', 'overlap')
    assert 'Valid accuracy' in out and 'Share of label 1' in out

"""The measures of eval_accuracy.py, and the figures that they stand beside."""

import json

import numpy as np
import pytest

from cosent_tools.report.overlap import character_overlap
from cosent_tools.report.published_figures import (
    PUBLISHED,
    PUBLISHED_SPEARMAN,
    averaged_tasks,
    published_figure,
)
from tests.predictions import LABELS, add_run, add_scores

pytestmark = pytest.mark.fast


def test_overlap_counts_characters_not_their_order():
    """Swapped words are PAWSX's negatives: an order-sensitive measure would hide them."""
    pairs = [('甲在乙前', '乙在甲前'), ('aab', 'abb'), ('', ''), ('甲', ''), ('a b', 'ab')]
    assert character_overlap(pairs) == pytest.approx([1, 2 / 3, 1, 0, 1])


def test_stalled_powell_search_is_told_with_both_figures(evaluate, tmp_path):
    """Where the published search fails, the table must not pass its number off as the method's."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1', valid=np.where(LABELS > 0, 0.9999, 0.999))
    _, out, _ = evaluate('--runs_dir', tmp_path)
    section = out[out.index("Where Powell's search missed") :].split('\n')
    assert section[4].split() == 'BQ.bert.cosent.seed1 50.00 0.76159 100.00 0.99945'.split()
    assert 'All other runs are within 0.1 points of the optimum' in section[6]
    _, out, _ = evaluate('--runs_dir', tmp_path, '--search', 'exact')
    assert 'missed' not in out and 'score > 0.99945' in out


def test_f1(evaluate, tmp_path):
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=1)
    _, out, _ = evaluate('--runs_dir', tmp_path, '--metric', 'f1')
    assert 'Test F1 (%)' in out and 'publ.' not in out
    assert f'{100 * 38 / 39:.2f}' in out and '66.67' in out  # ours; label 1 for every pair
    code, _, err = evaluate('--runs_dir', tmp_path, '--metric', 'f1', '--search', 'powell')
    assert code == 2 and 'accuracy only' in err


def test_several_classes_and_graded_labels(evaluate, tmp_path):
    """NLI-like and STS-B-like tasks get their own measures, and never a threshold."""
    labels = np.arange(40) % 3
    probs = np.eye(3)[labels] * 0.3 + [0.6, 0.1, 0.0]  # argmax says 0 or 1 only
    add_scores(tmp_path, 'NLI.bert.interact.seed1', labels, probs)
    graded = np.sort(np.arange(40) % 6)
    add_scores(tmp_path, 'STS-B.bert.cosent.seed1', graded, np.linspace(0, 1, 40))
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'json')
    runs = {run['task']: run for run in json.loads(out)['runs']}
    nli, sts = runs['NLI'], runs['STS-B']
    assert (nli['measure'], nli['accuracy'], nli['f1']) == ('accuracy', 1.0, 1.0)
    assert sts['measure'] == 'spearman' and sts['test'] > 0.98 and sts['accuracy'] is None
    _, out, _ = evaluate('--runs_dir', tmp_path)
    assert 'STS-B (Spearman)' in out and 'class weights' in out


def test_published_averages_are_those_of_their_rows():
    """Guards the typed-in figures: a digit exchanged would show here."""
    for metric, table in (('accuracy', PUBLISHED), ('spearman', PUBLISHED_SPEARMAN)):
        for (_, method), figures in table.items():
            assert set(figures) == {*averaged_tasks(metric, method), 'Avg'}
            mean = np.mean([figures[task] for task in averaged_tasks(metric, method)])
            assert mean == pytest.approx(figures['Avg'], abs=0.006)
    assert published_figure('accuracy', 'BQ', 'roberta', 'interact_cosent') == 84.23
    assert published_figure('spearman', 'STS-B', 'roberta', 'sbert') == 72.42
    assert published_figure('spearman', 'STS-B', 'roberta', 'interact') is None
    assert published_figure('f1', 'BQ', 'bert', 'cosent') is None

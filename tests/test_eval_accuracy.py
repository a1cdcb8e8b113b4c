"""eval_accuracy.py as a user starts it, on prediction files made here: no model, no TensorFlow."""

import json
import subprocess
import sys

import numpy as np
import pytest

from cosent_tf.published import TASKS
from cosent_tf.run.folder import run_name
from tests.helpers import ROOT
from tests.predictions import LABELS, add_run, add_scores, as_published

pytestmark = pytest.mark.fast


def all_four_tasks(folder):
    for task in TASKS:
        add_run(folder, run_name(task, 'bert', 'cosent', 1), wrong=8)
        add_run(folder, run_name(task, 'bert', 'cosent', 2), wrong=4)
        add_run(folder, run_name(task, 'bert', 'interact', 2), wrong=1)
    as_published(folder)
    add_run(folder, run_name('MINE', 'mymodel', 'dot', 0), wrong=10)


# BERT+CoSENT has 80 % and 90 % in every task: mean 85, standard deviation 5 · sqrt(2).
MAIN_TABLE = """\
Test accuracy (%), thresholds fitted on valid: Powell's search, as published

                        ATEC            BQ        LCQMC         PAWSX           Avg     MINE
─────────────────────────────────────────────────────────────────────────────────────────────
BERT+CoSENT      85.00 ±7.07   85.00 ±7.07  85.00 ±7.07   85.00 ±7.07   85.00 ±7.07  not run
                 publ. 85.81   publ. 83.24  publ. 86.67   publ. 76.30   publ. 83.00
                 diff. -0.81   diff. +1.76  diff. -1.67   diff. +8.70   diff. +2.00

BERT+Interact         97.50*        97.50*       97.50*        97.50*        97.50*  not run
                 publ. 85.49   publ. 83.88  publ. 87.80   publ. 81.30   publ. 84.62
                diff. +12.01  diff. +13.62  diff. +9.70  diff. +16.20  diff. +12.88

mymodel+dot          not run       not run      not run       not run       not run    75.00

Majority class         50.00         50.00        50.00         50.00         50.00    50.00
"""


@pytest.mark.usefixtures('forty_pairs')
def test_table_of_all_four_tasks(evaluate, tmp_path):
    """The main product: ours, published and difference in the right cell, best marked."""
    all_four_tasks(tmp_path)
    code, out, err = evaluate('--runs_dir', tmp_path, '--by', 'overlap')
    assert (code, err) == (0, '')
    assert 'BQ: test accuracy (%) by character overlap' in out
    assert out.startswith(
        f'{MAIN_TABLE}\n±: standard deviation over seeds; *: best of its column.\n'
    )
    assert max(map(len, out.splitlines())) <= 100


def test_long_names_are_not_broken_within_a_word(evaluate, tmp_path):
    """Guards the rows of an encoder of one's own: a table may be wider than the text below it."""
    all_four_tasks(tmp_path)
    add_run(tmp_path, run_name('PAWSX', 'chinese-macbert-base', 'interact', 1))
    _, out, _ = evaluate('--runs_dir', tmp_path)
    table, rest = out.split('\n±', 1)
    assert '\nchinese-macbert-base+Interact ' in table
    assert 100 < max(map(len, table.splitlines())) <= 120
    assert max(map(len, rest.split('\n\n')[0].splitlines())) <= 100


def test_the_majority_class_is_computed_not_published(evaluate, tmp_path):
    """No article gives the share of the larger class: beside runs it is that of their pairs."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=4)
    _, out, _ = evaluate('--runs_dir', tmp_path)
    [row] = [line.split() for line in out.splitlines() if line.startswith('Majority class ')]
    assert row[2:] == ['50.00']
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'json')
    shares = {cell['column']: cell for cell in json.loads(out)['baseline']}
    assert shares['ATEC'] == {'column': 'ATEC', 'mean': None, 'of_published_splits': 0.8195}
    assert shares['BQ'] == {'column': 'BQ', 'mean': 0.5, 'of_published_splits': None}


def test_no_runs_prints_the_published_table_and_how_to_make_a_run(evaluate, tmp_path):
    code, out, err = evaluate('--runs_dir', tmp_path)
    assert (code, err) == (0, '')
    assert out.count('BERT+CoSENT') == 1 and '85.81' in out and 'Majority class' in out
    assert 'python train_cosent.py --task DEMO' in out and '--task BQ' in out


ONE_TASK = """\
Test accuracy (%), thresholds fitted on valid: Powell's search, as published

                  DEMO
───────────────────────
BERT+CoSENT      90.00
BERT+Interact   95.00*
Majority class   50.00

*: best of its column.
Published runs not here yet: 32 of 32; python train_table.py --dry_run lists them.

"""


def test_one_task_is_a_table_of_that_task(evaluate, tmp_path):
    """After the first runs a reader sees what was run, and in one line how to get the rest."""
    add_run(tmp_path, 'DEMO.bert.cosent.seed1', wrong=4)
    add_run(tmp_path, 'DEMO.bert.interact.seed1', wrong=2)
    _, out, _ = evaluate('--runs_dir', tmp_path)
    assert out.startswith(ONE_TASK) and 'not run' not in out


def test_published_tasks_without_runs_have_no_column(evaluate, tmp_path):
    """Two tasks of four stand beside their published figures; Avg, which needs all four, is not
    there, nor the notes that would explain it."""
    for task in ('BQ', 'PAWSX'):
        add_run(tmp_path, run_name(task, 'bert', 'interact', 1), wrong=4)
    _, out, _ = evaluate('--runs_dir', tmp_path)
    lines = out.splitlines()
    assert lines[2].split() == ['BQ', 'PAWSX']
    assert lines[5].split() == ['publ.', '83.88', 'publ.', '81.30']
    assert 'archives/9341: BQ 83.57, PAWSX 81.45.' in out and 'Avg' not in out
    assert 'not here yet: 30 of 32' in out
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'json')
    columns = [cell['column'] for cell in json.loads(out)['table']]
    assert columns == ['ATEC', 'BQ', 'LCQMC', 'PAWSX', 'Avg']


def test_what_comes_next_is_told_at_a_terminal_alone(evaluate, tmp_path, monkeypatch):
    """A newcomer is led to the errors; what is piped on has the tables and nothing else."""
    add_run(tmp_path, 'DEMO.bert.cosent.seed1', wrong=4)
    piped = evaluate('--runs_dir', tmp_path)
    monkeypatch.setattr('cosent_tf.screen.Screen.isatty', lambda _: True, raising=False)
    _, out, err = evaluate('--runs_dir', tmp_path)
    assert piped == (0, out, '')
    assert err.endswith(f'eval_accuracy.py --runs_dir {tmp_path} --html report.html\n')


HEAVY = ['tensorflow', 'tf_keras', 'matplotlib', 'sklearn', 'scipy.stats', 'statsmodels']


@pytest.mark.parametrize(('runs', 'heavy'), [(0, HEAVY), (2, HEAVY[:3])])
def test_start_is_quick_because_nothing_heavy_is_imported(runs, heavy, tmp_path):
    """A table of text files must not need TensorFlow, nor wait for libraries it does not use."""
    for seed in range(runs):
        add_run(tmp_path, f'BQ.bert.cosent.seed{seed}')
    code = (
        'import runpy, sys; sys.argv = sys.argv[1:];'
        "runpy.run_path(sys.argv[0], run_name='__main__');"
        f'found = {set(heavy)} & sys.modules.keys(); sys.exit(str(found) if found else 0)'
    )
    command = [sys.executable, '-c', code, 'eval_accuracy.py', '--runs_dir', str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_markdown_table(evaluate, tmp_path):
    add_run(tmp_path, 'MINE.bert.cosent.seed1', wrong=4)
    add_run(tmp_path, 'MINE.bert.interact.seed1', wrong=2)
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'markdown')
    lines = out.split('\n')
    assert lines[2:6] == [
        '|  | MINE |',
        '| --- | ---: |',
        '| BERT+CoSENT | 90.00 |',
        r'| BERT+Interact | 95.00\* |',
    ]


@pytest.mark.usefixtures('forty_pairs')
def test_json_has_every_number_in_full(evaluate, tmp_path):
    all_four_tasks(tmp_path)
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'json', '--by', 'overlap')
    report = json.loads(out)
    cells = {(cell['model'], cell['method'], cell['column']): cell for cell in report['table']}
    cell = cells['bert', 'cosent', 'BQ']
    assert (cell['mean'], cell['seeds']) == (pytest.approx(0.85), [1, 2])
    assert cell['sd'] == pytest.approx(0.05 * np.sqrt(2))
    assert cell['difference'] == pytest.approx(0.85 - 0.8324)
    assert cells['bert', 'cosent', 'Avg']['sd'] == pytest.approx(0.05 * np.sqrt(2))
    assert cells['mymodel', 'dot', 'Avg']['mean'] is None
    run = next(run for run in report['runs'] if run['run'] == 'BQ.bert.interact.seed2')
    assert run['accuracy'] == 39 / 40 and run['valid'] == 1.0 and 0.1 <= run['threshold'] < 0.9
    assert (run['precision'], run['recall']) == (1, 19 / 20)  # the wrong one is of label 1
    assert run['roc_auc'] == pytest.approx(0.95)  # it ranks below all of label 0
    comparison = next(item for item in report['comparisons'] if item['task'] == 'BQ')
    assert comparison['methods'] == ['cosent', 'interact']
    assert comparison['seeds'] == [[1, 2], [2]]
    assert comparison['difference'] == pytest.approx(0.85 - 0.975)
    # Overlap 1, 0, 3/4, 1 in turn (white space aside): the pairs of label 1 are in the last bin.
    overlap = next(item for item in report['overlap'] if item['task'] == 'BQ')
    assert overlap['pairs'] == [10, 0, 0, 10, 20] and overlap['positive'] == [0, None, None, 0, 1]
    cosent, interact = overlap['accuracy']
    assert cosent['by_bin'] == pytest.approx([0.85, None, None, 0.85, 0.85])  # over two seeds
    assert interact['by_bin'] == [1.0, None, None, 1.0, 0.95]


def test_plot_is_a_png_also_of_scores_that_hardly_differ(evaluate, tmp_path, monkeypatch):
    all_four_tasks(tmp_path / 'runs')
    collapsed = np.where(LABELS > 0, 1.0, np.nextafter(1.0, 0.0))
    add_scores(tmp_path / 'runs', 'BQ.my_model.cosent.seed1', LABELS, collapsed)
    picture = tmp_path / 'a.png'
    code, _, err = evaluate('--runs_dir', tmp_path / 'runs', '--plot', picture)
    assert (code, err) == (0, '') and picture.read_bytes().startswith(b'\x89PNG')
    code, _, err = evaluate('--runs_dir', tmp_path / 'runs', '--plot', tmp_path / 'a.pdf')
    assert code == 2 and '.png' in err
    (tmp_path / 'empty').mkdir()
    code, _, err = evaluate('--runs_dir', tmp_path / 'empty', '--plot', picture)
    assert code == 2 and 'nothing to show' in err
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)  # as after a plain pip install .
    code, _, err = evaluate('--runs_dir', tmp_path / 'runs', '--plot', picture)
    assert code == 2 and 'pip install matplotlib' in err

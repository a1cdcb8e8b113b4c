"""eval_accuracy.py as a user starts it, on prediction files made here: no model, no TensorFlow."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cosent_tf.report.overlap import character_overlap
from cosent_tf.report.published import (
    PUBLISHED,
    PUBLISHED_SPEARMAN,
    TASKS,
    averaged_tasks,
    published_figure,
)
from cosent_tf.run.folder import TEST_FILE, VALID_FILE, run_name, write_predictions

SCRIPT = Path(__file__).parent.parent / 'eval_accuracy.py'
PAIRS = [
    ('今天天气好', '天气今天好'),
    ('甲', '乙'),
    ('买一张票', '买二张票'),
    ('北京', '北京 '),
] * 10
LABELS = np.array([1, 0, 0, 1] * 10)


@pytest.fixture
def evaluate(monkeypatch, capsys):
    """Runs the script in this process; returns (exit code, stdout, stderr)."""

    def run(*args):
        monkeypatch.setattr(sys, 'argv', [str(SCRIPT), *map(str, args)])
        code = 0
        try:
            runpy.run_path(str(SCRIPT), run_name='__main__')
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


def add_run(folder, name, wrong=0, labels=LABELS, pairs=PAIRS, valid=None):
    """A run whose first `wrong` pairs are scored on the wrong side of 0.5, valid without fault."""
    scores = np.where(labels > 0, 0.9, 0.1)
    write_predictions(folder / name / VALID_FILE, labels, scores if valid is None else valid, pairs)
    scores[:wrong] = 1 - scores[:wrong]
    write_predictions(folder / name / TEST_FILE, labels, scores, pairs)


def all_four_tasks(folder):
    for task in TASKS:
        add_run(folder, run_name(task, 'bert', 'cosent', 1), wrong=8)
        add_run(folder, run_name(task, 'bert', 'cosent', 2), wrong=4)
        add_run(folder, run_name(task, 'bert', 'interact', 2), wrong=1)
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
                 publ. 81.95   publ. 50.00  publ. 50.00   publ. 55.30   publ. 59.31
                diff. -31.95   diff. +0.00  diff. +0.00   diff. -5.30   diff. -9.31
"""


def test_table_of_all_four_tasks(evaluate, tmp_path):
    """The main product: ours, published and difference in the right cell, best marked."""
    all_four_tasks(tmp_path)
    code, out, err = evaluate('--runs_dir', tmp_path, '--by', 'overlap')
    assert (code, err) == (0, '')
    assert 'BQ: test accuracy (%) by character overlap' in out
    assert out[: out.index('\nFirst line')] == MAIN_TABLE
    assert max(map(len, out.splitlines())) <= 100


def test_no_runs_prints_the_published_table_and_how_to_make_a_run(evaluate, tmp_path):
    code, out, err = evaluate('--runs_dir', tmp_path / 'absent')
    assert (code, err) == (0, '')
    assert out.count('BERT+CoSENT') == 1 and '85.81' in out and 'Majority class' in out
    assert 'python train_cosent.py --task DEMO' in out and '--task BQ' in out


def test_start_is_quick_because_nothing_heavy_is_imported(tmp_path):
    """A table of text files must not need TensorFlow, nor wait for libraries it does not use."""
    code = (
        'import runpy, sys; sys.argv = sys.argv[1:];'
        "runpy.run_path(sys.argv[0], run_name='__main__');"
        "heavy = {'tensorflow', 'tf_keras', 'matplotlib', 'sklearn', 'scipy.stats', 'statsmodels'};"
        'sys.exit(str(heavy & sys.modules.keys()) if heavy & sys.modules.keys() else 0)'
    )
    command = [sys.executable, '-c', code, str(SCRIPT), '--runs_dir', str(tmp_path)]
    done = subprocess.run(command, cwd=SCRIPT.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_markdown_table(evaluate, tmp_path):
    add_run(tmp_path, 'MINE.bert.cosent.seed1', wrong=4)
    add_run(tmp_path, 'MINE.bert.interact.seed1', wrong=2)
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'markdown')
    lines = out.split('\n')
    assert lines[2] == '|  | ATEC | BQ | LCQMC | PAWSX | Avg | MINE |'
    assert lines[3] == '| --- | ---: | ---: | ---: | ---: | ---: | ---: |'
    assert lines[4].startswith('| BERT+CoSENT | not run<br>publ. 85.81 |')
    assert lines[4].endswith('| 90.00 |') and lines[5].endswith(r'| 95.00\* |')


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
    comparison = next(item for item in report['comparisons'] if item['task'] == 'BQ')
    # The lowest common seed, 2: pairs 1, 2 and 3 only Interact gets right.
    assert comparison['methods'] == ['cosent', 'interact'] and comparison['seeds'] == [2, 2]
    assert (comparison['only_first'], comparison['only_second']) == (0, 3)
    assert comparison['p_value'] == pytest.approx(0.25)
    # Overlap 1, 0, 3/4, 1 in turn (white space aside): the pairs of label 1 are in the last bin.
    overlap = next(item for item in report['overlap'] if item['task'] == 'BQ')
    assert overlap['pairs'] == [10, 0, 0, 10, 20] and overlap['positive'] == [0, None, None, 0, 1]
    cosent, interact = overlap['accuracy']
    assert cosent['by_bin'] == pytest.approx([0.85, None, None, 0.85, 0.85])  # over two seeds
    assert interact['by_bin'] == [1.0, None, None, 1.0, 0.95]


def test_overlap_counts_characters_not_their_order():
    """Swapped words are PAWSX's negatives: an order-sensitive measure would hide them."""
    pairs = [('甲在乙前', '乙在甲前'), ('aab', 'abb'), ('', ''), ('甲', ''), ('a b', 'ab')]
    assert character_overlap(pairs) == pytest.approx([1, 2 / 3, 1, 0, 1])


def test_stalled_powell_search_is_told_with_both_figures(evaluate, tmp_path):
    """Where the published search fails, the table must not pass its number off as the method's."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1', valid=np.where(LABELS > 0, 0.9998, 0.9996))
    _, out, _ = evaluate('--runs_dir', tmp_path)
    section = out[out.index("Where Powell's search missed") :].split('\n')
    assert section[4].split() == 'BQ.bert.cosent.seed1 50.00 0.76159 100.00 0.99970'.split()
    assert 'All other runs: within 0.1 points.' in section[6]
    _, out, _ = evaluate('--runs_dir', tmp_path, '--search', 'exact')
    assert 'missed' not in out and 'score > 0.99970' in out


def test_f1(evaluate, tmp_path):
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=1)
    _, out, _ = evaluate('--runs_dir', tmp_path, '--metric', 'f1')
    assert 'Test F1 (%)' in out and 'publ.' not in out
    assert f'{100 * 38 / 39:.2f}' in out and '66.67' in out  # ours; label 1 for every pair
    code, _, err = evaluate('--runs_dir', tmp_path, '--metric', 'f1', '--search', 'powell')
    assert code == 2 and 'accuracy only' in err


def all_five_tasks(folder):
    """Four tasks ranked rightly, and STS-B, with fractional grades, the wrong way round."""
    for method in ('cosent', 'interact'):
        for task in TASKS:
            add_run(folder, run_name(task, 'bert', method, 1))
        name = run_name('STS-B', 'bert', method, 1)
        for file in (VALID_FILE, TEST_FILE):
            grades = np.arange(40) / 8
            write_predictions(folder / name / file, grades, -grades, PAIRS)


SPEARMAN_TABLE = """\
Test Spearman (×100)

                       ATEC            BQ         LCQMC         PAWSX          STS-B           Avg
───────────────────────────────────────────────────────────────────────────────────────────────────
BERT+CoSENT         100.00*       100.00*       100.00*       100.00*       -100.00*         60.00
                publ. 49.74   publ. 72.38   publ. 78.69   publ. 60.00    publ. 80.14   publ. 68.19
               diff. +50.26  diff. +27.62  diff. +21.31  diff. +40.00  diff. -180.14   diff. -8.19

BERT+Interact       100.00*       100.00*       100.00*       100.00*       -100.00*        100.00
                publ. 48.01   publ. 71.96   publ. 78.53   publ. 68.59                  publ. 66.77
               diff. +51.99  diff. +28.04  diff. +21.47  diff. +31.41                 diff. +33.23
"""


def test_spearman_beside_the_published_one(evaluate, tmp_path):
    """Guards the second published table: its own tasks, and each Avg over those of its row."""
    all_five_tasks(tmp_path / 'runs')
    picture = tmp_path / 'a.png'
    options = ('--runs_dir', tmp_path / 'runs', '--metric', 'spearman')
    code, out, err = evaluate(*options, '--plot', picture)
    assert (code, err) == (0, '') and picture.read_bytes().startswith(b'\x89PNG')
    assert out[: out.index('\nFirst line')] == SPEARMAN_TABLE
    assert 'archives/8847' in out and 'for Interact over the four without STS-B' in out
    assert '%' not in out and 'threshold' not in out and 'McNemar' not in out
    _, out, _ = evaluate(*options, '--format', 'markdown')
    assert out.startswith(
        '### Test Spearman (×100)\n\n|  | ATEC | BQ | LCQMC | PAWSX | STS-B | Avg'
    )
    _, out, _ = evaluate(*options, '--format', 'json')
    report = json.loads(out)
    assert (report['metric'], report['search'], report['comparisons']) == ('spearman', None, [])
    cells = {(cell['method'], cell['column']): cell for cell in report['table']}
    assert cells['cosent', 'Avg']['mean'] == pytest.approx(0.6)
    assert cells['cosent', 'Avg']['published'] == 0.6819
    for flags, told in ((('--search', 'exact'), '--search'), (('--by', 'overlap'), '--by')):
        code, _, err = evaluate(*options, *flags)
        assert code == 2 and f'{told}' in err.splitlines()[-1] and 'no threshold' in err


def test_no_runs_prints_the_published_spearman(evaluate, tmp_path):
    """Guards the first look: the figures asked for, not accuracies."""
    _, out, _ = evaluate('--runs_dir', tmp_path / 'absent', '--metric', 'spearman')
    assert out.startswith('Published test Spearman (×100)') and '80.14' in out
    assert '85.81' not in out and 'Majority' not in out and '--task BQ --select spearman' in out


def test_runs_selected_by_the_other_measure_are_named(evaluate, tmp_path):
    """Guards comparisons: the epoch of the best accuracy is not that of the best Spearman."""
    all_five_tasks(tmp_path)
    for name, metrics in {
        'ATEC.bert.cosent.seed1': {'select': 'accuracy'},
        'BQ.bert.cosent.seed1': {'select': 'spearman'},
        'PAWSX.bert.cosent.seed1': {},
        'STS-B.bert.cosent.seed1': {'select': 'spearman'},  # graded: shown by Spearman always
    }.items():
        (tmp_path / name / 'metrics.json').write_text(json.dumps(metrics))
    told = {}
    for metric in ('accuracy', 'spearman'):
        _, out, _ = evaluate('--runs_dir', tmp_path, '--metric', metric)
        told[metric] = [line for line in out.splitlines() if line.startswith('Epoch kept')]
    assert told == {
        'accuracy': ['Epoch kept by valid Spearman, not accuracy: BQ.bert.cosent.seed1.'],
        'spearman': ['Epoch kept by valid accuracy, not Spearman: ATEC.bert.cosent.seed1.'],
    }
    (tmp_path / 'BQ.bert.cosent.seed1' / 'metrics.json').write_text('{')
    code, out, err = evaluate('--runs_dir', tmp_path)
    assert code == 1 and 'BQ.bert.cosent.seed1' in err and 'metrics.json: cannot be read' in ' '.join(out.split())


def test_mean_and_deviation_of_the_average_are_of_the_same_seeds(evaluate, tmp_path):
    """Guards "mean ± sd" of Avg: a task with one seed more gave a mean that no sd belongs to."""
    for task in TASKS:
        for seed, wrong in ((1, 8), (2, 4)):
            add_run(tmp_path, run_name(task, 'bert', 'cosent', seed), wrong=wrong)
        add_run(tmp_path, run_name(task, 'bert', 'interact', TASKS.index(task)), wrong=4)
    add_run(tmp_path, 'BQ.bert.cosent.seed3', wrong=16)
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'json')
    cells = {(cell['method'], cell['column']): cell for cell in json.loads(out)['table']}
    average, apart = cells['cosent', 'Avg'], cells['interact', 'Avg']
    assert average['mean'] == pytest.approx(0.85) and average['seeds'] == [1, 2]
    assert average['sd'] == pytest.approx(0.05 * np.sqrt(2))
    assert (apart['mean'], apart['sd'], apart['seeds']) == (pytest.approx(0.9), None, [])


def test_several_classes_and_graded_labels(evaluate, tmp_path):
    """NLI-like and STS-B-like tasks get their own measures, and never a threshold."""
    labels = np.arange(40) % 3
    probs = np.eye(3)[labels] * 0.3 + [0.6, 0.1, 0.0]  # argmax says 0 or 1 only
    for file in (VALID_FILE, TEST_FILE):
        write_predictions(tmp_path / 'NLI.bert.interact.seed1' / file, labels, probs, PAIRS)
        scores = np.linspace(0, 1, 40)
        graded = np.sort(np.arange(40) % 6)
        write_predictions(tmp_path / 'STS-B.bert.cosent.seed1' / file, graded, scores, PAIRS)
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'json')
    runs = {run['task']: run for run in json.loads(out)['runs']}
    nli, sts = runs['NLI'], runs['STS-B']
    assert (nli['measure'], nli['accuracy'], nli['f1']) == ('accuracy', 1.0, 1.0)
    assert sts['measure'] == 'spearman' and sts['test'] > 0.98 and sts['accuracy'] is None
    _, out, _ = evaluate('--runs_dir', tmp_path)
    assert 'STS-B (Spearman)' in out and 'class weights' in out


def left_out_of(evaluate, runs_dir):
    """Returns what each run is left out for, as JSON and text tell it, and the text."""
    code, out, err = evaluate('--runs_dir', runs_dir, '--format', 'json')
    reasons = json.loads(out)['left_out']
    assert code == 1 and err.count('\n') == 1 and all(run in err for run in reasons)
    code, out, _ = evaluate('--runs_dir', runs_dir)
    assert code == 1
    letters = ''.join(out.split())  # long words are broken
    assert all(''.join(f'Left out: {reason}'.split()) in letters for reason in reasons.values())
    return reasons, out


def test_runs_on_other_test_pairs_are_left_out(evaluate, tmp_path):
    """Guards against two re-splits compared as if they were one; the more common one is kept."""
    others = [*PAIRS[:5], ('别的', '句子'), *PAIRS[6:]]
    add_run(tmp_path, 'BQ.bert.cosent.seed1', pairs=others)
    add_run(tmp_path, 'BQ.bert.interact.seed1', pairs=PAIRS[:30], labels=LABELS[:30])
    add_run(tmp_path, 'BQ.bert.sbert.seed1', wrong=4)
    add_run(tmp_path, 'BQ.bert.sbert.seed2', wrong=4)
    reasons, out = left_out_of(evaluate, tmp_path)
    assert list(reasons) == ['BQ.bert.cosent.seed1', 'BQ.bert.interact.seed1']
    assert '90.00 ±0.00' in out
    differs, shorter = reasons.values()
    assert f'BQ.bert.cosent.seed1/{TEST_FILE}:7: ' in differs and '别的 | 句子' in differs
    assert f'BQ.bert.sbert.seed1/{TEST_FILE}:7 ' in differs
    assert ':32' in shorter and 'no such line' in shorter


def test_a_broken_run_does_not_stop_the_report(evaluate, tmp_path):
    """Guards the table of a night's runs against the one file that a full disk has cut."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=4)
    add_run(tmp_path, 'BQ.bert.sbert.seed1')
    path = tmp_path / 'BQ.bert.sbert.seed1' / TEST_FILE
    path.write_bytes(path.read_bytes()[:-3])
    reasons, out = left_out_of(evaluate, tmp_path)
    assert list(reasons) == ['BQ.bert.sbert.seed1'] and '90.00' in out
    assert f'{path}:41: the last line has no end' in reasons['BQ.bert.sbert.seed1']


@pytest.mark.parametrize(
    ('labels', 'scores', 'message'),
    [
        (np.ones(40, int), None, 'all 40 labels are 1'),
        (np.full(40, 3), np.full((40, 3), 0.3), 'labels 0 .. 2'),
        (LABELS, np.full((40, 3), -0.3), 'softmax'),
    ],
)
def test_runs_that_cannot_be_evaluated_are_named(evaluate, tmp_path, labels, scores, message):
    scores = np.linspace(0, 1, 40) if scores is None else scores
    for file in (VALID_FILE, TEST_FILE):
        write_predictions(tmp_path / 'BQ.bert.cosent.seed1' / file, labels, scores, PAIRS)
    reasons, out = left_out_of(evaluate, tmp_path)
    [reason] = reasons.values()
    assert f'BQ.bert.cosent.seed1/{VALID_FILE}' in reason and message in reason
    assert 'Published test accuracy' in out  # and no table of ours


def test_unfinished_runs_are_named_and_left_out(evaluate, tmp_path):
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=1)
    add_run(tmp_path, 'BQ.bert.cosent.seed2', wrong=20)
    (tmp_path / 'BQ.bert.cosent.seed2' / 'config.json').write_text('{}')
    _, out, _ = evaluate('--runs_dir', tmp_path)
    assert (
        'BQ.bert.cosent.seed2: unfinished' in out
        and '97.50 ' in out
        and '±' not in out.split('First line')[0]
    )
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'json')
    assert json.loads(out)['unfinished'] == ['BQ.bert.cosent.seed2']


def test_plot_is_a_png_also_of_scores_that_hardly_differ(evaluate, tmp_path):
    all_four_tasks(tmp_path / 'runs')
    collapsed = np.where(LABELS > 0, 1.0, np.nextafter(1.0, 0.0))
    for file in (VALID_FILE, TEST_FILE):
        write_predictions(
            tmp_path / 'runs/BQ.my_model.cosent.seed1' / file, LABELS, collapsed, PAIRS
        )
    picture = tmp_path / 'a.png'
    code, _, err = evaluate('--runs_dir', tmp_path / 'runs', '--plot', picture)
    assert (code, err) == (0, '') and picture.read_bytes().startswith(b'\x89PNG')
    code, _, err = evaluate('--runs_dir', tmp_path / 'runs', '--plot', tmp_path / 'a.pdf')
    assert code == 2 and '.png' in err
    code, _, err = evaluate('--runs_dir', tmp_path / 'absent', '--plot', picture)
    assert code == 2 and 'nothing to plot' in err


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

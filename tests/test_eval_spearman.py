"""eval_accuracy.py --metric spearman, and the epoch that a run kept by it."""

import json

import numpy as np
import pytest

from cosent_tf.published import TASKS
from cosent_tf.run.folder import run_name
from tests.predictions import add_run, add_scores, as_published

pytestmark = pytest.mark.fast


def all_five_tasks(folder):
    """Four tasks ranked rightly, and STS-B, with fractional grades, the wrong way round."""
    for method in ('cosent', 'interact'):
        for task in TASKS:
            add_run(folder, run_name(task, 'bert', method, 1))
        grades = np.arange(40) / 8
        add_scores(folder, run_name('STS-B', 'bert', method, 1), grades, -grades)


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


@pytest.mark.usefixtures('forty_pairs')
def test_spearman_beside_the_published_one(evaluate, tmp_path):
    """--metric spearman has its own tasks, and each Avg is over those of its row."""
    all_five_tasks(tmp_path / 'runs')
    as_published(tmp_path / 'runs', 'spearman')
    picture = tmp_path / 'a.png'
    options = ('--runs_dir', tmp_path / 'runs', '--metric', 'spearman')
    code, out, err = evaluate(*options, '--plot', picture)
    assert (code, err) == (0, '') and picture.read_bytes().startswith(b'\x89PNG')
    assert out.startswith(f'{SPEARMAN_TABLE}\n*: best of its column.\n')
    assert 'archives/8847' in out and 'for Interact over the four without STS-B' in out
    assert '(%)' not in out and 'threshold' not in out
    _, out, _ = evaluate(*options, '--format', 'markdown')
    assert out.startswith(
        '### Test Spearman (×100)\n\n|  | ATEC | BQ | LCQMC | PAWSX | STS-B | Avg'
    )
    _, out, _ = evaluate(*options, '--format', 'json')
    report = json.loads(out)
    assert (report['metric'], report['search']) == ('spearman', None)
    assert [item['measure'] for item in report['comparisons']] == ['spearman'] * 5
    cells = {(cell['method'], cell['column']): cell for cell in report['table']}
    assert cells['cosent', 'Avg']['mean'] == pytest.approx(0.6)
    assert cells['cosent', 'Avg']['published'] == 0.6819
    for flags, told in ((('--search', 'exact'), '--search'), (('--by', 'overlap'), '--by')):
        code, _, err = evaluate(*options, *flags)
        assert code == 2 and f'{told}' in err.splitlines()[-1] and 'no threshold' in err


def test_no_runs_prints_the_published_spearman(evaluate, tmp_path):
    """Without runs, --metric spearman shows the published Spearman."""
    _, out, _ = evaluate('--runs_dir', tmp_path, '--metric', 'spearman')
    assert out.startswith('Published test Spearman (×100)') and '80.14' in out
    assert '85.81' not in out and 'Majority' not in out and '--task BQ --select spearman' in out


def test_runs_selected_by_the_other_measure_are_named(evaluate, tmp_path):
    """--metric spearman names the runs whose epoch was chosen by accuracy."""
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
        told[metric] = [line for line in out.splitlines() if line.startswith('Checkpoint')]
    assert told == {
        'accuracy': ['Checkpoint chosen by valid Spearman, not accuracy: BQ.bert.cosent.seed1.'],
        'spearman': ['Checkpoint chosen by valid accuracy, not Spearman: ATEC.bert.cosent.seed1.'],
    }
    (tmp_path / 'BQ.bert.cosent.seed1' / 'metrics.json').write_text('[' * 100_000)
    code, out, err = evaluate('--runs_dir', tmp_path)
    assert code == 1 and 'BQ.bert.cosent.seed1' in err
    assert 'metrics.json:' in out.replace('\n', '')  # which is wrapped

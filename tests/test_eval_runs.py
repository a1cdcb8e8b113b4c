"""Which runs eval_accuracy.py counts, and why it leaves out the others."""

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cosent_tf.published import TASKS
from cosent_tf.run.folder import TEST_FILE, VALID_FILE, run_name
from tests.predictions import LABELS, PAIRS, add_run, add_scores

pytestmark = pytest.mark.fast


def test_mean_and_deviation_of_the_average_are_of_the_same_seeds(evaluate, tmp_path):
    """Mean and sd of Avg are over the seeds that all tasks have; without any there is no sd."""
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
    """A run with other test pairs than most is left out and named."""
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
    assert f'BQ.bert.sbert.seed1/{TEST_FILE}:7: ' in differs
    assert ':32' in shorter and 'no such line' in shorter


def test_a_broken_run_does_not_stop_the_report(evaluate, tmp_path):
    """A run with a cut file is left out and named, and the others are shown."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=4)
    add_run(tmp_path, 'BQ.bert.sbert.seed1')
    path = tmp_path / 'BQ.bert.sbert.seed1' / TEST_FILE
    path.write_bytes(path.read_bytes()[:-3])
    reasons, out = left_out_of(evaluate, tmp_path)
    assert list(reasons) == ['BQ.bert.sbert.seed1'] and '90.00' in out
    assert f'{path}:41: no line feed at the end' in reasons['BQ.bert.sbert.seed1']


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
    add_scores(tmp_path, 'BQ.bert.cosent.seed1', labels, scores)
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
        and '±' not in out.split('publ.')[0]
    )
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'json')
    assert json.loads(out)['unfinished'] == ['BQ.bert.cosent.seed2']


def test_a_copied_run_is_not_another_seed(evaluate, tmp_path):
    """A folder copied under another seed does not make a mean "± 0.00" of one training."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=4)
    add_run(tmp_path, 'BQ.bert.cosent.seed2', wrong=8)
    shutil.copytree(tmp_path / 'BQ.bert.cosent.seed1', tmp_path / 'BQ.bert.cosent.seed9')
    reasons, out = left_out_of(evaluate, tmp_path)
    assert list(reasons) == ['BQ.bert.cosent.seed9'] and '85.00 ±7.07' in out
    assert reasons['BQ.bert.cosent.seed9'].endswith('seed1: a copy, not another seed')


def test_a_folder_that_cannot_be_entered_is_left_out(evaluate, tmp_path, monkeypatch):
    """One run of mode 000 among a night's runs is named, and the others are reported."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=4)
    add_run(tmp_path, 'BQ.bert.cosent.seed2', wrong=8)
    closed = tmp_path / 'BQ.bert.cosent.seed2'

    def refusing(original):  # as the system answers anyone but root
        def refuse(path, *arguments, **options):
            if closed in path.parents:
                raise PermissionError(errno.EACCES, 'Permission denied', str(path))
            return original(path, *arguments, **options)

        return refuse

    for name in ('stat', 'open', 'read_bytes'):
        monkeypatch.setattr(Path, name, refusing(getattr(Path, name)))
    reasons, out = left_out_of(evaluate, tmp_path)
    assert list(reasons) == ['BQ.bert.cosent.seed2'] and '90.00' in out
    assert reasons['BQ.bert.cosent.seed2'].endswith('cannot be read: Permission denied')


def test_a_folder_of_runs_that_is_not_there_is_an_error(evaluate, tmp_path):
    """A mistyped --runs_dir does not show the published table as if nothing had been trained."""
    code, out, err = evaluate('--runs_dir', tmp_path / 'nowhere')
    assert (code, out) == (2, '') and err.count('\n') == 1
    assert f'{tmp_path / "nowhere"}: no such folder' in err

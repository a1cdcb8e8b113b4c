"""compare_original.py, with scripts of our own that play the checkout of bojone/CoSENT."""

import csv
import json
import os
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from cosent_tf.errors import UserError
from cosent_tools.original.script import NotFound, own_settings, read_script
from tests.helpers import ROOT, exit_code, losses
from tests.reference.checkout import write_checkout

CHECKOUT = os.environ.get('ORIGINAL')  # make test-original


@pytest.fixture
def checkout(tmp_path):
    return write_checkout(tmp_path / 'CoSENT')


@pytest.fixture
def compare(monkeypatch, capsys):
    """Run compare_original.py in this process; return its exit code, stdout and stderr."""

    def compare(*flags):
        monkeypatch.setattr(sys, 'argv', ['compare_original.py', *map(str, flags)])
        code = exit_code(runpy.run_path, str(ROOT / 'compare_original.py'), run_name='__main__')
        return code, *capsys.readouterr()

    return compare


def test_tensorflow_is_quiet_before_it_makes_the_bert_of_demo(
    compare, checkout, tmp_path, monkeypatch
):
    """The first lines on a terminal are ours: no start-up lines of a library's native code."""
    level = []

    def stop(_):
        level.append(os.environ.get('TF_CPP_MIN_LOG_LEVEL'))
        raise UserError('that is enough')

    monkeypatch.delenv('TF_CPP_MIN_LOG_LEVEL', raising=False)
    monkeypatch.setattr('cosent_tf.places.find_encoder', stop)
    monkeypatch.chdir(tmp_path)
    flags = ('--original', checkout, '--task', 'DEMO')  # which has no sbert.py: not run on DEMO
    assert compare(*flags)[0] == 2 and level == ['3']


def flags_of(checkout, bert_dir, data_dir, runs_dir):
    flags = {'original': checkout, 'task': 'TOY', 'bert_dir': bert_dir, 'data_dir': data_dir}
    flags |= {'runs_dir': runs_dir, 'maxlen': 20}
    return [part for name, value in flags.items() for part in (f'--{name}', value)]


def check_files(runs_dir, method, steps, *more):
    """Check that both sides are on disk, and that the report says of them what is there."""
    folders = [runs_dir / f'TOY.{side}.{method}.seed42' for side in ('original', 'ours')]
    original, ours = map(losses, folders)
    assert len(original) == len(ours) == steps
    with (runs_dir / 'TOY.tsv').open(encoding='utf-8') as file:
        rows = [row for row in csv.DictReader(file, delimiter='\t') if row['method'] == method]
    assert [row['side'] for row in rows] == ['original', 'ours', *more]
    assert float(rows[1]['loss_difference']) == np.abs(np.subtract(original, ours)).max()
    assert json.loads((folders[1] / 'metrics.json').read_text())['threshold'] == float(
        rows[1]['threshold']
    )
    return rows


@pytest.mark.parametrize(
    'method, steps, flag, side',
    [
        ('cosent', 9, '--repeat', 'original-again'),
        pytest.param('interact', 3, '--keep_padding', 'ours-padded', marks=pytest.mark.weekly),
    ],
)
def test_both_sides_do_the_same_steps(
    method, steps, flag, side, checkout, small_bert, data_dir, tmp_path, compare
):
    """A script of the checkout and ours have equal losses, scores and accuracies, step by step.

    Nine steps of 16 of the 70 pairs are three epochs of three. Long sentences are cut to 20 tokens
    on both sides. Once more on one thread, or with padding kept, nothing else comes out.
    """
    flags = flags_of(checkout, small_bert, data_dir, tmp_path / 'runs')
    code, out, err = compare(*flags, '--methods', method, '--steps', steps, flag)
    assert code == 0, err
    original, *others = check_files(tmp_path / 'runs', method, steps, side)
    # float32: 2e-7 of values around 1, a few steps of Adam on top
    for other in others:
        for what in ('loss', 'before', 'valid', 'test'):
            assert float(other[f'{what}_difference']) < 1e-4
        assert original['test_accuracy'] == other['test_accuracy']
    changed = losses(tmp_path / 'runs' / f'TOY.ours.{method}.seed42')
    assert max(changed) - min(changed) > 1e-2  # it has trained, so that there was something to err
    told = ' '.join(out.split())  # where lines are wrapped depends on the length of paths
    assert 'keras.optimizers.legacy.Optimizer' in told and 'commit unknown' in told
    assert (tmp_path / 'runs' / 'TOY.png').read_bytes().startswith(b'\x89PNG')
    assert 'Largest difference from the original' in (tmp_path / 'runs' / 'TOY.md').read_text()


def test_another_revision_is_one_line_that_names_what_is_not_there(
    checkout, small_bert, data_dir, tmp_path, compare
):
    """A checkout that no longer fits is refused before anything is trained."""
    script = checkout / 'accuracy' / 'interact.py'
    script.write_text(script.read_text('utf-8').replace('fit_generator', 'fit'), 'utf-8')
    flags = flags_of(checkout, small_bert, data_dir, tmp_path / 'runs')
    code, _, err = compare(*flags, '--methods', 'cosent', 'interact')
    assert code == 2 and err.count('\n') == 1
    assert 'interact.py: no fit_generator in it' in err
    assert not (tmp_path / 'runs').exists()
    code, _, err = compare(*flags, '--methods', 'sbert')
    assert code == 2 and 'sbert.py not found: --original must be a checkout' in err


def test_a_script_that_fails_is_told_with_its_log(
    checkout, small_bert, data_dir, tmp_path, compare
):
    """What the original says before it fails is kept, and its last line is in the message."""
    script = checkout / 'accuracy' / 'cosent.py'
    script.write_text(f"raise OSError('a disk')\n{script.read_text('utf-8')}", 'utf-8')
    flags = flags_of(checkout, small_bert, data_dir, tmp_path / 'runs')
    code, _, err = compare(*flags, '--methods', 'cosent')
    log = tmp_path / 'runs' / 'TOY.original.cosent.seed42' / 'log.txt'
    assert code == 1 and err.count('\n') == 1 and str(log) in err
    assert 'original, cosent: OSError: a disk' in err and 'Traceback' in log.read_text()


def test_the_settings_are_those_of_the_script(checkout):
    """What differs by task in the original is computed for the task that is compared."""
    expected = {'maxlen': 30, 'batch_size': 16, 'epochs': 5}
    assert own_settings(checkout, 'cosent', 'BQ') == expected
    assert own_settings(checkout, 'cosent', 'PAWSX') == expected | {'maxlen': 40}
    script = checkout / 'accuracy' / 'cosent.py'
    script.write_text(script.read_text('utf-8').replace('epochs = 5', 'epochs = len(D)'), 'utf-8')
    with pytest.raises(NotFound, match='epochs depends on more than task_name'):
        own_settings(checkout, 'cosent', 'BQ')


def test_flags_that_exclude_each_other(compare, checkout):
    """Losses are not comparable with dropout, and seeds are for whole trainings."""
    start = ('--original', checkout, '--task', 'DEMO')
    code, _, err = compare(*start, '--dropout_rate', '0.1', '--steps', '5')
    assert code == 2 and '--steps compares losses, which dropout makes random' in err
    code, _, err = compare(*start, '--seeds', '3')
    assert code == 2 and 'with --dropout_rate' in err


@pytest.mark.weekly
def test_whole_trainings_with_dropout(checkout, small_bert, data_dir, tmp_path, compare):
    """Both sides drop out and start alike, and their accuracies get an interval over two seeds."""
    flags = flags_of(checkout, small_bert, data_dir, tmp_path / 'runs')
    flags += ['--methods', 'interact', '--dropout_rate', '0.3', '--seeds', '2', '--epochs', '2']
    code, out, err = compare(*flags)
    assert code == 0, err
    assert 'Is the difference real?' in out and 'both account for seeds and' in out
    with (tmp_path / 'runs' / 'TOY.tsv').open(encoding='utf-8') as file:
        rows = list(csv.DictReader(file, delimiter='\t'))
    assert [(row['seed'], row['side'], row['steps']) for row in rows] == [
        (seed, side, '10') for seed in ('42', '43') for side in ('original', 'ours')
    ]
    for row in rows[1::2]:
        assert float(row['before_difference']) < 1e-5  # no dropout where nothing is trained
        assert float(row['loss_difference']) > 1e-3  # other masks


@pytest.mark.skipif(not CHECKOUT, reason='make test-original ORIGINAL=../CoSENT')
@pytest.mark.parametrize('method', ['cosent', 'sbert', 'interact', 'interact_cosent'])
def test_the_real_scripts(method, small_bert, data_dir, tmp_path, compare):
    """All four scripts of bojone/CoSENT as they stand: equal losses of two steps, and scores."""
    read_script(Path(CHECKOUT), method)
    flags = flags_of(CHECKOUT, small_bert, data_dir, tmp_path / 'runs')
    code, _, err = compare(*flags, '--methods', method, '--steps', '2', '--lr', '1e-3')
    assert code == 0, err
    rows = check_files(tmp_path / 'runs', method, 2)
    assert float(rows[1]['loss_difference']) < 1e-4
    assert float(rows[1]['test_difference']) < 1e-4

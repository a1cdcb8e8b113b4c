"""Runs that are killed, interrupted or hit by a fault: nothing computed is lost or looks done."""

import errno
import fcntl
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from argparse import Namespace
from types import SimpleNamespace

import numpy as np
import pytest

from cosent_tf import training
from cosent_tf.bert.compat import Adam, keras, tf
from cosent_tf.bert.weights import read_weights
from cosent_tf.errors import RunError, UserError
from cosent_tf.run import start
from cosent_tf.run.checkpoints import State, read_state, state_variables, write_state, write_weights
from cosent_tf.training import EndOfEpoch
from tests.test_training import FILES, ROOT, command, run

NAME, SBERT = 'TOY.bert.cosent.seed42', 'TOY.bert.sbert.seed42'
RESULTS = ('losses.csv', 'predictions.valid.tsv', 'predictions.test.tsv')

# Of a run of 3 epochs of 5 steps: where each process stops, the epochs it begins, its exit code.
STOPS = [
    ('kill config.json', [], -9),
    ('kill state.h5', [1], -9),
    ('kill best.weights.h5', [1], -9),
    ('interrupt step 2', [2], 1),
    ('kill epoch 3', [2], -9),
    ('kill step 3', [3], -9),
    ('kill history.csv', [3], -9),
    ('kill predictions.valid.tsv', [], -9),
    ('kill metrics.json', [], -9),
    ('never', [], 0),
]


def test_a_run_killed_at_any_moment_ends_like_one_never_stopped(
    short, tmp_path, monkeypatch, capsys
):
    """Guards hours of training: at most the epoch in progress is lost, and no result changes."""
    short |= {'dropout_rate': '0.1'}
    whole, killed = tmp_path / 'whole' / NAME, tmp_path / 'killed' / NAME
    flags = short | {'runs_dir': str(whole.parent)}
    arguments = command('train_cosent.py', flags, '--keep_padding')  # which is traced faster
    assert run(arguments, monkeypatch, capsys) == (0, '')

    flags = short | {'runs_dir': str(killed.parent)}
    arguments = command('train_cosent.py', flags, '--keep_padding', '--resume')
    stops = [sys.executable, '-u', 'tests/stopped.py', *(moment for moment, *_ in STOPS), '--']
    done = subprocess.run(
        stops + arguments,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
    )
    parts = re.split(r'^== (.*): (-?\d+)\n', done.stdout, flags=re.MULTILINE)
    processes = zip(parts[::3], parts[1::3], parts[2::3], strict=False)
    found = [
        (moment, [int(n) for n in re.findall(r'^Epoch (\d)/3$', output, re.MULTILINE)], int(status))
        for output, moment, status in processes
    ]
    assert found == STOPS, done.stderr
    assert re.search(r'interrupted; go on: python train_cosent.py .*--resume\n', done.stderr)

    assert {path.name for path in killed.iterdir()} - {'.lock'} == FILES
    for file in RESULTS:
        assert (killed / file).read_bytes() == (whole / file).read_bytes()
    assert measures(killed) == measures(whole)


@pytest.mark.parametrize('more', ['--precision bf16', '--strategy mirrored'])
def test_a_resumed_run_draws_the_dropout_masks_of_one_never_stopped(more, short, tmp_path):
    """Guards the generator in state.h5, which has a state a device."""
    processes = []
    for name, moments in (('whole', ['never']), ('killed', ['kill epoch 2', 'never'])):
        flags = short | {'runs_dir': str(tmp_path / name), 'dropout_rate': '0.1', 'epochs': '2'}
        script = ['tests/distributed.py', *command('train_sbert.py', flags, '--resume')]
        arguments = [sys.executable, 'tests/stopped.py', *moments, '--', *script, *more.split()]
        environment = os.environ | {'PYTHONPATH': str(ROOT)}
        processes.append(subprocess.Popen(arguments, cwd=ROOT, env=environment))
    assert [process.wait() for process in processes] == [0, 0]
    for file in RESULTS:
        whole, killed = (tmp_path / name / SBERT / file for name in ('whole', 'killed'))
        assert whole.read_bytes() == killed.read_bytes()


def measures(folder):
    metrics = json.loads((folder / 'metrics.json').read_text('utf-8'))
    return {name: value for name, value in metrics.items() if 'seconds' not in name}


def test_faults_leave_a_run_that_can_go_on(short, tmp_path, monkeypatch, capsys):
    """Guards what was saved before: a NaN, a full disk or a damaged file costs no whole epoch.

    Guards epochs of other flags, other data or another BERT, too, from being continued.
    """
    data_dir = shutil.copytree(short['data_dir'], tmp_path / 'data')
    data = data_dir / 'TOY' / 'TOY.train.data'
    bert_dir = shutil.copytree(short['bert_dir'], tmp_path / 'bert')
    (bert_dir / 'tokenizer_config.json').write_text('{}')
    flags = short | {'data_dir': str(data_dir), 'bert_dir': str(bert_dir)}
    arguments = command('train_cosent.py', flags, '--keep_padding')
    folder = tmp_path / NAME
    with monkeypatch.context() as patch:
        patch.setattr(EndOfEpoch, 'on_train_batch_end', spoils_step_7(EndOfEpoch))
        code, message = run(arguments, monkeypatch, capsys)
    assert code == 1 and message.count('\n') == 1
    assert 'the loss is nan at step 7, in epoch 2; epoch 1 is kept' in message
    saved = (folder / 'state.h5').read_bytes()

    for more, told in (([], '--resume goes on'), (['--resume', '--lr', '1'], '--lr 0.001, now 1')):
        code, message = run([*arguments, *more], monkeypatch, capsys)
        assert code == 2 and told in message

    for file in (data, bert_dir / 'vocab.txt', bert_dir / 'tokenizer_config.json'):
        before = file.read_bytes()
        file.write_bytes(before + b'\n')
        code, message = run([*arguments, '--resume'], monkeypatch, capsys)
        assert code == 2 and f'{file}: changed since' in message
        file.write_bytes(before)

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(saved) // 2, limits[1]))
    try:
        code, message = run([*arguments, '--resume'], monkeypatch, capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 1 and message.count('\n') == 1
    assert re.search('cannot be written: File too large; .*train_cosent.py .* --resume', message)
    assert (folder / 'state.h5').read_bytes() == saved
    assert not list(folder.glob('*.tmp*'))

    (folder / 'state.h5').write_bytes(saved[: len(saved) // 2])
    code, message = run([*arguments, '--resume'], monkeypatch, capsys)
    assert code == 2 and message.count('\n') == 1
    assert 'state.h5: broken' in message and '--overwrite' in message


def spoils_step_7(callback):
    original = callback.on_train_batch_end

    def on_train_batch_end(self, batch, logs=None):
        original(self, batch, logs)
        if self.state.epoch == 1 and batch == 0:  # step 6
            weight = self.model.trainable_weights[-1]
            weight.assign(np.full(weight.shape, np.nan))

    return on_train_batch_end


def test_the_state_has_the_loss_scale_of_fp16(tmp_path):
    """Guards a resumed fp16 run: it would skip steps again until the scale has come down."""

    def model():
        inputs = keras.Input((2,))
        one = keras.Model(inputs, keras.layers.Dense(1, name='head')(inputs))
        one.compile(optimizer=keras.mixed_precision.LossScaleOptimizer(Adam(1e-3)))
        return one

    saved, resumed = model(), model()
    for weight in state_variables(saved).values():
        weight.assign(tf.fill(weight.shape, tf.cast(8, weight.dtype)))
    write_state(tmp_path / 'state.h5', State(epoch=1), saved)
    read_state(tmp_path / 'state.h5', resumed)
    assert float(resumed.optimizer.loss_scale) == 8
    assert int(resumed.optimizer.dynamic_counter) == 8


def test_a_second_process_and_a_folder_that_cannot_be_written_are_refused(
    short, tmp_path, monkeypatch, capsys
):
    """Guards two processes that overwrite each other's epochs."""
    (tmp_path / NAME).mkdir()
    with (tmp_path / NAME / '.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, message = run(command('train_cosent.py', short), monkeypatch, capsys)
    assert code == 2 and 'another process is training this run' in message
    (tmp_path / 'file').write_text('')
    flags = short | {'runs_dir': str(tmp_path / 'file')}
    code, message = run(command('train_cosent.py', flags), monkeypatch, capsys)
    assert code == 2 and re.search('file.* cannot be written: Not a directory', message)


@pytest.mark.parametrize('answer', [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_no_obstacle(answer, tmp_path, monkeypatch, capsys):
    """Guards runs on network drives: there, one has to look after a second process oneself."""

    def flock(*_):
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(fcntl, 'flock', flock)
    start._lock(tmp_path)
    message = capsys.readouterr().err
    assert message.count('\n') == 1 and 'this file system has no locks' in message


TOLD = {
    'out of memory on a device': (
        tf.errors.ResourceExhaustedError(None, None, 'OOM'),
        (RunError, r'lower --batch_size \(now 32\) or --maxlen \(now 64\)'),
    ),
    'out of memory': (MemoryError(), (RunError, '--batch_size')),
    'without other workers': (
        tf.errors.AbortedError(None, None, 'the cause'),
        (tf.errors.AbortedError, 'the cause'),
    ),
}


@pytest.mark.parametrize('case', TOLD)
def test_what_stopped_the_training_is_told(case, tmp_path, monkeypatch):
    """Guards against the wrong cause: without other workers, none of them has ended."""
    error, (kind, message) = TOLD[case]

    def fails(*_):
        raise error

    monkeypatch.setattr(training, '_restore', fails)
    optimizer = SimpleNamespace(_create_all_weights=lambda _: None)
    model = SimpleNamespace(optimizer=optimizer, trainable_variables=[])
    args = Namespace(epochs=1, batch_size=32, maxlen=64)
    with pytest.raises(kind, match=message):
        training.fit(model, None, None, {}, args, tmp_path)


def git(folder, *arguments):
    identity = ['-c', 'user.name=a', '-c', 'user.email=a@b.c']
    subprocess.run(['git', '-C', folder, *identity, *arguments], check=True, capture_output=True)


def test_the_commit_of_changed_files_is_marked(tmp_path):
    """Guards figures against being put down to a commit that does not give them."""
    assert start._git_commit(tmp_path) is None
    git(tmp_path, 'init')
    (tmp_path / 'a.py').write_text('1')
    git(tmp_path, 'add', 'a.py')
    git(tmp_path, 'commit', '-m', 'a')
    git(tmp_path, 'tag', '-a', 'v1', '-m', 'v1')
    clean = start._git_commit(tmp_path)
    assert re.fullmatch('[0-9a-f]{40}', clean)
    (tmp_path / 'a.py').write_text('2')
    assert start._git_commit(tmp_path) == f'{clean}-dirty'


def test_runs_of_other_programs_are_not_overwritten(short, tmp_path, monkeypatch, capsys):
    """Guards predictions that no command can make again."""
    (tmp_path / NAME).mkdir()
    for split in ('valid', 'test'):
        (tmp_path / NAME / f'predictions.{split}.tsv').write_text('')
    code, message = run(command('train_cosent.py', short), monkeypatch, capsys)
    assert code == 2 and 'finished' in message


def test_a_damaged_weights_file_is_refused(tmp_path):
    """Guards scores of slightly wrong weights, which would look right: any changed byte counts."""
    path = tmp_path / 'a.h5'
    weight = tf.Variable(np.random.default_rng(0).normal(size=(3, 50)).astype('float32'))
    expected = weight.numpy()
    write_weights(path, {'a/b': weight})
    good = path.read_bytes()
    damaged = [good[:size] for size in range(0, len(good), 97)]
    damaged += [good[:at] + b'\x55' + good[at + 1 :] for at in range(0, len(good), 7)]
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        weight.assign(tf.zeros_like(weight))
        try:
            read_weights(path, {'a/b': weight})
            np.testing.assert_array_equal(weight, expected)  # a byte that says nothing
        except UserError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > len(expected.tobytes()) // 7


def test_the_same_command_gives_the_same_run(short, tmp_path, monkeypatch, capsys):
    """Guards comparisons between two settings: with dropout too, nothing else differs."""
    for name in ('one', 'other'):
        flags = short | {'runs_dir': str(tmp_path / name), 'dropout_rate': '0.1', 'epochs': '1'}
        assert run(command('train_cosent.py', flags), monkeypatch, capsys) == (0, '')
    for file in RESULTS:
        one, other = (tmp_path / name / NAME / file for name in ('one', 'other'))
        assert one.read_bytes() == other.read_bytes()

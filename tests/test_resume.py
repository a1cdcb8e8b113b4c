"""Runs that are killed, interrupted or hit by a fault: nothing computed is lost or looks done."""

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
from cosent_tf.bert.compat import tf
from cosent_tf.errors import RunError
from cosent_tf.training import EndOfEpoch
from tests.helpers import FILES, ROOT, command, read_json

NAME, SBERT = 'TOY.bert.cosent.seed42', 'TOY.bert.sbert.seed42'
RESULTS = ('losses.csv', 'predictions.valid.tsv', 'predictions.test.tsv')

# Of a run of epochs of 5 steps: where each process stops, the epochs it begins, its exit code.
TWO_STOPS = [
    ('kill epoch 2', [1], -9),
    ('interrupt step 3', [2], 1),
    ('never', [2], 0),
]
ALL_STOPS = [  # of 3 epochs
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


@pytest.mark.parametrize(
    ('epochs', 'stops'),
    [
        pytest.param('2', TWO_STOPS, id='two moments'),
        pytest.param('3', ALL_STOPS, id='every moment', marks=pytest.mark.weekly),
    ],
)
def test_a_run_killed_at_any_moment_ends_like_one_never_stopped(
    epochs, stops, short, run, tmp_path
):
    """A killed run loses at most the epoch in progress, and ends with the same results."""
    short |= {'dropout_rate': '0.1', 'epochs': epochs}
    whole, killed = tmp_path / 'whole' / NAME, tmp_path / 'killed' / NAME
    flags = short | {'runs_dir': str(whole.parent)}
    assert run('cosent', flags, '--keep_padding') == (0, '')  # which is traced faster

    flags = short | {'runs_dir': str(killed.parent)}
    arguments = command('cosent', flags, '--keep_padding', '--resume')
    moments = [moment for moment, *_ in stops]
    done = subprocess.run(
        [sys.executable, '-u', 'tests/stopped.py', *moments, '--', *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
    )
    parts = re.split(r'^== (.*): (-?\d+)\n', done.stdout, flags=re.MULTILINE)
    processes = zip(parts[::3], parts[1::3], parts[2::3], strict=False)
    found = [
        (
            moment,
            [int(n) for n in re.findall(rf'^Epoch (\d)/{epochs}$', output, re.MULTILINE)],
            int(status),
        )
        for output, moment, status in processes
    ]
    assert found == stops, done.stderr
    assert re.search(r'interrupted; go on: python train_cosent.py .*--resume\n', done.stderr)

    assert {path.name for path in killed.iterdir()} - {'.lock'} == FILES
    for file in RESULTS:
        assert (killed / file).read_bytes() == (whole / file).read_bytes()
    assert measures(killed) == measures(whole)


@pytest.mark.weekly
@pytest.mark.parametrize('more', ['--precision bf16', '--strategy mirrored'])
def test_a_resumed_run_draws_the_dropout_masks_of_one_never_stopped(more, short, tmp_path):
    """A resumed run of two devices draws the dropout masks of one never stopped."""
    processes = []
    for name, moments in (('whole', ['never']), ('killed', ['kill epoch 2', 'never'])):
        flags = short | {'runs_dir': str(tmp_path / name), 'dropout_rate': '0.1', 'epochs': '2'}
        script = ['tests/distributed.py', *command('sbert', flags, '--resume')]
        arguments = [sys.executable, 'tests/stopped.py', *moments, '--', *script, *more.split()]
        environment = os.environ | {'PYTHONPATH': str(ROOT)}
        processes.append(subprocess.Popen(arguments, cwd=ROOT, env=environment))
    assert [process.wait() for process in processes] == [0, 0]
    for file in RESULTS:
        whole, killed = (tmp_path / name / SBERT / file for name in ('whole', 'killed'))
        assert whole.read_bytes() == killed.read_bytes()


def measures(folder):
    metrics = read_json(folder / 'metrics.json')
    return {name: value for name, value in metrics.items() if 'seconds' not in name}


def test_faults_leave_a_run_that_can_go_on(short, run, tmp_path, monkeypatch):
    """A NaN, a full disk or a damaged file loses no epoch that was saved before.

    Other flags, other data or another BERT are refused.
    """
    data_dir = shutil.copytree(short['data_dir'], tmp_path / 'data')
    data = data_dir / 'TOY' / 'TOY.train.data'
    bert_dir = shutil.copytree(short['bert_dir'], tmp_path / 'bert')
    settings = [bert_dir / name for name in ('tokenizer_config.json', 'sentence_bert_config.json')]
    for file in settings:
        file.write_text('{}')
    flags = short | {'data_dir': str(data_dir), 'bert_dir': str(bert_dir)}
    folder = tmp_path / NAME

    def train(*more):
        return run('cosent', flags, '--keep_padding', *more)

    with monkeypatch.context() as patch:
        patch.setattr(EndOfEpoch, 'on_train_batch_end', spoils_step_7(EndOfEpoch))
        code, message = train()
    assert code == 1 and message.count('\n') == 1
    assert 'the loss is nan at step 7, in epoch 2; epoch 1 is saved' in message
    saved = (folder / 'state.h5').read_bytes()

    for more, told in (
        ([], '--resume continues it'),
        (['--resume', '--lr', '1'], '--lr 0.001, now 1'),
    ):
        code, message = train(*more)
        assert code == 2 and told in message

    for file in (data, bert_dir / 'vocab.txt', *settings):
        before = file.read_bytes()
        file.write_bytes(before + b'\n')
        code, message = train('--resume')
        assert code == 2 and f'{file}: changed since' in message
        file.write_bytes(before)

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(saved) // 2, limits[1]))
    try:
        code, message = train('--resume')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 1 and message.count('\n') == 1
    assert re.search('cannot be written: File too large; .*train_cosent.py .* --resume', message)
    assert (folder / 'state.h5').read_bytes() == saved
    assert not list(folder.glob('*.tmp*'))

    (folder / 'state.h5').write_bytes(saved[: len(saved) // 2])
    code, message = train('--resume')
    assert code == 2 and message.count('\n') == 1
    assert 'state.h5: broken' in message and '--overwrite' in message


def spoils_step_7(callback):
    original = callback.on_train_batch_end

    def on_train_batch_end(self, batch, logs=None):
        original(self, batch, logs)
        if self.run.state.epoch == 1 and batch == 0:  # step 6
            weight = self.model.trainable_weights[-1]
            weight.assign(np.full(weight.shape, np.nan))

    return on_train_batch_end


TOLD = {
    'out of memory on a device': (
        tf.errors.ResourceExhaustedError(None, None, 'OOM'),
        (RunError, r'--micro_batch N .*lower --batch_size \(now 32\) or --maxlen \(now 64\)'),
    ),
    'out of memory': (MemoryError(), (RunError, '--batch_size')),
    'without other workers': (
        tf.errors.AbortedError(None, None, 'the cause'),
        (tf.errors.AbortedError, 'the cause'),
    ),
}


@pytest.mark.parametrize('case', TOLD)
def test_what_stopped_the_training_is_told(case):
    """The end of another worker is named as the cause only if there are other workers."""
    error, (kind, message) = TOLD[case]

    def fails(*_):
        raise error

    optimizer = SimpleNamespace(_create_all_weights=lambda _: None)
    model = SimpleNamespace(optimizer=optimizer, trainable_variables=[])
    args = Namespace(epochs=1, batch_size=32, micro_batch=None, maxlen=64)
    started = SimpleNamespace(args=args, restore=fails)
    with pytest.raises(kind, match=message):
        training.fit(model, None, None, {'train': SimpleNamespace(pairs=[])}, started)

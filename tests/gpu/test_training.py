"""Training on a GPU, by the scripts: `make test-gpu`. Without a GPU every test fails."""

import os
import subprocess
import sys

import numpy as np
import pytest

from cosent_tf.bert.compat import keras, tf
from cosent_tf.data import read_pairs
from cosent_tf.methods import METHODS
from cosent_tf.predictions import read_predictions
from tests.helpers import ROOT, assert_close, command, losses, read_json
from tests.reference import protocol

LR = 1e-4
STEPS = {'epochs': '1', 'batch_size': '12', 'lr': str(LR)}
ROUNDING = {'fp32': 1e-4, 'bf16': 0.05, 'fp16': 0.01}  # of losses, relative to the largest


@pytest.fixture(autouse=True)
def gpu():
    found = tf.config.list_physical_devices('GPU')
    assert found, 'TensorFlow sees no GPU, and these tests are of nothing else'


@pytest.fixture
def train(short, run, tmp_path):
    """Run a method's script with flags; return its folder."""

    def train(method, *more, **flags):
        runs_dir = tmp_path / '_'.join([method, *more, *flags.values()])
        assert run(method, short | STEPS | flags | {'runs_dir': str(runs_dir)}, *more) == (0, '')
        folder = runs_dir / f'TOY.bert.{method}.seed42'
        assert read_json(folder / 'config.json')['device'] != 'CPU'
        return folder

    return train


@pytest.mark.parametrize('precision', ['fp32', 'bf16'])
@pytest.mark.parametrize('method', METHODS)
def test_steps_are_those_of_the_plain_experiment(
    method, precision, train, head, small_bert, data_dir
):
    """The loss of every step equals that of bert4keras's own model on padded batches in fp32, to
    1e-4 in fp32 and within the rounding of bf16."""
    folder = train(method, '--precision', precision)
    keras.mixed_precision.set_global_policy('float32')
    pairs, _ = read_pairs(data_dir / 'TOY' / 'TOY.train.data')
    expected, _ = protocol.train(
        method, small_bert, pairs, head, batch_size=12, maxlen=40, lr=LR, seed=42
    )
    assert_close(losses(folder), expected, rtol=ROUNDING[precision])


@pytest.mark.parametrize(
    ('more', 'precision'),
    [
        ('--keep_padding', 'fp32'),
        ('--jit', 'fp32'),
        ('--micro_batch 5', 'fp32'),
        ('--precision fp16', 'fp16'),
        ('--precision bf16 --jit', 'bf16'),
    ],
)
def test_every_way_of_computing_gives_the_losses_and_scores_of_the_default(more, precision, train):
    """Packed or padded, by XLA, in chunks, in half precision: only rounding differs."""
    plain, other = train('cosent'), train('cosent', *more.split())
    assert_close(losses(other), losses(plain), rtol=ROUNDING[precision])
    scores = [read_predictions(f / 'predictions.test.tsv').scores for f in (other, plain)]
    np.testing.assert_allclose(*scores, rtol=0, atol=2 * ROUNDING[precision])  # cosines


def start(*arguments):
    """Run a program of tests/ to its end; return its exit code and stderr."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    return done.returncode, done.stderr


def test_a_killed_run_ends_like_one_never_stopped(short, tmp_path):
    """Dropout masks, weights and optimizer go on where the last epoch ended: losses are the same
    but for the order in which a GPU adds up."""
    folders = []
    for name, moments in (('whole', ['never']), ('killed', ['kill epoch 2', 'never'])):
        flags = short | {'runs_dir': str(tmp_path / name), 'dropout_rate': '0.1', 'epochs': '2'}
        arguments = command('cosent', flags, '--resume')
        code, err = start('tests/stopped.py', *moments, '--', *arguments)
        assert code == 0, err
        folders.append(tmp_path / name / 'TOY.bert.cosent.seed42')
    whole, killed = (losses(folder) for folder in folders)
    assert len(whole) == 10
    assert_close(killed, whole, rtol=1e-3)


def test_two_devices_give_the_run_of_one(short, train, tmp_path):
    """Mirrored on two halves of a GPU, the losses are those of one device, to 1e-4."""
    flags = short | STEPS | {'runs_dir': str(tmp_path / 'two')}
    code, err = start('tests/distributed.py', *command('cosent', flags, '--strategy', 'mirrored'))
    assert code == 0, err
    assert_close(losses(tmp_path / 'two/TOY.bert.cosent.seed42'), losses(train('cosent')), 1e-4)


def test_too_little_memory_is_one_line(short, tmp_path):
    """A batch that does not fit ends with exit code 1 and one line that says what to do."""
    flags = short | {'batch_size': '64', 'runs_dir': str(tmp_path)}
    code, err = start('tests/distributed.py', *command('cosent', flags), '--little-memory')
    assert code == 1, err
    [line] = [line for line in err.splitlines() if 'error:' in line]
    assert 'out of memory: --micro_batch N' in line

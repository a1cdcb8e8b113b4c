"""The scripts as a user runs them: the folder they leave, graded tasks, flags, finished runs."""

import contextlib
import io
import subprocess
import sys

import numpy as np
import pytest

from cosent_tf.bert.compat import keras
from cosent_tf.bert.vectors import PooledVector, load_encoder
from cosent_tf.methods import METHODS
from cosent_tf.metrics import cosine_similarity
from cosent_tf.predictions import read_predictions
from tests.helpers import (
    FILES,
    ROOT,
    assert_close,
    check_run,
    command,
    losses,
    read_csv,
    read_json,
    toy_flags,
    toy_lines,
    write_lines,
)

GENTLE = {'epochs': '2', 'lr': '1e-4'}


@pytest.fixture(scope='module')
def trained(small_bert, data_dir, tmp_path_factory):
    """Run train_cosent.py as a process of its own, once; return the process and the folder."""
    runs_dir = tmp_path_factory.mktemp('runs')
    flags = toy_flags(small_bert, data_dir, runs_dir=runs_dir, **GENTLE)
    arguments = [sys.executable, *command('cosent', flags)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done, runs_dir / 'TOY.bert.cosent.seed42'


def test_a_script_writes_a_complete_run(trained, data_dir):
    """A training writes its run folder, and nothing on stderr."""
    done, folder = trained
    assert done.stderr == ''
    assert 'tensorflow 2' in done.stdout.splitlines()[2]
    assert 'TOY audit: ' in done.stdout
    counts = read_json(folder / 'metrics.json')['audit']
    assert counts['test_sentences'] == 48 and counts['pairs_in_two_splits']['train, test'] == 0
    check_run('cosent', folder, data_dir, epochs=2, steps=5)


def test_batches_that_teach_nothing_are_told_before_the_first_step(short, run, tmp_path):
    """One positive in 80, in batches of 32: two of three batches have a CoSENT loss of exactly 0.

    The softmax of a classifier learns from them, so there nothing is said.
    """
    lines = [f'我{n}\t你{n}\t{int(n == 7)}' for n in range(80)]
    for split, part in (('train', lines), ('valid', lines[:9]), ('test', lines[:9])):
        write_lines(tmp_path / 'RARE' / f'RARE.{split}.data', part)
    flags = short | {'task': 'RARE', 'data_dir': str(tmp_path), 'batch_size': '32', 'epochs': '1'}
    told = {}
    for method in ('cosent', 'sbert'):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert run(method, flags, '--keep_padding') == (0, '')
        told[method] = out.getvalue()
    folder = tmp_path / 'RARE.bert.cosent.seed42'
    metrics = read_json(folder / 'metrics.json')
    assert (metrics['one_class_batches'], metrics['batches_per_epoch']) == (2, 3)
    assert sum(loss == 0 for loss in losses(folder)) == 2
    assert '\n2 of 3 batches of an epoch hold one class: ' in told['cosent'].split('Epoch 1')[0]
    assert 'hold one class' not in told['sbert']
    assert 'one_class_batches' not in read_json(tmp_path / 'RARE.bert.sbert.seed42/metrics.json')


def test_the_encoder_of_a_run_gives_the_scores_of_its_predictions(trained):
    """load_encoder(run) has the weights of the best epoch, not the pretrained ones."""
    predictions = read_predictions(trained[1] / 'predictions.test.tsv')
    encoder = load_encoder(trained[1])
    u, v = (encoder.encode([pair[side] for pair in predictions.texts]) for side in (0, 1))
    assert_close(cosine_similarity(u, v), predictions.scores, rtol=1e-5)


def test_three_classes(short, run, tmp_path):
    """With three classes, Interact gives three probabilities, and no Spearman."""
    for number, split in enumerate(('train', 'valid', 'test')):
        lines = toy_lines(30, seed=number, classes=3)
        write_lines(tmp_path / 'NLI' / f'NLI.{split}.data', lines)
    flags = short | {'task': 'NLI', 'data_dir': str(tmp_path), 'epochs': '1'}
    code, message = run('interact', flags, '--select', 'spearman')
    assert (code, message.count('\n')) == (2, 1) and 'select spearman: 3' in message
    assert run('interact', flags, '--keep_padding') == (0, '')
    folder = tmp_path / 'NLI.bert.interact.seed42'
    scores = read_predictions(folder / 'predictions.test.tsv').scores
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert scores.shape == (30, 3)
    assert len(read_json(folder / 'metrics.json')['class_weights']) == 3


def test_select_spearman_keeps_the_epoch_with_the_best_spearman(short, run, tmp_path, monkeypatch):
    """--select spearman keeps the epoch with the best Spearman, not the best accuracy."""
    accurate, ranked = np.zeros(24), np.zeros(24)  # of the labels 0 1 0 1 …
    accurate[::2], accurate[1::2] = 0.1, [*[0.0] * 3, *[0.9] * 9]  # 21 right, 3 of 1 at the bottom
    ranked[::2] = [*[0.1] * 8, 0.75, 0.77, 0.79, 0.81]  # 8 of 0, then 1 0 1 0 1 0 1 0, then 8 of 1
    ranked[1::2] = [0.74, 0.76, 0.78, 0.80, *[0.9] * 8]
    scores = iter([accurate, ranked, ranked, ranked])
    monkeypatch.setattr('cosent_tf.metrics.cosine_similarity', lambda u, v: next(scores))
    flags = short | {'epochs': '2', 'select': 'spearman'}
    assert run('cosent', flags, '--keep_padding') == (0, '')
    folder = tmp_path / 'TOY.bert.cosent.seed42'
    metrics = read_json(folder / 'metrics.json')
    config = read_json(folder / 'config.json')
    assert config['arguments']['select'] == metrics['select'] == 'spearman'
    epochs = read_csv(folder / 'history.csv')
    assert [row['valid_accuracy'] for row in epochs] == ['0.875', str(20 / 24)]
    assert [row['is_best'] for row in epochs] == ['1', '1'] and metrics['best_epoch'] == 2


@pytest.mark.parametrize('method', ['cosent', 'interact_cosent'])
def test_fractional_grades(method, short, run, tmp_path):
    """Grades such as 3.25 are trained by the CoSENT loss and refused by a classifier."""
    for number, split in enumerate(('train', 'valid', 'test')):
        lines = toy_lines(16, seed=number, classes=3)
        write_lines(tmp_path / 'STS' / f'STS.{split}.data', [f'{line}.25' for line in lines])
    flags = short | {'task': 'STS', 'data_dir': str(tmp_path), 'epochs': '1'}
    if method == 'interact_cosent':
        code, message = run('interact', flags)
        assert code == 2 and message.count('\n') == 1
        assert f'{tmp_path}/STS/STS.train.data:1: label 0.25, but' in message
    assert run(method, flags, '--keep_padding') == (0, '')
    folder = tmp_path / f'STS.bert.{method}.seed42'
    labels = read_predictions(folder / 'predictions.test.tsv').labels
    assert labels.tolist() == [0.25 + number % 3 for number in range(16)]
    metrics = read_json(folder / 'metrics.json')
    assert metrics['select'] == 'spearman' and metrics['threshold'] is None
    assert -1 <= metrics['test_spearman'] <= 1
    [loss] = losses(folder)
    assert loss > 1  # log(1 + 0) if the grades were all one


@pytest.mark.parametrize(
    'more',
    [
        ['--precision', 'fp16'],
        pytest.param(['--precision', 'bf16', '--jit'], marks=pytest.mark.weekly),
    ],
)
def test_lower_precision_and_xla_train_too(more, trained, short, run, tmp_path):
    """Losses in half precision are near those in fp32."""
    assert run('cosent', short | GENTLE | {'epochs': '1'}, *more) == (0, '')
    lower = losses(tmp_path / 'TOY.bert.cosent.seed42')
    np.testing.assert_allclose(lower, losses(trained[1])[: len(lower)], rtol=0.1)


FLAGS = {
    '': ('float32', False, False, 'cls'),
    '--precision fp16 --keep_padding': ('float16', True, False, 'cls'),
    '--precision bf16 --jit --pooling mean': ('bfloat16', False, True, 'mean'),
}


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('more', FLAGS)
def test_flags_reach_the_model(method, more, short, run, monkeypatch):
    """Precision, --jit, --keep_padding and --pooling reach the encoder that is trained."""
    models = []
    monkeypatch.setattr('cosent_tf.training.fit', lambda model, *_: models.append(model))
    assert run(method, short, *more.split()) == (0, '')
    [model] = models
    [encoder] = [layer for layer in model.layers if isinstance(layer, PooledVector)]
    attention = encoder.bert.get_layer('Transformer-0-MultiHeadSelfAttention')
    jit = encoder.compiled is not None
    found = attention.compute_dtype, encoder.keep_padding, jit, encoder.pooling
    assert found == FLAGS[more]
    is_scaled = isinstance(model.optimizer, keras.mixed_precision.LossScaleOptimizer)
    assert is_scaled == ('fp16' in more)


def test_a_finished_run_is_kept_and_resuming_it_a_success(trained, short, run):
    """A finished run is not overwritten, and --resume on it shows its result and exits with 0."""
    done, folder = trained
    flags = short | GENTLE | {'runs_dir': str(folder.parent)}
    before = (folder / 'metrics.json').read_bytes()
    (folder / 'state.h5').write_bytes(b'')  # of a process killed after its last file
    code, message = run('cosent', flags)
    assert code == 2 and '--overwrite' in message and message.count('\n') == 1
    code, message = run('cosent', flags | {'maxlen': '65'}, '--overwrite')
    assert code == 2 and '64 positions' in message
    code, message = run('cosent', flags | {'lr': '1'}, '--resume')
    assert code == 2 and '--lr 0.0001, now 1.0' in message
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert run('cosent', flags, '--resume') == (0, '')
    assert out.getvalue().splitlines() == done.stdout.splitlines()[-3:]
    assert {path.name for path in folder.iterdir()} - {'.lock'} == FILES
    assert (folder / 'metrics.json').read_bytes() == before

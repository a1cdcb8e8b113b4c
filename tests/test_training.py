"""The three scripts as a user runs them: what they write, what they refuse, how they go on."""

import contextlib
import csv
import functools
import io
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.vectors import PooledVector, load_encoder
from cosent_tf.metrics import cosine_similarity
from cosent_tf.run.folder import read_predictions
from tests.conftest import toy_lines, write_lines
from tests.reference.protocol import published_threshold

ROOT = Path(__file__).parent.parent
METHODS = {
    'cosent': ['train_cosent.py'],
    'sbert': ['train_sbert.py'],
    'interact': ['train_interact.py'],
    'interact_cosent': ['train_interact_cosent.py'],
}
FILES = {
    'config.json',
    'history.csv',
    'losses.csv',
    'best.weights.h5',
    'predictions.valid.tsv',
    'predictions.test.tsv',
    'metrics.json',
}


@pytest.fixture(scope='module')
def settings(bert_dir, data_dir):
    """The flags of a short run on the task TOY, without dropout."""
    values = {
        'task': 'TOY',
        'bert_dir': bert_dir,
        'data_dir': data_dir,
        'epochs': 2,
        'batch_size': 16,
        'maxlen': 40,
        'lr': 1e-3,
        'dropout_rate': 0,
    }
    return {name: str(value) for name, value in values.items()}


@pytest.fixture
def flags(settings, tmp_path):
    return settings | {'runs_dir': str(tmp_path)}


@pytest.fixture(scope='module')
def trained(settings, tmp_path_factory):
    """Run a method's script as a process of its own, once; return the process and the folder."""
    runs_dir = tmp_path_factory.mktemp('runs')

    @functools.cache
    def train(method):
        script, *more = METHODS[method]
        arguments = command(script, settings | {'runs_dir': str(runs_dir)}, *more)
        arguments = [sys.executable, *arguments]
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
        return done, runs_dir / f'TOY.bert.{method}.seed42'

    return train


def command(script, flags, *more):
    return [script, *(part for name in flags for part in (f'--{name}', flags[name])), *more]


def run(arguments, monkeypatch, capsys):
    """Run a script in this process; return its exit code and what it printed on stderr."""
    keras.backend.clear_session()
    monkeypatch.setattr(sys, 'argv', arguments)
    try:
        runpy.run_path(str(ROOT / arguments[0]), run_name='__main__')
        code = 0
    except SystemExit as stop:
        code = stop.code
    return code, capsys.readouterr().err


def read_csv(path):
    with path.open(encoding='utf-8') as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize('method', METHODS)
def test_a_script_writes_a_complete_run(method, trained, data_dir):
    """Guards the run folder that the evaluation and other programs read."""
    done, folder = trained(method)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    assert 'tensorflow 2' in done.stdout.splitlines()[0]
    assert {path.name for path in folder.iterdir()} - {'.lock'} == FILES
    metrics = json.loads((folder / 'metrics.json').read_text('utf-8'))
    for split in ('valid', 'test'):
        predictions = read_predictions(folder / f'predictions.{split}.tsv')
        lines = (data_dir / 'TOY' / f'TOY.{split}.data').read_text('utf-8').splitlines()
        labels = predictions.labels.tolist()
        pairs = zip(predictions.texts, labels, strict=True)
        assert [f'{text1}\t{text2}\t{label}' for (text1, text2), label in pairs] == lines
        correct = (predictions.scores > metrics['threshold']) == predictions.labels
        assert metrics[f'{split}_accuracy'] == pytest.approx(correct.mean())
    valid = read_predictions(folder / 'predictions.valid.tsv')
    assert published_threshold(method, valid.labels, valid.scores) == metrics['threshold']
    history = read_csv(folder / 'history.csv')
    assert [row['epoch'] for row in history] == ['1', '2'] and metrics['select'] == 'accuracy'
    best = max(history, key=lambda row: float(row['valid_accuracy']))
    assert int(best['epoch']) == metrics['best_epoch']
    steps = read_csv(folder / 'losses.csv')
    assert [int(row['step']) for row in steps] == list(range(1, 11))  # 2 epochs of 5 steps
    means = np.array([float(row['loss']) for row in steps]).reshape(2, 5).mean(axis=1)
    np.testing.assert_allclose(means, [float(row['loss']) for row in history], rtol=1e-6)


def test_the_encoder_of_a_run_gives_the_scores_of_its_predictions(trained):
    """Guards load_encoder(run): the weights of the best epoch, not of the pretrained folder."""
    _, folder = trained('sbert')
    predictions = read_predictions(folder / 'predictions.test.tsv')
    encoder = load_encoder(folder)
    u, v = (encoder.encode([pair[side] for pair in predictions.texts]) for side in (0, 1))
    np.testing.assert_allclose(cosine_similarity(u, v), predictions.scores, atol=1e-5)


def test_three_classes_and_graded_labels(flags, tmp_path, monkeypatch, capsys):
    """Guards tasks that are not binary: C probabilities from Interact, Spearman from CoSENT."""
    for number, split in enumerate(('train', 'valid', 'test')):
        path = tmp_path / 'GRADED' / f'GRADED.{split}.data'
        write_lines(path, toy_lines(30, seed=number, classes=3))
    flags |= {'task': 'GRADED', 'data_dir': str(tmp_path)}
    for script, method in (('train_interact.py', 'interact'), ('train_cosent.py', 'cosent')):
        if method == 'interact':
            code, message = run(command(script, flags, '--select', 'spearman'), monkeypatch, capsys)
            assert (code, message.count('\n')) == (2, 1) and 'select spearman: 3' in message
        assert run(command(script, flags), monkeypatch, capsys) == (0, '')
        folder = tmp_path / f'GRADED.bert.{method}.seed42'
        metrics = json.loads((folder / 'metrics.json').read_text('utf-8'))
        scores = read_predictions(folder / 'predictions.test.tsv').scores
        if method == 'interact':
            np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
            assert scores.shape == (30, 3) and len(metrics['class_weights']) == 3
        else:
            assert scores.shape == (30,) and metrics['threshold'] is None
            assert -1 <= metrics['test_spearman'] <= 1


def test_select_spearman_keeps_the_epoch_with_the_best_spearman(
    short, tmp_path, monkeypatch, capsys
):
    """Guards the protocol of archives/8847, on epochs of which each is the best by one measure."""
    accurate, ranked = np.zeros(24), np.zeros(24)  # of the labels 0 1 0 1 …
    accurate[::2], accurate[1::2] = 0.1, [*[0.0] * 3, *[0.9] * 9]  # 21 right, 3 of 1 at the bottom
    ranked[::2] = [*[0.1] * 8, 0.75, 0.77, 0.79, 0.81]  # 8 of 0, then 1 0 1 0 1 0 1 0, then 8 of 1
    ranked[1::2] = [0.74, 0.76, 0.78, 0.80, *[0.9] * 8]
    scores = iter([accurate, ranked, ranked, ranked])
    monkeypatch.setattr('cosent_tf.metrics.cosine_similarity', lambda u, v: next(scores))
    flags = short | {'epochs': '2', 'select': 'spearman'}
    assert run(command('train_cosent.py', flags), monkeypatch, capsys) == (0, '')
    folder = tmp_path / 'TOY.bert.cosent.seed42'
    metrics = json.loads((folder / 'metrics.json').read_text('utf-8'))
    config = json.loads((folder / 'config.json').read_text('utf-8'))
    assert config['arguments']['select'] == metrics['select'] == 'spearman'
    epochs = read_csv(folder / 'history.csv')
    assert [row['valid_accuracy'] for row in epochs] == ['0.875', str(20 / 24)]
    assert [row['is_best'] for row in epochs] == ['1', '1'] and metrics['best_epoch'] == 2


@pytest.mark.parametrize('script', ['train_cosent.py', 'train_interact.py'])
def test_fractional_grades(script, short, tmp_path, monkeypatch, capsys):
    """Guards STS-B in its English form: trained by the CoSENT loss, refused by a classifier."""
    for number, split in enumerate(('train', 'valid', 'test')):
        lines = toy_lines(16, seed=number, classes=3)
        write_lines(tmp_path / 'STS' / f'STS.{split}.data', [f'{line}.25' for line in lines])
    flags = short | {'task': 'STS', 'data_dir': str(tmp_path), 'epochs': '1'}
    if script == 'train_interact.py':
        code, message = run(command(script, flags), monkeypatch, capsys)
        assert code == 2 and message.count('\n') == 1
        assert f'{tmp_path}/STS/STS.train.data:1: label 0.25, but' in message
        flags |= {'loss': 'cosent'}
    assert run(command(script, flags), monkeypatch, capsys) == (0, '')
    [folder] = (path.parent for path in tmp_path.glob('STS.*/metrics.json'))
    labels = read_predictions(folder / 'predictions.test.tsv').labels
    assert labels.tolist() == [0.25 + number % 3 for number in range(16)]
    metrics = json.loads((folder / 'metrics.json').read_text('utf-8'))
    assert metrics['select'] == 'spearman' and metrics['threshold'] is None
    losses = [float(row['loss']) for row in read_csv(folder / 'losses.csv')]
    assert len(losses) == 1 and losses[0] > 1  # log(1 + 0) if the grades were all one


@pytest.mark.parametrize('more', [['--precision', 'fp16'], ['--precision', 'bf16', '--jit']])
def test_lower_precision_and_xla_train_too(more, trained, flags, tmp_path, monkeypatch, capsys):
    """Guards the casts between encoder, loss and optimizer: the losses are near those of fp32."""
    arguments = command('train_cosent.py', flags | {'epochs': '1'}, *more)
    assert run(arguments, monkeypatch, capsys) == (0, '')
    folders = (tmp_path / 'TOY.bert.cosent.seed42', trained('cosent')[1])
    lower, full = ([float(row['loss']) for row in read_csv(f / 'losses.csv')] for f in folders)
    np.testing.assert_allclose(lower, full[: len(lower)], rtol=0.1)


FLAGS = {
    '': ('float32', 4, False, 'cls'),
    '--precision fp16 --keep_padding': ('float16', 1, False, 'cls'),
    '--precision bf16 --jit --pooling mean': ('bfloat16', 4, True, 'mean'),
}


@pytest.mark.parametrize('script', ['train_cosent.py', 'train_sbert.py', 'train_interact.py'])
@pytest.mark.parametrize('more', FLAGS)
def test_flags_reach_the_model(script, more, flags, monkeypatch, capsys):
    """Guards flags that would change nothing: results alone do not show that they work."""
    models = []
    monkeypatch.setattr('cosent_tf.training.fit', lambda model, *_: models.append(model))
    assert run(command(script, flags, *more.split()), monkeypatch, capsys) == (0, '')
    [model] = models
    [encoder] = [layer for layer in model.layers if isinstance(layer, PooledVector)]
    attention = encoder.bert.get_layer('Transformer-0-MultiHeadSelfAttention')
    found = attention.compute_dtype, encoder.groups, encoder.compiled is not None, encoder.pooling
    assert found == FLAGS[more]
    is_scaled = isinstance(model.optimizer, keras.mixed_precision.LossScaleOptimizer)
    assert is_scaled == ('fp16' in more)


def test_a_finished_run_is_kept(trained, flags, monkeypatch, capsys):
    """Guards hours of training against a repeated command."""
    _, folder = trained('cosent')
    arguments = command('train_cosent.py', flags | {'runs_dir': str(folder.parent)})
    before = (folder / 'metrics.json').read_bytes()
    code, message = run(arguments, monkeypatch, capsys)
    assert code == 2 and '--overwrite' in message and message.count('\n') == 1
    assert (folder / 'metrics.json').read_bytes() == before


def test_a_finished_run_that_is_resumed_is_a_success(trained, flags, monkeypatch, capsys):
    """Guards a batch system that restarts a command until it succeeds."""
    done, folder = trained('cosent')
    flags = flags | {'runs_dir': str(folder.parent)}
    (folder / 'state.h5').write_bytes(b'')  # of a process killed after its last file
    for change, expected in (({}, (0, '')), ({'lr': '1'}, (2, '--lr 0.001, now 1.0'))):
        arguments = command('train_cosent.py', flags | change, '--resume')
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code, message = run(arguments, monkeypatch, capsys)
        assert code == expected[0] and expected[1] in message
        printed = done.stdout.splitlines()[-2:] if code == 0 else []
        assert out.getvalue().splitlines() == printed
    assert {path.name for path in folder.iterdir()} - {'.lock'} == FILES


def test_a_gpu_that_tensorflow_does_not_see_is_an_error(flags, tmp_path, monkeypatch, capsys):
    """Guards against days of training on the CPU beside an idle GPU."""
    nvidia_smi = tmp_path / 'bin' / 'nvidia-smi'
    nvidia_smi.parent.mkdir()
    nvidia_smi.touch(mode=0o755)
    monkeypatch.setenv('PATH', str(nvidia_smi.parent), prepend=os.pathsep)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES')
    code, message = run(command('train_cosent.py', flags), monkeypatch, capsys)
    assert code == 2 and message.count('\n') == 1
    assert "pip install 'tensorflow[and-cuda]==" in message and '--device cpu' in message
    called = []
    monkeypatch.setattr(tf.config, 'set_visible_devices', lambda *devices: called.append(devices))
    monkeypatch.setattr('cosent_tf.run.start.use_strategy', lambda _: sys.exit('goes on'))
    arguments = command('train_cosent.py', flags, '--device', 'cpu')
    assert run(arguments, monkeypatch, capsys) == ('goes on', '')
    assert called == [([], 'GPU')]


WRONG_FLAGS = {
    'no such task': ({'task': 'BQQ'}, r'BQQ.train.data not found: .*ATEC, BQ, LCQMC.*--task DEMO'),
    'no such encoder': ({'bert_dir': 'nowhere'}, 'nowhere not found: .*bert_config.json'),
    'maxlen beyond the positions': ({'maxlen': '65'}, '64 positions'),
    'task that is no name': ({'task': '../x'}, 'no name for a run'),
}


@pytest.mark.parametrize('case', WRONG_FLAGS)
def test_wrong_usage_is_one_clear_line(case, flags, monkeypatch, capsys):
    """Guards the first steps of a new user: what was looked for, and where to get it."""
    change, expected = WRONG_FLAGS[case]
    code, message = run(command('train_cosent.py', flags | change), monkeypatch, capsys)
    assert code == 2 and message.count('\n') == 1
    assert re.search(expected, message), message


def break_config(folder, **change):
    path = folder / 'bert_config.json'
    path.write_text(json.dumps(json.loads(path.read_text('utf-8')) | change), encoding='utf-8')


BROKEN_BERTS = {
    'config of another size': (lambda f: break_config(f, hidden_size=64), 'word_embeddings'),
    'config with more layers': (lambda f: break_config(f, num_hidden_layers=3), 'layer_2'),
    'other vocabulary': (lambda f: break_config(f, vocab_size=7), 'vocab_size'),
    'no JSON': (lambda f: (f / 'bert_config.json').write_text('{'), r'bert_config.json:1'),
    'no config': (lambda f: (f / 'bert_config.json').unlink(), 'bert_config.json: cannot be read'),
    'no weights': (lambda f: (f / 'bert_model.ckpt.index').unlink(), 'bert_model.ckpt'),
    'cut weights': (
        lambda f: (f / 'bert_model.ckpt.data-00000-of-00001').write_bytes(b'x' * 100),
        'bert_model.ckpt',
    ),
    'no vocabulary of a BERT': (lambda f: (f / 'vocab.txt').write_text('a\n'), 'vocab'),
}


@pytest.mark.parametrize('case', BROKEN_BERTS)
def test_a_broken_encoder_is_one_clear_line(case, flags, bert_dir, tmp_path, monkeypatch, capsys):
    """Guards a wrong mix of files: the name of the weight or file at fault."""
    breaks, expected = BROKEN_BERTS[case]
    folder = tmp_path / 'broken'
    shutil.copytree(bert_dir, folder)
    breaks(folder)
    code, message = run(
        command('train_cosent.py', flags | {'bert_dir': str(folder)}), monkeypatch, capsys
    )
    assert code == 2 and message.count('\n') == 1 and expected in message

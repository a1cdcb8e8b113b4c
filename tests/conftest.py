"""A tiny BERT and a tiny task, made once for all tests."""

import importlib.util
import os
import random

import pytest

os.environ.setdefault('CUDA_VISIBLE_DEVICES', '-1')  # the CPU, and no word about a GPU

from cosent_tf.bert.compat import keras
from cosent_tf.data import SPLITS, split_path
from tests.reference.checkpoints import CHARACTERS, TINY_CONFIG, write_google_bert

if importlib.util.find_spec('transformers') is None:
    collect_ignore = ['peers']  # make test-peers


@pytest.fixture(autouse=True)
def float32():
    """A test with --precision leaves the next one its own: Keras has one policy a process."""
    yield
    keras.mixed_precision.set_global_policy('float32')


@pytest.fixture(scope='session')
def bert_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bert')
    write_google_bert(folder)
    return folder


@pytest.fixture(scope='session')
def small_bert(tmp_path_factory):
    """A BERT of one layer, which TensorFlow traces in half the time."""
    folder = tmp_path_factory.mktemp('small_bert')
    write_google_bert(folder, TINY_CONFIG | {'num_hidden_layers': 1})
    return folder


@pytest.fixture(scope='session')
def data_dir(tmp_path_factory):
    """The task TOY: pairs that share most of their characters are similar."""
    folder = tmp_path_factory.mktemp('data')
    for number, (split, pairs) in enumerate(zip(SPLITS, (70, 24, 24), strict=True)):
        write_lines(split_path(folder, 'TOY', split), toy_lines(pairs, seed=number))
    return folder


@pytest.fixture
def short(small_bert, data_dir, tmp_path):
    """The flags of a run of 3 epochs of 5 steps that takes a few seconds."""
    values = {
        'task': 'TOY',
        'bert_dir': small_bert,
        'data_dir': data_dir,
        'runs_dir': tmp_path,
        'epochs': 3,
        'batch_size': 16,
        'maxlen': 40,
        'lr': 1e-3,
        'dropout_rate': 0,
    }
    return {name: str(value) for name, value in values.items()}


def toy_lines(pairs: int, seed: int, classes: int = 2) -> list[str]:
    draw = random.Random(seed)
    lines = []
    for number in range(pairs):
        text1 = ''.join(draw.choices(CHARACTERS, k=draw.randint(2, 20)))
        text2 = ''.join(draw.choices(CHARACTERS, k=draw.randint(2, 20)))
        label = number % classes
        lines.append(f'{text1}\t{text1[::-1] if label else text2}\t{label}')
    return lines


def write_lines(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')

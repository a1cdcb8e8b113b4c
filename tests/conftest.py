"""A tiny BERT and a tiny task, made once for all tests."""

import random

import pytest

from cosent_tf.data import SPLITS, split_path
from tests.reference.checkpoints import CHARACTERS, write_google_bert


@pytest.fixture(scope='session')
def bert_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bert')
    write_google_bert(folder)
    return folder


@pytest.fixture(scope='session')
def data_dir(tmp_path_factory):
    """The task TOY: pairs that share most of their characters are similar."""
    folder = tmp_path_factory.mktemp('data')
    for number, (split, pairs) in enumerate(zip(SPLITS, (70, 24, 24), strict=True)):
        write_lines(split_path(folder, 'TOY', split), toy_lines(pairs, seed=number))
    return folder


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

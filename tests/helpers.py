"""What several tests share besides the fixtures of conftest.py."""

import csv
import io
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cosent_tf.predictions import read_predictions
from tests.reference.checkpoints import CHARACTERS

ROOT = Path(__file__).parent.parent
BROWSER = shutil.which('chromium') or shutil.which('google-chrome')
FILES = {  # of a finished run
    'config.json',
    'history.csv',
    'losses.csv',
    'best.weights.h5',
    'predictions.valid.tsv',
    'predictions.test.tsv',
    'metrics.json',
}


def command(method, flags, *more):
    """The script of a method with flags (name → value), and more words after them."""
    return [
        f'train_{method}.py',
        *(part for name in flags for part in (f'--{name}', flags[name])),
        *more,
    ]


def toy_flags(bert_dir, data_dir, **more):
    """The flags of a run of 3 epochs of 5 steps that takes a few seconds."""
    values = {
        'task': 'TOY',
        'model': 'bert',
        'bert_dir': bert_dir,
        'data_dir': data_dir,
        'epochs': 3,
    }
    values |= {'batch_size': 16, 'maxlen': 40, 'lr': 1e-3, 'dropout_rate': 0} | more
    return {name: str(value) for name, value in values.items()}


def run_code(code):
    """Run Python code in a process of its own."""
    command = [sys.executable, '-c', code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def exit_code(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except SystemExit as stop:
        return stop.code
    return 0


def read_csv(path):
    with path.open(encoding='utf-8') as file:
        return list(csv.DictReader(file))


def read_json(path):
    return json.loads(path.read_text('utf-8'))


def change_json(path, **change):
    path.write_text(json.dumps(read_json(path) | change), encoding='utf-8')


def losses(folder):
    return [float(row['loss']) for row in read_csv(folder / 'losses.csv')]


def check_run(method, folder, data_dir, epochs, steps):
    """Check that a finished run on the task TOY is whole and agrees with itself."""
    from tests.reference.protocol import published_threshold  # which needs TensorFlow

    assert {path.name for path in folder.iterdir()} - {'.lock'} == FILES
    metrics = read_json(folder / 'metrics.json')
    for split in ('valid', 'test'):
        labels, scores, texts = read_predictions(folder / f'predictions.{split}.tsv')
        rows = [(*pair, int(label)) for pair, label in zip(texts, labels, strict=True)]
        assert as_data(rows) == (data_dir / 'TOY' / f'TOY.{split}.data').read_text('utf-8')
        correct = (scores > metrics['threshold']) == labels
        assert metrics[f'{split}_accuracy'] == pytest.approx(correct.mean())
        if split == 'valid':
            assert published_threshold(method, labels, scores) == metrics['threshold']
    history = read_csv(folder / 'history.csv')
    assert [int(row['epoch']) for row in history] == [*range(1, epochs + 1)]
    best = max(history, key=lambda row: float(row['valid_accuracy']))
    assert int(best['epoch']) == metrics['best_epoch'] and metrics['select'] == 'accuracy'
    numbers = [int(row['step']) for row in read_csv(folder / 'losses.csv')]
    assert numbers == [*range(1, epochs * steps + 1)]
    means = np.reshape(losses(folder), (epochs, steps)).mean(axis=1)
    np.testing.assert_allclose(means, [float(row['loss']) for row in history], rtol=1e-5)


def assert_close(actual, expected, rtol, floor=0.0, name=''):
    """Compare arrays to a share of the largest number expected, or of `floor` if that is larger.

    Rounding is a share of the terms of a sum. Where they cancel, what is left differs by processor,
    and no tolerance relative to itself, nor an absolute one, holds on all of them.
    """
    expected = np.asarray(expected)
    size = np.abs(expected).max(initial=floor)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=rtol * size, err_msg=name)


def toy_lines(pairs: int, seed: int, classes: int = 2) -> list[str]:
    """Lines of a data file whose similar pairs share their characters."""
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


def as_data(pairs):
    return ''.join(f'{text1}\t{text2}\t{label}\n' for text1, text2, label in pairs)


def as_tsv(pairs):
    return 'id\tsentence1\tsentence2\tlabel\n' + ''.join(
        f'{i}\t{text1}\t{text2}\t{label}\n' for i, (text1, text2, label) in enumerate(pairs)
    )


def as_csv(pairs):
    file = io.StringIO(newline='')
    writer = csv.writer(file)
    writer.writerow(['label', 'text1', 'text2'])
    writer.writerows((label, text1, text2) for text1, text2, label in pairs)
    return '\ufeff' + file.getvalue()  # as spreadsheets begin UTF-8


def as_jsonl(pairs):
    rows = ({'sentence1': a, 'sentence2': b, 'score': float(label)} for a, b, label in pairs)
    return ''.join(f'{json.dumps(row)}\n' for row in rows)


FORMATS = {'.data': as_data, '.tsv': as_tsv, '.csv': as_csv, '.jsonl': as_jsonl}

"""What a script prints, where it cannot be written: other encodings, closed pipes, full disks."""

import io
import os
import sys
from pathlib import Path

import pytest

from cosent_tf.screen import Screen
from tests.helpers import read_json, write_lines

pytestmark = pytest.mark.fast


@pytest.fixture
def printing_to(monkeypatch):
    """Make a file the standard output of what runs in this process."""

    def printing_to(file, encoding='utf-8'):
        stream = io.TextIOWrapper(file, encoding, write_through=False)
        monkeypatch.setattr(sys, 'stdout', stream)
        return stream

    return printing_to


def closed_pipe():
    """The end of a pipe that is written to, of which the other end is closed."""
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, 'wb')


@pytest.fixture
def runs(tmp_path):
    """Two seeds of two methods, so that the report has differences, with U+2212 for minus."""
    for method in ('cosent', 'sbert'):
        for seed in (1, 2):
            for split in ('valid', 'test'):
                sign = 1 if method == 'cosent' or split == 'valid' else -1
                rows = [f'{i % 2}\t{sign * (i % 2 - 0.5) / (seed + 1)}\ta\tb' for i in range(8)]
                path = tmp_path / f'MINE.bert.{method}.seed{seed}' / f'predictions.{split}.tsv'
                write_lines(path, ['label\tscore\ttext1\ttext2', *rows])
    return tmp_path


PLAIN = {
    'gbk': {'−': '-'},
    'ascii': {'−': '-', '–': '-', '─': '-', '±': '+-', '…': '...'},
}


@pytest.mark.parametrize('encoding', PLAIN)
def test_a_report_can_be_printed_in_any_encoding(encoding, runs, evaluate, printing_to):
    """On a Chinese Windows (gbk has no U+2212) a minus is "-", and tables keep their columns."""
    files = {name: io.BytesIO() for name in ('utf-8', encoding)}
    for name, file in files.items():
        stream = printing_to(file, name)
        assert evaluate('--runs_dir', runs)[0] == 0
        stream.flush()
    whole, printed = (file.getvalue().decode(name) for name, file in files.items())
    assert '−' in whole
    assert printed == whole.translate(str.maketrans(PLAIN[encoding]))


def test_text_that_an_encoding_lacks_is_escaped(printing_to):
    """A Chinese file name or sentence in a message can be read back: the backslashes of JSON."""
    stream = printing_to(file := io.BytesIO(), 'ascii')
    screen = Screen(stream, is_needed=True)
    screen.write('花呗 → 𠮷')
    screen.flush()
    assert file.getvalue() == b'\\u82b1\\u5457 -> \\U00020bb7'


def test_a_closed_pipe_ends_a_report_quietly(runs, evaluate, printing_to):
    """`eval_accuracy.py | true` has no traceback, and the exit code that Python recommends, 1."""
    printing_to(closed_pipe())
    code, _, err = evaluate('--runs_dir', runs)
    assert (code, err) == (1, '')


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='a device of Linux')
def test_a_full_disk_is_one_line(runs, evaluate, printing_to):
    """`eval_accuracy.py > /dev/full` says that the report was not written, with exit code 1."""
    printing_to(Path('/dev/full').open('wb'))  # noqa: SIM115
    code, _, err = evaluate('--runs_dir', runs)
    assert code == 1 and err.count('\n') == 1
    assert 'standard output: cannot be written: No space left on device' in err


def test_a_training_goes_on_without_its_screen(short, run, tmp_path, printing_to):
    """`train_cosent.py … | head -1` trains to the end, says once what it lacks, and succeeds."""
    printing_to(closed_pipe())
    code, err = run('cosent', short | {'epochs': '1'}, '--keep_padding')
    assert (code, err) == (0, 'standard output: Broken pipe; going on without it\n')
    assert read_json(tmp_path / 'TOY.bert.cosent.seed42' / 'metrics.json')['best_epoch'] == 1

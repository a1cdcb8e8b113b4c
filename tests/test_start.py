"""What a run checks and prints before it trains."""

import errno
import fcntl
import os
import re

import pytest

from cosent_tf.errors import WriteError
from cosent_tf.files import remove
from cosent_tf.run import start
from cosent_tf.run.folder import CLEARED, CONFIG_FILE
from tests.helpers import read_json

NAME = 'TOY.bert.cosent.seed42'


def test_a_second_process_and_a_folder_that_cannot_be_written_are_refused(short, run, tmp_path):
    """A second process for the same run is refused, and so is a folder it cannot write."""
    (tmp_path / NAME).mkdir()
    with (tmp_path / NAME / '.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, message = run('cosent', short)
    assert code == 2 and 'another process is training this run' in message
    (tmp_path / 'file').write_text('')
    flags = short | {'runs_dir': str(tmp_path / 'file')}
    code, message = run('cosent', flags)
    assert code == 2 and re.search('file.* cannot be written: Not a directory', message)


def test_the_first_lines_say_what_is_trained_where(short, run, tmp_path, monkeypatch):
    """A mistyped flag shows in the first second, not when the result is looked for."""
    lines = []

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(start, 'print', lambda line, **_: lines.append(line), raising=False)
    monkeypatch.setattr('cosent_tf.data.read_task', stop)
    run('cosent', short)
    assert lines[:2] == [
        f'training cosent on TOY, encoder bert from {short["bert_dir"]}',
        f'the result will be in {tmp_path / NAME}',
    ]
    assert lines[2].startswith('on CPU (no GPU found), fp32, tensorflow ')


@pytest.mark.parametrize('answer', [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_no_obstacle(answer, short, run, tmp_path, monkeypatch):
    """On a file system without locks a run starts, with a warning of one line."""

    def flock(*_):
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(fcntl, 'flock', flock)
    monkeypatch.setattr('cosent_tf.training.fit', lambda *_: None)
    half_written = tmp_path / NAME / '.state.h5.tmp1.h5'
    half_written.parent.mkdir()
    half_written.write_text('')
    code, message = run('cosent', short)
    assert code == 0 and half_written.exists()  # it may be that process's
    assert message.count('\n') == 1 and 'this file system has no locks' in message


def test_overwriting_clears_what_an_interrupted_run_has_left(short, run, tmp_path, monkeypatch):
    """With --overwrite nothing of the old run is taken for the new one's."""
    folder = tmp_path / NAME
    folder.mkdir()
    for name in (*CLEARED, CONFIG_FILE):
        (folder / name).write_text('{}')

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr('cosent_tf.training.EndOfEpoch.on_epoch_begin', stop)
    assert run('cosent', short, '--overwrite')[0] == 1
    assert {path.name for path in folder.iterdir()} == {CONFIG_FILE, '.lock'}
    assert read_json(folder / CONFIG_FILE)['arguments']['method'] == 'cosent'


def test_what_cannot_be_removed_is_told_in_one_line(tmp_path):
    """A file of an earlier start that stays would look like one of the new run."""
    (tmp_path / 'metrics.json').mkdir()
    with pytest.raises(WriteError, match=r'metrics\.json: cannot be removed: Is a directory$'):
        remove(tmp_path / 'metrics.json')


def test_runs_of_other_programs_are_not_overwritten(short, run, tmp_path):
    """A folder with predictions of another program is not overwritten."""
    (tmp_path / NAME).mkdir()
    for split in ('valid', 'test'):
        (tmp_path / NAME / f'predictions.{split}.tsv').write_text('')
    code, message = run('cosent', short)
    assert code == 2 and 'finished' in message

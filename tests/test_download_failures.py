"""download.py and its failures: archives, hosts, disks, other processes."""

import errno
import fcntl
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from cosent_tools.download import fetch, unpack
from tests.downloads import (
    DATA,
    check_failure,
    content,
    senteval_cn,
)
from tests.hosts import ROBERTA

pytestmark = pytest.mark.fast


def siblings(host):
    return host.json[f'/api/models/{ROBERTA}']['siblings']


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return entry


ARCHIVES = {
    'above': ({'../../BQ/BQ.train.data': b'x'}, 'refused: .* points outside'),
    'above, as on Windows': ({'a\\..\\..\\x': b'x'}, 'refused: .* points outside'),
    'absolute': ({'/tmp/x': b'x'}, 'refused: .* points outside'),
    'drive': ({'C:\\x': b'x'}, 'refused: .* points outside'),
    'link': ({link('a/x'): b'/etc/passwd'}, "refused: 'a/x' is a link"),
    'twice': ({'b/BQ.train.data': b'x'}, 'refused: .*/BQ.train.data and b/BQ.train.data differ'),
    'bomb': ({'senteval_cn/BQ/BQ.train.data': bytes(99_999)}, 'more than 50,000 bytes when'),
}


@pytest.mark.parametrize('case', ARCHIVES)
def test_a_hostile_archive_is_refused(case, call_download, host, tmp_path, monkeypatch):
    """A hostile archive is an error, and nothing of it is kept."""
    change, message = ARCHIVES[case]
    monkeypatch.setattr(unpack, 'LIMIT', 50_000)
    host.add_archive(DATA, senteval_cn() | change)
    check_failure(call_download('--only', 'data'), 2, f'data: senteval_cn.zip: .*{message}')
    assert [*content(tmp_path / 'data')] == []
    host.add_archive(DATA, senteval_cn())
    assert call_download('--only', 'data')[0] == 0


FAILURES = {
    'gone': (
        lambda host: host.files.pop(DATA),
        'data',
        '1.1.2/senteval_cn.zip: HTTP 404 Not Found',
    ),
    'login page': (lambda host: host.files.update({DATA: b'<html>'}), 'data', 'no zip archive'),
    'cut for ever': (lambda host: host.cut_for_ever(DATA), 'data', 'the connection broke off'),
    'cut zip': (lambda host: host.files.update({DATA: host.files[DATA][:-9]}), 'data', 'damaged'),
    'other zip': (lambda host: host.add_archive(DATA, {'x': b''}), 'data', 'none of ATEC.train'),
    'nobody there': (lambda host: host.stop(), 'data', 'Connection refused'),
    'no Hub': (lambda host: host.stop(), 'roberta', 'Connection refused'),
    'no model': (lambda host: host.json.clear(), 'roberta', f'{ROBERTA}: 404 Client Error'),
    'no file': (lambda host: siblings(host).pop(2), 'roberta', 'the Hub has no tf_model.h5'),
    'wrong size': (
        lambda host: siblings(host)[2].update(size=7),
        'roberta',
        'came with 49,152 bytes, the host says 7; discarded',
    ),
    'wrong checksum': (
        lambda host: siblings(host)[2]['lfs'].update(sha256=64 * '0'),
        'roberta',
        'came with SHA-256 [0-9a-f]{64}, the host says 0{64}; discarded',
    ),
}


@pytest.mark.parametrize('case', FAILURES)
def test_a_failure_is_one_line(case, call_download, host):
    """A failed download names thing, address, and the folder where its files belong."""
    breaks, name, message = FAILURES[case]
    breaks(host)
    done = call_download('--only', name)
    check_failure(done, 2, f'^download.py: error: {name}: .*{message}')
    holds = 'vocab.txt, tf_model.h5 of https://.*' if name == 'roberta' else 'http.*zip holds'
    assert re.search(rf'; .*{holds} belongs? in /.*(senteval_cn|A-12)$', done[2])


def test_a_line_that_always_breaks_off_comes_to_an_end(call_download, host, monkeypatch):
    """Ten reconnects that each gain a little, with longer and longer pauses, and no more.

    What they gained is kept for the next command. Where much comes each time, all of it does.
    """
    host.files[DATA] = bytes(100 * fetch.CHUNK)

    def cut(_):
        host.at_byte[DATA] = (fetch.CHUNK, cut)

    cut(None)
    pauses = []
    monkeypatch.setattr('urllib3.util.retry.time.sleep', pauses.append)
    check_failure(call_download('--only', 'data'), 2, 'the connection broke off; the 90,112 bytes')
    assert len(host.ranges(DATA)) == 11 and pauses == [2, 4, 8, 16, 32, 64, 120, 120, 120]
    monkeypatch.setattr(fetch, 'MUCH', fetch.CHUNK)
    check_failure(call_download('--only', 'data'), 2, 'damaged, or no zip archive')  # but whole
    assert len(host.ranges(DATA)) == 100 and len(pauses) == 9


def test_too_little_space_is_known_before(call_download, monkeypatch):
    """Too little free disk is an error before anything is fetched."""
    monkeypatch.setattr(fetch.shutil, 'disk_usage', lambda _: SimpleNamespace(free=1000))
    check_failure(call_download('--only', 'data'), 1, r'download: 0.1 MB needed, 0.0 MB free')


def test_a_full_disk_leaves_nothing_that_looks_whole(call_download):
    """A full disk is a one-line error, and the next command succeeds."""
    part = Path('data/.senteval_cn.download/senteval_cn.zip.part')
    part.parent.mkdir(parents=True)
    part.symlink_to('/dev/full')
    check_failure(call_download('--only', 'data'), 1, 'No space left on device')
    part.unlink()
    assert call_download('--only', 'data')[0] == 0


def test_two_processes_do_not_write_the_same_file(call_download):
    """A second process that fetches the same is refused."""
    stage = Path('data/.senteval_cn.download')
    stage.mkdir(parents=True)
    with (stage / '.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        check_failure(call_download('--only', 'data'), 2, 'another process is fetching')


def test_a_file_system_without_locks_is_no_obstacle(call_download, monkeypatch):
    """On a file system without locks downloads work, with a warning."""

    def flock(*_):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', flock)
    code, _, message = call_download('--only', 'data')
    assert code == 0 and 'this file system has no locks' in message
    assert not Path('data/.senteval_cn.download').exists()

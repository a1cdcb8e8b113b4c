"""download.py and hf:NAME against a host on loopback that plays those of the published things."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

import download
from cosent_tf.cli import exit_on_error, parse_args
from cosent_tf.data import SPLITS
from cosent_tf.download import fetch, unpack
from cosent_tf.errors import UserError
from tests.helpers import ROOT, exit_code
from tests.hosts import HALF, ROBERTA, WEIGHTS

DATA, BERT = (urlsplit(download.ADDRESSES[name]).path for name in ('data', 'bert'))
GOOGLE = {file: f'{file} of Google'.encode() for file in download.FILES['bert']}
SENTEVAL = Path('data/senteval_cn')
PAIRS = {task: (9, 5 + number, 5) for number, task in enumerate(download.PAIRS)}
DATA_FILES = {
    f'{task}/{task}.{split}.data': ''.join(f'我{n}\t你\t{n % 2}\n' for n in range(pairs)).encode()
    for task in PAIRS
    for split, pairs in zip(SPLITS, PAIRS[task], strict=True)
}


def senteval_cn():
    """What the archive holds: our folders, somewhere, and what a Mac adds."""
    junk = {'__MACOSX/senteval_cn/BQ/._BQ.train.data': b'x', 'senteval_cn/noise': WEIGHTS}
    return {f'senteval_cn/{file}': content for file, content in DATA_FILES.items()} | junk


@pytest.fixture
def host(hub, monkeypatch):
    """Everything published, on one host, for all clients of this process."""
    hub.add_archive(DATA, senteval_cn())
    hub.add_archive(BERT, {f'chinese_L-12/{file}': GOOGLE[file] for file in GOOGLE})
    monkeypatch.setattr(download, 'PAIRS', PAIRS)
    monkeypatch.setattr(fetch, 'RETRY', fetch.RETRY.new(backoff_factor=0))
    monkeypatch.setenv('COSENT_MIRROR', hub.url)
    for variable in ('COSENT_DATA_DIR', 'COSENT_BERT_DIR', 'COSENT_ROBERTA_DIR'):
        monkeypatch.delenv(variable, raising=False)
    return hub


@pytest.fixture
def run(host, monkeypatch, capsys):
    """Run download.py; return its exit code and what it printed on stdout and stderr."""

    def run(*flags):
        monkeypatch.setattr(sys, 'argv', ['download.py', *flags])
        return exit_code(exit_on_error, download.main), *capsys.readouterr()

    return run


def content(folder):
    """Path below a folder → bytes, of every file in it."""
    files = [path for path in folder.rglob('*') if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def without_sums(folder):
    return {file: data for file, data in content(Path(folder)).items() if file != 'SHA256SUMS'}


def check_failure(done, code, message):
    """One line that says it, and nothing in the folder."""
    assert done[0] == code and done[2].count('\n') == 1, done
    assert re.search(message, done[2]), done[2]
    assert not [*Path().glob('data/[!.]*'), *Path().glob('pretrained/[!.]*')]


def siblings(host):
    return host.json[f'/api/models/{ROBERTA}']['siblings']


def test_from_nothing_to_all_of_it(host):
    """Guards the first command of a new user, as a process: what, where, checksums, licence."""
    environment = os.environ | {'HF_ENDPOINT': host.url}
    command = [sys.executable, ROOT / 'download.py']
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == '', done.stderr
    assert 'BQ is licensed for research only' in done.stdout
    assert 'BQ/BQ.train.data: 9 pairs, published: 100,000' in done.stdout
    assert without_sums(SENTEVAL) == DATA_FILES
    assert without_sums('pretrained/chinese_L-12_H-768_A-12') == GOOGLE
    roberta = Path('pretrained/chinese_roberta_wwm_ext_L-12_H-768_A-12')
    assert {*without_sums(roberta)} == {'config.json', 'vocab.txt', 'tf_model.h5'}
    assert not [*Path().glob('*/.*')]
    for folder in (SENTEVAL, roberta):
        check = ['sha256sum', '--check', '--ignore-missing', '--strict', 'SHA256SUMS']
        assert subprocess.run(check, cwd=folder, stdout=subprocess.DEVNULL).returncode == 0
        assert (folder / 'SHA256SUMS').read_text('utf-8').partition('\n')[0] in done.stdout


def test_what_is_there_is_found_and_not_fetched_again(run, host, monkeypatch):
    """Guards a day's traffic, also for a split of another format, and trainings without flags."""
    assert run()[0] == 0
    asked = len(host.asked)
    (SENTEVAL / 'BQ/BQ.test.data').rename(SENTEVAL / 'BQ/BQ.test.tsv')
    code, out, err = run()
    assert (code, err, len(host.asked)) == (0, '', asked)
    assert 'bert: found in' in out
    for model in ('bert', 'roberta'):
        monkeypatch.setattr(sys, 'argv', ['train.py', '--task', 'PAWSX', '--model', model])
        args = parse_args('', 'cosent', **SETTINGS)
        assert args.data_dir == str(SENTEVAL)
        assert (Path(args.bert_dir) / 'vocab.txt').is_file()


def test_a_file_of_ones_own_stays(run):
    """Guards edits of some files while the others are fetched; the pairs are counted."""
    (SENTEVAL / 'BQ').mkdir(parents=True)
    (SENTEVAL / 'BQ/BQ.valid.data').write_text('mine')
    code, out, _ = run('--only', 'data')
    assert code == 0 and '14 of 14 splits have the published number of pairs' in out
    assert without_sums(SENTEVAL) == DATA_FILES | {'BQ/BQ.valid.data': b'mine'}


def test_what_an_archive_lacks_is_told(run, host):
    """Guards the day a mirror has less: what there is can be used, the rest is named."""
    lacking = {name: data for name, data in senteval_cn().items() if 'STS-B.test' not in name}
    host.add_archive(DATA, lacking)
    code, _, err = run('--only', 'data')
    assert code == 2 and re.search('senteval_cn.zip has no STS-B/STS-B.test.data; ', err)
    del (expected := dict(DATA_FILES))['STS-B/STS-B.test.data']
    assert without_sums(SENTEVAL) == expected


@pytest.mark.parametrize('name', ['data', 'roberta'])
def test_a_cut_connection_goes_on(name, run, host):
    """Guards 400 MB over a bad line: only what is missing is asked for, and the whole is right."""
    path = DATA if name == 'data' else host.cdn()
    host.at_byte[path] = (HALF, lambda _: None)
    assert run('--only', name)[0] == 0
    assert host.ranges(path) == [None, f'bytes={HALF}-']
    if name == 'data':
        assert without_sums(SENTEVAL) == DATA_FILES
    else:
        assert WEIGHTS in content(Path('pretrained')).values()


@pytest.mark.parametrize('changed', [False, True])
def test_the_next_command_goes_on(changed, run, host):
    """Guards what a process had when it ended, unless the host has another file meanwhile."""
    host.at_byte[DATA] = (HALF, lambda _: host.statuses.update({DATA: 500}))
    check_failure(run('--only', 'data'), 2, 'HTTP 500')
    host.statuses.clear()
    if changed:
        host.add_archive(DATA, {'shifted': b''} | senteval_cn())
    assert run('--only', 'data')[0] == 0
    assert host.ranges(DATA)[1:] == [f'bytes={HALF}-'] * 2
    assert without_sums(SENTEVAL) == DATA_FILES


def test_ctrl_c_in_the_middle(run, host, monkeypatch):
    """Guards an impatient user: one line, nothing that looks whole, and what there was is used."""
    with monkeypatch.context() as patch:
        patch.setattr(fetch.tqdm, 'update', lambda *_: signal.raise_signal(signal.SIGINT))
        assert run('--only', 'data')[0] == 'download.py: interrupted'
    assert not SENTEVAL.exists()
    assert run('--only', 'data')[0] == 0
    assert host.ranges(DATA) == [None, f'bytes={fetch.CHUNK}-']
    assert without_sums(SENTEVAL) == DATA_FILES


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
def test_a_hostile_archive_is_refused(case, run, host, tmp_path, monkeypatch):
    """Guards the rest of the disk against what a mirror may serve; nothing of it is kept."""
    change, message = ARCHIVES[case]
    monkeypatch.setattr(unpack, 'LIMIT', 50_000)
    host.add_archive(DATA, senteval_cn() | change)
    check_failure(run('--only', 'data'), 2, f'data: senteval_cn.zip: .*{message}')
    assert [*content(tmp_path / 'data')] == []
    host.add_archive(DATA, senteval_cn())
    assert run('--only', 'data')[0] == 0


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
def test_a_failure_is_one_line(case, run, host):
    """Guards the reader of the error: what, at which address, what belongs in which folder."""
    breaks, name, message = FAILURES[case]
    breaks(host)
    done = run('--only', name)
    check_failure(done, 2, f'^download.py: error: {name}: .*{message}')
    holds = 'vocab.txt, tf_model.h5 of https://.*' if name == 'roberta' else 'http.*zip holds'
    assert re.search(rf'; .*{holds} belongs? in /.*(senteval_cn|A-12)$', done[2])


def test_another_checksum_than_the_last_time(run, host):
    """Guards experiments that are compared: changed data is told, not taken."""
    assert run('--only', 'data')[0] == 0
    (SENTEVAL / 'BQ/BQ.train.data').unlink()
    host.add_archive(DATA, {'new': b''} | senteval_cn())
    code, _, err = run('--only', 'data')
    assert code == 2 and 'senteval_cn.zip: another SHA-256 than the last time' in err
    assert not (SENTEVAL / 'BQ/BQ.train.data').exists()
    (SENTEVAL / 'BQ/BQ.test.data').write_text('changed')
    code, _, err = run('--only', 'data')
    assert code == 2 and 'BQ.test.data: changed since it was fetched' in err


def test_too_little_space_is_known_before(run, monkeypatch):
    """Guards an hour of fetching that ends in a full disk."""
    monkeypatch.setattr(fetch.shutil, 'disk_usage', lambda _: SimpleNamespace(free=1000))
    check_failure(run('--only', 'data'), 1, r'download: 0.1 MB needed, 0.0 MB free')


def test_a_full_disk_leaves_nothing_that_looks_whole(run):
    """Guards the file that is half written when the disk is full."""
    part = Path('data/.senteval_cn.download/senteval_cn.zip.part')
    part.parent.mkdir(parents=True)
    part.symlink_to('/dev/full')
    check_failure(run('--only', 'data'), 1, 'No space left on device')
    part.unlink()
    assert run('--only', 'data')[0] == 0


def test_two_processes_do_not_write_the_same_file(run):
    """Guards two tables started side by side on an empty machine."""
    stage = Path('data/.senteval_cn.download')
    stage.mkdir(parents=True)
    with (stage / '.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        check_failure(run('--only', 'data'), 2, 'another process is fetching')


def test_offline_says_what_is_missing(run, host):
    """Guards machines without a network: a line for each thing, with address and folder."""
    code, _, err = run('--offline')
    assert code == 2 and host.asked == []
    lines = [line.removeprefix('download.py: error: ') for line in err.splitlines()]
    assert [line.partition(':')[0] for line in lines] == ['data', 'bert', 'roberta']
    assert all(re.search('http.* in /.*(senteval_cn|A-12)$', line) for line in lines)


SETTINGS = {'epochs': 5, 'batch_size': 32, 'lr': 2e-5, 'maxlen': 64, 'maxlen_pawsx': 128}
COMMANDS = {
    '--task BQ': '--only data fetches',
    '--task BQ --data_dir d': '--only data --data_dir d fetches',
    '--task {TOY} --model roberta': '--only roberta fetches',
    '--task {TOY} --bert_dir d': '--only bert --bert_dir d fetches',
}


@pytest.mark.parametrize('flags', COMMANDS)
def test_the_training_scripts_name_the_command(flags, host, data_dir, monkeypatch):
    """Guards the first training of a new user, who has neither data nor encoder."""
    arguments = flags.format(TOY=f'TOY --data_dir {data_dir}').split()
    monkeypatch.setattr(sys, 'argv', ['train.py', *arguments])
    with pytest.raises(UserError, match=f'python download.py {COMMANDS[flags]}'):
        parse_args('', 'cosent', **SETTINGS)

"""download.py against a host on loopback that plays those of the published things."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cosent_tf.cli import Settings, parse_args
from cosent_tf.errors import UserError
from cosent_tools.download import fetch
from tests.downloads import (
    DATA,
    DATA_FILES,
    GOOGLE,
    SENTEVAL,
    check_failure,
    content,
    senteval_cn,
    without_sums,
)
from tests.helpers import ROOT
from tests.hosts import HALF, WEIGHTS

pytestmark = pytest.mark.fast


def test_from_nothing_to_all_of_it(host):
    """download.py fetches everything, with checksums, and prints places and licence."""
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


@pytest.mark.usefixtures('tensorflow')
def test_what_is_there_is_found_and_not_fetched_again(call_download, host, monkeypatch):
    """What is there, in any format, is not fetched again, and trainings find it."""
    assert call_download()[0] == 0
    asked = len(host.asked)
    (SENTEVAL / 'BQ/BQ.test.data').rename(SENTEVAL / 'BQ/BQ.test.tsv')
    code, out, err = call_download()
    assert (code, err, len(host.asked)) == (0, '', asked)
    assert 'bert: found in' in out
    assert out.endswith('to train: python train_cosent.py --task BQ\n')
    for model in ('bert', 'roberta'):
        monkeypatch.setattr(sys, 'argv', ['train.py', '--task', 'PAWSX', '--model', model])
        args = parse_args('', 'cosent', SETTINGS)
        assert args.data_dir == str(SENTEVAL)
        assert (Path(args.bert_dir) / 'vocab.txt').is_file()


def test_the_training_it_names_finds_what_was_fetched(call_download, host, tmp_path):
    """The training command printed last finds data and encoders in the folders given by flags."""
    out = call_download('--only', 'data', '--data_dir', 'my data')[1]
    assert out.endswith("to train: python train_cosent.py --task BQ --data_dir 'my data'\n")
    folder = str(tmp_path / 'roberta')
    out = call_download('--only', 'roberta', '--roberta_dir', folder)[1]
    assert out.endswith(f'--task BQ --model roberta --bert_dir {folder}\n')


def test_a_file_of_ones_own_stays(call_download):
    """A file of one's own stays as it is while the missing ones are fetched."""
    (SENTEVAL / 'BQ').mkdir(parents=True)
    (SENTEVAL / 'BQ/BQ.valid.data').write_text('mine')
    code, out, _ = call_download('--only', 'data')
    assert code == 0 and '14 of 14 splits have the published number of pairs' in out
    assert without_sums(SENTEVAL) == DATA_FILES | {'BQ/BQ.valid.data': b'mine'}


def test_what_an_archive_lacks_is_told(call_download, host):
    """Files that an archive lacks are named, and the others can be used."""
    lacking = {name: data for name, data in senteval_cn().items() if 'STS-B.test' not in name}
    host.add_archive(DATA, lacking)
    code, _, err = call_download('--only', 'data')
    assert code == 2 and re.search('senteval_cn.zip has no STS-B/STS-B.test.data; ', err)
    del (expected := dict(DATA_FILES))['STS-B/STS-B.test.data']
    assert without_sums(SENTEVAL) == expected


@pytest.mark.parametrize('name', ['data', 'roberta'])
def test_a_cut_connection_goes_on(name, call_download, host):
    """A broken connection is continued: only the missing bytes are requested."""
    path = DATA if name == 'data' else host.cdn()
    host.at_byte[path] = (HALF, lambda _: None)
    assert call_download('--only', name)[0] == 0
    assert host.ranges(path) == [None, f'bytes={HALF}-']
    if name == 'data':
        assert without_sums(SENTEVAL) == DATA_FILES
    else:
        assert WEIGHTS in content(Path('pretrained')).values()


@pytest.mark.parametrize('changed', [False, True])
def test_the_next_command_goes_on(changed, call_download, host):
    """The next command continues the file, or starts anew if the host's file has changed."""
    host.at_byte[DATA] = (HALF, lambda _: host.statuses.update({DATA: 500}))
    check_failure(call_download('--only', 'data'), 2, 'HTTP 500')
    host.statuses.clear()
    if changed:
        host.add_archive(DATA, {'shifted': b''} | senteval_cn())
    assert call_download('--only', 'data')[0] == 0
    assert host.ranges(DATA)[1:] == [f'bytes={HALF}-'] * 2
    assert without_sums(SENTEVAL) == DATA_FILES


def test_ctrl_c_in_the_middle(call_download, host, monkeypatch):
    """Ctrl-C ends in one line and leaves nothing whole; the next command continues."""
    with monkeypatch.context() as patch:
        patch.setattr(fetch.tqdm, 'update', lambda *_: signal.raise_signal(signal.SIGINT))
        assert call_download('--only', 'data')[0] == 'download.py: interrupted'
    assert not SENTEVAL.exists()
    assert call_download('--only', 'data')[0] == 0
    assert host.ranges(DATA) == [None, f'bytes={fetch.CHUNK}-']
    assert without_sums(SENTEVAL) == DATA_FILES


def test_another_checksum_than_the_last_time(call_download, host):
    """Data with another checksum than the last time is an error, and is not unpacked."""
    assert call_download('--only', 'data')[0] == 0
    (SENTEVAL / 'BQ/BQ.train.data').unlink()
    host.add_archive(DATA, {'new': b''} | senteval_cn())
    code, _, err = call_download('--only', 'data')
    assert code == 2 and 'senteval_cn.zip: another SHA-256 than the last time' in err
    assert not (SENTEVAL / 'BQ/BQ.train.data').exists()
    (SENTEVAL / 'BQ/BQ.test.data').write_text('changed')
    code, _, err = call_download('--only', 'data')
    assert code == 2 and 'BQ.test.data: changed since it was fetched' in err


def test_offline_says_what_is_missing(call_download, host):
    """--offline prints a line for each missing thing, with address and folder."""
    code, _, err = call_download('--offline')
    assert code == 2 and host.asked == []
    lines = [line.removeprefix('download.py: error: ') for line in err.splitlines()]
    assert [line.partition(':')[0] for line in lines] == ['data', 'bert', 'roberta']
    assert all(re.search('http.* in /.*(senteval_cn|A-12)$', line) for line in lines)


SETTINGS = Settings(epochs=5, batch_size=32, lr=2e-5, maxlen=64, maxlen_pawsx=128)
COMMANDS = {
    '--task BQ': '--only data fetches',
    '--task BQ --data_dir d': '--only data --data_dir d fetches',
    '--task {TOY} --model roberta': '--only roberta fetches',
    '--task {TOY} --model bert --bert_dir d': '--only bert --bert_dir d fetches',
}


@pytest.mark.usefixtures('tensorflow')
@pytest.mark.parametrize('flags', COMMANDS)
def test_the_training_scripts_name_the_command(flags, host, data_dir, monkeypatch):
    """Training without data or encoder is one line with the download command for them."""
    arguments = flags.format(TOY=f'TOY --data_dir {data_dir}').split()
    monkeypatch.setattr(sys, 'argv', ['train.py', *arguments])
    with pytest.raises(UserError, match=f'python download.py {COMMANDS[flags]}'):
        parse_args('', 'cosent', SETTINGS)

"""What config.json says of a start, and what another start is compared with."""

import re
import shutil
import subprocess
from argparse import Namespace

import pytest

from cosent_tf.errors import UserError
from cosent_tf.files import write_json
from cosent_tf.run.config import checksums, find_changes, git_commit
from tests.helpers import read_json

pytestmark = pytest.mark.fast

WEIGHTS = 'bert_model.ckpt.data-00000-of-00001'


@pytest.fixture
def started(small_bert, data_dir, tmp_path):
    """Return the arguments of a run, started in a folder below tmp_path."""
    bert_dir = shutil.copytree(small_bert, tmp_path / 'bert')
    args = {'task': 'TOY', 'bert_dir': str(bert_dir), 'data_dir': str(data_dir), 'lr': 1e-3}
    args = Namespace(**args, resume=False)
    write_json(tmp_path / 'run/config.json', {'arguments': vars(args), **checksums(args)})
    return args


def changes(folder, args, **more):
    args = Namespace(**vars(args) | more)
    return find_changes(folder / 'run', args, checksums(args))


def test_a_run_older_than_a_flag_goes_on_with_its_default(started, tmp_path):
    """--resume of a run whose config.json does not know a flag: the run was as the default is."""
    assert changes(tmp_path, started, pooling='cls', select='accuracy', keep_padding=False) == []
    assert changes(tmp_path, started, pooling='mean') == [
        'the run was started with --pooling cls, now mean'
    ]


@pytest.mark.usefixtures('tensorflow')
def test_other_weights_under_the_same_name_are_noticed(started, tmp_path):
    """A run started again from another checkpoint in the same folder is not the same run."""
    path = tmp_path / 'bert' / WEIGHTS
    assert str(path) in read_json(tmp_path / 'run/config.json')['weights_sha256']
    assert changes(tmp_path, started) == []
    path.write_bytes(path.read_bytes()[:-1] + b'!')
    assert changes(tmp_path, started) == [f'{path}: changed since {tmp_path / "run"} was started']
    path.unlink()
    assert changes(tmp_path, started) == []  # the run has its own


def test_a_folder_is_the_same_whatever_it_is_called(started, tmp_path, monkeypatch):
    """A run goes on when its folders are given as ../bert, or through a link."""
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'link').symlink_to(started.data_dir)
    monkeypatch.chdir(tmp_path / 'elsewhere')
    assert changes(tmp_path, started, bert_dir='../bert', data_dir='../link') == []
    other = shutil.copytree(tmp_path / 'bert', tmp_path / 'other')
    told = f'--bert_dir {started.bert_dir}, now {other}; --lr 0.001, now 0.5'
    assert changes(tmp_path, started, bert_dir=str(other), lr=0.5) == [
        f'the run was started with {told}'
    ]


def test_a_config_that_does_not_say_is_an_error(started, tmp_path):
    """A config.json of another program is a one-line error that says what to do."""
    write_json(tmp_path / 'run/config.json', {'arguments': []})
    with pytest.raises(UserError, match=r'does not say how the run was started.*--overwrite'):
        changes(tmp_path, started)


def git(folder, *arguments):
    identity = ['-c', 'user.name=a', '-c', 'user.email=a@b.c']
    subprocess.run(['git', '-C', folder, *identity, *arguments], check=True, capture_output=True)


def test_the_commit_is_that_of_the_files_own_repository(tmp_path):
    """Figures are put down to the commit that gives them, or to none: never to the project that
    an installed package happens to lie in."""
    file, installed = tmp_path / 'a.py', tmp_path / 'venv' / 'a.py'
    file.write_text('1')
    assert git_commit(file) is None
    git(tmp_path, 'init')
    git(tmp_path, 'add', 'a.py')
    git(tmp_path, 'commit', '-m', 'a')
    git(tmp_path, 'tag', '-a', 'v1', '-m', 'v1')
    clean = git_commit(file)
    assert re.fullmatch('[0-9a-f]{40}', clean)
    installed.parent.mkdir()
    installed.write_text('1')
    assert git_commit(installed) is None
    file.write_text('2')
    assert git_commit(file) == f'{clean}-dirty'

"""What a script says in an environment that lacks its packages."""

import subprocess
import sys
import traceback

import pytest

from cosent_tf import errors, read_pairs
from cosent_tf.errors import UserError
from tests.helpers import ROOT, run_code

SCRIPTS = sorted(path.name for path in ROOT.glob('*.py'))


@pytest.mark.parametrize('script', SCRIPTS)
def test_a_script_without_its_packages_says_what_to_do_in_one_line(script):
    """A command of the README outside .venv names the environment, or the two install commands."""
    command = [sys.executable, '-S', script, '--help']  # -S: without site-packages
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count('\n') == 1, done.stderr
    assert done.stderr.startswith(f'{script}: error: {sys.executable} has no ')
    assert '.venv/bin/python' in done.stderr or 'pip install --no-deps bert4keras' in done.stderr


def test_a_fault_in_the_code_keeps_its_traceback(tmp_path):
    """A module that is missing within an installed package is a fault, not an installation."""
    code = (
        'import sys; from cosent_tf.errors import show_uncaught\n'
        'try: import json.nothing\n'
        'except ImportError as error: show_uncaught(type(error), error, error.__traceback__)'
    )
    assert 'Traceback' in run_code(code).stderr


def test_importing_the_package_leaves_the_hook_of_another_program():
    """A server that imports cosent_tf reports its own errors as before."""
    code = 'import sys, cosent_tf; print(sys.excepthook is sys.__excepthook__)'
    assert run_code(code).stdout == 'True\n'


def test_the_environment_of_make_is_the_cure_unless_it_is_in_use(tmp_path, monkeypatch, capsys):
    """Outside .venv the line is the command to copy; within, also as python3, how to install."""
    python = tmp_path / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setattr(errors, '_CHECKOUT', tmp_path)
    monkeypatch.setattr(sys, 'argv', ['a.py', '--task', 'my task'])
    install = 'pip install -r requirements.txt && pip install --no-deps bert4keras==0.11.5'
    for used, cure in (
        ('/usr/bin/python3', f"{python} a.py --task 'my task'"),
        (str(python.with_name('python3')), install),
    ):
        monkeypatch.setattr(sys, 'executable', used)
        errors.show_uncaught(ModuleNotFoundError, ModuleNotFoundError(name='absent.part'), None)
        assert capsys.readouterr().err == f'a.py: error: {used} has no absent: {cure}\n'


def test_an_error_for_a_person_drags_no_chain_behind_it(tmp_path):
    """The snippet of the README without its data ends in one traceback, whose last line says it."""
    with pytest.raises(UserError) as caught:
        read_pairs(tmp_path / 'BQ.valid.data')
    shown = ''.join(traceback.format_exception(caught.value))
    assert shown.count('Traceback') == 1
    assert f'{tmp_path}/BQ.valid.data: cannot be read: No such file' in shown.splitlines()[-1]

"""What a script says in an environment that lacks its packages."""

import subprocess
import sys

import pytest

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

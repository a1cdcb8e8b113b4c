"""The meeting of bert4keras and today's TensorFlow, each case in a process of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(code):
    command = [sys.executable, '-c', code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_keras_3_imported_first_is_refused_with_the_cure():
    """Guards against bert4keras failing later with an unrelated message."""
    done = run('import keras; import cosent_tf.backend')
    assert 'import cosent_tf.backend first' in done.stderr.splitlines()[-1]


def test_missing_bert4keras_is_told_with_the_pip_line():
    """Guards a first-time user: `pip install bert4keras` alone cannot work."""
    hide = (
        'import importlib.util as u; find = u.find_spec\n'
        'u.find_spec = lambda name, *a: None if name == "bert4keras" else find(name, *a)\n'
    )
    done = run(hide + 'import cosent_tf.backend')
    assert 'pip install --no-deps bert4keras==0.11.5' in done.stderr.splitlines()[-1]


def test_bert4keras_imports_without_distutils():
    """Guards Python 3.12 and later, which have no distutils: this process hides it."""
    hide = (
        'import importlib.util as u, sys\n'
        'class Hidden:\n'
        '    def find_spec(self, name, *a):\n'
        '        if name.split(".")[0] == "distutils": raise ModuleNotFoundError(name)\n'
        'sys.meta_path.insert(0, Hidden())\n'
        'find = u.find_spec\n'
        'u.find_spec = lambda name, *a: None if name == "distutils" else find(name, *a)\n'
    )
    done = run(hide + 'from cosent_tf.backend import Adam; Adam(1e-3); print("built")')
    assert done.stdout == 'built\n', done.stderr
    assert done.stderr == ''

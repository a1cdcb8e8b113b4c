"""The meeting of bert4keras and today's TensorFlow, each case in a process of its own."""

import numpy as np
import pytest

from cosent_tf.bert.compat import Adam, PlainAdam, tf
from tests.helpers import run_code


def weights_after(optimizer, steps=20):
    """Two weights, one with sparse gradients, after some steps on fixed gradients."""
    draw = np.random.default_rng(0)
    weights = [tf.Variable(draw.normal(size=(9, 4)), dtype=tf.float32) for _ in range(2)]
    for _ in range(steps):
        dense = tf.constant(1e-3 * draw.normal(size=(9, 4)), tf.float32)
        rows = tf.IndexedSlices(dense[:3], tf.constant([1, 5, 1]), (9, 4))
        optimizer.apply_gradients(zip([rows, dense], weights, strict=True))
    return [weight.numpy() for weight in weights]


@pytest.mark.parametrize('bias_correction', [True, False])
def test_adam_takes_the_steps_of_bert4keras(bias_correction):
    """Guards the published optimizer: bias correction, epsilon, and dense decay of sparse rows."""
    weights = (
        weights_after(adam(1e-2, bias_correction=bias_correction)) for adam in (Adam, PlainAdam)
    )
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_float32_products_are_float32():
    """Guards figures of --precision fp32 on GPUs from Ampere on, and the vectors of encoders."""
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


def test_keras_3_imported_first_is_refused_with_the_cure():
    """Guards against bert4keras failing later with an unrelated message."""
    done = run_code('import keras; import cosent_tf.bert.compat')
    assert 'import cosent_tf.bert.compat first' in done.stderr.splitlines()[-1]


def test_missing_bert4keras_is_told_with_the_pip_line():
    """Guards a first-time user: `pip install bert4keras` alone cannot work."""
    hide = (
        'import importlib.util as u; find = u.find_spec\n'
        'u.find_spec = lambda name, *a: None if name == "bert4keras" else find(name, *a)\n'
    )
    done = run_code(hide + 'import cosent_tf.bert.compat')
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
    done = run_code(hide + 'from cosent_tf.bert.compat import Adam; Adam(1e-3); print("built")')
    assert done.stdout == 'built\n', done.stderr
    assert done.stderr == ''

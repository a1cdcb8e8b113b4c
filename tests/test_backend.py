"""The meeting of bert4keras and today's TensorFlow, each case in a process of its own."""

import numpy as np
import pytest

from cosent_tf import configure_process, load_encoder
from cosent_tf.bert import pretrained
from cosent_tf.bert.compat import Adam, PlainAdam, tf
from cosent_tf.process import grow_gpu_memory
from tests.helpers import assert_close, run_code


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
    """Adam takes bert4keras's steps: bias correction, epsilon, dense decay of sparse rows."""
    weights = (
        weights_after(adam(1e-2, bias_correction=bias_correction)) for adam in (Adam, PlainAdam)
    )
    for ours, theirs in zip(*weights, strict=True):
        assert_close(ours, theirs, rtol=2e-6)  # 20 roundings to float32


def test_float32_products_are_float32():
    """A script's float32 is float32 on GPUs from Ampere on, too."""
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


STEP_AND_ENCODE = """
def step():  # of a model of Keras 3
    assert keras.__version__ > '3' and 'gelu_erf' not in keras.utils.get_custom_objects()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, 'tanh')])
    model.compile('adam', 'mse')
    before = model.get_weights()[1]
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    assert (model.get_weights()[1] > before).all()

def encode():
    from cosent_tf import load_encoder
    np.save(OUTPUT, load_encoder(BERT_DIR).encode(TEXTS))
"""
KERAS_3_FIRST = """
import ctypes, os, platform, sys
import keras, numpy as np, tensorflow as tf

class Mallinfo(ctypes.Structure):
    _fields_ = [(str(number), ctypes.c_size_t) for number in range(10)]

def has_mmap_of_its_own(size):
    libc = ctypes.CDLL(None)
    libc.mallinfo2.restype, libc.malloc.restype = Mallinfo, ctypes.c_void_p
    mmaps = [getattr(libc.mallinfo2(), '3')]
    libc.malloc(ctypes.c_size_t(size))
    return getattr(libc.mallinfo2(), '3') > mmaps[0]

def state():
    modules = {name: module for name, module in sys.modules.items() if 'distutils' in name
               or name.split('.')[0] == 'keras' or name.startswith('tensorflow.keras')}
    threading = tf.config.threading
    return (dict(os.environ), modules, vars(tf)['keras'], os.fstat(2),
            threading.get_intra_op_parallelism_threads(),
            threading.get_inter_op_parallelism_threads(),
            tf.config.experimental.tensor_float_32_execution_enabled(),
            platform.libc_ver()[0] == 'glibc' and has_mmap_of_its_own(100 * 2**20))

tf.keras.layers  # binds tf.keras to Keras 3
os.dup2 = None  # stderr stays where it is at every moment
before = state()
encode()
for was, now in zip(before, state(), strict=True):
    assert was == now, (was, now)
step()
"""
KERAS_3_LATER = """
import os, sys
import numpy as np
encode()
assert not {'keras', 'distutils'} & sys.modules.keys()
assert not {'TF_KERAS', 'TF_USE_LEGACY_KERAS', 'TF_CPP_MIN_LOG_LEVEL'} & os.environ.keys()
import keras, tensorflow as tf
assert tf.keras.layers.Dense is keras.layers.Dense
step()
"""


@pytest.mark.parametrize(
    'order',
    [
        pytest.param(KERAS_3_FIRST, id='first'),
        pytest.param(KERAS_3_LATER, id='later', marks=pytest.mark.weekly),
    ],
)
def test_keras_3_works_in_the_same_process(order, bert_dir, tmp_path, monkeypatch):
    """A program with a Keras 3 of its own gets the same vectors, and stays as it was.

    Its modules, environment, stderr, threads, TF32 and malloc are unchanged.
    """
    monkeypatch.delenv('TF_CPP_MIN_LOG_LEVEL', raising=False)  # which scripts set
    texts, output = ['花呗怎么还款', '怎么还花呗', ''], tmp_path / 'vectors.npy'
    names = f'OUTPUT, BERT_DIR, TEXTS = {str(output)!r}, {str(bert_dir)!r}, {texts!r}\n'
    done = run_code(names + STEP_AND_ENCODE + order)
    assert not done.returncode, done.stderr
    # this process has other threads, which may sum up in another order
    assert_close(np.load(output), load_encoder(bert_dir).encode(texts), rtol=1e-5)


def test_missing_bert4keras_is_told_with_the_pip_line():
    """After `pip install bert4keras` alone, an error names the two install commands."""
    hide = (
        'import importlib.util as u; find = u.find_spec\n'
        'u.find_spec = lambda name, *a: None if name == "bert4keras" else find(name, *a)\n'
    )
    done = run_code(hide + 'import cosent_tf.bert.compat')
    assert 'pip install --no-deps bert4keras==0.11.5' in done.stderr.splitlines()[-1]


def test_bert4keras_imports_without_distutils_and_after_tensorflow():
    """Python 3.12 and later have no distutils: this process hides it."""
    hide = (
        'import sys\n'
        'class Hidden:\n'
        '    def find_spec(self, name, *a):\n'
        '        if name.split(".")[0] == "distutils": raise ModuleNotFoundError(name)\n'
        'sys.meta_path.insert(0, Hidden())\n'
    )
    done = run_code(hide + 'import tensorflow; from cosent_tf.bert.compat import Adam; Adam(1e-3)')
    assert not done.returncode, done.stderr


@pytest.mark.parametrize('who', ['script', 'library'])
def test_a_gpu_is_shared(who, small_bert, monkeypatch):
    """An encoder takes the GPU memory that it needs; TensorFlow's own way is all there is.

    All GPUs are told so before the model is built, by the scripts and by load_encoder alone.
    """
    told, gpus = [], ['GPU:0', 'GPU:1']
    build, grow = pretrained.build_transformer_model, 'set_memory_growth'

    def built(**options):
        told.append('built')
        return build(**options)

    monkeypatch.setattr(pretrained, 'build_transformer_model', built)
    with monkeypatch.context() as patch:
        patch.setattr(tf.config, 'get_visible_devices', lambda kind: gpus if kind == 'GPU' else [])
        patch.setattr(tf.config.experimental, grow, lambda *setting: told.append(setting))
        if who == 'script':
            configure_process()
        else:
            load_encoder(small_bert)
    assert told == [('GPU:0', True), ('GPU:1', True), *['built'] * (who == 'library')]


def test_a_gpu_in_use_stays_as_it_is(monkeypatch):
    """A program that has used its GPUs before, or configured them, loads an encoder as always."""

    def refuse(*_):
        raise RuntimeError('Physical devices cannot be modified after being initialized')

    monkeypatch.setattr(tf.config, 'get_visible_devices', lambda kind: ['GPU:0'])
    monkeypatch.setattr(tf.config.experimental, 'set_memory_growth', refuse)
    grow_gpu_memory()

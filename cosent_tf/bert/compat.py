"""bert4keras on a maintained TensorFlow: the one place that knows how the Keras versions get on.

bert4keras 0.11.5 was written for Keras 2.3 and TensorFlow 1.15. It runs on TensorFlow 2.21 when

1. it finds Keras 2 (the tf_keras package) behind `import keras` and `tf.keras`,
2. `keras.optimizers.Optimizer` is the legacy class,
3. `distutils.util.strtobool` exists, which left Python in 3.12.

All of this holds while bert4keras is imported, which imports nothing of it later. Afterwards the
process has the `keras`, `tf.keras` and distutils that it had, or none: Keras 3 can be used beside
this package, whichever is imported first. What stays is bert4keras's names among the custom objects
of tf_keras.

Everything else in this project imports keras, K, Adam, Tokenizer and build_transformer_model from
here. `keras` is a namespace of its own over tf_keras: nobody else sees what is changed in it, by
bert4keras functions of the backend, by us the optimizer and, for the sake of interrupted runs, the
dropout layer.
"""
# ruff: noqa: F401 (imported for the others)

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import types
from collections.abc import Iterator
from pathlib import Path

for package, command in (
    ('tensorflow', 'pip install -r requirements.txt'),
    ('tf_keras', 'pip install -r requirements.txt'),
    ('bert4keras', 'pip install --no-deps bert4keras==0.11.5'),
):
    if importlib.util.find_spec(package) is None:
        raise ModuleNotFoundError(f'{package} is not installed: {command}', name=package)


@contextlib.contextmanager
def _apart(*packages: str) -> Iterator[None]:
    """Import without what has been imported of some packages, and put that back afterwards."""

    def found() -> list[str]:
        own = tuple(f'{package}.' for package in packages)
        return [name for name in sys.modules if f'{name}.'.startswith(own)]

    before = {name: sys.modules.pop(name) for name in found()}
    try:
        yield
    finally:
        for name in found():
            del sys.modules[name]
        sys.modules.update(before)


with _apart('keras'):
    sys.modules['keras.src'] = None  # else TensorFlow loads Keras 3, for seconds and for nothing
    import tensorflow as tf
    import tf_keras

keras = types.ModuleType('keras')
vars(keras).update(vars(tf_keras))


class Dropout(keras.layers.Dropout):
    """Dropout with masks from TensorFlow's global generator, whose state can be saved."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        def dropped() -> tf.Tensor:
            seed = tf.random.get_global_generator().make_seeds()[:, 0]  # (2,)
            return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed)

        return keras.backend.in_train_phase(dropped, inputs, training)


def _strtobool(value: str) -> int:
    """Return 1 or 0 for a yes or no, as `distutils.util.strtobool` did (PEP 632)."""
    if value.lower() in ('y', 'yes', 't', 'true', 'on', '1'):
        return 1
    if value.lower() in ('n', 'no', 'f', 'false', 'off', '0'):
        return 0
    raise ValueError(f'invalid truth value {value!r}')


@contextlib.contextmanager
def _as_bert4keras_expects() -> Iterator[None]:
    """Put in place what bert4keras looks for while it is imported."""
    util = types.ModuleType('distutils.util')
    util.strtobool = _strtobool
    bound, chosen = vars(tf)['keras'], os.environ.get('TF_KERAS')  # getattr would load Keras 3
    with _apart('keras', 'tensorflow.keras', 'distutils'):
        sys.modules |= {'keras': keras, 'distutils': util, 'distutils.util': util}
        tf.keras, os.environ['TF_KERAS'] = keras, '1'
        for name in ('backend', 'layers', 'optimizers'):  # tf_keras's own stay as they are
            importlib.import_module(f'keras.{name}')
        keras.layers.Dropout = Dropout
        keras.optimizers.Optimizer = keras.optimizers.legacy.Optimizer
        try:
            yield
        finally:
            tf.keras = bound
            del os.environ['TF_KERAS']
            if chosen is not None:
                os.environ['TF_KERAS'] = chosen


with _as_bert4keras_expects():
    from bert4keras.backend import K
    from bert4keras.layers import Embedding, PositionEmbedding
    from bert4keras.models import BERT, build_transformer_model
    from bert4keras.optimizers import Adam as PlainAdam
    from bert4keras.tokenizers import Tokenizer


class Adam(PlainAdam):
    """bert4keras's Adam with its update in one kernel: a pass over the weights instead of ten.

    The kernel corrects the bias of the whole step, not of each moment, which leaves epsilon as it
    is; bert4keras divides it too: hence its factor. Equal up to float32 rounding.
    """

    def _resource_apply_dense(self, grad: tf.Tensor, var: tf.Variable) -> tf.Operation:
        if not self.bias_correction:
            return super()._resource_apply_dense(grad, var)
        dtype = var.dtype.base_dtype
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = self._get_hyper('beta_1', dtype), self._get_hyper('beta_2', dtype)
        beta_2_power = tf.pow(beta_2, step)
        return tf.raw_ops.ResourceApplyAdam(
            var=var.handle,
            m=self.get_slot(var, 'm').handle,
            v=self.get_slot(var, 'v').handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=beta_2_power,
            lr=self._decayed_lr(dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=self.epsilon * tf.sqrt(1 - beta_2_power),
            grad=grad,
        )


def versions() -> dict[str, str]:
    """Return the version of Python and of each library that a result depends on."""
    libraries = ('tf_keras', 'bert4keras', 'numpy', 'scipy', 'h5py')
    return {
        'python': sys.version.split()[0],
        'tensorflow': tf.__version__,  # whichever package it came in
        **{name: importlib.metadata.version(name) for name in libraries},
    }


def has_hidden_gpu() -> bool:
    """Tell whether TensorFlow does not see the NVIDIA GPU of this (Linux) machine."""
    hidden_on_purpose = os.environ.get('CUDA_VISIBLE_DEVICES') in ('', '-1')
    if sys.platform != 'linux' or hidden_on_purpose or tf.config.list_physical_devices('GPU'):
        return False
    # /proc/driver/nvidia is also there in containers that were given no GPU
    return any(Path('/dev').glob('nvidia[0-9]*')) or shutil.which('nvidia-smi') is not None


def device_name() -> str:
    """Return the name of the first GPU in use, or 'CPU'."""
    gpus = tf.config.get_visible_devices('GPU')
    if not gpus:
        return 'CPU'
    return tf.config.experimental.get_device_details(gpus[0]).get('device_name', gpus[0].name)

"""bert4keras on a maintained TensorFlow: the one place that deals with the Keras versions.

bert4keras 0.11.5 was written for Keras 2.3 and TensorFlow 1.15. It runs on TensorFlow 2.21 when

1. `import keras` and `tf.keras` give it Keras 2 (the tf_keras package),
2. `keras.optimizers.Optimizer` is the legacy class,
3. `distutils.util.strtobool` exists, which Python 3.12 removed.

All of this holds only while bert4keras is imported; it imports nothing of it later. Afterwards the
process has the `keras`, `tf.keras` and distutils that it had before, if any: Keras 3 can be used
beside this package, whichever is imported first. bert4keras's names among the custom objects of
tf_keras remain.

The rest of the project imports keras, K, Adam, Tokenizer and build_transformer_model from here.
`keras` is a separate namespace over tf_keras, so nobody else sees the changes in it: bert4keras's
to the backend, and ours to the optimizer and, for the sake of interrupted runs, to Dropout.
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
    """Hide what has been imported of some packages, and put it back afterwards."""

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
    sys.modules['keras.src'] = None  # else TensorFlow loads Keras 3, which takes seconds
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
    yes, no = ('y', 'yes', 't', 'true', 'on', '1'), ('n', 'no', 'f', 'false', 'off', '0')
    if value.lower() not in yes + no:
        raise ValueError(f'invalid truth value {value!r}')
    return int(value.lower() in yes)


@contextlib.contextmanager
def _as_bert4keras_expects() -> Iterator[None]:
    """Provide what bert4keras needs while it is imported."""
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
    """bert4keras's Adam with the update in one kernel: one pass over the weights instead of ten.

    The kernel corrects the bias of the whole step, bert4keras that of each moment, which also
    scales epsilon: hence its factor. Equal up to float32 rounding.
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
        'tensorflow': tf.__version__,  # from whichever package
        **{name: importlib.metadata.version(name) for name in libraries},
    }


def has_hidden_gpu() -> bool:
    """Return whether this (Linux) machine has an NVIDIA GPU that TensorFlow does not see."""
    hidden_on_purpose = os.environ.get('CUDA_VISIBLE_DEVICES') in ('', '-1')
    if sys.platform != 'linux' or hidden_on_purpose or tf.config.list_physical_devices('GPU'):
        return False
    # /proc/driver/nvidia exists even in containers without a GPU
    return any(Path('/dev').glob('nvidia[0-9]*')) or shutil.which('nvidia-smi') is not None


def device_name() -> str:
    """Return the name of the first GPU in use, or 'CPU'."""
    gpus = tf.config.get_visible_devices('GPU')
    if not gpus:
        return 'CPU'
    return tf.config.experimental.get_device_details(gpus[0]).get('device_name', gpus[0].name)

"""bert4keras on a maintained TensorFlow: the one place that knows how the Keras versions get on.

bert4keras 0.11.5 was written for Keras 2.3 and TensorFlow 1.15. It runs on TensorFlow 2.21 when

1. it finds Keras 2 (the tf_keras package) behind `import keras` and `tf.keras`,
2. `keras.optimizers.Optimizer` is the legacy class while `bert4keras.optimizers` is imported,
3. `distutils.util.strtobool` exists, which left Python in 3.12.

Its dropout layers become ours, for the sake of interrupted runs.

Everything else in this project imports keras, K, Adam, Tokenizer and build_transformer_model from
here, and so never depends on the order of imports.
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

from cosent_tf.bert.allocator import keep_freed_memory


def _check_nothing_imported_keras_3() -> None:
    """Refuse a process in which Keras 3 was there first: it cannot be taken back."""
    first = sys.modules.get('keras')
    version = getattr(first, '__version__', '2')
    tensorflow = sys.modules.get('tensorflow')
    if tensorflow is not None and not os.environ.get('TF_USE_LEGACY_KERAS'):
        version = getattr(tensorflow.keras, '__version__', version)
    if int(version.split('.')[0]) >= 3:
        raise ImportError(
            f'Keras {version} was imported before cosent_tf.bert.compat, and bert4keras needs '
            'Keras 2 (tf_keras): import cosent_tf.bert.compat first, or set TF_USE_LEGACY_KERAS=1 '
            'and TF_KERAS=1 in the environment.'
        )


def _strtobool(value: str) -> int:
    """Return 1 or 0 for a yes or no, as `distutils.util.strtobool` did (PEP 632)."""
    if value.lower() in ('y', 'yes', 't', 'true', 'on', '1'):
        return 1
    if value.lower() in ('n', 'no', 'f', 'false', 'off', '0'):
        return 0
    raise ValueError(f'invalid truth value {value!r}')


def _provide_distutils() -> None:
    """Stand in for the one function of distutils that bert4keras imports."""
    if importlib.util.find_spec('distutils') is None:
        util = types.ModuleType('distutils.util')
        util.strtobool = _strtobool
        sys.modules['distutils'] = types.ModuleType('distutils')
        sys.modules['distutils.util'] = util


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Drop what TensorFlow's native code prints while it loads, before any log level applies."""
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, 'wb') as devnull:
        os.dup2(devnull.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


_check_nothing_imported_keras_3()
os.environ['TF_USE_LEGACY_KERAS'] = '1'
os.environ['TF_KERAS'] = '1'
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
_provide_distutils()
keep_freed_memory()

for package, command in (
    ('tensorflow', 'pip install -r requirements.txt'),
    ('tf_keras', 'pip install -r requirements.txt'),
    ('bert4keras', 'pip install --no-deps bert4keras==0.11.5'),
):
    if importlib.util.find_spec(package) is None:
        raise ImportError(f'{package} is not installed: {command}')

with _quiet_stderr():
    import tensorflow as tf

    keras = tf.keras  # tf_keras, because of TF_USE_LEGACY_KERAS
    sys.modules['keras'] = keras  # bert4keras imports `keras.models` and others by this name

    class Dropout(keras.layers.Dropout):
        """Dropout with masks from TensorFlow's global generator, whose state can be saved."""

        def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
            def dropped() -> tf.Tensor:
                seed = tf.random.get_global_generator().make_seeds()[:, 0]  # (2,)
                return tf.nn.experimental.stateless_dropout(inputs, self.rate, seed)

            return keras.backend.in_train_phase(dropped, inputs, training)

    _current_optimizer = keras.optimizers.Optimizer
    keras.optimizers.Optimizer = keras.optimizers.legacy.Optimizer
    _layers = importlib.import_module('keras.layers')  # takes the place of the lazy keras.layers
    _current_dropout, _layers.Dropout = _layers.Dropout, Dropout
    from bert4keras.backend import K
    from bert4keras.layers import Embedding, PositionEmbedding
    from bert4keras.models import BERT, build_transformer_model
    from bert4keras.optimizers import Adam as PlainAdam
    from bert4keras.tokenizers import Tokenizer

    keras.optimizers.Optimizer, _layers.Dropout = _current_optimizer, _current_dropout

# Else "float32" products on NVIDIA GPUs from Ampere on would have factors of 10 bits (TF32).
tf.config.experimental.enable_tensor_float_32_execution(False)


def _use_cores() -> None:
    """On a CPU, run operations side by side instead of splitting each one over all cores.

    The two groups that a batch is encoded in (vectors.PooledVector) do not wait for each other, and
    many of their operations are too small to be split. Measured on 2 cores only; where there are
    more, larger operations share the threads that remain.
    """
    allowed = getattr(os, 'sched_getaffinity', None)  # not on macOS
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    if tf.config.get_visible_devices('GPU') or 'TF_NUM_INTRAOP_THREADS' in os.environ:
        return
    with contextlib.suppress(RuntimeError):  # too late, TensorFlow has been used in this process
        tf.config.threading.set_intra_op_parallelism_threads(-(-cores // 2))
        tf.config.threading.set_inter_op_parallelism_threads(cores)


_use_cores()


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


def use_cpu() -> None:
    """Do without the GPUs of this machine; the first thing to do in a process."""
    tf.config.set_visible_devices([], 'GPU')
    _use_cores()


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

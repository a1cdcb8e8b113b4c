"""The process: its tuning, which the scripts do and no import does, and a check for forks."""

import contextlib
import ctypes
import os
import platform
import sys
from collections.abc import Iterator

from cosent_tf.errors import UserError

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # mallopt(3)
_first = None  # the process in which a model was built


def configure_process() -> None:
    """Tune the whole process for training and encoding; every script begins with it.

    Call it before TensorFlow is imported or a thread is started: later, parts have no effect.

    - glibc keeps freed memory (`keep_freed_memory`).
    - On a CPU, operations run side by side instead of each on all cores (`use_cores`).
    - GPU memory is allocated as needed (`grow_gpu_memory`).
    - Float32 products on NVIDIA GPUs from Ampere on are float32. TensorFlow's default is TF32, with
      10-bit factors, and it has no switch for a single model.
    - TensorFlow prints nothing while it loads, and later only errors, unless TF_CPP_MIN_LOG_LEVEL
      is set.
    """
    keep_freed_memory()
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    with _quiet_stderr():
        from cosent_tf.bert.compat import tf
    tf.config.experimental.enable_tensor_float_32_execution(False)
    use_cores()
    grow_gpu_memory()


def grow_gpu_memory() -> None:
    """Let TensorFlow allocate GPU memory as needed, not all at once: others may use the GPU too.

    No effect on GPUs in use or configured otherwise, nor under TF_FORCE_GPU_ALLOW_GROWTH=false.
    """
    import tensorflow as tf

    for gpu in tf.config.get_visible_devices('GPU'):
        with contextlib.suppress(RuntimeError, ValueError):  # in use; configured otherwise
            tf.config.experimental.set_memory_growth(gpu, True)


def use_cores() -> None:
    """On a CPU, run operations side by side instead of splitting each one over all cores.

    A batch is encoded in two independent groups (vectors.PooledVector), and many of their
    operations are too small to be split. Measured on 2 cores only.
    """
    import tensorflow as tf

    if tf.config.get_visible_devices('GPU') or 'TF_NUM_INTRAOP_THREADS' in os.environ:
        return
    allowed = getattr(os, 'sched_getaffinity', None)  # not on macOS
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    with contextlib.suppress(RuntimeError):  # too late: this process has used TensorFlow
        tf.config.threading.set_intra_op_parallelism_threads(-(-cores // 2))
        tf.config.threading.set_inter_op_parallelism_threads(cores)


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next step instead of returning it to the kernel.

    A step on the CPU allocates and frees gigabytes in blocks of megabytes. By default each is an
    mmap of its own, or shrinks the heap when freed, and the kernel must zero every page again. The
    price is a process that never shrinks. No effect after the first thread has started, without
    glibc, or if the environment has settings for its malloc.
    """
    is_chosen = any(name.startswith('MALLOC_') for name in os.environ)
    is_chosen |= 'glibc.malloc' in os.environ.get('GLIBC_TUNABLES', '')
    if is_chosen or platform.libc_ver()[0] != 'glibc':
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_M_MMAP_MAX, 0)  # large blocks come from the heap too,
    mallopt(_M_TRIM_THRESHOLD, -1)  # which never shrinks,
    mallopt(_M_ARENA_MAX, 1)  # and which all threads share: their own are too small for such blocks


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Drop what TensorFlow's native code prints while loading, before any log level applies."""
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, 'wb') as devnull:
        os.dup2(devnull.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def check_process() -> None:
    """Refuse, before a model is built or applied, a fork of a process that has built one.

    It would wait for ever: TensorFlow and OpenVINO live in threads, which a fork does not copy.
    """
    global _first
    _first = _first or os.getpid()
    if _first != os.getpid():
        raise UserError(
            'this process was forked after an encoder had been loaded, and cannot compute: load '
            'the encoder in the worker, not before the fork (by multiprocessing, gunicorn '
            '--preload, uwsgi)'
        )

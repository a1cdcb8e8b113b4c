"""A process tuned for this project, as the scripts have it. Importing cosent_tf changes nothing."""

import contextlib
import ctypes
import os
import platform
import sys
from collections.abc import Iterator

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # mallopt(3)


def configure_process() -> None:
    """Tune the whole process for training and encoding; every script here begins with it.

    To call before TensorFlow is imported or a thread started: what comes too late has no effect.
    In the whole process, whatever else it does:

    - glibc keeps freed memory (`keep_freed_memory`),
    - on a CPU, operations run side by side instead of each on all cores (`use_cores`),
    - GPU memory is taken as it is needed, in training too (`grow_gpu_memory`),
    - float32 products on NVIDIA GPUs from Ampere on are float32. TensorFlow's own way is TF32,
      factors of 10 bits, and it has no switch for a single model,
    - TensorFlow prints nothing while it loads, and only errors later, unless TF_CPP_MIN_LOG_LEVEL
      is in the environment.
    """
    keep_freed_memory()
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    with _quiet_stderr():
        from cosent_tf.bert.compat import tf
    tf.config.experimental.enable_tensor_float_32_execution(False)
    use_cores()
    grow_gpu_memory()


def use_cpu() -> None:
    """Do without the GPUs of this machine; to call before TensorFlow is used."""
    import tensorflow as tf

    tf.config.set_visible_devices([], 'GPU')
    use_cores()


def grow_gpu_memory() -> None:
    """Let TensorFlow take GPU memory as it needs it, not all at once: others may use the GPU too.

    Without effect on GPUs that this process uses already or has configured otherwise, and where
    TF_FORCE_GPU_ALLOW_GROWTH=false is in the environment.
    """
    import tensorflow as tf

    for gpu in tf.config.get_visible_devices('GPU'):
        with contextlib.suppress(RuntimeError, ValueError):  # in use; configured
            tf.config.experimental.set_memory_growth(gpu, True)


def use_cores() -> None:
    """On a CPU, run operations side by side instead of splitting each one over all cores.

    The two groups that a batch is encoded in (vectors.PooledVector) do not wait for each other, and
    many of their operations are too small to be split. Measured on 2 cores only.
    """
    import tensorflow as tf

    if tf.config.get_visible_devices('GPU') or 'TF_NUM_INTRAOP_THREADS' in os.environ:
        return
    allowed = getattr(os, 'sched_getaffinity', None)  # not on macOS
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    with contextlib.suppress(RuntimeError):  # too late, TensorFlow has been used in this process
        tf.config.threading.set_intra_op_parallelism_threads(-(-cores // 2))
        tf.config.threading.set_inter_op_parallelism_threads(cores)


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next step instead of returning it to the kernel.

    A step on the CPU allocates and frees gigabytes in blocks of megabytes. By default each is a
    mmap of its own, or shrinks the heap when it goes: the kernel must then zero every page again.
    The price: the process stays as large as it was at its largest moment. To do before the first
    thread starts. Without effect where there is no glibc, or settings in the environment for it.
    """
    is_chosen = any(name.startswith('MALLOC_') for name in os.environ)
    is_chosen |= 'glibc.malloc' in os.environ.get('GLIBC_TUNABLES', '')
    if is_chosen or platform.libc_ver()[0] != 'glibc':
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_M_MMAP_MAX, 0)  # big blocks come from the heap too,
    mallopt(_M_TRIM_THRESHOLD, -1)  # which never shrinks,
    mallopt(_M_ARENA_MAX, 1)  # and is one for all threads: the others' are too small for big blocks


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

"""The C library's allocator, told to keep what TensorFlow frees."""

import ctypes
import os
import platform

# malloc.h of glibc; mallopt(3)
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
_NEVER = -1


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next step instead of returning it to the kernel.

    A step on the CPU allocates and frees gigabytes in blocks of megabytes. By default each is a
    mmap of its own, or shrinks the heap when it goes: the kernel must then zero every page again.
    The price: the process stays as large as it was at its largest moment.

    To do before the first thread starts. Does nothing without glibc, nor where the environment
    has settings for its malloc, which are then the user's to choose.
    """
    chosen = any(name.startswith('MALLOC_') for name in os.environ)
    if chosen or 'glibc.malloc' in os.environ.get('GLIBC_TUNABLES', ''):
        return
    if platform.libc_ver()[0] != 'glibc':
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_M_MMAP_MAX, 0)  # big blocks come from the heap too,
    mallopt(_M_TRIM_THRESHOLD, _NEVER)  # which never shrinks,
    mallopt(_M_ARENA_MAX, 1)  # and is one for all threads: the others' are too small for big blocks

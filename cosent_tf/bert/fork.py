"""A check for forks: TensorFlow and OpenVINO live in threads, which a fork does not copy."""

import os

from cosent_tf.errors import UserError

_first = None  # the process in which a model was built


def check_process() -> None:
    """Refuse, before a model is built or applied, a fork of a process that has built one.

    It would wait for ever.
    """
    global _first
    _first = _first or os.getpid()
    if _first != os.getpid():
        raise UserError(
            'this process was forked after an encoder had been loaded, and cannot compute: load '
            'the encoder in the worker, not before the fork (by multiprocessing, gunicorn '
            '--preload, uwsgi)'
        )

"""The process that computes: TensorFlow and OpenVINO live in threads, which no fork takes along."""

import os

from cosent_tf.errors import UserError

_first = None  # process in which a model was made


def check_process() -> None:
    """Check that this process can compute, before it makes or applies a model.

    Raises:
        UserError: it was forked from one that had made a model, and would wait for ever.
    """
    global _first
    _first = _first or os.getpid()
    if _first != os.getpid():
        raise UserError(
            'this process was forked after an encoder had been loaded, and cannot compute: load '
            'the encoder in the worker, not before the fork (by multiprocessing, gunicorn '
            '--preload, uwsgi)'
        )

"""Standard streams that survive an ASCII terminal, a closed pipe and a full disk."""

import codecs
import io
import os
import sys
from collections.abc import Callable
from typing import TextIO

PART_OF = 'COSENT_PART_OF'  # in the environment of scripts that train_table.py starts
_PLAIN = str.maketrans({'−': '-', '–': '-', '─': '-', '…': '...', '±': '+-', '×': 'x', '→': '->'})


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks by ASCII."""
    text = error.object[error.start : error.end].translate(_PLAIN)
    return text.encode('ascii', 'backslashreplace').decode(), error.end


codecs.register_error('cosent_tf.plain', _plain)


class Screen:
    """A standard stream that fails at most once: later output is dropped.

    The error is raised if the stream `is_needed`, else printed on stderr. A stream closed from the
    start is None in Python, and drops all output.
    """

    def __init__(self, stream: TextIO | None, is_needed: bool) -> None:
        self._stream = stream or open(os.devnull, 'w', encoding='utf-8')  # noqa: SIM115
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(errors='cosent_tf.plain')
        self.error, self.is_needed = None, is_needed

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, function: Callable, *arguments: str) -> None:
        try:
            function(*arguments)
        except OSError as error:
            self.error = error
            with open(os.devnull, 'wb') as nowhere:  # also for what is still buffered
                os.dup2(nowhere.fileno(), self._stream.fileno())
            if self.is_needed:
                raise
            print(f'standard output: {error.strerror}; going on without it', file=sys.stderr)


def outlive_screen() -> None:
    """Let a long script, whose results are files, go on when its output cannot be written."""
    if isinstance(sys.stdout, Screen):
        sys.stdout.is_needed = False


def print_next(text: str) -> None:
    """Print the next command, unless another script has started this one."""
    if PART_OF not in os.environ:
        print(text)

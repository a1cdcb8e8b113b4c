"""The standard streams, whatever becomes of them: few characters, a closed pipe, a full disk."""

import codecs
import io
import os
import sys
from collections.abc import Callable
from typing import TextIO

PART_OF = 'COSENT_PART_OF'  # in the environment of scripts that train_table.py starts
_PLAIN = str.maketrans({'−': '-', '–': '-', '─': '-', '…': '...', '±': '+-', '×': 'x', '→': '->'})


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding lacks as it is written where there is only ASCII."""
    text = error.object[error.start : error.end].translate(_PLAIN)
    return text.encode('ascii', 'backslashreplace').decode(), error.end


codecs.register_error('cosent_tf.plain', _plain)


class Screen:
    """A standard stream that fails once at most: what is written later goes nowhere.

    The error of a write is kept, and raised if the stream `is_needed`, else printed on stderr. None
    in place of a stream, as Python has it where it was closed from the start, is nowhere.
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
            with open(os.devnull, 'wb') as nowhere:  # for what is still in buffers, too
                os.dup2(nowhere.fileno(), self._stream.fileno())
            if self.is_needed:
                raise
            print(f'standard output: {error.strerror}; going on without it', file=sys.stderr)


def outlive_screen() -> None:
    """Let a script of hours, whose result is in files, go on where nobody reads what it prints."""
    if isinstance(sys.stdout, Screen):
        sys.stdout.is_needed = False


def print_next(text: str) -> None:
    """Print the command that comes next, unless this script is a part of another one."""
    if PART_OF not in os.environ:
        print(text)

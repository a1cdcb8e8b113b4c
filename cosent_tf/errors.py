"""Errors and notices for a person, and the message of a script without its packages."""

import functools
import importlib.util
import shlex
import sys
from pathlib import Path
from types import TracebackType

_CHECKOUT = Path(__file__).resolve().parent.parent
_INSTALL = 'pip install -r requirements.txt && pip install --no-deps bert4keras==0.11.5'


class UserError(Exception):
    """Wrong usage or input: one line that says what is wrong, where, and what to do about it.

    Every script prints it on stderr and ends with `exit_code`, without a traceback.
    """

    exit_code = 2


class RunError(UserError):
    """A run that cannot continue although usage and input are right: NaN loss, Ctrl-C, …"""

    exit_code = 1


class WriteError(RunError):
    """The file system refuses a file: disk full, read-only folder, …"""


@functools.cache
def tell_once(notice: str) -> None:
    """Print a one-line notice on stderr, once per process."""
    print(notice, file=sys.stderr)


def print_error(error: object) -> None:
    """Print an error on stderr, as one line even if it quotes line ends from a file."""
    print(f'{Path(sys.argv[0]).name}: error: {" ".join(str(error).splitlines())}', file=sys.stderr)


def is_script() -> bool:
    """Return whether this process runs a script of the checkout."""
    script = Path(sys.argv[0]).resolve()
    return script.suffix == '.py' and script.parent == _CHECKOUT


def show_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Show the error that ends a script, in one line if it is a missing package.

    It is a sys.excepthook, because a script fails at its imports, before it can catch anything.
    """
    name = (getattr(error, 'name', None) or '').partition('.')[0]
    is_missing = isinstance(error, ModuleNotFoundError) and name
    if not is_missing or importlib.util.find_spec(name):  # a missing part of a package is a bug
        return sys.__excepthook__(kind, error, traceback)
    python = _CHECKOUT / '.venv' / 'bin' / 'python'
    helps = python.exists() and python.parent.resolve() != Path(sys.executable).parent.resolve()
    command = shlex.join([str(python), *sys.argv]) if helps else _INSTALL
    print_error(f'{sys.executable} has no {name}: {command}')

"""Exceptions and notices for a person, and what a script says without its packages."""

import functools
import importlib.util
import shlex
import sys
from pathlib import Path
from types import TracebackType

_CHECKOUT = Path(__file__).resolve().parent.parent
_INSTALL = 'pip install -r requirements.txt && pip install --no-deps bert4keras==0.11.5'


class UserError(Exception):
    """Wrong usage or wrong input: what was wrong, where, and what to do about it, in one line.

    Every script prints the message on stderr and ends with `exit_code`, without a traceback.
    """

    exit_code = 2


class RunError(UserError):
    """A run that cannot go on although usage and input are right: NaN loss, Ctrl-C, …"""

    exit_code = 1


class WriteError(RunError):
    """The file system refuses a file: disk full, read-only folder, …"""


@functools.cache
def tell_once(notice: str) -> None:
    """Print a notice on stderr, one line, unless this process has printed the same before."""
    print(notice, file=sys.stderr)


def print_error(error: object) -> None:
    """Print an error on stderr, as one line whatever values from files are in it."""
    print(f'{Path(sys.argv[0]).name}: error: {" ".join(str(error).splitlines())}', file=sys.stderr)


def is_script() -> bool:
    """Return whether this process runs a script of the checkout, and no other program."""
    script = Path(sys.argv[0]).resolve()
    return script.suffix == '.py' and script.parent == _CHECKOUT


def show_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Show an error that ends a script: a package that is not installed in one line.

    A hook, sys.excepthook, as a script fails at its imports, before it can catch anything.
    """
    name = error.name or '' if isinstance(error, ModuleNotFoundError) else ''
    name = name.partition('.')[0]
    if not name or importlib.util.find_spec(name):  # of what is there, a part: a fault in the code
        return sys.__excepthook__(kind, error, traceback)
    python = _CHECKOUT / '.venv' / 'bin' / 'python'
    is_cure = python.exists() and python.parent.resolve() != Path(sys.executable).parent.resolve()
    command = shlex.join([str(python), *sys.argv]) if is_cure else _INSTALL
    print_error(f'{sys.executable} has no {name}: {command}')

"""Files that appear whole or not at all, locks and checksums."""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from cosent_tf.errors import UserError, WriteError, tell_once

SUMS_FILE = 'SHA256SUMS'  # lists what was fetched into a folder, for `sha256sum -c`
TEMPORARY = '.tmp'  # in the names of incomplete files
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def write_atomic(path: str | Path, writer: Callable[[Path], object]) -> None:
    """Create or replace a file so that it appears whole or not at all.

    Its mode follows the umask; its folder is made if necessary. `writer` must write the file whose
    path it gets: a temporary one in the same folder, with the same suffix. A WriteError says that
    the file system refuses (disk full, …), a UserError that a text is not valid Unicode.
    """
    path = Path(path)
    temporary = path.with_name(f'.{path.name}{TEMPORARY}{os.getpid()}{path.suffix}')
    try:
        with _refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch()  # for the umask's mode; safetensors makes another file, of mode 0600
            mode = temporary.stat().st_mode
            writer(temporary)
            temporary.chmod(mode)
            with temporary.open('r+b') as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    except UnicodeError as error:
        raise UserError(f'{path}: cannot be written: {error}') from error
    finally:
        with suppress(OSError):  # already moved if all went well
            temporary.unlink()


@contextmanager
def _refusals(path: Path, what: str = 'written') -> Iterator[None]:
    """Turn an OSError into a WriteError."""
    try:
        yield
    except OSError as error:
        raise WriteError(f'{path}: cannot be {what}: {error.strerror or error}') from error


def make_folder(folder: Path) -> None:
    """Make a folder and its parents if they do not exist; WriteError if that is refused."""
    with _refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)


def lock_folder(folder: Path, doing: str) -> FileLock:
    """Make a folder, and lock it until the lock is released or the process ends.

    A UserError says what another process that holds the lock is `doing`. On a file system without
    locks, it prints a notice, and the lock is not `is_locked`.
    """
    make_folder(folder)
    # no soft lock, which is a file and would outlive a killed process
    lock = FileLock(folder / '.lock', blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f'{folder}: another process is {doing}') from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise WriteError(f'{folder}: cannot be written: {error.strerror}') from error
        tell_once(f'{folder}: this file system has no locks: let no other process work here')
    return lock


def remove(path: Path) -> None:
    """Remove a file if it exists; WriteError if that is refused."""
    with _refusals(path, 'removed'):
        path.unlink(missing_ok=True)


def remove_temporaries(folder: Path) -> None:
    """Remove what killed processes left behind in `write_atomic`; none may be writing there now."""
    for temporary in folder.glob(f'.*{TEMPORARY}*'):
        remove(temporary)


def write_text(path: str | Path, text: str) -> None:
    """Write text as UTF-8 with unchanged line ends; see `write_atomic`."""
    write_atomic(path, lambda temporary: temporary.write_bytes(text.encode()))


def write_json(path: str | Path, value: object) -> None:
    """Write JSON as `to_json` gives it; see `write_atomic`."""
    write_text(path, to_json(value))


def to_json(value: object) -> str:
    """Return indented JSON; NumPy values become plain ones, and NaN raises a ValueError."""
    plain = {'ensure_ascii': False, 'allow_nan': False, 'default': lambda array: array.tolist()}
    return json.dumps(value, indent=2, **plain) + '\n'


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()

"""Unpacking some files from an untrusted zip archive."""

import stat
import zipfile
import zlib
from functools import partial
from pathlib import Path, PureWindowsPath

from cosent_tf.errors import UserError
from cosent_tools.download.fetch import CHUNK, check_space

LIMIT = 2**30  # bytes; the largest archive contains a BERT of 412 MB


def unpack(archive: Path, files: list[str], folder: Path) -> list[str]:
    """Unpack the entries with the names of some files, in whatever folder they are.

    Args:
        archive: a zip file.
        files: wanted paths below `folder`; the last part of each is the name looked for.
        folder: where to write. No entry chooses its place.

    Returns:
        Those of `files` that the archive has.

    Raises:
        UserError: no zip file, damaged, without any of the files, with an entry that points outside
            or is a link, with different files of one name, or with more than `LIMIT` bytes.
        WriteError: no space.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = _find(packed, {Path(file).name: file for file in files})
            check_space(folder, min(LIMIT, sum(entry.file_size for entry in entries.values())))
            left = LIMIT
            for file, entry in entries.items():
                left = _write(packed, entry, folder / file, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f'{archive.name}: damaged, or no zip archive: {error}') from error
    except UserError as error:
        raise type(error)(f'{archive.name}: {error}') from error
    return list(entries)


def _find(packed: zipfile.ZipFile, wanted: dict[str, str]) -> dict[str, zipfile.ZipInfo]:
    """Return file → entry."""
    entries = {}
    for entry in packed.infolist():
        path = PureWindowsPath(entry.filename)  # knows both separators, and drives
        if path.anchor or '..' in path.parts:
            raise UserError(f'refused: {entry.filename!r} points outside')
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise UserError(f'refused: {entry.filename!r} is a link')
        file = wanted.get(path.name)
        if file and entries.setdefault(file, entry).CRC != entry.CRC:
            raise UserError(f'refused: {entries[file].filename} and {entry.filename} differ')
    if not entries:
        raise UserError(f'has none of {", ".join(wanted)}')
    return entries


def _write(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, left: int) -> int:
    """Write an entry; return how many bytes may still follow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with packed.open(entry) as source, path.open('wb') as file:
        for piece in iter(partial(source.read, CHUNK), b''):
            left -= len(piece)  # counted here: headers may lie
            if left < 0:
                raise UserError(f'refused: more than {LIMIT:,} bytes when unpacked')
            file.write(piece)
    return left

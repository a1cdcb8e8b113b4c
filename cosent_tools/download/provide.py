"""Filling a folder with published files: all of them or none, with their checksums."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from cosent_tf.bert.sources import HUB, first_line
from cosent_tf.errors import RunError, UserError
from cosent_tf.files import SUMS_FILE, lock_folder, sha256, write_text
from cosent_tf.readers import read_lines
from cosent_tools.download.fetch import TIMEOUT, Remote, fetch
from cosent_tools.download.unpack import unpack

ADDRESSES = {
    'data': 'https://github.com/shibing624/text2vec/releases/download/1.1.2/senteval_cn.zip',
    'bert': 'https://storage.googleapis.com/bert_models/2018_11_03/chinese_L-12_H-768_A-12.zip',
    'roberta': 'hf:hfl/chinese-roberta-wwm-ext',
}
SIZES = {'data': 'about 16 MB'}  # where known


def address_of(name: str, mirror: str | None) -> str:
    """Return the address of data or an encoder; a mirror has archives under the same path."""
    address = ADDRESSES[name]
    if mirror and not address.startswith(HUB):
        return mirror.rstrip('/') + urlsplit(address).path
    return address


def provide(address: str, files: list[str], folder: Path) -> list[str]:
    """Fetch files, and move them to a folder once all of them are complete.

    Args:
        address: of a zip archive, or `hf:NAME` on the Hugging Face Hub.
        files: paths below `folder`.
        folder: their destination, created if necessary.

    Returns:
        Those of the files that were found.

    Raises:
        UserError: as `fetch` and `unpack`; the SHA-256 has changed since the last time; another
            process is fetching.
        WriteError: no space, or the folder cannot be created.
    """
    sums = read_sums(folder)
    with _staging(folder) as stage:
        get = _get_files if address.startswith(HUB) else _get_archive
        new = get(address, files, stage, sums)
        write_sums(folder, sums | new)
        found = [file for file in files if file in new]
        for file in found:
            (folder / file).parent.mkdir(exist_ok=True)
            (stage / file).replace(folder / file)
    return found


def compare_sums(folder: Path) -> None:
    """Raise UserError if a file in a folder has changed since it was fetched."""
    for file, digest in read_sums(folder).items():
        path = folder / file
        if path.is_file() and sha256(path) != digest:
            raise UserError(
                f'{path}: changed since it was fetched; remove it to fetch it again, or its line '
                f'from {SUMS_FILE} to keep it'
            )


def read_sums(folder: Path) -> dict[str, str]:
    """Return file → SHA-256 as written by `write_sums`, nothing if there is no such file."""
    path = folder / SUMS_FILE
    lines = read_lines(path) if path.exists() else []
    return {name: digest for digest, _, name in (line.partition('  ') for line in lines)}


def write_sums(folder: Path, sums: dict[str, str]) -> None:
    """Write the SHA-256 of the files in a folder, and of their archive."""
    write_text(folder / SUMS_FILE, ''.join(f'{digest}  {name}\n' for name, digest in sums.items()))


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Provide a place to collect the files of a folder until all are there.

    It is removed at the end, but kept after an error, for the next time.

    Raises:
        UserError: another process is fetching.
        WriteError: the place cannot be created.
    """
    place = folder.with_name(f'.{folder.name}.download')
    lock = lock_folder(place, 'fetching this')
    try:
        yield place
        shutil.rmtree(place)
    finally:
        lock.release()


def _get_files(address: str, files: list[str], stage: Path, sums: dict) -> dict[str, str]:
    """Fetch files of a model on the Hub; return their SHA-256."""
    remotes = _hub_files(address.removeprefix(HUB), files)
    return {file: _get(remotes[file], stage / file, sums) for file in files}


def _get_archive(address: str, files: list[str], stage: Path, sums: dict) -> dict[str, str]:
    """Fetch an archive and unpack files from it; return the SHA-256 of archive and files."""
    archive = stage / Path(urlsplit(address).path).name
    digest = _get(Remote(address), archive, sums)
    try:
        found = unpack(archive, files, stage)
    except RunError:
        raise
    except UserError:
        shutil.rmtree(stage)  # or the next time would reuse the archive
        raise
    return {archive.name: digest} | {file: sha256(stage / file) for file in found}


def _get(remote: Remote, path: Path, sums: dict) -> str:
    """Fetch a file; return its SHA-256, which must not have changed since the last time."""
    digest = fetch(remote, path)
    print(f'SHA-256 {digest}  {path.name}')
    if sums.get(path.name, digest) != digest:
        path.unlink()
        raise UserError(
            f'{remote.url}: another SHA-256 than the last time, {sums[path.name]}; discarded; if '
            f'the new one is right, remove the line {path.name} from {SUMS_FILE}'
        )
    return digest


def _hub_files(repository: str, names: list[str]) -> dict[str, Remote]:
    """Find files of a model on the Hugging Face Hub (or its mirror, the environment's HF_ENDPOINT).

    Raises:
        UserError: no network, no such model, or it has no such file.
    """
    from huggingface_hub import HfApi, hf_hub_url  # not at the top: half a second
    from huggingface_hub.errors import HTTPError

    try:
        model = HfApi().model_info(repository, files_metadata=True, timeout=TIMEOUT[0])
    except (OSError, ValueError, HTTPError) as error:
        raise UserError(f'{repository}: {first_line(error)}') from error
    files = {file.rfilename: file for file in model.siblings or ()}
    if absent := [name for name in names if name not in files]:
        raise UserError(f'{repository}: the Hub has no {", ".join(absent)} there')
    return {
        name: Remote(
            hf_hub_url(repository, name, revision=model.sha),
            files[name].size,
            files[name].lfs and files[name].lfs.sha256,
        )
        for name in names
    }

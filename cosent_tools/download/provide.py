"""What belongs in a folder, from where it is published: whole or not at all, with its checksums."""

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
SIZES = {'data': 'about 16 MB'}  # of those that are known


def address_of(name: str, mirror: str | None) -> str:
    """Return where a thing is fetched from; a mirror has an archive under the path it has there."""
    address = ADDRESSES[name]
    if mirror and not address.startswith(HUB):
        return mirror.rstrip('/') + urlsplit(address).path
    return address


def provide(address: str, files: list[str], folder: Path) -> list[str]:
    """Fetch files, and put them into a folder once all of them are whole.

    Args:
        address: of a zip archive, or `hf:NAME` on the Hugging Face Hub.
        files: paths below `folder`.
        folder: where they belong; made if need be.

    Returns:
        Those of the files that there were.

    Raises:
        UserError: as `fetch` and `unpack`; another SHA-256 than the last time; another process is
            at it.
        WriteError: no space, or a folder that cannot be made.
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
    """Compare the files in a folder with what was fetched.

    Raises:
        UserError: one has changed.
    """
    for file, digest in read_sums(folder).items():
        path = folder / file
        if path.is_file() and sha256(path) != digest:
            raise UserError(
                f'{path}: changed since it was fetched; remove it to fetch it again, or its line '
                f'of {SUMS_FILE} to keep it'
            )


def read_sums(folder: Path) -> dict[str, str]:
    """Return file → SHA-256 as `write_sums` wrote it, nothing if it did not."""
    path = folder / SUMS_FILE
    lines = read_lines(path) if path.exists() else []
    return {name: digest for digest, _, name in (line.partition('  ') for line in lines)}


def write_sums(folder: Path, sums: dict[str, str]) -> None:
    """Write the SHA-256 of files of a folder, of the archive too that they came in."""
    write_text(folder / SUMS_FILE, ''.join(f'{digest}  {name}\n' for name, digest in sums.items()))


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Give the place where all that belongs in a folder is collected until it is whole.

    It is removed at the end, and kept after an error, for the next time.

    Raises:
        UserError: another process is at it.
        WriteError: the place cannot be made.
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
    """Fetch an archive and unpack those of the files it has; return the SHA-256 of it and them."""
    archive = stage / Path(urlsplit(address).path).name
    digest = _get(Remote(address), archive, sums)
    try:
        found = unpack(archive, files, stage)
    except RunError:
        raise
    except UserError:
        shutil.rmtree(stage)  # the archive would be taken for good the next time
        raise
    return {archive.name: digest} | {file: sha256(stage / file) for file in found}


def _get(remote: Remote, path: Path, sums: dict) -> str:
    """Fetch a file; return its SHA-256, which is that of the last time if there was one."""
    digest = fetch(remote, path)
    print(f'SHA-256 {digest}  {path.name}')
    if sums.get(path.name, digest) != digest:
        path.unlink()
        raise UserError(
            f'{remote.url}: another SHA-256 than the last time, {sums[path.name]}; discarded; if '
            f'it is right, remove the line {path.name} of {SUMS_FILE}'
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
        raise UserError(f'{repository}: the Hub has no {", ".join(absent)} of it')
    return {
        name: Remote(
            hf_hub_url(repository, name, revision=model.sha),
            files[name].size,
            files[name].lfs and files[name].lfs.sha256,
        )
        for name in names
    }

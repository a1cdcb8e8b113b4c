"""A file from the network: complete or not there, resumed where it broke off, with its SHA-256."""

import shutil
from pathlib import Path
from typing import NamedTuple

import requests
from requests.adapters import HTTPAdapter, Retry
from tqdm import tqdm

from cosent_tf.errors import UserError, WriteError
from cosent_tf.files import sha256

CHUNK = 2**13  # bytes; a transfer that breaks off loses less than this
TIMEOUT = (10, 60)  # seconds to connect, and between two pieces
# For connecting only; a transfer that breaks off later is resumed in `fetch`.
RETRY = Retry(
    3,
    backoff_factor=1,
    status_forcelist=(502, 503, 504),
    raise_on_status=False,
    respect_retry_after_header=False,  # it may be hours
)

# For transfers that break off with little gained: pauses of 0, 2, 4, 8 … 120 seconds.
RESUME = Retry(10, backoff_factor=1)
MUCH = 2**20  # bytes; after so many the count starts anew


class Remote(NamedTuple):
    """A file on a host, with size and checksum as stated by the host."""

    url: str
    size: int | None = None
    sha256: str | None = None


def fetch(remote: Remote, path: Path) -> str:
    """Fetch a file, or the missing part of it, unless it is there.

    huggingface_hub and pooch discard a partial file when a process ends, hence requests and Range.

    Returns:
        Its SHA-256.

    Raises:
        UserError: the host cannot be reached, refuses, breaks off, or sends another file than
            stated.
        WriteError: no space.
    """
    part = path.with_name(f'{path.name}.part')
    with requests.Session() as session:
        for scheme in ('http://', 'https://'):
            session.mount(scheme, HTTPAdapter(max_retries=RETRY))
        whole, retries = path.exists(), RESUME
        while not whole:
            before = _size(part)
            try:
                whole = _go_on(session, remote.url, part)
            except requests.RequestException as error:
                gained = _size(part) - before
                if gained <= 0 or not retries.total:  # else another request is worthwhile
                    raise UserError(f'{remote.url}: {_reason(error, _size(part))}') from error
                retries = RESUME if gained >= MUCH else retries.increment('GET', remote.url)
                retries.sleep()
    if part.exists():
        part.replace(path)
    return _checked(path, remote)


def _go_on(session: requests.Session, url: str, part: Path) -> bool:
    """Append the missing part; return False if the file has changed on the host, to start anew."""
    tag, start = part.with_suffix('.tag'), _size(part)
    version = tag.read_text() if tag.exists() else ''
    headers = {'Accept-Encoding': 'identity'}  # so that lengths are those of the file
    if start and version:
        headers |= {'Range': f'bytes={start}-', 'If-Range': version}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if start and response.status_code == requests.codes.range_not_satisfiable:
            part.unlink()
            return False
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            start = 0
        rest = int(response.headers.get('Content-Length', 0))
        check_space(part.parent, rest)
        total = start + rest or None
        bar = tqdm(total=total, initial=start, unit='B', unit_scale=True, disable=None)
        with part.open('ab' if start else 'wb') as file, bar:
            if not start:
                tag.write_text(response.headers.get('ETag', ''))
            for piece in response.iter_content(CHUNK):
                file.write(piece)
                bar.update(len(piece))
    tag.unlink()
    return True


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: requests.RequestException, have: int) -> str:
    if isinstance(error, requests.HTTPError):
        return f'HTTP {error.response.status_code} {error.response.reason}'
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        text = 'the connection broke off'
    else:
        text = str(error).rpartition(': ')[2].rstrip('\'")')  # the innermost message
    return f'{text}; the {have:,} bytes so far are kept' if have else text


def _checked(path: Path, remote: Remote) -> str:
    """Return the SHA-256 of a file; remove it and raise if it is not as the host stated."""
    digest, size = sha256(path), path.stat().st_size
    problem = None
    if remote.size not in (None, size):
        problem = f'{size:,} bytes, the host says {remote.size:,}'
    elif remote.sha256 not in (None, digest):
        problem = f'SHA-256 {digest}, the host says {remote.sha256}'
    if problem:
        path.unlink()
        raise UserError(f'{remote.url}: came with {problem}; discarded')
    return digest


def check_space(folder: Path, needed: int) -> None:
    """Raise WriteError if a folder's disk has fewer free bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise WriteError(f'{folder}: {needed / 1e6:,.1f} MB needed, {free / 1e6:,.1f} MB free')

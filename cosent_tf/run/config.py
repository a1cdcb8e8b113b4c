"""config.json of a run: what it was started with, and what has changed since."""

import subprocess
from argparse import Namespace
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from cosent_tf.bert.sources import CONFIG_FILE, CONFIGS, TOKENIZER_FILES, find_weights
from cosent_tf.cli import training_parser
from cosent_tf.data import SPLITS, split_path
from cosent_tf.errors import UserError
from cosent_tf.files import sha256
from cosent_tf.readers import read_json

FILES = ('data_sha256', 'bert_sha256', 'weights_sha256')  # checksums in config.json
FOLDERS = ('data_dir', 'bert_dir')  # arguments that are paths
NO_SETTINGS = ('resume', 'overwrite', 'runs_dir', 'device')  # arguments that change no result


def checksums(args: Namespace) -> dict[str, dict[str, str]]:
    """Return the SHA-256 of the files that a run starts from, by kind and path, if they exist."""
    bert_dir = Path(args.bert_dir)
    return {
        'data_sha256': _checksums(split_path(args.data_dir, args.task, name) for name in SPLITS),
        'bert_sha256': _checksums(bert_dir / name for name in (*CONFIGS, *TOKENIZER_FILES)),
        'weights_sha256': _checksums(_weight_files(bert_dir)),
    }


def find_changes(folder: Path, args: Namespace, now: dict[str, dict[str, str]]) -> list[str]:
    """Return the settings, or else the files, that have changed since a run was started.

    Paths are compared after resolving links. Flags newer than the run had their defaults. Missing
    weights are no change: a run has its own from epoch 1 on. Folders that are None in `args`, and
    kinds that are not in `now`, the present `checksums`, are not compared. A config.json that does
    not say how the run was started is a UserError.
    """
    defaults = vars(training_parser('').parse_args(['--task', '']))
    try:
        before = {'weights_sha256': {}} | read_json(folder / CONFIG_FILE)  # not in older runs
        arguments = defaults | dict(before['arguments'])
        sums = {kind: _by_place(before[kind]) for kind in FILES}
        settings = [
            f'--{name} {arguments.get(name)}, now {value}'
            for name, value in vars(args).items()
            if name not in NO_SETTINGS
            and not (name in FOLDERS and value is None)
            and _setting(name, arguments.get(name)) != _setting(name, value)
        ]
    except (UserError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f'{folder}: does not say how the run was started ({error}); --overwrite starts it over'
        ) from error
    if settings:
        return [f'the run was started with {"; ".join(settings)}']
    changed = []
    for kind in now.keys() & sums.keys():
        before_sums, now_sums = sums[kind], _by_place(now[kind])
        both = before_sums.keys() & now_sums.keys()
        paths = both if kind == 'weights_sha256' else before_sums.keys() | now_sums.keys()
        changed += sorted(path for path in paths if before_sums.get(path) != now_sums.get(path))
    return [f'{path}: changed since {folder} was started' for path in changed]


def _setting(name: str, value: object) -> object:
    return str(Path(value).resolve()) if name in FOLDERS and value else value


def _by_place(sums: dict[str, str]) -> dict[str, str]:
    """Resolve the folders of checksums, not the files, which are links in the Hub's cache."""
    paths = {Path(path): digest for path, digest in sums.items()}
    return {str(path.parent.resolve() / path.name): digest for path, digest in paths.items()}


def _weight_files(bert_dir: Path) -> list[Path]:
    """Return the files that weights are loaded from; of a Google checkpoint, index and data."""
    try:
        found = find_weights(bert_dir)
    except UserError:
        return []
    of_google = found[0].suffix == '.index'
    return sorted(bert_dir.glob(f'{found[0].stem}.*')) if of_google else found


def _checksums(paths: Iterable[Path]) -> dict[str, str]:
    found = {}
    for path in paths:
        with suppress(OSError):
            found[str(path)] = _sha256_once(path, path.stat().st_mtime_ns)
    return found


@lru_cache
def _sha256_once(path: Path, _modified: int) -> str:
    """Return a file's SHA-256, computed once per process: a table checks the same files often."""
    return sha256(path)


def git_commit(file: Path) -> str | None:
    """Return the commit of the checkout that a tracked file is in, with -dirty if files differ."""

    def git(*arguments: str) -> str:
        command = ['git', '-C', file.parent, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git('ls-files', '--error-unmatch', file.name)
        return git('describe', '--always', '--dirty', '--abbrev=40', '--exclude=*')  # no tags
    except (OSError, subprocess.CalledProcessError):
        return None

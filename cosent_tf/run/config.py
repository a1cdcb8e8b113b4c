"""config.json of a run: what it was made of, and whether another start would make the same."""

import subprocess
from argparse import Namespace
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from cosent_tf.bert.settings import read_if_there
from cosent_tf.bert.sources import CONFIG_FILE, CONFIGS, TOKENIZER_FILES, find_weights
from cosent_tf.data import SPLITS, split_path
from cosent_tf.errors import UserError
from cosent_tf.files import sha256
from cosent_tf.readers import read_json
from cosent_tf.run.folder import run_name

FILES = ('data_sha256', 'bert_sha256', 'weights_sha256')  # the checksums in config.json
FOLDERS = ('data_dir', 'bert_dir')  # arguments that name the same place in several ways
NO_SETTINGS = ('resume', 'overwrite', 'runs_dir', 'device')  # arguments that change no result


def checksums(args: Namespace) -> dict[str, dict[str, str]]:
    """Return the SHA-256 of the files that a run starts from, those that are there, by kind."""
    bert_dir = Path(args.bert_dir)
    return {
        'data_sha256': _checksums(split_path(args.data_dir, args.task, name) for name in SPLITS),
        'bert_sha256': _checksums(bert_dir / name for name in (*CONFIGS, *TOKENIZER_FILES)),
        'weights_sha256': _checksums(_weight_files(bert_dir)),
    }


def with_revision(name: str, args: Namespace) -> str:
    """Return `hf:NAME` with the revision that a run was started from, if it was from that model.

    So a run goes on when the Hub's main has moved. Any other name is returned as it is.
    """
    folder = Path(args.runs_dir) / run_name(args.task, args.model, args.method, args.seed)
    with suppress(UserError):  # `find_changes` tells
        started = str(read_if_there(folder / CONFIG_FILE).get('hub'))
        if started.partition('@')[0] == name:
            return started
    return name


def find_changes(folder: Path, args: Namespace, now: dict[str, dict[str, str]]) -> list[str]:
    """Return in which settings, or else files, a run that was started differs from a start now.

    Folders are compared by where they lead. A flag that the run does not know is younger than it,
    which then was as the flag's default is. Weights that are gone are no change: a run has its own
    from epoch 1 on. Folders that are None now, and kinds that `now`, the `checksums` of the start,
    does not hold, are not compared.

    Raises:
        UserError: config.json is broken, or does not say how the run was started.
    """
    from cosent_tf.cli import training_parser  # not at the top: cli imports this module

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
            f'{folder}: does not say how the run was started ({error}); --overwrite starts it anew'
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
    return {
        str(Path(path).parent.resolve() / Path(path).name): digest for path, digest in sums.items()
    }


def _weight_files(bert_dir: Path) -> list[Path]:
    """Return the files whose weights are loaded; of Google's checkpoint all, beside its index."""
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
    """Return a file's SHA-256, computed once for all runs of a table."""
    return sha256(path)


def git_commit(file: Path) -> str | None:
    """Return the commit that a tracked file is checked out of, -dirty after it if files differ."""
    git = ['git', '-C', file.parent]
    describe = [*git, 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*']  # no tag
    run = {'capture_output': True, 'text': True, 'check': True}
    try:
        subprocess.run([*git, 'ls-files', '--error-unmatch', file.name], **run)
        return subprocess.run(describe, **run).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None

"""The run folder `runs/{task}.{model}.{method}.seed{n}/`: its name, its files, the list of all."""

import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cosent_tf.bert.sources import CONFIG_FILE, WEIGHTS_FILE  # of a run, too
from cosent_tf.errors import UserError
from cosent_tf.readers import read_json

METRICS_FILE = 'metrics.json'
HISTORY_FILE, LOSSES_FILE = 'history.csv', 'losses.csv'
STATE_FILE = 'state.h5'
VALID_FILE, TEST_FILE = 'predictions.valid.tsv', 'predictions.test.tsv'
# What a new start removes, in this order: a run without metrics.json does not look finished, one
# without state.h5 is not resumed. config.json, which says whose run it is, stays until replaced.
CLEARED = (METRICS_FILE, STATE_FILE, HISTORY_FILE, LOSSES_FILE, WEIGHTS_FILE, VALID_FILE, TEST_FILE)

_WORD = '[A-Za-z0-9_-]+'
_NAME = re.compile(rf'({_WORD})\.({_WORD})\.({_WORD})\.seed(0|[1-9][0-9]*)')


class RunName(NamedTuple):
    """What a run folder's name says."""

    task: str
    model: str
    method: str
    seed: int

    def __str__(self) -> str:
        return run_name(*self)


class FinishedRun(NamedTuple):
    """A finished run."""

    name: RunName
    folder: Path


def run_name(task: str, model: str, method: str, seed: int) -> str:
    """Return the folder's name, such as 'BQ.bert.cosent.seed42'.

    Raises:
        UserError: a part is not letters, digits, `_` and `-`, or the seed is negative.
    """
    name = f'{task}.{model}.{method}.seed{seed}'
    if not _NAME.fullmatch(name):
        raise UserError(
            f'{name!r} is no name for a run: task, model and method are letters, digits, _ and -, '
            'the seed is an integer from 0 on'
        )
    return name


def parse_run_name(name: str) -> RunName | None:
    """Return what the name of a run folder says, None for any other name."""
    match = _NAME.fullmatch(name)
    return match and RunName(*match.groups()[:3], int(match[4]))


def list_runs(runs_dir: str | Path) -> tuple[list[FinishedRun], list[Path]]:
    """List all runs in a folder, in the order of their names.

    A run of the training scripts has config.json and is finished once metrics.json is there. A
    folder named like a run, without config.json but with both prediction files, is another
    program's and complete. Folders with other names, or with none of these files, are ignored; one
    that cannot be entered counts as finished, and reading it fails.

    Returns:
        The finished runs, and the folders of the unfinished ones; none if `runs_dir` is not there.

    Raises:
        UserError: `runs_dir` cannot be listed.
    """
    runs_dir = Path(runs_dir)
    finished, unfinished = [], []
    try:
        folders = sorted(runs_dir.iterdir()) if runs_dir.exists() else []
    except OSError as error:
        raise UserError(f'{runs_dir}: cannot be listed: {error.strerror}') from None
    for folder in folders:
        name = parse_run_name(folder.name)
        if name is None or not folder.is_dir():
            continue
        is_whole = True  # if it cannot be entered, which reading it will tell
        with suppress(UserError):
            is_whole = is_finished(folder)
        if is_whole:
            finished.append(FinishedRun(name, folder))
        elif any((folder / file).exists() for file in (CONFIG_FILE, VALID_FILE, TEST_FILE)):
            unfinished.append(folder)
    return finished, unfinished


def is_finished(folder: Path) -> bool:
    """Return whether a run's folder is complete, see `list_runs`; UserError if it is closed."""
    try:
        if (folder / CONFIG_FILE).exists():
            return (folder / METRICS_FILE).exists()
        return (folder / VALID_FILE).exists() and (folder / TEST_FILE).exists()
    except OSError as error:
        raise UserError(f'{folder}: cannot be read: {error.strerror}') from None


def read_metrics(folder: Path) -> dict:
    """Return a run's metrics.json, {} if there is none; see `read_json`."""
    path = folder / METRICS_FILE
    return read_json(path) if path.exists() else {}

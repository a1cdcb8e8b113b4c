"""The runs of a folder, by their names: what a report, a table or a comparison starts from."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cosent_tf.errors import UserError
from cosent_tf.run.folder import CONFIG_FILE, NAME, TEST_FILE, VALID_FILE, is_finished, run_name


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


def parse_run_name(name: str) -> RunName | None:
    """Return what the name of a run folder says, None for any other name."""
    match = NAME.fullmatch(name)
    return match and RunName(*match.groups()[:3], int(match[4]))


def list_runs(runs_dir: str | Path) -> tuple[list[FinishedRun], list[Path]]:
    """List all runs in a folder, in the order of their names.

    Folders with other names, or with no file of a run, are ignored. One that cannot be entered
    counts as finished: reading it reports the error.

    Returns:
        The finished runs (see `is_finished`), and the folders of the unfinished ones; none if
        `runs_dir` does not exist.

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
        is_whole = True  # also if the folder cannot be entered
        with suppress(UserError):
            is_whole = is_finished(folder)
        if is_whole:
            finished.append(FinishedRun(name, folder))
        elif any((folder / file).exists() for file in (CONFIG_FILE, VALID_FILE, TEST_FILE)):
            unfinished.append(folder)
    return finished, unfinished

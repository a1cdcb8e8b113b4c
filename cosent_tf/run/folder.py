"""The run folder `runs/{task}.{model}.{method}.seed{n}/`: its name and its files."""

import re
from pathlib import Path

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
NAME = re.compile(rf'({_WORD})\.({_WORD})\.({_WORD})\.seed(0|[1-9][0-9]*)')


def run_name(task: str, model: str, method: str, seed: int) -> str:
    """Return a run's name, such as 'BQ.bert.cosent.seed42'; UserError if it cannot be one."""
    name = f'{task}.{model}.{method}.seed{seed}'
    if not NAME.fullmatch(name):
        raise UserError(
            f'{name!r} is no name for a run: task, model and method consist of letters, digits, _ '
            'and -, and the seed is not negative'
        )
    return name


def is_finished(folder: Path) -> bool:
    """Return whether a run is finished; UserError if its folder cannot be entered.

    A run of the training scripts, which has config.json, is finished once metrics.json is there;
    one of another program, without config.json, once both prediction files are.
    """
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

"""Finished runs of two classes: their valid scores, threshold and history."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cosent_tf.decisions import fit_rule, is_graded
from cosent_tf.errors import UserError
from cosent_tf.methods import METHODS
from cosent_tf.predictions import Predictions, read_predictions
from cosent_tf.readers import read_lines
from cosent_tf.run.folder import HISTORY_FILE, METRICS_FILE, VALID_FILE
from cosent_tools.runs import RunName, parse_run_name


class Epoch(NamedTuple):
    """A row of history.csv."""

    epoch: int
    loss: float
    valid_accuracy: float


class TrainedRun(NamedTuple):
    """Files of a finished run other than its weights."""

    name: RunName
    folder: Path
    valid: Predictions  # labels 0 and 1, one score per pair
    threshold: float  # decision threshold, fitted on valid as published
    history: list[Epoch]


def open_run(folder: Path, joint: bool) -> TrainedRun:
    """Read a finished run.

    Args:
        folder: `{task}.{model}.{method}.seed{n}`.
        joint: whether it must be a run of Interact, or else one of sentence vectors.

    Raises:
        UserError: no such run, an unfinished run, one of the other kind, a broken file, or labels
            other than 0 and 1.
    """
    name = parse_run_name(folder.resolve().name)
    if name is None or not folder.is_dir():
        raise UserError(f'{folder}: not the folder of a run, such as runs/BQ.bert.cosent.seed42')
    wanted = [name for name, method in METHODS.items() if method.is_joint == joint]
    if name.method not in wanted:
        raise UserError(f'{folder}: the method must be {" or ".join(wanted)}, not {name.method}')
    if not (folder / METRICS_FILE).is_file():
        raise UserError(
            f'{folder}: no {METRICS_FILE}: unfinished; its training command with --resume finishes '
            'it'
        )
    path = folder / VALID_FILE
    valid = read_predictions(path)
    if valid.scores.ndim == 2 or is_graded(valid.labels, valid.scores):
        raise UserError(f'{path}: the labels must be 0 and 1, with one score per pair')
    try:
        rule = fit_rule(valid.labels, valid.scores, name.method)
    except UserError as error:
        raise UserError(f'{path}: {error}') from error
    return TrainedRun(name, folder, valid, rule.threshold, _read_history(folder / HISTORY_FILE))


def _read_history(path: Path) -> list[Epoch]:
    try:
        return [
            Epoch(int(row['epoch']), float(row['loss']), float(row['valid_accuracy']))
            for row in csv.DictReader(read_lines(path))
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f'{path}: not the history of a run: {error!r}') from error


def check_same_pairs(interact: TrainedRun, vectors: TrainedRun) -> None:
    """Check that two runs are of the same task and valid pairs."""
    tasks = interact.name.task, vectors.name.task
    same = interact.valid.texts == vectors.valid.texts
    if tasks[0] != tasks[1]:
        differ = f'the tasks differ: {tasks[0]} and {tasks[1]}'
    elif not same or not np.array_equal(interact.valid.labels, vectors.valid.labels):
        differ = 'their valid pairs differ'
    else:
        return
    raise UserError(f'{interact.folder} and {vectors.folder} cannot be compared: {differ}')


def choose_sentences(run: TrainedRun, n: int) -> list[str]:
    """Choose n different sentences of valid, together with the ones they are paired with."""
    order = np.random.default_rng(0).permutation(len(run.valid.texts))
    found = dict.fromkeys(text for i in order for text in run.valid.texts[i] if text.strip())
    if len(found) < n:
        raise UserError(
            f'--sentences {n}: valid of {run.folder} has only {len(found)} different ones'
        )
    return list(found)[:n]

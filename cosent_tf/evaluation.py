"""From prediction files to results: the same protocol for every run, whatever made it.

The decision rule is fitted on the valid predictions and applied to test. What is fitted depends
on the files alone:
- one score, labels 0 and 1 only: a threshold; accuracy and F1 of class 1;
- score_0 … score_C-1: class weights, fitted for accuracy; accuracy and macro-F1;
- one score, any other labels (STS-B: 0 to 5): nothing to fit; Spearman's correlation on test.
"""

from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from cosent_tf.errors import UserError
from cosent_tf.metrics import accuracy, f1, macro_f1, spearman
from cosent_tf.published import PUBLISHED
from cosent_tf.runs import METHODS, TEST_FILE, VALID_FILE, Predictions, RunName, read_predictions
from cosent_tf.thresholds import best_threshold, powell_class_weights, powell_threshold

# Below the exact optimum on valid by more than this, Powell's search has stalled.
STALL = 0.001


@dataclass(frozen=True, eq=False)
class Result:
    """What one run's predictions say; measures are fractions of 1."""

    name: RunName
    test: Predictions
    measure: str  # what `valid` and `value` are: accuracy, f1, macro_f1 or spearman
    valid: float
    value: float  # on test
    threshold: float | None = None
    weights: tuple[float, ...] | None = None
    accuracy: float | None = None  # on test, None where nothing is decided
    f1: float | None = None  # on test: of class 1, or macro-F1 of C classes
    correct: np.ndarray | None = None  # (n,) bool, the decisions on test
    optimum: tuple[float, float] | None = None  # exact (threshold, valid accuracy) if stalled


def evaluate(runs, metric, search):
    """Evaluates runs and checks that all runs of a task have the same test pairs.

    Args:
        runs: finished `runs.Run`s.
        metric: 'accuracy' or 'f1', what thresholds are fitted for and `Result.value` is.
        search: 'powell' (accuracy only) or 'exact'.

    Returns:
        list of `Result`, encoders and methods in the published order, then by name and seed.

    Raises:
        UserError: a file that does not fit, or runs of a task with different test pairs.
    """
    results, references = [], {}
    for run in tqdm(runs, 'reading runs', unit='run', delay=2, leave=False, disable=None):
        result = _evaluate_run(run, metric, search)
        path = run.folder / TEST_FILE
        first_path, first = references.setdefault(run.name.task, (path, result.test))
        _check_same_pairs(first_path, first, path, result.test)
        # One copy of the texts for all runs of a task.
        results.append(replace(result, test=result.test._replace(texts=first.texts)))
    return sorted(results, key=lambda result: (row_order(result.name), result.name))


def row_order(name):
    """Sort key for encoder and method: published ones first, in the order of the articles."""
    models = list(dict.fromkeys(model for model, _ in PUBLISHED))
    known = [
        order.index(part) if part in order else len(order)
        for part, order in ((name.model, models), (name.method, METHODS))
    ]
    return known[0], name.model, known[1], name.method


def _evaluate_run(run, metric, search):
    valid_path, test_path = run.folder / VALID_FILE, run.folder / TEST_FILE
    valid, test = read_predictions(valid_path), read_predictions(test_path)
    if valid.scores.shape[1:] != test.scores.shape[1:]:
        raise UserError(f'{test_path}:1: other score columns than {valid_path}')
    if valid.scores.ndim == 2:
        return _decide_classes(run, valid, test, metric)
    if {*valid.labels.tolist(), *test.labels.tolist()} <= {0, 1}:
        return _decide_binary(run, valid, test, metric, search)
    correlations = (spearman(split.labels, split.scores) for split in (valid, test))
    return Result(run.name, test, 'spearman', *correlations)


def _decide_binary(run, valid, test, metric, search):
    if len(np.unique(valid.labels)) < 2:
        raise UserError(
            f'{run.folder / VALID_FILE}: all {len(valid.labels)} labels are {valid.labels[0]}: '
            'a threshold cannot be fitted without both classes'
        )
    optimum = threshold, best = best_threshold(valid.labels, valid.scores, metric)
    if search == 'powell':
        threshold, best = powell_threshold(valid.labels, valid.scores)
    predicted = test.scores > threshold
    measures = {'accuracy': accuracy(test.labels, predicted), 'f1': f1(test.labels, predicted)}
    return Result(
        run.name,
        test,
        measure=metric,
        valid=best,
        value=measures[metric],
        threshold=threshold,
        correct=predicted == test.labels,
        optimum=optimum if round(optimum[1] - best, 9) > STALL else None,
        **measures,
    )


def _decide_classes(run, valid, test, metric):
    classes = valid.scores.shape[1]
    try:
        weights, _ = powell_class_weights(valid.labels, valid.scores)
    except UserError as error:
        raise UserError(f'{run.folder / VALID_FILE}: {error}') from error
    if test.labels.min() < 0 or test.labels.max() >= classes:
        raise UserError(
            f'{run.folder / TEST_FILE}: {classes} probabilities need labels 0 .. {classes - 1}'
        )
    predicted_valid, predicted = (
        np.argmax(split.scores * weights, axis=1) for split in (valid, test)
    )
    measure, score = ('accuracy', accuracy) if metric == 'accuracy' else ('macro_f1', macro_f1)
    return Result(
        run.name,
        test,
        measure=measure,
        valid=score(valid.labels, predicted_valid),
        value=score(test.labels, predicted),
        weights=tuple(weights.tolist()),
        correct=predicted == test.labels,
        accuracy=accuracy(test.labels, predicted),
        f1=macro_f1(test.labels, predicted),
    )


def _check_same_pairs(first_path, first, path, other):
    """Runs of a task are comparable only on the same pairs with the same labels, in one order."""
    if first.texts == other.texts and np.array_equal(first.labels, other.labels):
        return
    pairs = [list(zip(split.labels.tolist(), split.texts, strict=True)) for split in (first, other)]
    shorter = min(map(len, pairs))
    row = next((i for i in range(shorter) if pairs[0][i] != pairs[1][i]), shorter)
    described = [
        f'{rows[row][0]} {" | ".join(rows[row][1])}'[:60] if row < len(rows) else 'no such line'
        for rows in pairs
    ]
    raise UserError(
        f'{path}:{row + 2}: not the test pairs of the other run of this task, {first_path}:'
        f'{row + 2} ({described[1]!r} against {described[0]!r}); keep such runs in another folder'
    )

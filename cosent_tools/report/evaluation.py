"""From prediction files to results: the same protocol for every run, whatever made it.

The decision rule (see decisions.py) is fitted on the valid predictions and applied to test. For
Spearman's correlation nothing is decided, except between several classes, which have none.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cosent_tf.audit import Counts, audit, describe
from cosent_tf.decisions import Rule, fit_rule, is_graded
from cosent_tf.errors import UserError
from cosent_tf.methods import METHODS
from cosent_tf.metrics import has_two_labels
from cosent_tf.predictions import Predictions, read_predictions
from cosent_tf.published import PUBLISHED
from cosent_tf.run.folder import (
    METRICS_FILE,
    TEST_FILE,
    VALID_FILE,
    FinishedRun,
    RunName,
    read_metrics,
)
from cosent_tf.thresholds import best_threshold
from cosent_tools.report.settings import Settings, read_settings, unlike_published

# Below the exact optimum on valid by more than this, Powell's search has stalled.
STALL = 0.001 + 1e-9  # more than 0.1 points, whatever the rounding of the two figures


@dataclass(frozen=True, eq=False)
class Result:
    """What one run's predictions say; measures are fractions of 1."""

    name: RunName
    test: Predictions
    measure: str  # what `valid` and `value` are: accuracy, f1, macro_f1 or spearman
    valid: float
    value: float | None  # on test, None where its labels measure nothing
    threshold: float | None = None
    weights: tuple[float, ...] | None = None
    accuracy: float | None = None  # on test, None where nothing is decided or measured
    f1: float | None = None  # on test: of class 1, or macro-F1 of C classes
    predicted: np.ndarray | None = None  # (n,) the decisions on test, None as accuracy
    optimum: tuple[float, float] | None = None  # exact (threshold, valid accuracy) if stalled
    select: str | None = None  # what chose the epoch: accuracy or spearman, None if not known
    audit: Counts | None = None  # of all splits, as training has counted; None if not known
    settings: Settings | None = None  # None of another program's predictions
    unlike: tuple[str, ...] = ()  # in what it differs from the published run, if there is one

    @property
    def correct(self) -> np.ndarray | None:
        """Which decisions on test are right, (n,) bool."""
        return None if self.predicted is None else self.predicted == self.test.labels


def evaluate(
    runs: list[FinishedRun], metric: str, search: str | None
) -> tuple[list[Result], dict[str, str]]:
    """Evaluate runs; those that cannot be are left out, with the reason.

    The runs of a task are comparable only on the same test pairs: where they differ, the pairs
    that most of them have are kept, else those of the first run.

    Args:
        runs: finished ones.
        metric: 'accuracy', 'f1' or 'spearman': what thresholds, if any, are fitted for and
            `Result.value` is.
        search: 'powell' (accuracy only) or 'exact'; not used for 'spearman'.

    Returns:
        The results, encoders and methods in the published order, then by name and seed; and name →
        what is wrong, and where, of the runs left out.
    """
    left_out, tasks = {}, {}  # task: its runs and results, in groups of the same test pairs
    for run in tqdm(runs, 'reading runs', unit='run', delay=2, leave=False, disable=None):
        try:
            result = _evaluate_run(run, metric, search)
        except UserError as error:
            left_out[str(run.name)] = str(error)
            continue
        groups = tasks.setdefault(run.name.task, [])
        group = next((g for g in groups if g[0][1].test.has_pairs_of(result.test)), [])
        if group:  # one copy of the texts for all of them
            texts = group[0][1].test.texts
            result = replace(result, test=result.test._replace(texts=texts))
            if copy := _describe_copy(group, run, result):
                left_out[str(run.name)] = copy
                continue
        else:
            groups.append(group)
        group.append((run, result))
    results = []
    for groups in tasks.values():
        usual, *others = sorted(groups, key=len, reverse=True)
        results += [result for _, result in usual]
        for run, _ in (member for group in others for member in group):
            left_out[str(run.name)] = _describe_difference(usual[0][0], run)
    results.sort(key=lambda result: (row_order(result.name), result.name))
    return results, dict(sorted(left_out.items()))


def row_order(name: RunName) -> tuple[int, str, int, str]:
    """Return a sort key: published encoders and methods first, in the order of the articles."""
    models = list(dict.fromkeys(model for model, _ in PUBLISHED))
    known = [
        order.index(part) if part in order else len(order)
        for part, order in ((name.model, models), (name.method, list(METHODS)))
    ]
    return known[0], name.model, known[1], name.method


def count_oddities(runs: list[FinishedRun], results: list[Result]) -> dict[str, Counts]:
    """Return what `audit` counts in the data of each task that has results.

    A run of the training scripts has counted all splits; otherwise it is those of its predictions.
    """
    folders = {run.name: run.folder for run in runs}
    by_task = {}
    for result in results:
        by_task.setdefault(result.name.task, []).append(result)
    return {
        task: next(filter(None, (result.audit for result in of_task)), None)
        or _audit_predictions(folders[of_task[0].name])
        for task, of_task in by_task.items()
    }


def _audit_predictions(folder: Path) -> Counts:
    splits = {}
    for name, file in (('valid', VALID_FILE), ('test', TEST_FILE)):
        labels, _, texts = read_predictions(folder / file)
        labels = np.where(np.isnan(labels), None, labels)
        splits[name] = [(*pair, label) for pair, label in zip(texts, labels, strict=True)]
    return audit(splits)


def _evaluate_run(run: FinishedRun, metric: str, search: str | None) -> Result:
    valid_path, test_path = run.folder / VALID_FILE, run.folder / TEST_FILE
    valid, test = read_predictions(valid_path), read_predictions(test_path)
    ranked = metric == 'spearman' and valid.scores.ndim == 1
    try:
        fit = (run.name.method, metric, search)
        rule = Rule() if ranked else fit_rule(valid.labels, valid.scores, *fit)
    except UserError as error:
        raise UserError(f'{valid_path}: {error}') from error
    _check_same_kind(valid_path, valid, test_path, test)
    at_valid, at_test = (rule.measures(split.labels, split.scores) for split in (valid, test))
    key = rule.measure('f1' if metric == 'f1' else 'accuracy')
    measure = 'macro_f1' if rule.class_weights and metric == 'f1' else key
    if at_valid[key] is None:
        raise UserError(f'{valid_path}: no two different labels, so nothing is measured by them')
    binary = rule.threshold is not None
    optimum = best_threshold(valid.labels, valid.scores, metric) if binary else None
    told = _told(run.folder)
    pairs = {'valid': len(valid.labels), 'test': len(test.labels)}
    return Result(
        run.name,
        test,
        measure,
        valid=at_valid[key],
        value=at_test[key],
        threshold=rule.threshold,
        weights=rule.class_weights,
        accuracy=at_test['accuracy'],
        f1=at_test['f1'],
        predicted=None if at_test['accuracy'] is None else rule.predict(test.scores),
        optimum=optimum if optimum and optimum[1] - at_valid[key] > STALL else None,
        unlike=unlike_published(told['settings'], run.name, metric, search, pairs),
        **told,
    )


def _told(folder: Path) -> dict[str, str | Counts | Settings | None]:
    """Return `select`, `audit` and `settings` of a result, None where its files do not tell."""
    metrics = read_metrics(folder)
    select, counts = metrics.get('select'), metrics.get('audit') or None
    if counts is not None:
        try:
            describe(counts)
            sum(counts['pairs_in_two_splits'].values())  # of which `describe` shows some alone
        except (AttributeError, KeyError, TypeError) as error:
            raise UserError(f'{folder / METRICS_FILE}: not an audit: {error!r}') from error
    select = select if select in ('accuracy', 'spearman') else None
    return {'select': select, 'audit': counts, 'settings': read_settings(folder, metrics)}


def _check_same_kind(
    valid_path: Path, valid: Predictions, test_path: Path, test: Predictions
) -> None:
    """Check that a rule fitted on valid can decide test."""
    if valid.scores.shape[1:] != test.scores.shape[1:]:
        raise UserError(f'{test_path}:1: other score columns than {valid_path}')
    if not has_two_labels(test.labels):
        return  # nothing is measured by them
    if test.scores.ndim == 2:
        classes = test.scores.shape[1]
        wrong = ~np.isin(test.labels, np.arange(classes))
        if wrong.any():
            line = int(np.argmax(wrong)) + 2
            raise UserError(f'{test_path}:{line}: the label is not one of 0 … {classes - 1}')
    elif is_graded(test.labels, test.scores) != is_graded(valid.labels, valid.scores):
        raise UserError(f'{test_path}: only one of it and {valid_path} has labels 0 and 1 alone')


def _describe_copy(
    group: list[tuple[FinishedRun, Result]], run: FinishedRun, result: Result
) -> str | None:
    """Say of which run of the group one is a copy, if it is; constant scores may coincide."""
    scores = result.test.scores
    for original, other in group:
        is_equal = np.array_equal(other.test.scores, scores) and np.ptp(scores) > 0
        if is_equal and original.name[:3] == run.name[:3]:
            path, source = run.folder / TEST_FILE, original.folder
            return f'{path}: to the last digit that of {source}: a copy, not another seed'
    return None


def _describe_difference(usual: FinishedRun, run: FinishedRun) -> str:
    pairs = []
    for path in (usual.folder / TEST_FILE, run.folder / TEST_FILE):
        labels, _, texts = read_predictions(path)
        pairs.append(list(zip(labels.tolist(), texts, strict=True)))
    shorter = min(map(len, pairs))
    row = next((i for i in range(shorter) if pairs[0][i] != pairs[1][i]), shorter)
    described = [
        f'{rows[row][0]} {" | ".join(rows[row][1])}'[:60] if row < len(rows) else 'no such line'
        for rows in pairs
    ]
    return (
        f'{run.folder / TEST_FILE}:{row + 2}: not the test pairs of the other runs of the task, as '
        f'in {usual.folder / TEST_FILE}:{row + 2} ({described[1]!r} against {described[0]!r}); '
        'keep such runs in another folder'
    )

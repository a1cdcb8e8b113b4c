"""From prediction files to results: one protocol for all runs, whichever program made them.

The decision rule (see decisions.py) is fitted on the valid predictions and applied to test.
Spearman's correlation needs none; several classes have no such correlation, but accuracies.
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
from cosent_tf.run.folder import METRICS_FILE, TEST_FILE, VALID_FILE, read_metrics
from cosent_tf.thresholds import best_threshold
from cosent_tools.report.published_figures import PUBLISHED
from cosent_tools.report.settings import Settings, read_settings, unlike_published
from cosent_tools.runs import FinishedRun, RunName

# Powell's search has stalled if it ends further below the exact optimum on valid than this.
STALL = 0.001 + 1e-9  # 0.1 points, and the rounding of the two figures


@dataclass(frozen=True, eq=False)
class Result:
    """Evaluation of one run; measures are fractions of 1."""

    name: RunName
    test: Predictions
    measure: str  # of `valid` and `value`: accuracy, f1, macro_f1 or spearman
    valid: float
    value: float | None  # on test, None without two different labels there
    threshold: float | None = None
    weights: tuple[float, ...] | None = None
    accuracy: float | None = None  # on test, None for graded labels and as `value`
    f1: float | None = None  # on test: of class 1, or macro-F1 of C classes
    predicted: np.ndarray | None = None  # (n,) decisions on test, None as `accuracy`
    optimum: tuple[float, float] | None = None  # exact (threshold, valid accuracy) if stalled
    select: str | None = None  # what chose the checkpoint: accuracy or spearman, None if unknown
    audit: Counts | None = None  # of all splits, as counted by the training; None if unknown
    settings: Settings | None = None  # None for predictions of another program
    unlike: tuple[str, ...] = ()  # what differs from the published run, if there is one

    @property
    def correct(self) -> np.ndarray | None:
        """Whether each decision on test is right, (n,) bool."""
        return None if self.predicted is None else self.predicted == self.test.labels


def evaluate(
    runs: list[FinishedRun], metric: str, search: str | None
) -> tuple[list[Result], dict[str, str]]:
    """Evaluate runs, and leave out those that cannot be evaluated.

    The runs of a task are comparable only on the same test pairs. Where they differ, the runs with
    the most common pairs are kept (in a tie, those of the first run).

    Args:
        runs: finished runs.
        metric: 'accuracy', 'f1' or 'spearman': the measure that thresholds are fitted for, and
            `Result.value`.
        search: 'powell' (accuracy only) or 'exact'; not used for 'spearman'.

    Returns:
        The results, with encoders and methods in the published order, then by name and seed; and
        the reason for each run left out, by its name.
    """
    left_out, tasks = {}, {}  # task → (run, result) in groups of the same test pairs
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
    """Return what `audit` counts in the data of each task with results.

    The training scripts have counted all splits; for other runs, valid and test are counted here.
    """
    folders = {run.name: run.folder for run in runs}
    by_task = {}
    for result in results:
        by_task.setdefault(result.name.task, []).append(result)
    return {
        task: next(filter(None, (result.audit for result in group)), None)
        or _audit_predictions(folders[group[0].name])
        for task, group in by_task.items()
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
        raise UserError(
            f'{valid_path}: the labels are missing or all the same, so nothing can be measured'
        )
    binary = rule.threshold is not None
    optimum = best_threshold(valid.labels, valid.scores, metric) if binary else None
    recorded = _read_recorded(run.folder)
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
        unlike=unlike_published(recorded['settings'], run.name, metric, search, pairs),
        **recorded,
    )


def _read_recorded(folder: Path) -> dict[str, str | Counts | Settings | None]:
    """Return `select`, `audit` and `settings` of a result, None where they are not recorded."""
    metrics = read_metrics(folder)
    select, counts = metrics.get('select'), metrics.get('audit') or None
    if counts is not None:
        try:
            describe(counts)
            sum(counts['pairs_in_two_splits'].values())  # not all are used by `describe`
        except (AttributeError, KeyError, TypeError) as error:
            raise UserError(f'{folder / METRICS_FILE}: not an audit: {error!r}') from error
    select = select if select in ('accuracy', 'spearman') else None
    return {'select': select, 'audit': counts, 'settings': read_settings(folder, metrics)}


def _check_same_kind(
    valid_path: Path, valid: Predictions, test_path: Path, test: Predictions
) -> None:
    """Check that a rule fitted on valid can decide test."""
    if valid.scores.shape[1:] != test.scores.shape[1:]:
        raise UserError(f'{test_path}:1: the score columns differ from those of {valid_path}')
    if not has_two_labels(test.labels):
        return  # nothing will be measured
    if test.scores.ndim == 2:
        classes = test.scores.shape[1]
        wrong = ~np.isin(test.labels, np.arange(classes))
        if wrong.any():
            line = int(np.argmax(wrong)) + 2
            raise UserError(f'{test_path}:{line}: the label is not one of 0 … {classes - 1}')
    elif is_graded(test.labels, test.scores) != is_graded(valid.labels, valid.scores):
        raise UserError(
            f'{test_path}: only this file or {valid_path} has other labels than 0 and 1'
        )


def _describe_copy(
    group: list[tuple[FinishedRun, Result]], run: FinishedRun, result: Result
) -> str | None:
    """Return of which run in the group this one is a copy, if any; constant scores may coincide."""
    scores = result.test.scores
    for original, other in group:
        is_equal = np.array_equal(other.test.scores, scores) and np.ptp(scores) > 0
        if is_equal and original.name[:3] == run.name[:3]:
            path, source = run.folder / TEST_FILE, original.folder
            return f'{path}: the scores equal those of {source}: a copy, not another seed'
    return None


def _describe_difference(usual: FinishedRun, run: FinishedRun) -> str:
    pairs = []
    for path in (usual.folder / TEST_FILE, run.folder / TEST_FILE):
        labels, _, texts = read_predictions(path)
        pairs.append(list(zip(labels.tolist(), texts, strict=True)))
    shorter = min(map(len, pairs))
    row = next((i for i in range(shorter) if pairs[0][i] != pairs[1][i]), shorter)
    found, expected = (
        f'{rows[row][0]} {" | ".join(rows[row][1])}'[:60] if row < len(rows) else 'no such line'
        for rows in reversed(pairs)
    )
    return (
        f'{run.folder / TEST_FILE}:{row + 2}: {found!r}, but {expected!r} in '
        f'{usual.folder / TEST_FILE}:{row + 2}: not the test pairs of the other runs of the task; '
        'keep such runs in another folder'
    )

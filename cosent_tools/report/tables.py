"""The results table as data: encoders and methods by task, ours beside the published figures."""

from itertools import chain
from typing import NamedTuple

import numpy as np

from cosent_tf.methods import find_method
from cosent_tf.metrics import f1, macro_f1
from cosent_tf.published import TASKS
from cosent_tools.report.evaluation import Result, row_order
from cosent_tools.report.published_figures import (
    MAJORITY,
    PUBLISHED,
    averaged_tasks,
    published_figure,
    table_tasks,
)
from cosent_tools.report.settings import unlike_each_other

MEASURES = {'accuracy': 'accuracy', 'f1': 'F1', 'macro_f1': 'macro-F1', 'spearman': 'Spearman'}
MAJORITY_CLASS = 'Majority class'
HEADINGS = {'accuracy': 'accuracy (%)', 'f1': 'F1 (%)', 'spearman': 'Spearman (×100)'}


class Cell(NamedTuple):
    """The figures of one row and column, as fractions of 1; None where there is none."""

    mean: float | None = None
    sd: float | None = None  # sample standard deviation, from two seeds on
    seeds: tuple[int, ...] = ()
    published: float | None = None
    best: bool = False  # the best of several in its column
    unlike: tuple[str, ...] = ()  # how its runs differ from the published one or each other
    no_labels: bool = False  # there are runs, but no labels on test to measure them by

    @property
    def is_run(self) -> bool:
        return self.mean is not None or self.no_labels

    @property
    def difference(self) -> float | None:
        """Ours minus the published figure; None unless the runs are like the published one."""
        if self.unlike or None in (self.mean, self.published):
            return None
        return self.mean - self.published


class Table(NamedTuple):
    """`cells[(model, method), column]`, and the baseline of each column."""

    rows: list[tuple[str, str]]
    columns: list[str]
    cells: dict[tuple[tuple[str, str], str], Cell]
    baseline: dict[str, Cell]  # answering the same for every pair
    baseline_name: str

    @property
    def shown(self) -> list[str]:
        """The columns in which anything was run."""
        places = ((column, (row, column)) for column in self.columns for row in self.rows)
        return list(dict.fromkeys(column for column, place in places if self.cells[place].is_run))


def method_label(model: str, method: str) -> str:
    """Return the row's name as the article writes it, such as 'BERT+CoSENT' or 'Sentence-BERT'."""
    encoder = {'bert': 'BERT', 'roberta': 'RoBERTa'}.get(model, model)
    return find_method(method).label.format(encoder)


def build_table(results: list[Result], metric: str) -> Table:
    """Arrange results; rows are the methods that were run, all published ones if none was.

    Columns are the published tasks, Avg, then other tasks by name. The column of a task that is not
    measured by `metric` names its measure. Avg is given where all tasks of the published Avg were
    run: mean and sd over the seeds that all of them have, or else the mean of their means. Spearman
    averages are over different tasks, so none of them is the best.

    Args:
        results: of any runs.
        metric: 'accuracy', 'f1' (nothing was published) or 'spearman'.
    """
    values, runs_of, examples = {}, {}, {}  # {(row, column): {seed: value}}, … {column: a result}
    for result in sorted(results, key=lambda result: row_order(result.name)):
        row, column = (result.name.model, result.name.method), column_of(result, metric)
        values.setdefault((row, column), {})[result.name.seed] = result.value
        runs_of.setdefault((row, column), []).append(result)
        if result.value is not None:
            examples[column] = result
    rows = list(dict.fromkeys(row for row, _ in values)) or list(PUBLISHED)
    tasks = table_tasks(metric)
    columns = [*tasks, 'Avg', *sorted({column for _, column in values} - set(tasks))]
    cells = {}
    for row in rows:
        averaged = [(row, task) for task in averaged_tasks(metric, row[1])]
        for column in columns:
            parts = averaged if column == 'Avg' else [(row, column)]
            seeds = [values.get(part, {}) for part in parts]
            cell = _average(seeds) if column == 'Avg' else _cell(*seeds)
            published = _fraction(published_figure(metric, column, *row))
            unlike = chain.from_iterable(_unlike(runs_of.get(part, [])) for part in parts)
            unlike = tuple(dict.fromkeys(unlike)) if cell.mean is not None else ()
            cells[row, column] = cell._replace(published=published, unlike=unlike)
    for column in columns:
        if (metric, column) == ('spearman', 'Avg'):
            continue
        means = {
            row: cells[row, column].mean for row in rows if cells[row, column].mean is not None
        }
        for row in means if len(means) > 1 else ():
            best = means[row] == max(means.values())
            cells[row, column] = cells[row, column]._replace(best=best)
    name = MAJORITY_CLASS if metric == 'accuracy' else 'Same answer for all'
    return Table(rows, columns, cells, _baseline(examples, columns, metric), name)


def _unlike(results: list[Result]) -> list[str]:
    """Return how the runs of a cell differ from the published one and from each other."""
    unlike = chain.from_iterable(result.unlike for result in results)
    settings = {result.name.seed: result.settings for result in results}
    return [*dict.fromkeys(unlike), *unlike_each_other(settings)]


def column_of(result: Result, metric: str) -> str:
    """Return the name of the column that a result belongs to."""
    suffix = '' if result.measure == metric else f' ({MEASURES[result.measure]})'
    return result.name.task + suffix


def _fraction(percent: float | None) -> float | None:
    return None if percent is None else round(percent / 100, 4)


def _cell(by_seed: dict[int, float]) -> Cell:
    """Return the cell of {seed: value}, empty if there is none."""
    if not by_seed or None in by_seed.values():  # one split: all its runs have labels, or none
        return Cell(no_labels=bool(by_seed))
    values = list(by_seed.values())
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Cell(float(np.mean(values)), sd, tuple(sorted(by_seed)))


def _average(tasks: list[dict[int, float]]) -> Cell:
    """Return the cell of Avg from each task's {seed: value}."""
    if not all(tasks) or any(None in task.values() for task in tasks):
        return Cell()
    common = set.intersection(*map(set, tasks))
    if not common:
        return Cell(float(np.mean([_cell(task).mean for task in tasks])))
    return _cell({seed: float(np.mean([task[seed] for task in tasks])) for seed in common})


def _baseline(examples: dict[str, Result], columns: list[str], metric: str) -> dict[str, Cell]:
    """Return the figure of the same answer for every test pair, in each column.

    Without results, `published` is that of the published splits.
    """
    shares = MAJORITY if metric == 'accuracy' else {}
    baseline = {column: Cell(published=_fraction(shares.get(column))) for column in columns}
    baseline |= {column: Cell(_constant_answer(result)) for column, result in examples.items()}
    means = [baseline[task].mean for task in TASKS]
    if None not in means:
        baseline['Avg'] = Cell(float(np.mean(means)))
    return baseline


def _constant_answer(result: Result) -> float | None:
    """Measure the majority class, or class 1 for F1; None for correlations."""
    labels = result.test.labels
    classes, counts = np.unique(labels, return_counts=True)
    if result.measure == 'f1':
        return f1(labels, np.ones_like(labels))
    if result.measure == 'macro_f1':
        return macro_f1(labels, np.full_like(labels, classes[np.argmax(counts)]))
    return counts.max() / len(labels) if result.measure == 'accuracy' else None

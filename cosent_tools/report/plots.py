"""The picture of a report: the metric by task and method, and the scores of each class.

No sentence is drawn, and names of tasks, encoders and methods are ASCII (see run.folder), so no
Chinese font is needed. matplotlib is imported on first use.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cosent_tf.errors import UserError
from cosent_tf.files import write_atomic
from cosent_tools.report.evaluation import Result, row_order
from cosent_tools.report.significance import accuracy_interval
from cosent_tools.report.tables import HEADINGS, Table, build_table, column_of, method_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

_PANELS_PER_ROW = 3
_FONT_SIZE = 13  # in a picture 12 inches wide: legible at half the size
# Okabe and Ito's colours, distinct for colour-blind readers too.
_NEGATIVE, _POSITIVE = '#0072B2', '#D55E00'

Intervals = dict[tuple[tuple[str, str], str], tuple[float, float]]  # by cell of a table


def save_plot(path: Path, results: list[Result], metric: str) -> None:
    """Draw results, at least one, into a PNG.

    Above: a panel for each column of the table, on a scale of its own, with a row for each method:
    ours with its interval (± sd over seeds, Wilson's for the accuracy of one run), the published
    figure, and that of the same answer for every pair. Below, for the first seed of each task and
    method with a threshold: the distribution of the test scores of both classes, and the threshold
    fitted on valid.

    Raises:
        UserError: matplotlib is not installed, no run is measured on test, or the file cannot be
            written.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError('--plot needs matplotlib: pip install matplotlib') from None

    table = build_table(results, metric)
    columns = [
        column
        for column in table.columns
        if any(table.cells[row, column].mean is not None for row in table.rows)
    ]
    if not columns:
        raise UserError(f'{path}: no run has labels on test, so there is nothing to draw')
    panels = {}
    for result in sorted(results, key=lambda result: (result.name.task, row_order(result.name))):
        if result.threshold is not None and result.value is not None:
            panels.setdefault(result.name[:3], result)
    heights = [_grid(columns)[0] * (0.75 + 0.45 * len(table.rows)) + 0.8]
    heights += [_grid(panels)[0] * 1.9 + 1] if panels else []
    with rc_context({'font.size': _FONT_SIZE}):
        figure = Figure(figsize=(12, sum(heights)), layout='constrained')
        parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights).flat
        _draw_table(parts[0], table, columns, _intervals(table, results, metric))
        parts[0].suptitle(f'Test {HEADINGS[metric]}')
        if panels:
            _draw_scores(parts[1], list(panels.values()))
        write_atomic(path, lambda temporary: figure.savefig(temporary, dpi=120, format='png'))


def _intervals(table: Table, results: list[Result], metric: str) -> Intervals:
    """Return mean ± sd of several seeds, Wilson's 95 % interval of the accuracy of one run."""
    intervals = {
        place: (cell.mean - cell.sd, cell.mean + cell.sd)
        for place, cell in table.cells.items()
        if cell.sd is not None
    }
    for result in results:
        if result.measure == 'accuracy' and result.value is not None:
            place = (result.name.model, result.name.method), column_of(result, metric)
            intervals.setdefault(place, accuracy_interval(result.correct))
    return intervals


def _grid(panels: list | dict) -> tuple[int, int]:
    """Return how many rows and columns of panels there are."""
    rows = -(-len(panels) // _PANELS_PER_ROW)
    return rows, -(-len(panels) // rows)


def _draw_table(
    figure: 'FigureBase', table: Table, columns: list[str], intervals: Intervals
) -> None:
    """Draw a panel for each column, in it a row for each method."""
    grid = figure.subplots(*_grid(columns), squeeze=False)
    for axes in grid.flat[len(columns) :]:
        axes.set_axis_off()
    labels = [method_label(*row) for row in table.rows]
    handles = {}
    for axes, column in zip(grid.flat, columns, strict=False):
        _draw_column(axes, table, column, intervals)
        axes.set_title(column)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.4, -0.8)
        axes.tick_params(labelleft=axes.get_subplotspec().is_first_col())
        handles |= {handle.get_label(): handle for handle in axes.get_legend_handles_labels()[0]}
    figure.legend(handles.values(), handles, loc='outside lower center', ncols=4, frameon=False)


def _draw_column(axes: 'Axes', table: Table, column: str, intervals: Intervals) -> None:
    """Draw ours with its interval and the published figure of each method, and the baseline."""
    for y, row in enumerate(table.rows):
        cell = table.cells[row, column]
        if cell.published is not None:
            label = 'published, other settings' if cell.unlike else 'published'
            style = {'color': '0.7' if cell.unlike else 'black', 'label': label}
            axes.plot(100 * cell.published, y, '|', markersize=16, markeredgewidth=2, **style)
        if cell.mean is not None:
            low, high = intervals.get((row, column), (cell.mean, cell.mean))
            fill, kind = 'C0', 'mean ± sd over seeds'
            if cell.sd is None:
                fill, kind = 'white', 'one seed, 95 % interval' if low < high else 'one seed'
            mean = 100 * cell.mean
            axes.plot([100 * low, 100 * high], [y, y], 'C0', linewidth=2)
            axes.plot(mean, y, 'o', color='C0', markerfacecolor=fill, label=kind)
            place = {'textcoords': 'offset points', 'ha': 'center', 'fontsize': 'small'}
            axes.annotate(f'{mean:.1f}', (mean, y), (0, 6), **place)
    baseline = table.baseline[column].mean
    if baseline is not None:
        axes.axvline(100 * baseline, color='gray', linestyle='dotted', label=table.baseline_name)
    axes.margins(x=0.15)
    axes.grid(axis='x', alpha=0.3)


def _draw_scores(figure: 'FigureBase', panels: list[Result]) -> None:
    """Draw a histogram per run: the share of each class's pairs by score, and the threshold."""
    figure.suptitle('Test pairs of each class by score (%), and the threshold fitted on valid')
    grid = figure.subplots(*_grid(panels), squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, result in zip(grid.flat, panels, strict=False):
        name, (labels, scores, _) = result.name, result.test
        # Scores of a collapsed model hardly differ: their bins would be too narrow to be seen.
        low, high = scores.min(), scores.max()
        bins = np.linspace(low, max(high, low + 1e-6 * max(abs(low), 1)), 41)
        for label, color in enumerate((_NEGATIVE, _POSITIVE)):
            drawn = scores[labels == label]
            weights = np.full(len(drawn), 100 / max(len(drawn), 1))
            axes.hist(drawn, bins, weights=weights, color=color, alpha=0.55, label=f'label {label}')
        axes.axvline(result.threshold, color='black', linestyle='dashed', label='threshold')
        title = f'{name.task}, seed {name.seed}\n{method_label(name.model, name.method)}'
        axes.set_title(title, fontsize='small')
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc='outside lower center', ncols=3, frameon=False)

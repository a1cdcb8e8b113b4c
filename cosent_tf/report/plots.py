"""One picture of a report: the metric by task and method, and the scores of each class.

Only names of tasks, encoders and methods are drawn, which are ASCII (see run.folder): no sentence,
so no font for Chinese is needed. matplotlib is imported on first use.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cosent_tf.errors import UserError
from cosent_tf.report.evaluation import Result, row_order
from cosent_tf.report.tables import HEADINGS, Table, build_table, method_label
from cosent_tf.run.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase

_PANELS_A_ROW = 4
# Okabe and Ito's colours, distinct for colour-blind readers too.
_NEGATIVE, _POSITIVE = '#0072B2', '#D55E00'


def save_plot(path: Path, results: list[Result], metric: str) -> None:
    """Draw results, at least one, into a PNG.

    Above: each column of the table, ours (± sd over seeds) beside the published figure. Below, for
    the lowest seed of each task and method with a threshold: how the test scores of the two
    classes are distributed, and where the threshold fitted on valid cuts.

    Raises:
        UserError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError('--plot needs matplotlib: pip install matplotlib') from None

    table = build_table(results, metric)
    panels = {}
    for result in sorted(results, key=lambda result: (result.name.task, row_order(result.name))):
        if result.threshold is not None:
            panels.setdefault(result.name[:3], result)
    rows = -(-len(panels) // _PANELS_A_ROW)
    heights = [4.5 + 0.1 * len(table.rows), 2.1 * rows + 0.4]
    figure = Figure(figsize=(12, sum(heights[: 1 + bool(rows)])), layout='constrained')
    if rows:
        above, below = figure.subfigures(2, 1, height_ratios=heights)
        _draw_scores(below, list(panels.values()), rows)
    else:
        above = figure
    _draw_table(above, table, metric)
    write_atomic(path, lambda temporary: figure.savefig(temporary, dpi=120, format='png'))


def _draw_table(figure: 'FigureBase', table: Table, metric: str) -> None:
    """Draw a group for each column that has a result, in it a dot for each row."""
    axes = figure.subplots()
    columns = [
        column
        for column in table.columns
        if any(table.cells[row, column].mean is not None for row in table.rows)
    ]
    for i, row in enumerate(table.rows):
        cells = [table.cells[row, column] for column in columns]
        x = np.arange(len(columns)) + 0.8 * ((i + 0.5) / len(table.rows) - 0.5)
        means, sds, published = (
            # None becomes NaN, which is not drawn.
            100 * np.array([getattr(cell, name) for cell in cells], float)
            for name in ('mean', 'sd', 'published')
        )
        label = method_label(*row)
        axes.errorbar(x, means, np.nan_to_num(sds), fmt='o', color=f'C{i}', capsize=3, label=label)
        half = 0.36 / len(table.rows)
        axes.hlines(published, x - half, x + half, 'black', linewidth=1.5)
    if any(table.cells[row, column].published for row in table.rows for column in columns):
        axes.hlines([], 0, 0, 'black', linewidth=1.5, label='published')
    baseline = [table.baseline[column].mean for column in columns]
    for x, mean in enumerate(baseline):
        if mean is not None:
            axes.hlines(100 * mean, x - 0.45, x + 0.45, 'gray', 'dotted')
    if any(baseline):
        axes.hlines([], 0, 0, 'gray', 'dotted', label='same answer for all')
    axes.set_xticks(range(len(columns)), [column.replace(' ', '\n') for column in columns])
    axes.set_xlim(-0.6, len(columns) - 0.4)
    axes.set_ylabel(f'test {HEADINGS[metric]}')
    axes.grid(axis='y', alpha=0.3)
    axes.legend(loc='center left', bbox_to_anchor=(1.0, 0.5), frameon=False)


def _draw_scores(figure: 'FigureBase', panels: list[Result], rows: int) -> None:
    """Draw a histogram a run: the share of each class's pairs by score, and the threshold."""
    figure.suptitle('Test scores by class, and the threshold fitted on valid', fontsize=11)
    grid = figure.subplots(rows, _PANELS_A_ROW, squeeze=False).flatten()
    for axes in grid:
        axes.set_axis_off()
    for axes, result in zip(grid, panels, strict=False):
        axes.set_axis_on()
        name, (labels, scores, _) = result.name, result.test
        # Scores of a collapsed model hardly differ: their bins would be too narrow to be seen.
        low, high = scores.min(), scores.max()
        bins = np.linspace(low, max(high, low + 1e-6 * max(abs(low), 1)), 41)
        for label, color in enumerate((_NEGATIVE, _POSITIVE)):
            of_class = scores[labels == label]
            weights = np.full(len(of_class), 100 / max(len(of_class), 1))
            axes.hist(
                of_class, bins, weights=weights, color=color, alpha=0.55, label=f'label {label}'
            )
        axes.axvline(result.threshold, color='black', linestyle='dashed', label='threshold')
        title = f'{name.task} · {method_label(name.model, name.method)}\nseed {name.seed}'
        axes.set_title(title, fontsize=8)
        axes.tick_params(labelsize=7)
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc='outside lower center', ncols=3, frameon=False)
    figure.supylabel("% of the class's pairs", fontsize=9)

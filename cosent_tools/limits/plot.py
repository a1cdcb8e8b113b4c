"""The picture of limits.py: the article's argument in six panels.

Only ASCII is drawn, so no Chinese font is needed. matplotlib is imported on first use.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cosent_tf.errors import UserError
from cosent_tf.files import write_atomic
from cosent_tools.limits.edits import TIMES
from cosent_tools.limits.presentation import SIDES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, distinct for colour-blind readers too.
COLORS = {'interact': '#D55E00', 'vectors': '#0072B2'}
KINDS = {'insert 不': ('insert "not"', 'o'), 'swap two': ('swap two', 's')}
KINDS |= {'exchange one': ('exchange one', '^')}


def save_limits_plot(path: Path, report: dict) -> None:
    """Draw a report into a PNG.

    Raises:
        UserError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError('--plot needs matplotlib: pip install matplotlib') from None

    figure = Figure(figsize=(14, 8), layout='constrained')
    figure.suptitle(f'{report["interact"]} (Interact) and {report["vectors"]} (vectors)')
    panels = (_spectrum, _dimensions, _simulation, _overlap, _edits, _history)
    for axes, draw in zip(figure.subplots(2, 3).flatten(), panels, strict=True):
        draw(axes, report)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    write_atomic(path, lambda temporary: figure.savefig(temporary, dpi=120, format='png'))


def _spectrum(axes: 'Axes', report: dict) -> None:
    values = np.array(report['matrix']['eigenvalues'])
    numbers = np.arange(1, len(values) + 1)
    shift = report['matrix']['shift']
    axes.set_title('1. Eigenvalues of the similarity matrix')
    axes.plot(numbers, values, color=COLORS['interact'], label='S')
    axes.fill_between(numbers, values, 0, where=values < 0, color=COLORS['interact'], alpha=0.3)
    label = f'-c = {-shift:.2f}, of S with diagonal 1'
    axes.axhline(-shift, color='black', linestyle='dashed', label=label)
    axes.axhline(0, color='black', linewidth=0.8)
    axes.set_yscale('symlog', linthresh=1)
    axes.set_xlabel('number')


def _dimensions(axes: 'Axes', report: dict) -> None:
    axes.set_title('2. Decisions kept in d dimensions (balanced)')
    for side, color in COLORS.items():
        for kind, style in (('best', '-'), ('random', ':')):
            rows = [row for row in report['dimensions'][side] if row[kind]]
            kept = [100 * row[kind].balanced for row in rows]
            label = f'{SIDES[side]}, {kind}'
            axes.plot([row['d'] for row in rows], kept, style, color=color, marker='.', label=label)
    axes.axvline(report['dimensions']['enough'], color='gray', linestyle='dashed', label='8 ln n')
    axes.axhline(99, color='gray', linewidth=0.8)
    axes.set_xscale('log', base=2)
    axes.set_xlabel('d')
    axes.set_ylabel('%')


def _simulation(axes: 'Axes', report: dict) -> None:
    axes.set_title('2. Error of inner products, simulated')
    simulated = report['dimensions']['simulated']
    width = max(case.d for case in simulated)
    for label, color, cases in (
        ('8 ln n', 'C2', [case for case in simulated if case.d != width]),
        (f'{width}', 'C4', [case for case in simulated if case.d == width]),
    ):
        sizes = [case.n for case in cases]
        largest = [case.largest_of_all for case in cases]
        axes.plot(sizes, largest, ':', color=color, label=f'd = {label}: largest of all, expected')
        sampled = [case.largest for case in cases]
        axes.plot(sizes, sampled, 'v', color=color, label=f'd = {label}: largest of the sample')
        rms = [case.rms for case in cases]
        axes.plot(sizes, rms, '-o', color=color, label=f'd = {label}: root mean square')
    axes.set_xscale('log')
    axes.set_ylim(0, 1.2)  # room for the legend
    axes.set_xlabel('n vectors')


def _overlap(axes: 'Axes', report: dict) -> None:
    axes.set_title('3. AUC by character overlap')
    bins = report['overlap'][1:]
    for offset, (side, color) in zip((-0.08, 0.08), COLORS.items(), strict=True):
        rows = [(i, row[side]) for i, row in enumerate(bins) if row[side]]
        x = [i + offset for i, _ in rows]
        auc, low, high = 100 * np.array([figures for _, figures in rows]).reshape(-1, 3).T
        errors = (auc - low, high - auc)
        axes.errorbar(x, auc, errors, fmt='o-', color=color, capsize=3, label=SIDES[side])
    axes.axhline(50, color='gray', linestyle='dotted', label='chance')
    axes.set_xticks(range(len(bins)), [f'{row["overlap"]}\n{row["pairs"]} pairs' for row in bins])
    axes.tick_params(axis='x', labelsize=8)
    axes.set_ylabel('AUC x 100')


def _edits(axes: 'Axes', report: dict) -> None:
    axes.set_title('3. Change of the score by edits')
    for side, color in COLORS.items():
        for kind, (name, marker) in KINDS.items():
            changes = [change for change in report['edits'][side] if change.kind == kind]
            x = [0, *(change.edits for change in changes)]
            y = 100 * np.array([0, *(change.change for change in changes)], float)  # None: NaN
            axes.plot(x, y, marker=marker, color=color, label=f'{SIDES[side]}: {name}')
    axes.axhline(100, color='gray', linestyle='dotted', label='two unrelated sentences')
    axes.set_xticks(range(TIMES + 1))
    axes.set_xlabel('edits')
    axes.set_ylabel('% of the change to an unrelated sentence')


def _history(axes: 'Axes', report: dict) -> None:
    axes.set_title('4. Loss (epoch 1: 100), valid accuracy')
    for side, color in COLORS.items():
        history = report['history'][side]
        epochs = [row.epoch for row in history]
        loss = [100 * row.loss / history[0].loss for row in history]
        accuracy = [100 * row.valid_accuracy for row in history]
        axes.plot(epochs, accuracy, '-o', color=color, label=f'{SIDES[side]}: accuracy')
        axes.plot(epochs, loss, ':', color=color, label=f'{SIDES[side]}: loss')
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel('epoch')
    axes.set_ylabel('%')

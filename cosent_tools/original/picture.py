"""The picture of a comparison: the losses of both sides and their differences.

Only ASCII is drawn, so no Chinese font is needed. matplotlib is imported on first use.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cosent_tf.errors import UserError
from cosent_tf.files import write_atomic
from cosent_tools.original.report import METHOD_LABELS, against_original
from cosent_tools.original.sides import LABELS, ORIGINAL, Side

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, distinct for colour-blind readers too.
COLORS = dict(zip(LABELS, ('black', '#D55E00', '#0072B2', '#999999'), strict=True))
BAR = 1e-4  # differences from rounding alone are expected to stay below


def save_picture(path: Path, sides: list[Side], by_step: bool) -> None:
    """Draw a PNG with a column for each method.

    Above: the losses of the first seed. Below: their differences by step or, with dropout, which
    makes those random, the test accuracies of all seeds.

    Raises:
        UserError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError('the picture needs matplotlib: pip install matplotlib') from None

    methods = list(dict.fromkeys(side.name.method for side in sides))
    figure = Figure(figsize=(3.6 * len(methods) + 1, 6.5), layout='constrained')
    grid = figure.subplots(2, len(methods), squeeze=False)
    for (above, below), method in zip(grid.T, methods, strict=True):
        chosen = [side for side in sides if side.name.method == method]
        first = [side for side in chosen if side.name.seed == chosen[0].name.seed]
        above.set_title(METHOD_LABELS[method])
        _losses(above, first)
        if by_step:
            _differences(below, first)
        else:
            _accuracies(below, chosen)
        for axes in (above, below):
            axes.grid(alpha=0.3)
            axes.legend(fontsize=8)
    write_atomic(path, lambda temporary: figure.savefig(temporary, dpi=120, format='png'))


def _losses(axes: 'Axes', sides: list[Side]) -> None:
    for side in sides:
        model, steps = side.name.model, np.arange(1, len(side.losses) + 1)
        style = {'linewidth': 3, 'alpha': 0.3} if model == ORIGINAL else {'linewidth': 0.9}
        axes.plot(steps, side.losses, color=COLORS[model], label=LABELS[model], **style)
    axes.set_xlabel('step')
    axes.set_ylabel('loss')


def _differences(axes: 'Axes', sides: list[Side]) -> None:
    for original, other in against_original(sides):
        apart = np.abs(original.losses - other.losses)
        model, steps = other.name.model, np.arange(1, len(apart) + 1)
        apart[apart == 0] = np.nan  # has no logarithm
        axes.plot(steps, apart, '.', markersize=3, color=COLORS[model], label=LABELS[model])
    axes.axhline(BAR, color='gray', linestyle='dashed', label=f'{BAR:g}')
    axes.set_yscale('log')
    axes.set_xlabel('step')
    axes.set_ylabel('difference from the original')


def _accuracies(axes: 'Axes', sides: list[Side]) -> None:
    models = list(dict.fromkeys(side.name.model for side in sides))
    for place, model in enumerate(models):
        values = [100 * side.test_accuracy for side in sides if side.name.model == model]
        axes.plot([place] * len(values), values, 'o', color=COLORS[model], label=LABELS[model])
    axes.set_xticks(range(len(models)), [''] * len(models))
    axes.set_xlim(-0.5, len(models) - 0.5)
    axes.set_ylabel('test accuracy (%)')

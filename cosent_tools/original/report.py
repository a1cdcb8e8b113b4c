"""The differences between the sides: as sections, for text and markdown, and as TSV."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np

from cosent_tf.methods import METHODS
from cosent_tools.original.sides import LABELS, ORIGINAL, Side
from cosent_tools.report.checks import comparison_section
from cosent_tools.report.evaluation import evaluate
from cosent_tools.report.render import Section, percent
from cosent_tools.report.significance import compare_methods
from cosent_tools.runs import FinishedRun

METHOD_LABELS = {
    'cosent': 'CoSENT',
    'sbert': 'Sentence-BERT',
    'interact': 'Interact',
    'interact_cosent': 'Interact (CoSENT loss)',
}
FIGURES = ('best_epoch', 'threshold', 'valid_accuracy', 'test_accuracy')
COSTS = ('fit_seconds', 'seconds', 'peak_bytes')


class Difference(NamedTuple):
    """The largest differences between one side and the original."""

    loss: float
    step: int  # of that loss, from 1 on
    relative: float  # of a loss, as a share of the original's
    before: float  # of the valid scores before the first step
    valid: float  # of the scores of the best epoch
    test: float


def difference(original: Side, other: Side) -> Difference:
    """Compare two trainings of the same steps."""
    losses = np.abs(original.losses - other.losses)
    scores = (
        float(np.abs(getattr(original, split) - getattr(other, split)).max())
        for split in ('before', 'valid', 'test')
    )
    # a batch without two labels has the CoSENT loss 0 exactly, on both sides
    relative = losses / np.maximum(np.abs(original.losses), np.finfo(np.float32).tiny)
    return Difference(float(losses.max()), 1 + int(losses.argmax()), float(relative.max()), *scores)


def against_original(sides: list[Side]) -> Iterator[tuple[Side, Side]]:
    """Yield (original, other) for every other side of the same method and seed."""
    originals = {side.name[2:]: side for side in sides if side.name.model == ORIGINAL}
    for side in sides:
        if side.name.model != ORIGINAL:
            yield originals[side.name[2:]], side


def step_sections(sides: list[Side]) -> list[Section]:
    """Show the differences after the same steps without dropout."""
    rows = []
    for original, other in against_original(sides):
        apart = difference(original, other)
        figures = (apart.loss, apart.relative, apart.before, apart.valid, apart.test)
        loss, *others = (f'{figure:.1e}' for figure in figures)
        start = [*_labels(other), str(len(other.losses)), loss, str(apart.step)]
        rows.append([*start, *others])
    columns = ['Method', 'Side', 'Steps', 'Loss', 'at step', 'relative', 'before', 'valid', 'test']
    notes = [
        'Loss: of one step. before: scores of valid with the initial weights; valid, test: scores '
        'with the weights of the best epoch.'
    ]
    title = 'Largest difference from the original'
    return [Section(title, columns, rows, notes, text_columns=2)]


def run_section(sides: list[Side]) -> Section:
    """Show the result of each training."""
    rows = [
        [
            *_labels(side),
            str(side.name.seed),
            str(side.best_epoch),
            f'{side.threshold:.5f}',
            percent(side.valid_accuracy),
            percent(side.test_accuracy),
        ]
        for side in sides
    ]
    columns = ['Method', 'Side', 'Seed', 'Best epoch', 'Threshold', 'Valid', 'Test']
    return Section('Thresholds, and accuracies (%)', columns, rows, [], text_columns=2)


def cost_section(sides: list[Side]) -> Section:
    """Show time and memory, means over seeds, and their ratio to the original's."""
    rows, originals = [], {}
    for (method, model), group in _grouped(sides).items():
        costs = [mean(getattr(side, cost) for side in group) for cost in COSTS]
        originals.setdefault(method, costs)
        cells = []
        for cost, unit, original in zip(costs, (1, 1, 1e6), originals[method], strict=True):
            cells += [f'{cost / unit:,.1f}', f'{original / cost:.2f}']
        rows.append([METHOD_LABELS[method], LABELS[model], *cells])
    columns = ['Method', 'Side', 'Training (s)', 'ratio', 'Process (s)', 'ratio', 'Peak (MB)']
    notes = [
        "ratio: the original's to this one. Training includes scoring valid after each epoch; "
        'process includes starting TensorFlow; peak: main memory.'
    ]
    return Section('Time and memory', [*columns, 'ratio'], rows, notes, text_columns=2)


def accuracy_section(sides: list[Side], runs_dir: Path) -> Section:
    """Compare the test accuracies of both sides as eval_accuracy.py compares two methods."""
    runs = [FinishedRun(side.name, runs_dir / str(side.name)) for side in sides]
    results, left_out = evaluate(runs, 'accuracy', 'powell')
    assert not left_out, left_out  # both sides were just written, with the same pairs
    results.sort(
        key=lambda result: (list(METHODS).index(result.name.method), _order(result.name.model))
    )
    swapped = [
        replace(result, name=result.name._replace(model=result.name.method, method=side))
        for result in results
        for side in [result.name.model]
    ]
    return comparison_section(compare_methods(swapped))


def _order(model: str) -> int:
    """Sort the original last, so that a difference is ours minus the original's."""
    return (list(LABELS).index(model) - 1) % len(LABELS)


def _labels(side: Side) -> list[str]:
    return [METHOD_LABELS[side.name.method], LABELS[side.name.model]]


def _grouped(sides: list[Side]) -> dict[tuple[str, str], list[Side]]:
    groups = {}
    for side in sides:
        groups.setdefault((side.name.method, side.name.model), []).append(side)
    return groups


def figures_tsv(sides: list[Side]) -> str:
    """Return all figures in full precision, one line per training."""
    fields = Difference._fields
    apart = {other.name: difference(original, other) for original, other in against_original(sides)}
    names = [*FIGURES, *COSTS, *(f'{field}_difference' for field in fields if field != 'step')]
    lines = ['\t'.join(['task', 'method', 'seed', 'side', 'steps', *names, 'at_step'])]
    for side in sides:
        task, model, method, seed = side.name
        cells = [task, method, seed, model, len(side.losses)]
        cells += [getattr(side, name) for name in (*FIGURES, *COSTS)]
        found = apart.get(side.name)
        cells += [getattr(found, field, '') for field in fields if field != 'step']
        lines.append('\t'.join(map(str, [*cells, getattr(found, 'step', '')])))
    return '\n'.join(lines) + '\n'


def losses_tsv(sides: list[Side]) -> str:
    """Return the losses of all sides, one line per step."""
    lines = ['task\tmethod\tseed\tside\tstep\tloss']
    for side in sides:
        task, model, method, seed = side.name
        for step, loss in enumerate(side.losses.tolist(), 1):
            lines.append(f'{task}\t{method}\t{seed}\t{model}\t{step}\t{loss!r}')
    return '\n'.join(lines) + '\n'

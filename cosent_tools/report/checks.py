"""Sections that show how far results can be trusted: comparisons, details, oddities of data."""

from itertools import pairwise

import numpy as np

from cosent_tf.audit import PLACEHOLDERS, Counts
from cosent_tools.report.details import collapse, details, has_useless_threshold
from cosent_tools.report.evaluation import Result
from cosent_tools.report.overlap import BINS, split_by_overlap
from cosent_tools.report.render import Section, percent
from cosent_tools.report.significance import Comparison
from cosent_tools.report.tables import MEASURES, Table, method_label

UNLIKE = '†'  # marks a cell that is not compared with the published figure


def comparison_section(comparisons: list[Comparison]) -> Section:
    """Show whether methods differ; at least one comparison."""
    rows, is_mixed = [], len({item.measure for item in comparisons}) > 1
    for item in comparisons:
        suffix = f' ({MEASURES[item.measure]})' if is_mixed else ''
        star = '*' if item.corrected_p < 0.05 else ''
        share = '?' if item.training_share is None else f'{100 * item.training_share:.0f} %'
        rows.append(
            [
                f'{item.task} {item.model}{suffix}',
                ' − '.join(item.methods),
                ', '.join(dict.fromkeys(str(len(seeds)) for seeds in item.seeds)),
                f'{_points(item.difference)} ±{percent((item.high - item.low) / 2)}',
                _p(item.p_value),
                _p(item.corrected_p) + star,
                _p(item.permutation_p),
                share,
            ]
        )
    columns = ['Task', 'First − second', 'Seeds', 'Difference', 'p', 'Holm', 'permuted', 'train']
    title = 'Is the difference real? (points, first minus second, means over all seeds)'
    return Section(title, columns, rows, _comparison_notes(comparisons), text_columns=2)


def _comparison_notes(comparisons: list[Comparison]) -> list[str]:
    is_known = [item.training_share is not None for item in comparisons]
    notes = []
    if any(is_known):
        notes.append(
            '±: 95 % confidence interval; p: p-value of no difference; both account for seeds and '
            'test pairs. train: share of the variance that is due to the training seed.'
        )
    if not all(is_known):
        notes.append(
            '?: the noise of training is unknown with one seed; ± and p are for test pairs only.'
        )
    several = f'{len(comparisons)} comparison{"s" if len(comparisons) > 1 else ""}'
    notes.append(
        f'Holm: p corrected for {several}, * if below 0.05. permuted: p of a permutation test over '
        'the test pairs, for these trained models only, not for other seeds.'
    )
    return notes


def unlike_notes(table: Table) -> list[str]:
    """Name what differs from the published runs, and how far encoders were compared with theirs."""
    cells = {}
    for (row, column), cell in table.cells.items():
        if cell.unlike and column != 'Avg':  # Avg is marked because its tasks are
            cells.setdefault(cell.unlike, []).append(f'{column} {method_label(*row)}')
    notes = [
        f'{UNLIKE} {", ".join(names)}: {"; ".join(unlike)}.' for unlike, names in cells.items()
    ]
    if any(cell.difference is not None for cell in table.cells.values()):
        notes.append(
            'Encoders are compared with the published ones by name and sizes; --format json shows '
            'the SHA-256 of their weights.'
        )
    return notes


def select_notes(results: list[Result]) -> list[str]:
    """Name the runs whose checkpoint was chosen by another measure than the one shown."""
    notes = []
    for select, other in (('accuracy', 'Spearman'), ('spearman', 'accuracy')):
        names = [
            str(result.name)
            for result in results
            if result.select == select and (result.measure == 'spearman') != (select == 'spearman')
        ]
        if names:
            kept = f'Checkpoint chosen by valid {MEASURES[select]}, not {other}'
            notes.append(f'{kept}: {", ".join(names)}.')
    return notes


def unmeasured_section(results: list[Result]) -> Section:
    """Show the figures on valid of runs without labels on test."""
    rows = []
    for result in results:
        rule = '–' if result.threshold is None else f'score > {result.threshold:.5f}'
        decision = 'class weights' if result.weights else rule
        row = [str(result.name), str(len(result.test.labels)), decision, percent(result.valid)]
        rows.append([*row, MEASURES[result.measure]])
    columns = ['Run', 'Pairs', 'Decision', 'Valid', 'Measure']
    notes = ['The labels of test are missing or all the same, so nothing can be measured there.']
    return Section('Runs without test labels: figures on valid (×100)', columns, rows, notes)


def details_section(results: list[Result]) -> Section:
    """Show the measures of `--details` for each run."""
    rows = [[str(result.name), *map(percent, details(result))] for result in results]
    notes = ['Figures of class 1, or means over several classes; –: not defined.']
    columns = ['Run', 'Precision', 'Recall', 'Average precision', 'ROC AUC']
    return Section('Every run on test, in detail (%)', columns, rows, notes)


def collapse_notes(results: list[Result]) -> list[str]:
    """Name the runs that learned nothing, and those whose threshold separates nothing."""
    collapsed, stalled, alike = {}, [], []
    for result in results:
        if reason := collapse(result):
            collapsed.setdefault(reason, []).append(str(result.name))
        elif result.optimum and has_useless_threshold(result):
            found = f'valid {percent(result.valid)}, exact {percent(result.optimum[1])}'
            stalled.append(f'{result.name} ({found})')
        elif result.predicted is not None and np.ptp(result.predicted) == 0:
            alike.append(str(result.name))
    notes = [f'Collapsed ({reason}): {", ".join(runs)}.' for reason, runs in collapsed.items()]
    if stalled:
        notes.append(
            "Powell's search stalled at its start, although the scores separate the classes; "
            f'--search exact finds the optimum: {", ".join(stalled)}.'
        )
    if alike:
        notes.append(f'All test pairs get the same decision: {", ".join(alike)}.')
    return notes


def audit_section(oddities: dict[str, Counts]) -> Section:
    """Show what `audit` counted in each of some tasks, at least one."""
    rows = []
    for task, counts in sorted(oddities.items()):
        twice = counts['pairs_in_two_splits']
        shared = counts['test_sentences_in_train']
        cells = [
            f'{sum(twice.values())} ({twice.get("train, test", "–")})',
            f'{counts["contradictory_pairs"]}',
            f'{sum(counts["identical_labelled_0"].values())}',
            f'{sum(counts["placeholders"].values())} ({counts["placeholders"].get("test", "–")})',
            f'{"–" if shared is None else shared} of {counts["test_sentences"]}',
        ]
        rows.append([task, *cells])
    notes = [
        'In two splits: pairs; in brackets, those in both train and test. Contradictory: pairs '
        'with several labels. Identical, 0: pairs of identical sentences labelled 0.',
        f'Placeholders: pairs with {" or ".join(PLACEHOLDERS)} for a sentence; in brackets, those '
        'of test. Test in train: test sentences that train has, too.',
    ]
    if any(counts['test_sentences_in_train'] is None for counts in oddities.values()):
        notes.append('–: train is unknown; only the pairs in the prediction files were counted.')
    columns = [
        'Task',
        'In two splits',
        'Contradictory',
        'Identical, 0',
        'Placeholders',
        'Test in train',
    ]
    return Section('Oddities of the data', columns, rows, notes)


def overlap_sections(results: list[Result]) -> list[Section]:
    """Show the accuracy by character overlap, a section for each task."""
    columns = ['Overlap', *(f'{low} to {high}' for low, high in pairwise(BINS))]
    sections = []
    for overlap in split_by_overlap(results):
        rows = [['Pairs', *map(str, overlap.pairs)]]
        if overlap.positive is not None:
            rows.append(['Share of label 1', *map(percent, overlap.positive)])
        for row, figures in overlap.accuracy.items():
            rows.append([method_label(*row), *map(percent, figures)])
        title = f'{overlap.task}: test accuracy (%) by character overlap of the two sentences'
        sections.append(Section(title, columns, rows, []))
    notes = [
        'Overlap: Dice coefficient of the two character multisets, 2 · shared / all, regardless of '
        'their order; a bin includes its lower edge. Accuracies are means over seeds.'
    ]
    return [*sections[:-1], sections[-1]._replace(notes=notes)] if sections else []


def _points(share: float) -> str:
    return f'{100 * share:+.2f}'


def _p(value: float) -> str:
    return f'{value:.4f}' if value >= 0.0001 else '<0.0001'

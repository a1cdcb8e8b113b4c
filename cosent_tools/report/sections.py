"""The report of eval_accuracy.py as sections: its content; render.py lays it out."""

from collections.abc import Iterable
from pathlib import Path

from cosent_tf.audit import NOTHING, Counts, describe
from cosent_tf.published import TASKS
from cosent_tools.report.checks import (
    UNLIKE,
    audit_section,
    collapse_notes,
    comparison_section,
    details_section,
    overlap_sections,
    select_notes,
    unlike_notes,
    unmeasured_section,
)
from cosent_tools.report.evaluation import STALL, Result
from cosent_tools.report.published_figures import (
    MAJORITY,
    PUBLISHED,
    PUBLISHED_AGAIN,
    PUBLISHED_SPEARMAN,
    table_tasks,
)
from cosent_tools.report.render import Section, percent
from cosent_tools.report.significance import accuracy_interval, compare_methods
from cosent_tools.report.tables import (
    HEADINGS,
    MAJORITY_CLASS,
    Cell,
    Table,
    build_table,
    method_label,
)

_COLUMNS_PER_TABLE = 6  # as many as 100 characters hold beside the row's name
_SEARCHES = {'powell': "Powell's search, as published", 'exact': 'exact search'}
_SPEARMAN_SOURCES = (
    'kexue.fm/archives/8847, checkpoint chosen by valid Spearman (Interact: archives/9341)'
)
_MAJORITY_NOTE = (
    'Majority class: share of the larger class in test, computed from the published splits.'
)
_SPEARMAN_AVERAGES = 'Avg: over five tasks, for Interact over the four without STS-B, as published'


def published_section(runs_dir: Path, metric: str) -> Section:
    """Show the published table and how to make a run, where there are no finished runs."""
    published = PUBLISHED_SPEARMAN if metric == 'spearman' else PUBLISHED
    figures = {method_label(*row): row_figures for row, row_figures in published.items()}
    if metric == 'spearman':
        heading, select = HEADINGS[metric], ' --select spearman'
        sources = [f'Published in {_SPEARMAN_SOURCES}.', f'{_SPEARMAN_AVERAGES}.']
    else:
        heading, select = HEADINGS['accuracy'], ''
        figures[f'({MAJORITY_CLASS})'] = MAJORITY
        sources = [
            'Published in kexue.fm/archives/8860; Interact (CoSENT loss) in archives/9341.',
            _MAJORITY_NOTE,
            *_repeated_notes(PUBLISHED_AGAIN, (*TASKS, 'Avg')),
        ]
    columns = (*table_tasks(metric), 'Avg')
    rows = [
        [name, *(f'{row[column]:.2f}' if column in row else '–' for column in columns)]
        for name, row in figures.items()
    ]
    notes = [
        *sources,
        f'There are no finished runs in {runs_dir}. To train one without any download:',
        f'    python train_cosent.py --task DEMO{select}',
        'With the senteval_cn files and a BERT checkpoint:',
        f'    python train_cosent.py --task BQ{select}',
        'Then run eval_accuracy.py again. Other methods: train_sbert.py, train_interact.py, …',
    ]
    return Section(f'Published test {heading}', ['', *columns], rows, notes)


def build_sections(
    results: list[Result],
    metric: str,
    search: str | None,
    overlap: bool,
    detailed: bool,
    oddities: dict[str, Counts],
) -> list[Section]:
    """Report results, at least one.

    Args:
        results: of any runs.
        metric: as for `evaluate`.
        search: likewise.
        overlap: whether to split accuracies by character overlap.
        detailed: whether to show more measures of every run.
        oddities: what `audit` counted, by task.
    """
    measured = [result for result in results if result.value is not None]
    sections = _main_sections(results, metric, search)
    sections[-1].notes.extend(collapse_notes(results))
    parts = (
        (_stall_section, [result for result in results if result.optimum]),
        (_decided_section, [result for result in measured if result.correct is not None]),
        (_ranked_section, [result for result in measured if result.correct is None]),
        (unmeasured_section, [result for result in results if result.value is None]),
        (details_section, measured if detailed else []),
        (comparison_section, compare_methods(results)),
        (audit_section, {task: n for task, n in oddities.items() if describe(n) != NOTHING}),
    )
    sections += [section(rows) for section, rows in parts if rows]
    if overlap:
        sections += overlap_sections(results)
    return sections


def _main_sections(results: list[Result], metric: str, search: str | None) -> list[Section]:
    table = build_table(results, metric)
    title = f'Test {HEADINGS[metric]}'
    if search:
        title += f', thresholds fitted on valid: {_SEARCHES[search]}'
    sections, shown = [], table.shown
    for start in range(0, len(shown), _COLUMNS_PER_TABLE):
        columns = shown[start : start + _COLUMNS_PER_TABLE]
        rows = [
            [method_label(*row), *(_cell(table.cells[row, column]) for column in columns)]
            for row in table.rows
        ]
        if any(table.baseline[column].mean is not None for column in shown):
            baseline = [percent(table.baseline[column].mean) for column in columns]
            rows.append([table.baseline_name, *baseline])
        sections.append(Section(title, ['', *columns], rows, []))
    sections[-1].notes.extend([*_legend(table, metric), *select_notes(results)])
    return sections


def _legend(table: Table, metric: str) -> list[str]:
    """Explain the marks that are in the table, and no others."""
    shown = table.shown
    cells = [table.cells[row, column] for row in table.rows for column in shown]
    marks = []
    if any(cell.sd is not None for cell in cells):
        marks.append('±: standard deviation over seeds')
    if any(cell.best for cell in cells):
        marks.append('*: best of its column')
    notes = [f'{"; ".join(marks)}.'] if marks else []
    if 'Avg' in shown:
        notes.append(
            'Avg: over the seeds that all of its tasks have; without any, the mean of means.'
        )
        if metric == 'spearman':
            notes.append(f'{_SPEARMAN_AVERAGES}; so no Avg is marked as the best.')
    if any(cell.published is not None for cell in cells):
        sources = _SPEARMAN_SOURCES
        if metric == 'accuracy':
            sources = 'kexue.fm/archives/8860'
            if any(method == 'interact_cosent' for _, method in table.rows):
                sources += ' (Interact with the CoSENT loss: archives/9341)'
        note = f'publ.: published in {sources}, one run each'
        if any(cell.difference is not None for cell in cells):
            note += '; diff.: ours minus published, in points'
        notes.append(f'{note}.')
    if metric == 'accuracy':
        notes += _repeated_notes(table.rows, shown)
    return [*notes, *unlike_notes(table), *_missing_notes(table, metric)]


def _missing_notes(table: Table, metric: str) -> list[str]:
    """Show how to get the rest of the published table, unless it is all there."""
    published = {'accuracy': PUBLISHED, 'spearman': PUBLISHED_SPEARMAN}.get(metric, {})
    places = [(row, task) for row in published for task in TASKS]
    missing = sum(not table.cells.get(place, Cell()).is_run for place in places)
    flags = ' -- --select spearman' if metric == 'spearman' else ''
    if not missing:
        return []
    return [
        f'Published runs not here yet: {missing} of {len(places)}; '
        f'python train_table.py --dry_run{flags} lists them.'
    ]


def _cell(cell: Cell) -> str:
    """Return the lines of a cell: ours, published, difference."""
    missing = 'no labels' if cell.no_labels else 'not run'
    lines = [missing if cell.mean is None else f'{100 * cell.mean:.2f}']
    if cell.sd is not None:
        lines[0] += f' ±{100 * cell.sd:.2f}'
    lines[0] += ('*' if cell.best else '') + (UNLIKE if cell.unlike else '')
    if cell.published is not None:
        lines.append(f'publ. {100 * cell.published:.2f}')
    if cell.difference is not None:
        lines.append(f'diff. {100 * cell.difference:+.2f}')
    return '\n'.join(lines)


def _repeated_notes(rows: Iterable[tuple[str, str]], columns: Iterable[str]) -> list[str]:
    notes = []
    for row in rows:
        again = PUBLISHED_AGAIN.get(row, {})
        if figures := [f'{task} {again[task]:.2f}' for task in columns if task in again]:
            name = f'{method_label(*row)} was published again in kexue.fm/archives/9341'
            notes.append(f'{name}: {", ".join(figures)}.')
    return notes


def _stall_section(stalled: list[Result]) -> Section:
    rows = []
    for result in stalled:
        threshold, valid = result.optimum
        ours = [percent(result.valid), f'{result.threshold:.5f}']
        rows.append([str(result.name), *ours, percent(valid), f'{threshold:.5f}'])
    columns = ['Run', "Powell's", 'threshold', 'exact', 'threshold']
    limit = f'{100 * STALL:.1f} points'
    notes = [f'All other runs are within {limit} of the optimum; --search exact finds it.']
    title = "Where Powell's search missed the optimum: accuracy on valid (%)"
    return Section(title, columns, rows, notes)


def _decided_section(results: list[Result]) -> Section:
    rows = []
    for result in results:
        rule = 'class weights' if result.weights else f'score > {result.threshold:.5f}'
        valid, test, f1 = map(percent, (result.valid, result.accuracy, result.f1))
        low, high = map(percent, accuracy_interval(result.correct))
        test = f'{test} [{low}, {high}]'
        rows.append([str(result.name), str(len(result.test.labels)), rule, valid, test, f1])
    notes = [
        "[…]: Wilson's 95 % confidence interval. F1: of class 1; of several classes, macro-F1."
    ]
    valid = 'Valid accuracy' if results[0].measure == 'accuracy' else 'Valid F1'
    columns = ['Run', 'Pairs', 'Decision', valid, 'Test accuracy', 'Test F1']
    return Section('Every run (%)', columns, rows, notes)


def _ranked_section(results: list[Result]) -> Section:
    rows = []
    for result in results:
        figures = map(percent, (result.valid, result.value))
        rows.append([str(result.name), str(len(result.test.labels)), *figures])
    title = f'Every run: {HEADINGS["spearman"]}'
    return Section(title, ['Run', 'Pairs', 'Valid', 'Test'], rows, [])

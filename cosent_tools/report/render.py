"""The layout of reports: sections as text or as markdown, results as JSON."""

import io
import sys
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cosent_tf.files import to_json
from cosent_tools.report.details import collapse, details
from cosent_tools.report.evaluation import Result
from cosent_tools.report.overlap import BINS, split_by_overlap
from cosent_tools.report.significance import accuracy_interval, compare_methods
from cosent_tools.report.tables import build_table

WIDTH, WIDEST = 100, 120  # characters, of text and of the widest table


class Section(NamedTuple):
    """A table with a title above and notes below; cells may have several lines."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str]
    text_columns: int = 1  # number of columns of words on the left; the others are numbers


def percent(share: float | None) -> str:
    """Return a fraction of 1 in percent, without the sign, or a dash for None."""
    return '–' if share is None else f'{100 * share:.2f}'


def as_text(sections: list[Section]) -> str:
    """Lay sections out for a terminal."""
    console = Console(file=io.StringIO(), width=WIDEST, color_system=None, legacy_windows=False)
    for section in sections:
        console.print(Text(f'{section.title}\n'))
        console.print(_rich_table(section))
        console.print()
        for note in section.notes:
            console.print(Text(note), width=WIDTH)
        if section.notes:
            console.print()
    lines = console.file.getvalue().split('\n')
    return '\n'.join(line.rstrip() for line in lines).rstrip('\n') + '\n'


def _rich_table(section: Section) -> Table:
    tall = any('\n' in cell for row in section.rows for cell in row)
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), leading=int(tall))
    for i, column in enumerate(section.columns):
        justify = 'left' if i < section.text_columns else 'right'
        table.add_column(Text(column), justify=justify, overflow='fold')
    for row in section.rows:
        table.add_row(*map(Text, row))
    return table


def as_markdown(sections: list[Section]) -> str:
    """Write sections as markdown; lines within a cell become <br>."""
    blocks = []
    for section in sections:
        rule = ['---' if i < section.text_columns else '---:' for i in range(len(section.columns))]
        lines = [section.columns, rule, *section.rows]
        table = '\n'.join(f'| {" | ".join(map(_escape, cells))} |' for cells in lines)
        notes = '\n'.join(f'- {_escape(note)}' for note in section.notes)
        blocks.append(f'### {section.title}\n\n{table}\n\n{notes}\n')
    return '\n'.join(blocks)


def _escape(text: str) -> str:
    return text.strip().replace('*', r'\*').replace('|', r'\|').replace('\n', '<br>')


def as_json(
    results: list[Result],
    metric: str,
    search: str | None,
    overlap: bool,
    rest: dict[str, object],
) -> str:
    """Return every number in full precision: measures are fractions of 1, null is none.

    Args:
        results: of any runs.
        metric: as for `evaluate`.
        search: likewise.
        overlap: whether to split accuracies by character overlap.
        rest: further parts of the report, by name.
    """
    table = build_table(results, metric)
    return to_json(
        {
            'metric': metric,
            'search': search,
            'table': [
                {'model': model, 'method': method, 'column': column}
                | cell._asdict()
                | {'difference': cell.difference}
                for ((model, method), column), cell in table.cells.items()
            ],
            'baseline': [
                {'column': column, 'mean': cell.mean, 'of_published_splits': cell.published}
                for column, cell in table.baseline.items()
            ],
            'runs': [_run(result) for result in results],
            'comparisons': [comparison._asdict() for comparison in compare_methods(results)],
            'overlap': _overlap(results) if overlap else None,
            **rest,
        }
    )


def _run(result: Result) -> dict:
    low_high = None if result.correct is None else accuracy_interval(result.correct)
    return {
        'run': str(result.name),
        **result.name._asdict(),
        'pairs': len(result.test.labels),
        'measure': result.measure,
        'valid': result.valid,
        'test': result.value,
        'threshold': result.threshold,
        'weights': result.weights,
        'accuracy': result.accuracy,
        'accuracy_interval': low_high,
        'f1': result.f1,
        **details(result)._asdict(),
        'collapsed': collapse(result),
        'select': result.select,
        'settings': result.settings,
        'unlike_published': result.unlike,
        'optimum': result.optimum
        and dict(zip(('threshold', 'valid'), result.optimum, strict=True)),
    }


def _overlap(results: list[Result]) -> list[dict]:
    return [
        {
            'task': overlap.task,
            'bins': BINS,
            'pairs': overlap.pairs,
            'positive': overlap.positive,
            'accuracy': [
                {'model': model, 'method': method, 'by_bin': figures}
                for (model, method), figures in overlap.accuracy.items()
            ],
        }
        for overlap in split_by_overlap(results)
    ]


def hint(text: str) -> None:
    """Suggest the next command, on a terminal only; on stderr, as results are on stdout."""
    if sys.stdout.isatty():
        print(text, file=sys.stderr)

"""A page to explore the errors: tables, movable thresholds, curves, and the pairs themselves.

The page contains all it needs: plotly.js for the charts, DataTables (in the bundle of itables) for
the pairs, the predictions, and the code in page/ that joins them. Its Content-Security-Policy keeps
it from loading anything else. What a chart shows is computed in the browser, from scores that are
float64 there too, so all decisions equal those made here. plotly and itables are imported on first
use.
"""

import base64
import json
from difflib import SequenceMatcher
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from cosent_tf.errors import UserError
from cosent_tf.files import write_text
from cosent_tools.report.chinese import chinese
from cosent_tools.report.evaluation import Result
from cosent_tools.report.overlap import BINS, character_overlap, split_by_overlap
from cosent_tools.report.render import Section
from cosent_tools.report.tables import method_label

_SCRIPTS = ('main.js', 'threshold.js', 'charts.js', 'pairs.js', 'start.js')  # one module, in order


def save_html(path: Path, results: list[Result], sections: list[Section]) -> None:
    """Write the page.

    Args:
        path: the file, replaced if it is there.
        results: at least one. Those with a threshold are shown with their pairs, the others only in
            the tables.
        sections: the report's.

    Raises:
        UserError: plotly or itables is not installed, or the file cannot be written.
    """
    try:
        from itables.options import dt_bundle
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise UserError('--html needs plotly and itables: pip install plotly itables') from None

    bundle = Path(dt_bundle)
    imports = {'datatables': f'data:text/javascript;base64,{_base64(bundle.read_bytes())}'}
    page = Template(_read('page.html')).substitute(
        css=bundle.with_suffix('.css').read_text('utf-8') + _read('page.css'),
        imports=_script_json({'imports': imports}),
        plotly=get_plotlyjs(),
        report=as_html(sections),
        data=_script_json(page_data(results)),
        script='\n'.join(map(_read, _SCRIPTS)),
    )
    write_text(path, page)


def as_html(sections: list[Section]) -> str:
    """Write sections as HTML that unfolds; those with the title of the first one are open."""
    blocks = []
    for section in sections:
        words = section.text_columns
        head = _row('th', section.columns, words)
        rows = '\n'.join(_row('td', row, words) for row in section.rows)
        notes = ''.join(f'<li>{_both(note.strip())}</li>' for note in section.notes)
        blocks.append(
            f'<details{" open" * (section.title == sections[0].title)}>'
            f'<summary>{_both(section.title)}</summary>\n'
            f'<div class="wide"><table>\n<thead>{head}</thead>\n<tbody>{rows}</tbody>\n'
            f'</table></div>\n<ul class="notes">{notes}</ul></details>'
        )
    return '\n'.join(blocks)


def _row(tag: str, cells: list[str], words: int) -> str:
    """Write a row: some cells of words, then numbers; further lines of a cell are small."""
    written = []
    for i, cell in enumerate(cells):
        first, *others = cell.split('\n')
        small = ''.join(f'<br><small>{_both(line)}</small>' for line in others)
        number = ' class=number' if i >= words else ''
        written.append(f'<{tag}{number}>{_both(first)}{small}</{tag}>')
    return f'<tr>{"".join(written)}</tr>'


def _both(text: str) -> str:
    """Write a text in English and Chinese, of which the page shows one; names and figures once."""
    translated = chinese(text)
    if translated is None:
        return escape(text)
    return f'<span class="en">{escape(text)}</span><span class="zh">{escape(translated)}</span>'


def page_data(results: list[Result]) -> dict:
    """Return the data of the page's code: tasks with their pairs and runs, as plain JSON."""
    tasks = {}
    shown = [result for result in results if None not in (result.threshold, result.value)]
    for result in shown:
        tasks.setdefault(result.name.task, []).append(result)
    return {
        'bins': BINS,
        'tasks': [_task(name, runs) for name, runs in sorted(tasks.items())],
        'only_in_tables': [str(result.name) for result in results if result not in shown],
    }


def _task(name: str, results: list[Result]) -> dict:
    test = results[0].test  # the same pairs in all runs, see `evaluate`
    overlap, seen = split_by_overlap(results)[0], set()
    runs = []
    for result in results:
        row = result.name[1:3]
        runs.append(
            {
                'name': str(result.name),
                'label': method_label(*row),
                'seed': result.name.seed,
                'first': row not in seen,  # of its method
                'threshold': result.threshold,
                'by_overlap': overlap.accuracy[row],  # of its method
                'scores': _base64(result.test.scores.astype('<f8').tobytes()),
            }
        )
        seen.add(row)
    return {
        'name': name,
        'labels': ''.join(map(str, test.labels.astype(int).tolist())),
        'texts': test.texts,
        'differences': [differences(*pair) for pair in test.texts],
        'overlap': np.round(character_overlap(test.texts), 3).tolist(),
        'by_overlap': {'pairs': overlap.pairs, 'positive': overlap.positive},
        'runs': runs,
    }


def differences(text1: str, text2: str) -> tuple[list[int], list[int]]:
    """Return where two texts differ, as lengths within each: differing, shared, differing, …"""
    blocks = SequenceMatcher(None, text1, text2, autojunk=False).get_matching_blocks()
    lengths = [], []
    for side in (0, 1):
        end = 0
        for block in blocks:  # the last one is empty, at the ends of both
            lengths[side].extend((block[side] - end, block.size))
            end = block[side] + block.size
    return lengths


def _read(name: str) -> str:
    return (files('cosent_tools.report') / 'page' / name).read_text('utf-8')


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode('ascii')


def _script_json(value: object) -> str:
    """Write JSON in which no text can end the script element around it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(',', ':'))
    return text.replace('<', r'\u003c')

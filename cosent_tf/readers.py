"""Text files as people have them: lines of texts, and sentence pairs in four formats.

    .data    lines `text1 \\t text2 \\t label` without a header, as in senteval_cn
    .tsv     a header and tab-separated fields, no quoting
    .csv     a header and comma-separated fields, quoted as spreadsheets do
    .jsonl   one JSON object per line

The last three have the columns sentence1, sentence2 (or text1, text2) and label (or score). All are
UTF-8, and gzipped if the name ends in .gz. In files without labels, the third field or column is
missing, or always empty.
"""

import csv
import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from cosent_tf.errors import UserError

SUFFIXES = tuple(
    suffix + packed for suffix in ('.data', '.tsv', '.csv', '.jsonl') for packed in ('', '.gz')
)
COLUMNS = (('sentence1', 'text1'), ('sentence2', 'text2'), ('label', 'score'))
NUMBER = re.compile(r'[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?')  # float() accepts more
QUOTED = re.compile(r'"[^"]*(""[^"]*)+"', re.DOTALL)  # as CSV quotes a field that holds quotes
SPACES = str.maketrans('\t\n\r', '   ')

Pair = tuple[str, str, int | float | None]
Rows = Iterator[tuple[int, list | None]]  # line number, and three fields or None


def iter_lines(path: str | Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, which end in \\n, \\r\\n or \\r as in Python's text mode.

    Raises a UserError if the file is missing, unreadable, or not UTF-8 (with the line).
    """
    path = Path(path)
    try:
        try:
            with _open(path, 'rt', encoding='utf-8-sig') as file:
                for line in file:
                    yield line.removesuffix('\n')
        except UnicodeDecodeError:  # the search for the line may find that a .gz is cut short
            raise UserError(f'{path}:{_bad_line(path)}: not UTF-8; convert the file') from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, 'strerror', None) or error
        raise UserError(f'{path}: cannot be read: {reason}') from None


def read_lines(path: str | Path) -> list[str]:
    """Return all lines of a file; see `iter_lines`."""
    return list(iter_lines(path))


def read_json(path: str | Path, kind: type = dict) -> dict | list:
    """Return the content of a JSON file, a dict or a list; UserError if it is not of this kind."""
    return _parse_json(Path(path), 1, '\n'.join(iter_lines(path)), kind)


def iter_pairs(path: str | Path) -> Iterator[tuple[int, Pair | None]]:
    """Yield line number and pair (text1, text2, label), or None for a line without these fields.

    Tabs and line ends within texts, which .csv and .jsonl can have, become spaces. The tokenizer
    does the same, and every pair then fits on a line of predictions. Errors as in `read_pairs`.
    """
    path = Path(path)
    rows = ROW_READERS.get(Path(path.name.removesuffix('.gz')).suffix, _rows_of_data)
    for number, fields in rows(path):
        if fields is None:
            yield number, None
            continue
        text1, text2 = (text.translate(SPACES) for text in fields[:2])
        try:
            yield number, (text1, text2, _label(fields[2]))
        except ValueError:
            raise UserError(
                f'{path}:{number}: the label must be a number, not {str(fields[2])[:40]!r}'
            ) from None


def read_pairs(path: str | Path) -> tuple[list[Pair], int]:
    """Read a file of sentence pairs, in the format that its name says.

    As in the original, lines of .data files are stripped and split on tabs, and those without
    exactly three fields are skipped; unlike there, they are counted. If no line has three fields,
    those with two are pairs without labels.

    Args:
        path: the file; a name that ends in none of `SUFFIXES` is read as `.data`.

    Returns:
        The pairs (text1, text2, label) in file order, and the number of skipped lines. Labels are
        int if they are whole ('1.0' too, which spreadsheets make of 1), else float; all are None in
        a file without labels.

    Raises:
        UserError: unreadable, not UTF-8, not in its format, a label that is not a finite number,
            labels for some pairs only, or no pair.
    """
    rows = list(iter_pairs(path))
    pairs = [pair for _, pair in rows if pair is not None]
    if not pairs:
        raise UserError(f'{path}: no line of the form text1, text2, label')
    if len({label is None for _, _, label in pairs}) > 1:
        line = next(number for number, pair in rows if pair and pair[2] is None)
        raise UserError(f'{path}:{line}: no label here, although other lines have one')
    return pairs, len(rows) - len(pairs)


def tell_quotes(path: Path, rows: Iterable[tuple[int, Sequence | None]]) -> Iterator[tuple]:
    """Yield the rows of a format without quoting; afterwards, warn if fields were quoted anyway.

    pandas and spreadsheets quote a field that holds a quote, in tab-separated files too.
    """
    first, count = 0, 0
    for number, fields in rows:
        if found := sum(bool(QUOTED.fullmatch(field or '')) for field in fields or ()):
            first, count = first or number, count + found
        yield number, fields
    if count:
        print(
            f'{path}:{first}: a field in quotes with doubled quotes inside, as in CSV ({count} '
            'such fields in all); the quotes are read as part of the text: write the file without '
            'quoting (pandas: quoting=csv.QUOTE_NONE), or as .csv',
            file=sys.stderr,
        )


def _open(path: Path, mode: str, **options: str) -> IO:
    return gzip.open(path, mode, **options) if path.suffix == '.gz' else path.open(mode, **options)


def _bad_line(path: Path) -> int:
    """Return the number of the first line that is not UTF-8."""
    with _open(path, 'rb') as file:
        return next(
            n for n, line in enumerate(file, 1) if line.decode(errors='ignore').encode() != line
        )


def _label(value: object) -> int | float | None:
    """Convert a label such as 1, '1', '1.0' or '0.8'; None or '' becomes None.

    Raises:
        ValueError: not a number, or too large for int32.
    """
    text = '' if value is None else str(value).strip()
    if not text:
        return None
    if not NUMBER.fullmatch(text) or abs(number := float(text)) >= 2**31:
        raise ValueError(value)
    return int(number) if number.is_integer() else number


def _rows_of_data(path: Path) -> Rows:
    lines = [line.strip().split('\t') for line in iter_lines(path)]
    wanted = 3 if any(len(fields) == 3 for fields in lines) else 2
    rows = ([*fields, None][:3] if len(fields) == wanted else None for fields in lines)
    return tell_quotes(path, enumerate(rows, 1))


def _rows_of_tsv(path: Path) -> Rows:
    lines = (line.split('\t') for line in iter_lines(path))
    return tell_quotes(path, _named_fields(path, enumerate(lines, 1)))


def _rows_of_csv(path: Path) -> Rows:
    reader = csv.reader((f'{line}\n' for line in iter_lines(path)), strict=True)
    try:
        yield from _named_fields(path, ((reader.line_num, row) for row in reader))
    except csv.Error as error:
        raise UserError(f'{path}:{reader.line_num}: not CSV: {error}') from error


def _named_fields(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Rows:
    number, header = next(rows, (1, []))
    names = [name.strip() for name in header]
    columns = _columns(path, number, names)
    places = [-1 if column is None else names.index(column) for column in columns]
    for number, row in rows:
        is_whole = len(row) == len(names)
        yield number, [[*row, None][place] for place in places] if is_whole else None


def _rows_of_jsonl(path: Path) -> Rows:
    columns = None
    for number, line in enumerate(iter_lines(path), 1):
        if not line.strip():
            yield number, None
            continue
        row = _parse_json(path, number, line, dict)
        if columns is None or (columns[2] is None and row.keys() & set(COLUMNS[2])):
            columns = _columns(path, number, row)
        fields = [row.get(column) for column in columns]
        yield number, fields if all(isinstance(text, str) for text in fields[:2]) else None


def _parse_json(path: Path, number: int, text: str, kind: type) -> dict | list:
    try:
        content = json.loads(text)
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UserError(f'{path}:{number}: half of a surrogate pair') from error
    except (ValueError, RecursionError) as error:  # also too many digits or brackets
        number += getattr(error, 'lineno', 1) - 1
        raise UserError(f'{path}:{number}: not JSON: {getattr(error, "msg", error)}') from error
    if not isinstance(content, kind):
        raise UserError(f'{path}:{number}: not a JSON {"object" if kind is dict else "array"}')
    return content


def _columns(path: Path, number: int, names: Iterable[str]) -> list[str | None]:
    """Return the names of the columns text1, text2 and label, None if there is no label."""
    found = [next((name for name in choice if name in names), None) for choice in COLUMNS]
    if None in found[:2]:
        raise UserError(
            f'{path}:{number}: the columns must be sentence1, sentence2 (or text1, text2) and '
            f'label (or score), not {", ".join(names)[:80]!r}'
        )
    return found


ROW_READERS = {'.tsv': _rows_of_tsv, '.csv': _rows_of_csv, '.jsonl': _rows_of_jsonl}

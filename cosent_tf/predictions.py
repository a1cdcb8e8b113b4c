"""The predictions of a split on disk: labels, scores and texts, as tab-separated lines."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cosent_tf.errors import UserError
from cosent_tf.files import write_text
from cosent_tf.readers import NUMBER
from cosent_tf.texts import iter_pairs

_INTEGER = re.compile(r'[+-]?[0-9]{1,18}')


class Predictions(NamedTuple):
    """The labels, scores and texts of a split."""

    labels: np.ndarray  # (n,) int64 or float64, all NaN if there are none
    scores: np.ndarray  # (n,) or (n, C) float64
    texts: list[tuple[str, str]]  # n pairs

    def has_pairs_of(self, other: 'Predictions') -> bool:
        """Return whether texts and labels equal another's, in the same order."""
        same_labels = np.array_equal(self.labels, other.labels, equal_nan=True)
        return self.texts == other.texts and same_labels


def write_predictions(
    path: str | Path, labels: ArrayLike, scores: ArrayLike, pairs: Sequence[Sequence]
) -> None:
    r"""Write one split of a run: a header, then label, score(s), text1, text2, tab-separated.

    Whole labels are written as integers; scores and other labels with all digits, so that reading
    gives back the same float64; missing labels as empty fields.

    Args:
        path: `predictions.valid.tsv` or `predictions.test.tsv` in the run's folder.
        labels: (n,) integers or finite floats; all None or NaN if there are none.
        scores: (n,) similarities, or (n, C) probabilities of C > 1 classes; finite.
        pairs: n rows that start with text1, text2, which hold no \t, \n or \r.

    Raises:
        UserError: as `write_atomic`; unfitting shapes, a value not finite, a separator in a text.
        TypeError: a pair is not two strings; the message has its position.
    """
    path, scores = Path(path), np.asarray(scores, np.float64)
    labels = np.asarray([np.nan if label is None else label for label in labels])
    texts = list(iter_pairs(pairs))
    _check_writable(path, labels, scores, texts)
    table = scores.reshape(len(texts), -1)  # (n, 1) or (n, C)
    lines = ['\t'.join(_header(table.shape[1]))]
    for label, row, text in zip(labels.tolist(), table.tolist(), texts, strict=True):
        written = '' if label != label else repr(label).removesuffix('.0')  # NaN is not itself
        lines.append('\t'.join([written, *map(repr, row), *text]))
    write_text(path, '\n'.join(lines) + '\n')


def read_predictions(path: str | Path) -> Predictions:
    """Read what `write_predictions` (or any other program) wrote, in file order.

    The file is UTF-8, with tab-separated lines that end in a line feed. The first is the header
    `label score text1 text2` or `label score_0 … score_C-1 text1 text2`. Either all labels are
    empty or none is; they become int64 if all are written as integers. Any fault is a UserError
    with path and line: nothing is skipped or repaired.
    """
    path = Path(path)
    header, *lines = _read_lines(path)
    names = header.split('\t')
    if len(names) < 4 or names != _header(len(names) - 3):
        raise UserError(
            f'{path}:1: the header is {header[:80]!r}; expected label, score (or score_0, '
            'score_1, …), text1, text2, tab-separated'
        )
    if not lines:
        raise UserError(f'{path}:2: there are no pairs, only a header')
    rows = [line.split('\t') for line in lines]
    for line, row in enumerate(rows, 2):
        if len(row) != len(names):
            raise UserError(f'{path}:{line}: {len(row)} fields, the header has {len(names)}')
    columns = list(zip(*rows, strict=True))
    if any(columns[0]):
        whole = all(map(_INTEGER.fullmatch, columns[0]))
        labels = _numbers(path, columns[0], 'label', int if whole else float)
    else:
        labels = np.full(len(rows), np.nan)
    table = [_numbers(path, column, 'score', float) for column in columns[1:-2]]
    texts = list(zip(*columns[-2:], strict=True))
    return Predictions(labels, table[0] if len(table) == 1 else np.stack(table, axis=1), texts)


def _header(scores: int) -> list[str]:
    names = ['score'] if scores == 1 else [f'score_{i}' for i in range(scores)]
    return ['label', *names, 'text1', 'text2']


def _check_writable(path: Path, labels: np.ndarray, scores: np.ndarray, texts: list) -> None:
    problem = None
    if labels.shape != scores.shape[:1] or len(texts) != len(labels) or not texts:
        problem = f'labels {labels.shape}, scores {scores.shape} and {len(texts)} pairs do not fit'
    elif scores.ndim != 1 and (scores.ndim != 2 or scores.shape[1] < 2):
        problem = f'scores must be (n,) or (n, C) with C > 1, but are {scores.shape}'
    elif labels.dtype.kind not in 'iuf':
        problem = f'labels must be numbers, but are {labels.dtype}'
    elif not (np.isfinite(labels).all() or np.isnan(labels).all()):
        problem = 'a label is NaN or infinite'
    elif not np.isfinite(scores).all():
        problem = 'a score is NaN or infinite; did the training diverge?'
    elif any(separator in part for text in texts for part in text for separator in '\t\n\r'):
        problem = 'a text holds a tab or a line end'
    if problem:
        raise UserError(f'{path}: cannot be written: {problem}')


def _read_lines(path: Path) -> list[str]:
    """Return the lines of a file, at least one, without their line feeds."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f'{path}: cannot be read: {error.strerror}') from None
    if not data:
        raise UserError(f'{path}:1: the file is empty')
    # only \n ends a line; str.splitlines would also split at \x85 or \u2028 within a text
    last_line = data.count(b'\n') + 1
    if not data.endswith(b'\n'):
        raise UserError(f'{path}:{last_line}: no line feed at the end; was the file cut short?')
    if b'\r' in data:
        line = data.count(b'\n', 0, data.index(b'\r')) + 1
        raise UserError(f'{path}:{line}: a carriage return; lines must end in a line feed only')
    try:
        return data[:-1].decode('utf-8').split('\n')
    except UnicodeDecodeError as error:
        line = data.count(b'\n', 0, error.start) + 1
        raise UserError(f'{path}:{line}: not UTF-8: {error.reason}') from error


def _numbers(path: Path, texts: Sequence[str], what: str, number: type) -> np.ndarray:
    """Parse a column to (n,) int64 or float64; int() and float() alone accept too much."""
    for line, text in enumerate(texts, 2):
        if not NUMBER.fullmatch(text):
            raise UserError(f'{path}:{line}: {text[:40]!r} is not a {what}')
    values = np.fromiter(map(number, texts), np.dtype(number), len(texts))
    if not np.isfinite(values).all():
        line = int(np.argmin(np.isfinite(values))) + 2
        raise UserError(f'{path}:{line}: {texts[line - 2][:40]!r} is not a finite {what}')
    return values

"""Checks of the texts and pairs that callers pass to public functions."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice


def iter_texts(texts: Iterable[str], name: str = 'texts') -> Iterator[str]:
    """Yield the strings of a list, one-dimensional array, table column, generator, …

    Anything else is a TypeError that calls it `name`; a single text too, as its characters would be
    taken for texts.
    """
    for number, text in enumerate(_items(texts, name, 'a list of strings (one text: [text])')):
        if not isinstance(text, str):
            raise TypeError(f'{name}[{number}] is {_kind(text)}, not a string')
        yield text


def iter_pairs(pairs: Iterable[Iterable], name: str = 'pairs') -> Iterator[tuple[str, str]]:
    """Yield text1, text2 of the rows of a list, array (n, 2), generator, …; drop further fields.

    Anything else is a TypeError; a single pair too, as its texts would be taken for pairs.
    """
    for number, pair in enumerate(_items(pairs, name, 'a list of pairs (two columns: zip(a, b))')):
        row = f'{name}[{number}]'
        texts = tuple(islice(_items(pair, row, 'two strings (one pair: [(text1, text2)])'), 2))
        if len(texts) < 2:
            raise TypeError(f'{row} has {len(texts)} of the two strings of a pair')
        yield tuple(iter_texts(texts, row))


def _items(value: Iterable, name: str, what: str) -> Iterator:
    """Iterate over an ordered collection; a string, dict, set or table is refused.

    A table of any library has `columns`, and iterating over it would yield these or their names.
    """
    if not isinstance(value, str | bytes | Mapping | set) and not hasattr(value, 'columns'):
        try:
            return iter(value)
        except TypeError:  # nothing to iterate over
            pass
    raise TypeError(f'{name} is {_kind(value)}, not {what}')


def _kind(value: object) -> str:
    return 'None' if value is None else f'of type {type(value).__name__}'

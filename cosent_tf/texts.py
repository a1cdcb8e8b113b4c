"""What a text and a pair are, for every function that takes them from a caller."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice


def iter_texts(texts: Iterable[str], name: str = 'texts') -> Iterator[str]:
    """Yield texts as they come, each of them checked.

    Args:
        texts: a list, a one-dimensional array, a column of a table, a generator, … of strings.
        name: what the caller calls them, for messages.

    Raises:
        TypeError: something else, also one text: its characters would be taken for texts.
    """
    for number, text in enumerate(_items(texts, name, 'a list of strings (one text: [text])')):
        if not isinstance(text, str):
            raise TypeError(f'{name}[{number}] is {_kind(text)}, not a string')
        yield text


def iter_pairs(pairs: Iterable[Iterable], name: str = 'pairs') -> Iterator[tuple[str, str]]:
    """Yield pairs (text1, text2) as they come, each of them checked, without what follows in them.

    Args:
        pairs: a list, an array (n, 2), a generator, … of rows that start with two strings.
        name: what the caller calls them, for messages.

    Raises:
        TypeError: something else, also one pair: its texts would be taken for pairs.
    """
    for number, pair in enumerate(_items(pairs, name, 'a list of pairs (two columns: zip(a, b))')):
        row = f'{name}[{number}]'
        texts = tuple(islice(_items(pair, row, 'two strings (one pair: [(text1, text2)])'), 2))
        if len(texts) < 2:
            raise TypeError(f'{row} has {len(texts)} of the two strings of a pair')
        yield tuple(iter_texts(texts, row))


def _items(value: Iterable, name: str, what: str) -> Iterator:
    """Iterate over what has an order of its own; a string, a dict or a table is refused.

    A table, of whatever library, has `columns`: it would yield these, or their names.
    """
    if not isinstance(value, str | bytes | Mapping | set) and not hasattr(value, 'columns'):
        try:
            return iter(value)
        except TypeError:  # nothing to iterate over
            pass
    raise TypeError(f'{name} is {_kind(value)}, not {what}')


def _kind(value: object) -> str:
    return 'None' if value is None else f'of type {type(value).__name__}'

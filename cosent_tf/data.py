"""Tasks, sentence pairs and batches: everything between the files and the first layer.

A task is three files, `{data_dir}/{TASK}/{TASK}.{train,valid,test}.data`, UTF-8, with lines
`text1 \\t text2 \\t label` as in senteval_cn, or in another format of `readers`.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from cosent_tf.audit import audit, describe
from cosent_tf.errors import UserError
from cosent_tf.metrics import has_two_labels
from cosent_tf.readers import SUFFIXES, Pair, iter_pairs, read_pairs

SPLITS = ('train', 'valid', 'test')
MAX_SKIPPED = 0.01  # share of lines without three fields that is tolerated


class Split(NamedTuple):
    """One file of a task."""

    pairs: list[Pair]
    skipped: int  # lines without three fields
    path: Path

    @property
    def labels(self) -> np.ndarray:
        """The labels, (n,) int64, or float64 if not all are integers; NaN if there are none."""
        return np.array([np.nan if label is None else label for _, _, label in self.pairs])


def read_split(path: str | Path, needs_labels: bool = True) -> Split:
    """Read a file; a UserError if over 1 % of its lines were skipped, or if it lacks labels."""
    pairs, skipped = read_pairs(path)
    lines = len(pairs) + skipped
    if skipped > MAX_SKIPPED * lines:
        raise UserError(
            f'{path}: {skipped} of {lines} lines do not have three fields (text1, text2, label); '
            'with more than 1 %, the file is taken to have another format'
        )
    split = Split(pairs, skipped, Path(path))
    if needs_labels and (problem := _no_measure(split)):
        raise UserError(f'{path}: {problem}; only test may lack two different labels')
    return split


def _no_measure(split: Split) -> str:
    """Return why the labels of a split measure nothing, '' if they do."""
    label = split.pairs[0][2]
    reason = 'no labels' if label is None else f'every label is {label}'
    return '' if has_two_labels(split.labels) else reason


def read_task(data_dir: str | Path, task: str) -> dict[str, Split]:
    """Read the train, valid and test files of a task, and print what was read; see `read_split`.

    Test may have no labels, or one throughout, as competitions publish it: it is then only scored.
    """
    splits = {}
    for name in SPLITS:
        splits[name] = split = read_split(split_path(data_dir, task, name), name != 'test')
        lines = 'line' if split.skipped == 1 else 'lines'
        note = f', {split.skipped} {lines} without three fields skipped' if split.skipped else ''
        if problem := _no_measure(split):
            note += f', {problem}: scored, but not measured'
        print(f'{task} {name}: {len(split.pairs)} pairs{note}', flush=True)
    counts = audit({name: split.pairs for name, split in splits.items()})
    print(f'{task} audit: {describe(counts)}', flush=True)
    return splits


def split_path(data_dir: str | Path, task: str, split: str) -> Path:
    """Return the file of a split, or where its `.data` file belongs; UserError if it has two."""
    stem = Path(data_dir) / task / f'{task}.{split}'
    paths = [Path(f'{stem}{suffix}') for suffix in SUFFIXES]
    found = [path for path in paths if path.is_file()]
    if len(found) > 1:
        raise UserError(f'{found[0]} and {found[1]} are the same split: remove one of them')
    return found[0] if found else paths[0]


def class_count(splits: dict[str, Split]) -> int:
    """Return the number of classes C of labels 0 … C−1, at least 2.

    Other labels, and classes without an example in train, are a UserError.
    """
    train = splits['train']
    classes = max(2, int(train.labels.max()) + 1)
    for split in splits.values():
        labels = split.labels[~np.isnan(split.labels)]
        wrong = labels[(labels < 0) | (labels >= classes) | (labels % 1 != 0)]
        if len(wrong):
            raise UserError(
                f'{_place(split, wrong[0])}: label {wrong[0]}, but the labels of train are classes '
                f'0 … {classes - 1}; graded labels need the CoSENT loss'
            )
    known = set(train.labels.tolist())
    absent = list(islice((label for label in range(classes) if label not in known), 4))
    if absent:
        shown = ', '.join(map(str, absent[:3])) + (', …' if len(absent) > 3 else '')
        raise UserError(
            f'{_place(train, classes - 1)}: label {classes - 1} makes {classes} classes, but train '
            f'has no example of {shown}; number the classes from 0, without gaps'
        )
    return classes


def _place(split: Split, label: float) -> str:
    """Return path and line of the first pair with a label."""
    pairs = iter_pairs(split.path)
    return f'{split.path}:{next(number for number, pair in pairs if pair and pair[2] == label)}'


class TokenRows:
    """Token ids of many rows of different length, without padding."""

    def __init__(self, rows: Iterable[list[int]]) -> None:
        arrays = [np.asarray(row, dtype=np.int32) for row in rows]
        self.lengths = np.array([len(row) for row in arrays], dtype=np.int64)  # (n,)
        self.ids = np.concatenate(arrays) if arrays else np.zeros(0, np.int32)  # row after row
        self._starts = np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, index: np.ndarray) -> np.ndarray:
        """Return the rows that `index` (m,) selects, padded with 0 to the longest, (m, L)."""
        lengths = self.lengths[index]
        column = np.arange(lengths.max(initial=1))
        inside = column < lengths[:, None]  # (rows, L)
        position = np.where(inside, self._starts[index][:, None] + column, 0)
        return np.where(inside, self.ids[position], 0)


class Tokenized(NamedTuple):
    """De-duplicated token rows, and the row index of every example."""

    rows: TokenRows
    index: np.ndarray  # (n,) or (n, 2) int64


def tokenize_texts(tokenizer: Any, texts: Iterable[str], maxlen: int) -> Tokenized:
    """Tokenize texts to "[CLS] a [SEP]" of at most `maxlen` tokens; index is (n,).

    The tokenizer is bert4keras's: `encode(*texts, maxlen=…)` gives token and segment ids.
    """
    return _tokenize(lambda text: tokenizer.encode(text, maxlen=maxlen), texts)


def tokenize_sentences(tokenizer: Any, pairs: list[Pair], maxlen: int) -> Tokenized:
    """Tokenize both sentences of every pair to "[CLS] a [SEP]"; index is (n, 2)."""
    rows, index = tokenize_texts(tokenizer, (text for pair in pairs for text in pair[:2]), maxlen)
    return Tokenized(rows, index.reshape(-1, 2))


def tokenize_pairs(tokenizer: Any, pairs: list[Pair], maxlen: int) -> Tokenized:
    """Tokenize every pair to "[CLS] a [SEP] b [SEP]"; index is (n,).

    Pairs over `maxlen` tokens are shortened at the end of whichever sentence is longer.
    """
    texts = (tuple(pair[:2]) for pair in pairs)
    return _tokenize(lambda pair: tokenizer.encode(*pair, maxlen=maxlen), texts)


def _tokenize(encode: Callable, items: Iterable) -> Tokenized:
    """Tokenize every distinct item once, in order of appearance."""
    numbers: dict = {}
    index = [numbers.setdefault(item, len(numbers)) for item in items]
    # a bar on a terminal, after two seconds
    bar = tqdm(numbers, 'tokenizing', delay=2, leave=False, disable=None)
    rows = TokenRows(token_ids for token_ids, _ in map(encode, bar))
    return Tokenized(rows, np.array(index, dtype=np.int64))


class Batches:
    """The training batches of every epoch, in the order that the seed fixes.

    Epoch e uses the (e+1)-th `permutation(n)` after `seed`: the order of bert4keras's
    DataGenerator after `np.random.seed(seed)`. The last partial batch is kept.

    Sentence pairs, index (n, 2), become interleaved rows a0 b0 a1 b1 … with the label repeated
    for both; joint pairs, index (n,), one row each. Labels other than integers are grades, and are
    replaced by their ranks 0, 1, …: the CoSENT loss depends on their order alone, and no rounding
    to float32 or bfloat16 can then change it.
    """

    def __init__(self, encoded: Tokenized, labels: np.ndarray, batch_size: int, seed: int) -> None:
        self.encoded = encoded
        whole = np.issubdtype(labels.dtype, np.integer)
        self.labels = labels if whole else np.unique(labels, return_inverse=True)[1]
        self.batch_size = batch_size
        self.seed = seed

    def __len__(self) -> int:
        return -(-len(self.labels) // self.batch_size)

    def count_one_class(self) -> int:
        """Return how many batches of the first epoch hold a single class or grade."""
        order = np.random.RandomState(self.seed).permutation(len(self.labels))
        return sum(not has_two_labels(self.labels[examples]) for examples in self._split(order))

    def epochs(self, first: int = 0, parts: int = 1, own: slice = slice(1)) -> Iterator[tuple]:
        """Yield (token_ids (rows, L) int32, labels (rows, 1) int32) from epoch `first` on.

        With `parts`, each batch comes in that many parts, of whole pairs and possibly empty, of
        which only those of `own` are made.
        """
        random = np.random.RandomState(self.seed)
        for _ in range(first):
            random.permutation(len(self.labels))
        while True:
            for examples in self._split(random.permutation(len(self.labels))):
                yield from map(self.batch, np.array_split(examples, parts)[own])

    def _split(self, order: np.ndarray) -> list[np.ndarray]:
        return np.split(order, range(self.batch_size, len(order), self.batch_size))

    def batch(self, examples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and labels of the `examples` (B,), numbers from 0 to n − 1."""
        index = self.encoded.index[examples]  # (B, 2) or (B,)
        labels = np.repeat(self.labels[examples], index.ndim)
        return self.encoded.rows.padded(index.reshape(-1)), labels[:, None].astype(np.int32)

"""What is odd about the pairs of a task: counted, told, and never changed.

The published figures rest on the files as they are. TensorFlow-free.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

PLACEHOLDERS = ('NS',)  # for a sentence, in PAWS-X, as its authors say

Counts = dict[str, int | dict[str, int] | None]


def audit(splits: Mapping[str, Sequence[Sequence]]) -> Counts:
    """Count what is odd in a task's splits; the order of a pair's sentences does not matter.

    Args:
        splits: by name, rows that start with text1, text2, label; with test, not always with train.
            Where all labels are None, or the same, they are none.

    Returns:
        pairs_in_two_splits: by 'train, test' and so on, distinct pairs that stand in both;
        contradictory_pairs: distinct pairs that have several labels, in one split or in several;
        identical_labelled_0: by split, rows of twice the same sentence with the label 0;
        placeholders: by split, rows with a sentence that is none (see `PLACEHOLDERS`);
        test_sentences: distinct ones; test_sentences_in_train: those that train has too, or None.
    """
    pairs, labels, contradictory = {}, {}, set()
    labelled = [name for name, rows in splits.items() if len({row[2] for row in rows}) > 1]
    for name, rows in splits.items():
        pairs[name] = set()
        for text1, text2, label, *_ in rows:
            pair = (text1, text2) if text1 <= text2 else (text2, text1)
            pairs[name].add(pair)
            if name in labelled and labels.setdefault(pair, label) != label:
                contradictory.add(pair)
    sentences = {name: {text for pair in pairs[name] for text in pair} for name in splits}
    train = sentences.get('train')
    return {
        'pairs_in_two_splits': {
            f'{first}, {second}': len(pairs[first] & pairs[second])
            for first, second in combinations(splits, 2)
        },
        'contradictory_pairs': len(contradictory),
        'identical_labelled_0': {
            name: sum(row[0] == row[1] and row[2] == 0 for row in rows) if name in labelled else 0
            for name, rows in splits.items()
        },
        'placeholders': {name: sum(map(has_placeholder, rows)) for name, rows in splits.items()},
        'test_sentences': len(sentences['test']),
        'test_sentences_in_train': None if train is None else len(sentences['test'] & train),
    }


def has_placeholder(pair: Sequence) -> bool:
    """Tell whether one of the sentences of a row (text1, text2, …) is none."""
    return pair[0] in PLACEHOLDERS or pair[1] in PLACEHOLDERS


NOTHING = 'no oddity'


def describe(counts: Counts) -> str:
    """Say in one line what `audit` has counted, or that nothing is odd."""
    found = {
        f'pairs in {splits.replace(",", " and")}': number
        for splits, number in counts['pairs_in_two_splits'].items()
    }
    found['pairs with contradictory labels'] = counts['contradictory_pairs']
    found['pairs of identical sentences labelled 0'] = sum(counts['identical_labelled_0'].values())
    found[f'pairs with a placeholder ({", ".join(PLACEHOLDERS)})'] = sum(
        counts['placeholders'].values()
    )
    name = f'of {counts["test_sentences"]} test sentences in train'
    found[name] = counts['test_sentences_in_train']
    told = [
        f'{number} {name.replace("pairs", "pair", 1) if number == 1 else name}'
        for name, number in found.items()
        if number
    ]
    return ', '.join(told) or NOTHING

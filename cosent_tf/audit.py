"""Oddities in the pairs of a task: counted, never mended, as the published figures have them."""

from collections.abc import Mapping, Sequence
from itertools import combinations

PLACEHOLDERS = ('NS',)  # in place of a sentence: used in PAWS-X, as its authors say
NOTHING = 'no oddity'

Counts = dict[str, int | dict[str, int] | None]


def audit(splits: Mapping[str, Sequence[Sequence]]) -> Counts:
    """Count the oddities in a task's splits; the order of a pair's sentences does not matter.

    Args:
        splits: by name, rows that start with text1, text2, label. Test is required, train is not.
            A split whose labels are all None, or all equal, counts as unlabelled.

    Returns:
        pairs_in_two_splits: by 'train, test' and so on, the distinct pairs that both contain;
        contradictory_pairs: distinct pairs with several labels, in one split or across splits;
        identical_labelled_0: by split, rows with the same sentence twice and the label 0;
        placeholders: by split, rows with a placeholder for a sentence (see `PLACEHOLDERS`);
        test_sentences: distinct ones; test_sentences_in_train: those also in train, or None.
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
        'placeholders': {
            name: sum(not set(row[:2]).isdisjoint(PLACEHOLDERS) for row in rows)
            for name, rows in splits.items()
        },
        'test_sentences': len(sentences['test']),
        'test_sentences_in_train': None if train is None else len(sentences['test'] & train),
    }


def describe(counts: Counts) -> str:
    """Return in one line what `audit` has counted."""
    placeholders = f'pairs with a placeholder ({", ".join(PLACEHOLDERS)})'
    numbers = {
        f'pairs in {splits.replace(",", " and")}': number
        for splits, number in counts['pairs_in_two_splits'].items()
    } | {
        'pairs with contradictory labels': counts['contradictory_pairs'],
        'pairs of identical sentences labelled 0': sum(counts['identical_labelled_0'].values()),
        placeholders: sum(counts['placeholders'].values()),
        f'of {counts["test_sentences"]} test sentences in train': counts['test_sentences_in_train'],
    }
    found = [
        f'{number} {name.replace("pairs", "pair", 1) if number == 1 else name}'
        for name, number in numbers.items()
        if number
    ]
    return ', '.join(found) or NOTHING

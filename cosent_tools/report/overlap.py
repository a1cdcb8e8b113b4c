"""Why the difference: test accuracy by how many characters the two sentences share.

The article explains PAWSX, where representation-based methods fall behind, by its adversarial
negatives: sentences of nearly the same words with another meaning.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np

from cosent_tools.report.evaluation import Result

# The same bins for every task, so that tasks can be compared; the last one includes 1.
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class Overlap(NamedTuple):
    """One task's test split by overlap; every list has one item per bin, None where it is empty."""

    task: str
    pairs: list[int]
    positive: list[float | None] | None  # share of label 1; None for other labels than 0 and 1
    accuracy: dict[tuple[str, str], list[float | None]]  # by (model, method), mean over seeds


def split_by_overlap(results: list[Result]) -> list[Overlap]:
    """Split the test accuracy of all results with decisions, task by task."""
    tasks = {}
    for result in results:
        if result.correct is not None:
            tasks.setdefault(result.name.task, []).append(result)
    overlaps = []
    for task, group in sorted(tasks.items()):
        labels, texts = group[0].test.labels, group[0].test.texts
        bins = np.digitize(character_overlap(texts), BINS[1:-1])
        rows = {}
        for result in group:
            rows.setdefault((result.name.model, result.name.method), []).append(result.correct)
        accuracy = {row: _mean_by_bin(np.mean(seeds, axis=0), bins) for row, seeds in rows.items()}
        positive = _mean_by_bin(labels, bins) if set(labels.tolist()) <= {0, 1} else None
        pairs = np.bincount(bins, minlength=len(BINS) - 1).tolist()
        overlaps.append(Overlap(task, pairs, positive, accuracy))
    return overlaps


def character_overlap(texts: list[tuple[str, str]]) -> np.ndarray:
    """Return Dice's coefficient of the two character multisets, white space aside: n pairs → (n,).

    It is twice the number of shared characters over the number of all, regardless of order: swapped
    words have overlap 1, and so have two texts without any character.
    """
    overlaps = np.ones(len(texts))
    for i, (text1, text2) in enumerate(texts):
        first, second = Counter(''.join(text1.split())), Counter(''.join(text2.split()))
        if total := first.total() + second.total():
            overlaps[i] = 2 * (first & second).total() / total
    return overlaps


def _mean_by_bin(values: np.ndarray, bins: np.ndarray) -> list[float | None]:
    selections = [values[bins == i] for i in range(len(BINS) - 1)]
    return [float(np.mean(selected)) if len(selected) else None for selected in selections]

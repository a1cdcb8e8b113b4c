"""Small edits that change what a Chinese sentence says: language is adversarial, says the article.

kexue.fm/archives/8860: two sentences of nearly the same characters may say the opposite. The edits
know no grammar, so that some give nonsense instead; that is another sentence, too.
"""

import re
from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np

from cosent_tf.errors import UserError

TIMES = 4  # edits of a sentence, one after the other

HAN = '[\u4e00-\u9fff]'  # a Chinese character
NEGATED = '[是会能可应要在想用]'  # 不 before one of these denies what the sentence says


class Chain(NamedTuple):
    """A sentence, and it after 1 … TIMES edits of a kind."""

    kind: str
    texts: list[str]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The sentence with itself, with each edited one; then the first edited with the second."""
        return [(self.texts[0], text) for text in self.texts] + [(self.texts[1], self.texts[2])]


class Change(NamedTuple):
    """What some edits of a kind do to a score, on average."""

    kind: str
    edits: int
    sentences: int
    change: float | None  # of the score: 0 is a sentence with itself, 1 two different ones
    different: float  # share of the edited sentences below the threshold


def insert_not(text: str, random: np.random.Generator, alphabet: str) -> str | None:
    """Insert 不 before one of NEGATED, else before any Chinese character, that has none yet."""
    for denied in (NEGATED, HAN):
        places = [found.start() for found in re.finditer(f'(?<!不)(?!不){denied}', text)]
        if places:
            place = random.choice(places)
            return f'{text[:place]}不{text[place:]}'
    return None


def swap(text: str, random: np.random.Generator, alphabet: str) -> str | None:
    """Swap two different numbers or Latin words, else two different Chinese characters."""
    for unit in (r'\d+|[A-Za-z]+', HAN):
        pairs = [(a, b) for a, b in combinations(re.finditer(unit, text), 2) if a[0] != b[0]]
        if pairs:
            a, b = pairs[random.integers(len(pairs))]
            between = text[a.end() : b.start()]
            return f'{text[: a.start()]}{b[0]}{between}{a[0]}{text[b.end() :]}'
    return None


def exchange(text: str, random: np.random.Generator, alphabet: str) -> str | None:
    """Put another character, of `alphabet`, in the place of a Chinese one."""
    places = [found.start() for found in re.finditer(HAN, text)]
    if not places:
        return None
    place = random.choice(places)
    return f'{text[:place]}{alphabet[random.integers(len(alphabet))]}{text[place + 1 :]}'


EDITS = {'insert 不': insert_not, 'swap two': swap, 'exchange one': exchange}


def edit_all(texts: list[str]) -> list[Chain]:
    """Edit every sentence in every way in which TIMES edits give as many other sentences.

    Raises:
        UserError: there is none.
    """
    random = np.random.default_rng(0)
    alphabet = ''.join(re.findall(HAN, ''.join(texts))) or '不'
    chains = [
        Chain(kind, _edit(text, partial(edit, random=random, alphabet=alphabet)))
        for kind, edit in EDITS.items()
        for text in texts
    ]
    whole = [chain for chain in chains if len(chain.texts) > TIMES]
    if not whole:
        raise UserError(f'none of the sentences can be edited: {texts[0][:40]!r} …')
    return whole


def _edit(text: str, edit: Callable[[str], str | None]) -> list[str]:
    chain = [text]
    for _ in range(20 * TIMES):  # more than TIMES, as an edit may take back another one
        edited = edit(chain[-1])
        if edited is not None and edited not in chain and len(chain) <= TIMES:
            chain.append(edited)
    return chain


def changes(
    chains: list[Chain], scores: np.ndarray, threshold: float, unrelated: float
) -> list[Change]:
    """Return what every kind and number of edits does to the scores.

    Args:
        chains: what `edit_all` returns.
        scores: of their pairs, (chains, TIMES + 2).
        threshold: a score above it calls two sentences similar.
        unrelated: the mean score of two different sentences, nearly all unrelated.
    """
    kinds = np.array([chain.kind for chain in chains])
    rows = []
    for kind in dict.fromkeys(kinds.tolist()):
        same, *edited = scores[kinds == kind].T[: TIMES + 1]
        for times, after in enumerate(edited, 1):
            span = same.mean() - unrelated  # a collapsed run has none
            change = float((same.mean() - after.mean()) / span) if span > 0 else None
            rows.append(Change(kind, times, len(after), change, float(np.mean(after <= threshold))))
    return rows

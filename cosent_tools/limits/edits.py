"""Small edits that change the meaning of a Chinese sentence.

According to kexue.fm/archives/8860 language is adversarial: two sentences of nearly the same
characters may have opposite meanings. The edits know no grammar; some give nonsense, which is a
different sentence, too.
"""

import re
from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np

from cosent_tf.errors import UserError

TIMES = 4  # successive edits of a sentence

HAN = '[\u4e00-\u9fff]'  # a Chinese character
NEGATED = '[是会能可应要在想用]'  # 不 before one of these negates the sentence


class Chain(NamedTuple):
    """A sentence, and its versions after 1 … TIMES edits of a kind."""

    kind: str
    texts: list[str]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The sentence with itself and each edited version; then the first two edited versions."""
        return [(self.texts[0], text) for text in self.texts] + [(self.texts[1], self.texts[2])]


class Change(NamedTuple):
    """The mean effect of some edits of a kind on a score."""

    kind: str
    edits: int
    sentences: int
    change: float | None  # of the score: 0 is a sentence with itself, 1 two unrelated ones
    different: float  # share of the edited sentences below the threshold


def insert_not(text: str, random: np.random.Generator, alphabet: str) -> str | None:
    """Insert 不 before one of NEGATED, else any Chinese character, that has no 不 yet."""
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
    """Replace a Chinese character by one of `alphabet`."""
    places = [found.start() for found in re.finditer(HAN, text)]
    if not places:
        return None
    place = random.choice(places)
    return f'{text[:place]}{alphabet[random.integers(len(alphabet))]}{text[place + 1 :]}'


EDITS = {'insert 不': insert_not, 'swap two': swap, 'exchange one': exchange}


def edit_all(texts: list[str]) -> list[Chain]:
    """Return the chains of TIMES edits, all with different results, of every sentence and kind.

    Raises:
        UserError: there are none.
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
    for _ in range(20 * TIMES):  # more than TIMES, as an edit may undo another one
        edited = edit(chain[-1])
        if edited is not None and edited not in chain and len(chain) <= TIMES:
            chain.append(edited)
    return chain


def changes(
    chains: list[Chain], scores: np.ndarray, threshold: float, unrelated: float
) -> list[Change]:
    """Return the effect of every kind and number of edits on the scores.

    Args:
        chains: the result of `edit_all`.
        scores: scores of their pairs, (chains, TIMES + 2).
        threshold: pairs with a score above it are similar.
        unrelated: mean score of two different sentences, nearly all of which are unrelated.
    """
    kinds = np.array([chain.kind for chain in chains])
    rows = []
    for kind in dict.fromkeys(kinds.tolist()):
        same, *edited = scores[kinds == kind].T[: TIMES + 1]
        for times, after in enumerate(edited, 1):
            span = same.mean() - unrelated  # not above 0 if a run has collapsed
            change = float((same.mean() - after.mean()) / span) if span > 0 else None
            rows.append(Change(kind, times, len(after), change, float(np.mean(after <= threshold))))
    return rows

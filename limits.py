"""The article's theory as an experiment: what vectors can do, and why they still fall behind.

    python limits.py --interact runs/PAWSX.bert.interact.seed42 \\
                     --vectors runs/PAWSX.bert.cosent.seed42
                     [--sentences 128] [--format text|markdown|json] [--plot FILE.png]

kexue.fm/archives/8860 says that what interaction does, vectors can almost do; and that they fall
behind where language is adversarial, because a cosine is continuous. Here each step is measured,
on two finished runs of one task with labels 0 and 1:

1. a similarity matrix is a matrix of inner products: is it, and what does that take?
2. how many dimensions that needs, against 8·ln n (archives/8706)
3. continuity against adversity: AUC by overlap, and edits that change what a sentence says
4. vectors can be fitted to it, but they overfit: loss and accuracy by epoch
5. the triangle that vectors cannot break, and interaction can
6. the price of both

Interact scores all ordered pairs of the sentences, 16,384 of 128. Its score is the probability of
class 1. The number of Interact with the CoSENT loss, which has no bounds, is made one by
sigmoid(number − threshold): same order, same decisions.
"""

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cosent_tf  # first: it tells what is not installed

# isort: split
import numpy as np
from scipy.special import expit

from cosent_tf.cli import exit_on_error, hint, make_parser, positive, this_command
from cosent_tf.errors import UserError
from cosent_tf.methods import find_method
from cosent_tools.limits import theory as limits
from cosent_tools.limits.edits import Chain, Change, changes, edit_all
from cosent_tools.limits.plot import save_limits_plot
from cosent_tools.limits.sections import limits_json, limits_sections
from cosent_tools.limits.trained import Trained, open_run
from cosent_tools.report.overlap import BINS, character_overlap
from cosent_tools.report.render import as_markdown, as_text

SIZES = (10**4, 10**5, 10**6)  # of the simulation
WIDTH = 768  # the article's vectors


class Said(NamedTuple):
    """What one of the two methods says of n sentences and of the edited ones."""

    scores: np.ndarray  # (n, n), of all ordered pairs
    edited: np.ndarray  # (chains, TIMES + 2), see `Chain.pairs`
    threshold: float  # a score above it calls two sentences similar
    rate: float  # pairs scored, or sentences encoded, a second


def main():
    args = parse_args()
    cosent_tf.configure_process()
    interact, vectors = open_run(args.interact, joint=True), open_run(args.vectors, joint=False)
    check_same_pairs(interact, vectors)
    texts = choose_sentences(interact, args.sentences)
    chains = edit_all(texts)
    by_interact = ask_interact(interact, texts, chains)
    by_vectors, unit = ask_vectors(vectors, texts, chains)  # (n, D)
    said = {'interact': by_interact, 'vectors': by_vectors}
    say('fewer dimensions, and a simulation of many sentences …')

    # 1. a similarity matrix is a matrix of inner products
    matrix, represented = measure_matrix(by_interact)
    report = {
        'interact': str(interact.name),
        'vectors': str(vectors.name),
        'thresholds': {name: of.threshold for name, of in said.items()},
        'sentences': len(texts),
        'matrix': matrix,
        # 2. how many dimensions that needs
        'dimensions': {
            'enough': limits.enough_dimensions(len(texts)),
            'interact': measure_dimensions(by_interact, represented),
            'vectors': measure_dimensions(by_vectors, unit),
            'simulated': simulate(matrix['margin']),
        },
        # 3. continuity against adversity
        'overlap': measure_overlap(interact, vectors),
        'edits': {name: measure_edits(of, chains) for name, of in said.items()},
        # 4. vectors can be fitted to it, but they overfit
        'history': {'interact': interact.history, 'vectors': vectors.history},
        # 5. the triangle
        'triangles': {name: measure_triangles(of) for name, of in said.items()},
        # 6. the price
        'price': {
            'pairs_a_second': by_interact.rate,
            'sentences_a_second': by_vectors.rate,
            'products_a_second': measure_products(unit.shape[1]),
        },
    }
    formats = {'text': as_text, 'markdown': as_markdown}
    as_format = formats.get(args.format)
    print(as_format(limits_sections(report)) if as_format else limits_json(report), end='')
    if args.plot:
        save_limits_plot(args.plot, report)
    else:
        hint(f'\nThe same as a picture: {this_command()} --plot limits.png')


def check_same_pairs(interact: Trained, vectors: Trained) -> None:
    """Check that two runs have learnt, and are measured by, the same."""
    tasks = interact.name.task, vectors.name.task
    same = interact.valid.texts == vectors.valid.texts
    if tasks[0] != tasks[1]:
        differ = f'the tasks differ: {tasks[0]} and {tasks[1]}'
    elif not same or not np.array_equal(interact.valid.labels, vectors.valid.labels):
        differ = 'their valid pairs differ'
    else:
        return
    raise UserError(f'{interact.folder} and {vectors.folder} cannot be compared: {differ}')


def choose_sentences(run: Trained, n: int) -> list[str]:
    """Choose n different sentences of valid, each with the one it is paired with."""
    order = np.random.default_rng(0).permutation(len(run.valid.texts))
    found = dict.fromkeys(text for i in order for text in run.valid.texts[i] if text.strip())
    if len(found) < n:
        raise UserError(
            f'--sentences {n}: there are only {len(found)} different ones in valid of {run.folder}'
        )
    return list(found)[:n]


def ask_interact(run: Trained, texts: list[str], chains: list[Chain]) -> Said:
    """Have Interact score all pairs: numbers in [0, 1]."""
    say(f'loading {run.folder}')
    score = cosent_tf.load_scorer(run.folder)
    score([('', '')])  # what is measured must not wait for TensorFlow
    bounded = find_method(run.name.method).is_bounded

    def judge(pairs: list[tuple[str, str]]) -> np.ndarray:
        scores = score(pairs).astype(np.float64)
        return scores if bounded else expit(scores - run.threshold)

    grid = [(first, second) for first in texts for second in texts]
    scores, rate = timed('pairs of sentences, scored by Interact', judge, grid)
    pairs = [pair for chain in chains for pair in chain.pairs]
    edited, _ = timed('pairs of edited sentences, scored by Interact', judge, pairs)
    threshold = run.threshold if bounded else 0.5
    return Said(scores.reshape(len(texts), -1), edited.reshape(len(chains), -1), threshold, rate)


def ask_vectors(run: Trained, texts: list[str], chains: list[Chain]) -> tuple[Said, np.ndarray]:
    """Encode all sentences; return their cosines, and the unit vectors (n, D) of the texts."""
    say(f'loading {run.folder}')
    encoder = cosent_tf.load_encoder(run.folder)
    encoder.encode([''])
    number = {}  # of each different sentence
    for text in [*texts, *(text for chain in chains for text in chain.texts)]:
        number.setdefault(text, len(number))
    vectors, rate = timed('sentences, encoded', encoder.encode, list(number))
    vectors = vectors.astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)  # to 1 in float64, too
    pairs = np.array([[[number[a], number[b]] for a, b in chain.pairs] for chain in chains])
    edited = np.einsum('cpd,cpd->cp', vectors[pairs[..., 0]], vectors[pairs[..., 1]])
    unit = vectors[: len(texts)]
    return Said(unit @ unit.T, edited, run.threshold, rate), unit


def timed(what: str, function: Callable[[list], np.ndarray], items: list) -> tuple:
    """Return what a function makes of items, and how many a second."""
    say(f'{len(items):,} {what} …')
    start = time.perf_counter()
    result = function(items)
    seconds = time.perf_counter() - start
    say(f'    {seconds:.1f} s, {len(items) / seconds:,.0f} a second')
    return result, len(items) / seconds


def say(what: str) -> None:
    """Tell on stderr what takes its time."""
    print(what, file=sys.stderr, flush=True)


def measure_matrix(said: Said) -> tuple[dict, np.ndarray]:
    """Return what the scores are like, and B, whose inner products they are."""
    similarity = limits.symmetric(said.scores)
    shift, represented = limits.represent(similarity)  # BBᵀ = S + c·I
    cosines, unit = similarity / (1 + shift), represented / (1 + shift) ** 0.5
    margin = said.threshold / (1 + shift)  # the threshold of the cosines
    matrix = {
        **limits.measure_matrix(said.scores, said.threshold)._asdict(),
        'shift': shift,
        'margin': margin,
        'inner_products': limits.compare(similarity, represented, said.threshold),
        'cosines': limits.compare(cosines, unit, margin),
    }
    return matrix, represented


def measure_dimensions(said: Said, vectors: np.ndarray) -> list[dict]:
    """Return what fewer dimensions leave of the vectors that represent the scores."""
    return limits.dimension_curve(limits.symmetric(said.scores), vectors, said.threshold)


def simulate(margin: float) -> list[limits.Simulated]:
    """Project up to a million vectors to as many dimensions as they need, and to the article's."""
    return [
        limits.simulate(n, d, margin) for n in SIZES for d in (limits.enough_dimensions(n), WIDTH)
    ]


def measure_edits(said: Said, chains: list[Chain]) -> list[Change]:
    """Return what edits do to the scores, measured by two of the sentences."""
    unrelated = limits.mean_of_pairs(said.scores)
    return changes(chains, said.edited, said.threshold, unrelated)


def measure_triangles(said: Said) -> dict[str, limits.Triangles]:
    """Count over all triples of sentences; and of a sentence, it edited once, and twice."""
    similarity = limits.symmetric(said.scores)
    return {
        'all': limits.all_triangles(similarity, said.threshold),
        'edited': limits.triangles(*said.edited[:, [1, -1, 2]].T, said.threshold),
    }


def measure_overlap(interact: Trained, vectors: Trained) -> list[dict]:
    """Return AUC and interval of both runs on all valid pairs, and by their overlap."""
    labels, texts = interact.valid.labels, interact.valid.texts
    bins = np.digitize(character_overlap(texts), BINS[1:-1])
    chosen = {'all': bins >= 0}
    chosen |= {f'{low} to {high}': bins == i for i, (low, high) in enumerate(pairwise(BINS))}
    return [
        {
            'overlap': name,
            'pairs': int(of.sum()),
            'positive': int(labels[of].sum()),
            'interact': limits.auc_interval(labels[of], interact.valid.scores[of]),
            'vectors': limits.auc_interval(labels[of], vectors.valid.scores[of]),
        }
        for name, of in chosen.items()
    ]


def measure_products(width: int) -> float:
    """Return how many inner products of vectors a matrix product makes a second, measured."""
    block = np.random.default_rng(0).standard_normal((20_000, width), np.float32)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        block @ block[0]
        seconds.append(time.perf_counter() - start)
    return len(block) / float(np.median(seconds))


def parse_args():
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('--interact', type=Path, required=True, metavar='RUN', help='a finished run of Interact')
    add('--vectors', type=Path, required=True, metavar='RUN', help='of CoSENT or Sentence-BERT')
    add('--sentences', type=positive(int), default=128, help='of valid (default: 128)')
    add('--format', choices=['text', 'markdown', 'json'], default='text', help='default: text')
    add('--plot', type=Path, metavar='FILE.png', help='also draw it')
    args = parser.parse_args()
    if args.sentences < 3:
        parser.error(f'--sentences {args.sentences}: a triangle needs 3')
    if args.plot and args.plot.suffix != '.png':
        parser.error(f'--plot {args.plot}: the name must end in .png')
    return args


if __name__ == '__main__':
    exit_on_error(main)

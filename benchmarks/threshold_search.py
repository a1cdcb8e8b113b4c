"""Threshold search: the published one (Powell) and the exact one, against the number of pairs.

    python -m benchmarks.threshold_search [--pairs 1000 1000000]

The scores of the two classes are normal and overlap, as the cosines of a trained encoder do.
"""

import statistics

import numpy as np

from benchmarks.common import alternate, report, timed
from cosent_tf.cli import make_parser, positive
from cosent_tf.thresholds import best_threshold, powell_threshold

SEARCHES = {'powell': powell_threshold, 'exact': best_threshold}


def main():
    parser = make_parser(__doc__)
    parser.add_argument(
        '--pairs', type=positive(int), nargs='+', default=[1_000, 10_000, 100_000, 1_000_000]
    )
    parser.add_argument('--rounds', type=positive(int), default=5)
    args = parser.parse_args()
    rows = [measure(pairs, args.rounds) for pairs in args.pairs]
    title = 'Threshold search: seconds, and the accuracy found (%)'
    report('threshold_search', title, rows, {'rounds': args.rounds})


def measure(pairs: int, rounds: int) -> dict:
    """Time both searches on the same labels and scores."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, pairs)
    scores = np.tanh(random.normal(0.3 + 0.4 * labels, 0.3))
    seconds = alternate(
        {name: timed(lambda f=search: f(labels, scores)) for name, search in SEARCHES.items()},
        rounds,
    )
    row = {'pairs': pairs}
    for name, search in SEARCHES.items():
        row[f'{name} s'] = statistics.median(seconds[name])
        row[f'{name} %'] = 100 * search(labels, scores)[1]
    return row


if __name__ == '__main__':
    main()

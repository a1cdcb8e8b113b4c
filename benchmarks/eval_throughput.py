"""Scoring a test split: sentences a second of this project and of the plain way, alternating.

    python -m benchmarks.eval_throughput [--data_dir DIR --task BQ --vocab FILE]

From texts to cosines, tokenizing included. Ours encodes every distinct sentence once; the plain way
is that of the article's scripts, a `predict` call for each 32 pairs (64 rows). Two sentences a pair
count as the work done, for both. The two must agree on every cosine. Both run in this process, with
the threads that this project sets; benchmarks.peers gives the plain way TensorFlow's own.
"""

import statistics
import tempfile

import numpy as np

from benchmarks.common import alternate, ratio, report, timed
from benchmarks.prepare import make_workload, settings, workload_parser
from benchmarks.subjects import our_scoring, plain_scoring
from cosent_tf.cli import exit_on_error, positive

TOLERANCE = 1e-4  # float32 rounding through all layers


def main():
    parser = workload_parser(__doc__)
    parser.add_argument('--pairs', type=positive(int), default=0, help='of test (default: all)')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = make_workload(args, folder, test_pairs=args.pairs)
        scorings = {'ours': our_scoring(work), 'predict a batch': plain_scoring(work)}
        np.testing.assert_allclose(*(score() for score in scorings.values()), atol=TOLERANCE)
        turns = {name: timed(score) for name, score in scorings.items()}
        seconds = alternate(turns, args.rounds)
        rows = [
            {
                'path': name,
                'sentences/s': 2 * len(work.test) / statistics.median(values),
                'times predict': ratio(values, seconds['predict a batch']),
            }
            for name, values in seconds.items()
        ]
        title = f'Scoring {len(work.test)} test pairs'
        report('eval_throughput', title, rows, settings(args, work), seconds=seconds)


if __name__ == '__main__':
    exit_on_error(main)

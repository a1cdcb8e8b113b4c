"""The input pipeline alone: training batches a second, without any model.

    python -m benchmarks.input_pipeline [--data_dir DIR --task BQ --vocab FILE]

A batch is what a step of train_cosent.py gets: padded token ids and labels. Texts are tokenized
once, before the first batch, and not counted.
"""

import itertools
import statistics
import tempfile
from collections.abc import Iterable

from benchmarks.common import alternate, report, timed
from benchmarks.prepare import make_workload, settings, workload_parser
from benchmarks.subjects import make_batches, make_dataset
from cosent_tf.cli import exit_on_error


def main():
    args = workload_parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = make_workload(args, folder)
        batches = make_batches(work)
        count = len(batches)
        turns = {
            'batches in numpy': timed(lambda: drain(batches.epochs(), count)),
            'batches through tf.data': timed(lambda: drain(make_dataset(batches, 0), count)),
        }
        seconds = alternate(turns, args.rounds)
        rows = [
            {'path': name, 'batches/s': count / statistics.median(values)}
            for name, values in seconds.items()
        ]
        title = f'{count} batches of {work.batch_size} pairs'
        report('input_pipeline', title, rows, settings(args, work), seconds=seconds)


def drain(stream: Iterable, count: int) -> None:
    """Take so many batches."""
    for _ in itertools.islice(stream, count):
        pass


if __name__ == '__main__':
    exit_on_error(main)

"""Training CoSENT: pairs per second of this project and of the plain way, alternating.

    python -m benchmarks.train_throughput [--data_dir DIR --task BQ --vocab FILE]

Both train one epoch per turn on the same batches in the same order; the first turn, in which graphs
are traced, is not counted. Both run in this process, so the plain way too has the threads and the
allocator as this project sets them; benchmarks.peers has it as it comes. With glibc's own
MALLOC_PERTURB_=0 in the environment, both have glibc's way of freeing memory.

Useful FLOP are those that the [CLS] vectors of the real tokens need: matrix products and attention,
forward and (twice that) backward; of the last layer the keys and values of all tokens, the rest for
[CLS] only; nothing for padding. Their share is of what large float32 matrix products reach on all
cores, in turns with the training.
"""

import statistics
import tempfile

from benchmarks.common import alternate, ratio, report, timed
from benchmarks.prepare import make_workload, settings, workload_parser
from benchmarks.subjects import make_batches, our_model, plain_model, training
from benchmarks.workload import Workload
from cosent_tf.bert.compat import tf
from cosent_tf.cli import exit_on_error, positive
from cosent_tools.table.plan import forward_flop

MATRIX = 2048
PRODUCTS = 10  # per turn, side by side as the operations of a model are


def main():
    parser = workload_parser(__doc__)
    parser.add_argument('--steps', type=positive(int), default=50, help='per turn (default: 50)')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure_throughput(args, make_workload(args, folder, args.steps * args.batch_size))


def measure_throughput(args, work: Workload) -> None:
    """Ours, plain, and a bare matrix product."""
    batches = make_batches(work)
    matrices = [tf.random.normal((MATRIX, MATRIX)) for _ in range(PRODUCTS)]
    squares = tf.function(lambda: [tf.matmul(matrix, matrix) for matrix in matrices])
    seconds = alternate(
        {
            'ours': training(our_model(work), batches),
            'plain': training(plain_model(work), batches),
            'matmul': timed(lambda: [square.numpy() for square in squares()]),
        },
        args.rounds,
    )
    encoded = batches.encoded
    useful = 3 * forward_flop(work.config, encoded.rows.lengths[encoded.index])
    peak = PRODUCTS * 2 * MATRIX**3 / statistics.median(seconds['matmul'])
    rows = []
    for name in ('ours', 'plain'):
        median = statistics.median(seconds[name])
        rows.append(
            {
                'path': name,
                'pairs/s': len(work.train) / median,
                'times plain': ratio(seconds[name], seconds['plain']),
                'useful GFLOP/s': useful / median / 1e9,
                '% of matmul': 100 * useful / median / peak,
            }
        )
    title = f'Training CoSENT, {len(batches)} steps a turn, matmul {peak / 1e9:.0f} GFLOP/s'
    report('train_throughput', title, rows, settings(args, work), seconds=seconds)


if __name__ == '__main__':
    exit_on_error(main)

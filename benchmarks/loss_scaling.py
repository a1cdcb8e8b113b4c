"""The CoSENT loss against the number of pairs in a batch: time and memory, value and gradient.

    python -m benchmarks.loss_scaling [--pairs 32 65536]

Beside it the published loss, which lays all pairs of examples out in a B x B matrix, as far as its
memory stays reasonable. Every size runs in a process of its own; peak memory is what the process
needs beyond the vectors and labels that it is given, as Linux counts it.
"""

import multiprocessing
import statistics
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.common import alternate, report, timed
from cosent_tf import configure_process

configure_process()  # memory, threads, float32; before TensorFlow is imported

from cosent_tf.bert.compat import tf
from cosent_tf.cli import make_parser, positive
from cosent_tf.losses import SCALE, cosent_loss

MOST_PAIRWISE = 8192  # whose B x B matrix has 256 MiB


def pairwise_loss(y_true, y_pred):
    """The loss as published: a masked B x B matrix of differences."""
    labels = tf.cast(y_true[::2, 0], tf.float32)  # (B,)
    vectors = tf.math.l2_normalize(y_pred, axis=1)  # (2B, D)
    scores = SCALE * tf.reduce_sum(vectors[::2] * vectors[1::2], axis=1)  # (B,)
    is_lower = tf.cast(labels[:, None] < labels, tf.float32)  # (B, B)
    differences = scores[:, None] - scores - (1 - is_lower) * 1e12
    return tf.reduce_logsumexp(tf.concat([[0.0], tf.reshape(differences, [-1])], axis=0))


LOSSES = {'ours': cosent_loss, 'pairwise': pairwise_loss}


def main():
    parser = make_parser(__doc__)
    sizes = [32, 128, 512, 2048, 8192, 32768, 65536]
    parser.add_argument('--pairs', type=positive(int), nargs='+', default=sizes)
    parser.add_argument('--width', type=positive(int), default=312, help='D (default: 312)')
    parser.add_argument('--rounds', type=positive(int), default=5)
    args = parser.parse_args()
    spawn = multiprocessing.get_context('spawn')
    rows = []
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
        for pairs in args.pairs:
            row = {'pairs': pairs, 'vectors MB': 2 * pairs * args.width * 4 / 1e6}
            for name in LOSSES:
                measured = (None, None)
                if name == 'ours' or pairs <= MOST_PAIRWISE:
                    measured = pool.submit(measure, name, pairs, args.width, args.rounds).result()
                row[f'{name} ms'], row[f'{name} MB'] = measured
            rows.append(row)
    settings = {'width': args.width, 'rounds': args.rounds}
    report('loss_scaling', 'CoSENT loss, value and gradient', rows, settings)


def measure(name: str, pairs: int, width: int, rounds: int) -> tuple[float, float]:
    """Return milliseconds, and the peak of memory in MB."""

    @tf.function(input_signature=[tf.TensorSpec((None, 1), tf.int32), tf.TensorSpec((None, width))])
    def value_and_gradient(labels, vectors):
        with tf.GradientTape() as tape:
            tape.watch(vectors)
            loss = LOSSES[name](labels, vectors)
        return loss, tape.gradient(loss, vectors)

    random = np.random.default_rng(0)
    labels = np.repeat(random.integers(0, 2, pairs), 2)[:, None].astype(np.int32)
    vectors = random.standard_normal((2 * pairs, width), np.float32)
    batch = tf.constant(labels), tf.constant(vectors)
    value_and_gradient(batch[0][:4], batch[1][:4])  # traces the graph
    before = memory('VmRSS')
    value_and_gradient(*batch)
    peak = max(0.0, memory('VmHWM') - before)
    seconds = alternate({name: timed(lambda: value_and_gradient(*batch))}, rounds)[name]
    return 1000 * statistics.median(seconds), peak


def memory(field: str) -> float:
    """Read MB of this process: VmRSS now, VmHWM at its highest."""
    for line in Path('/proc/self/status').read_text('utf-8').splitlines():
        if line.startswith(f'{field}:'):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f'no {field} in /proc/self/status')


if __name__ == '__main__':
    main()

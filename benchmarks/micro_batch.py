"""Training CoSENT with --micro_batch: memory and pairs per second of each size.

    python -m benchmarks.micro_batch [--data_dir DIR --task BQ --vocab FILE] [--batch_sizes 64 4096]

Every case is a process of its own that takes --rounds steps after one that traces the graph and is
not counted. Peak memory is the most that the process ever held, TensorFlow's own 400 MB or so
included, as Linux counts it.
"""

import multiprocessing
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor

from benchmarks.common import alternate, report
from benchmarks.prepare import make_workload, settings, workload_parser
from benchmarks.subjects import make_batches, our_model, training
from benchmarks.turns import peak_memory
from benchmarks.workload import Workload
from cosent_tf.cli import exit_on_error, positive


def main():
    parser = workload_parser(__doc__)
    add = parser.add_argument
    add('--batch_sizes', type=positive(int), nargs='+', default=[64, 512, 4096])
    add('--micro_batch', type=positive(int), default=64, help='pairs at a time (default: 64)')
    add('--most_whole', type=positive(int), default=512, help='largest batch also tried whole')
    args = parser.parse_args()
    spawn = multiprocessing.get_context('spawn')
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool,
    ):
        work = make_workload(args, folder, max(args.batch_sizes))
        for size in args.batch_sizes:
            for chunk in sorted({size, args.micro_batch}, reverse=True):
                if chunk < size or (chunk == size <= args.most_whole):
                    case = work._replace(train=work.train[:size], batch_size=size)
                    seconds, peak = pool.submit(measure, case, chunk, args.rounds).result()
                    row = {'pairs per batch': size, 'pairs at a time': chunk}
                    rows.append(row | {'peak MB': peak, 'pairs/s': size / seconds})
        report('micro_batch', 'Training CoSENT, one step', rows, settings(args, work))


def measure(work: Workload, chunk: int, rounds: int) -> tuple[float, float]:
    """Return the seconds of a step, and the peak of memory in MB."""
    model = our_model(work)
    if chunk < work.batch_size:
        model.chunk_rows = 2 * chunk
    seconds = alternate({'step': training(model, make_batches(work))}, rounds)['step']
    return statistics.median(seconds), 1000 * peak_memory()


if __name__ == '__main__':
    exit_on_error(main)

"""Training CoSENT with freed memory kept, as this project has it, and with glibc as it comes.

    python -m benchmarks.allocator [--data_dir DIR --task BQ --vocab FILE]

The third subject also has huge pages, which only the environment can ask glibc for. Each is a
process of its own, and they take turns; a first turn of each is not counted.
"""

import statistics
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks.common import alternate, ratio, report
from benchmarks.prepare import make_workload, settings, workload_parser
from benchmarks.turns import GLIBC_AS_IT_COMES, Worker
from cosent_tf.cli import exit_on_error, positive

HUGE_PAGES = {
    'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.arena_max=1:'
    'glibc.malloc.trim_threshold=0x7fffffffffffffff'
}


def main():
    parser = workload_parser(__doc__)
    parser.add_argument('--steps', type=positive(int), default=20, help='a turn (default: 20)')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        work = make_workload(args, folder, args.steps * args.batch_size)
        path = Path(folder) / 'workload.json'
        work.save(path)
        worker = sys.executable, 'benchmarks.tensorflow_worker', 'train-tensorflow', 'fp32'
        environments = {
            'kept': {},
            'as it comes': GLIBC_AS_IT_COMES,
            'kept, huge pages': HUGE_PAGES,
        }
        turns = {
            name: stack.enter_context(closing(Worker(*worker, str(path), **environment))).turn
            for name, environment in environments.items()
        }
        seconds = alternate(turns, args.rounds)
        rows = [
            {
                'freed memory': name,
                'pairs/s': len(work.train) / statistics.median(values),
                'kept is faster': ratio(seconds['kept'], values),
            }
            for name, values in seconds.items()
        ]
        report('allocator', 'Training CoSENT', rows, settings(args, work), seconds=seconds)


if __name__ == '__main__':
    exit_on_error(main)

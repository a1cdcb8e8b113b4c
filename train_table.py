"""Every run of the published tables that is not finished yet, one after the other.

    python train_table.py
    python train_table.py --tasks BQ PAWSX --models bert --seeds 1 2 3 -- --precision bf16

Finished runs are skipped, interrupted ones go on after their last whole epoch, so this can be
stopped (Ctrl-C, kill) and started again at will. A run that fails is named, and the others go on.
What stands after -- is given to the training scripts as it is.
"""

import itertools
import signal
import subprocess
import sys
from pathlib import Path

from cosent_tf.cli import MODELS, exit_on_error, make_parser
from cosent_tf.errors import RunError
from cosent_tf.report.published import TASKS
from cosent_tf.run.folder import METHODS, STATE_FILE, is_finished, run_name

OURS = {'--task', '--model', '--seed', '--runs_dir', '--resume', '--overwrite'}


def main():
    args, passed = parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops the training script as well
    cells = list(itertools.product(args.seeds, args.tasks, args.models, args.methods))
    failed = []
    for number, (seed, task, model, method) in enumerate(cells, 1):
        name = run_name(task, model, method, seed)
        folder = args.runs_dir / name
        finished, begun = is_finished(folder), (folder / STATE_FILE).exists()
        what = 'finished, skipped' if finished else 'resumed' if begun else 'started'
        print(f'[{number}/{len(cells)}] {name}: {what}', flush=True)
        if not finished:
            flags = ['--task', task, '--model', model, '--seed', str(seed)]
            flags += ['--runs_dir', str(args.runs_dir), '--resume']
            if train([f'train_{method}.py', *flags, *passed]) != 0:
                failed.append(name)
    if failed:
        raise RunError(f'{len(failed)} of {len(cells)} runs failed: {", ".join(failed)}')


def train(command):
    """The exit code of a training script; it ends together with this process."""
    script, *flags = command
    try:
        return subprocess.run([sys.executable, Path(__file__).with_name(script), *flags]).returncode
    except KeyboardInterrupt:
        raise RunError('stopped; the same command goes on') from None


def parse_args():
    split = sys.argv.index('--') if '--' in sys.argv else len(sys.argv)
    ours, passed = sys.argv[1:split], sys.argv[split + 1 :]
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('--tasks', nargs='+', default=TASKS, help=f'default: {" ".join(TASKS)}')
    add('--models', nargs='+', default=list(MODELS), help=f'default: {" ".join(MODELS)}')
    add('--methods', nargs='+', default=METHODS, choices=METHODS, help='default: all')
    add('--seeds', nargs='+', type=int, default=[42], help='default: 42')
    add('--runs_dir', type=Path, default='runs', help='the folder of the runs (default: runs)')
    args = parser.parse_args(ours)
    taken = sorted(OURS & {flag.partition('=')[0] for flag in passed})
    if taken:
        parser.error(f'{taken[0]} after --: it is given by the table')
    return args, passed


if __name__ == '__main__':
    exit_on_error(main)

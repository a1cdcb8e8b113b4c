"""Train all runs of the published tables one after the other, and print the report.

    python train_table.py --dry_run
    python train_table.py
    python train_table.py --tasks BQ PAWSX --models bert --seeds 1 2 3 -- --precision bf16

Missing data and encoders are downloaded first (download.py). The command can be stopped (Ctrl-C,
kill) and started again at any time: finished runs are skipped, and interrupted ones resume after
their last whole epoch. If a run in --runs_dir has other settings than now, it is named, and nothing
starts. A run that fails is named in the end, after the others. Flags after -- are passed on to the
training scripts.
"""

import itertools
import os
import runpy
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from datetime import timedelta
from functools import cache
from pathlib import Path

from cosent_tf import configure_process
from cosent_tf.bert.sources import WEIGHTS_FILE
from cosent_tf.cli import (
    Settings,
    exit_on_error,
    fill_in,
    make_parser,
    this_command,
    training_parser,
)
from cosent_tf.errors import RunError
from cosent_tf.files import make_folder, remove
from cosent_tf.methods import METHODS
from cosent_tf.places import MODELS, download_command, find_data
from cosent_tf.published import TASKS
from cosent_tf.run.folder import STATE_FILE, is_finished, read_metrics
from cosent_tf.screen import PART_OF, outlive_screen
from cosent_tools.download.fetch import check_space
from cosent_tools.report.render import as_text, hint
from cosent_tools.runs import RunName
from cosent_tools.table.needs import changed_runs, cost_of, describe_fetching, files_to_fetch
from cosent_tools.table.plan import Cost, plan_section

OURS = {'--task', '--model', '--seed', '--runs_dir', '--resume', '--overwrite'}
HERE = Path(__file__).parent


def main():
    args, passed = parse_args()
    configure_process()  # the plan imports TensorFlow
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the training script, too
    cells = itertools.product(args.seeds, args.tasks, args.models, args.methods)
    names = [RunName(task, model, method, seed) for seed, task, model, method in cells]
    flags = {name: [*flags_of(name, args.runs_dir), '--resume', *passed] for name in names}
    settings = {name: settings_of(name, flags[name]) for name in names}
    for name in changed_runs(settings, args.runs_dir, args.overwrite):
        flags[name] = [*flags_of(name, args.runs_dir), '--overwrite', *passed]
    todo = {
        name: settings[name]
        for name in names
        if '--overwrite' in flags[name] or not is_finished(args.runs_dir / str(name))
    }

    # data and encoders
    missing = sorted(set().union(*map(files_to_fetch, todo.values())))
    first = download_command(missing, next(iter(todo.values()))) if missing else None
    for run_args in todo.values():
        if 'data' not in files_to_fetch(run_args):
            find_data(run_args)  # a mistyped name is an error before anything is fetched
    if first and not args.dry_run and (code := run(first)):
        sys.exit(code)

    # the plan
    costs = {name: cost_of(run_args, args.dry_run) for name, run_args in todo.items()}
    fetched = describe_fetching(first, missing) if first else []
    print(as_text([plan_section(costs, args.keep_weights, fetched)]), flush=True)
    if args.dry_run:
        hint(f'\nTo start: {this_command("--dry_run")}')
        return
    check_room(costs, args)

    # the runs, the report
    outlive_screen()
    failed = train_all(flags, costs, args)
    code = run(['eval_accuracy.py', '--runs_dir', str(args.runs_dir)])
    if failed:
        raise RunError(f'{len(failed)} of {len(names)} runs failed: {", ".join(failed)}')
    sys.exit(code)


def train_all(
    flags: dict[RunName, list[str]], costs: dict[RunName, Cost], args: Namespace
) -> list[str]:
    """Run those with a cost, the unfinished ones; return the names of the runs that failed."""
    failed, done = [], []
    for number, name in enumerate(flags, 1):
        folder, place = args.runs_dir / str(name), f'[{number}/{len(flags)}] {name}'
        if name not in costs:
            print(f'{place}: finished, skipped', flush=True)
        else:
            is_resumed = (folder / STATE_FILE).exists() and '--overwrite' not in flags[name]
            what = 'resumed' if is_resumed else 'started'
            left = [costs[other] for other in list(flags)[number:] if other in costs]
            steps = f'{costs[name].steps:,} steps'
            print(f'{place}: {what}, {steps}, {outlook(left, done)}', flush=True)
            if run([f'train_{name.method}.py', *flags[name]]):
                failed.append(str(name))
            else:
                done.append((costs[name], folder))
        if args.keep_weights == 'none' and is_finished(folder):
            remove(folder / WEIGHTS_FILE)
    return failed


def run(command: list[str]) -> int:
    """Run a script, which ends together with this process, and return its exit code."""
    script, *flags = command
    try:
        environment = os.environ | {PART_OF: 'train_table.py'}
        return subprocess.run([sys.executable, HERE / script, *flags], env=environment).returncode
    except KeyboardInterrupt:
        raise RunError('stopped; the same command resumes') from None


def flags_of(name: RunName, runs_dir: Path) -> list[str]:
    """Return the flags that the table gives to the script of a run."""
    flags = ['--task', name.task, '--model', name.model, '--seed', str(name.seed)]
    return [*flags, '--runs_dir', str(runs_dir)]


def settings_of(name: RunName, flags: list[str]) -> Namespace:
    """Return the arguments of a run: its flags, and the settings of its script as defaults."""
    args = training_parser('').parse_args(flags)
    fill_in(args, name.method, script_settings(name.method))
    return args


@cache
def script_settings(method: str) -> Settings:
    """Return the settings in the script of a method."""
    return runpy.run_path(str(HERE / f'train_{method}.py'))['SETTINGS']


def check_room(costs: dict[RunName, Cost], args: Namespace) -> None:
    """Raise an error if the disk is too small for all runs, warn if the GPU seems to be."""
    if not costs:
        return
    make_folder(args.runs_dir)
    kept = sum(cost.kept(args.keep_weights) for cost in costs.values())
    check_space(args.runs_dir, kept + max(cost.in_progress for cost in costs.values()))
    free = free_gpu_memory()
    name, largest = max(costs.items(), key=lambda item: item[1].gpu)
    if free is not None and largest.gpu > free:
        print(
            f'GPU memory: {free / 1e9:.1f} GB free, {name} may need {largest.gpu / 1e9:.1f} GB; '
            '--micro_batch N, or a lower --batch_size or --maxlen, needs less',
            file=sys.stderr,
        )


def free_gpu_memory() -> float | None:
    """Return the free bytes of the fullest NVIDIA GPU, None if there is no GPU."""
    if shutil.which('nvidia-smi') is None:
        return None
    query = ['nvidia-smi', '--query-gpu=memory.free', '--format=csv,noheader,nounits']
    lines = subprocess.run(query, capture_output=True, text=True).stdout.split()
    return min((float(line) * 2**20 for line in lines if line.isdigit()), default=None)


def outlook(left: list[Cost], done: list[tuple[Cost, Path]]) -> str:
    """Return the number of runs left, and their duration at the pace of those done."""
    text = f'runs left: {len(left)}'
    if not (left and done):
        return text
    seconds = sum(read_metrics(folder)['training_seconds'] for _, folder in done)
    pace = seconds / sum(cost.flop for cost, _ in done)
    duration = timedelta(seconds=round(pace * sum(cost.flop for cost in left)))
    return f'{text}, about {duration} at the pace so far'


def parse_args() -> tuple[Namespace, list[str]]:
    split = sys.argv.index('--') if '--' in sys.argv else len(sys.argv)
    ours, passed = sys.argv[1:split], sys.argv[split + 1 :]
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('--tasks', nargs='+', default=TASKS, help=f'default: {" ".join(TASKS)}')
    add('--models', nargs='+', default=list(MODELS), help=f'default: {" ".join(MODELS)}')
    add('--methods', nargs='+', default=list(METHODS), choices=METHODS, help='default: all')
    add('--seeds', nargs='+', type=int, default=[42], help='default: 42')
    add('--runs_dir', type=Path, default='runs', help='folder of the runs (default: runs)')
    add(
        '--keep_weights',
        choices=('best', 'none'),
        default='best',
        help='keep the best weights of finished runs (default), or none to save disk space',
    )
    add('--overwrite', action='store_true', help='retrain runs that have other settings')
    add('--dry_run', action='store_true', help='only show the runs and their cost')
    args = parser.parse_args(ours)
    if args.dry_run:
        os.environ['HF_HUB_OFFLINE'] = '1'  # read by huggingface_hub, which is not imported yet
    taken = sorted(OURS & {flag.partition('=')[0] for flag in passed})
    if taken:
        parser.error(f'{taken[0]} after --: train_table.py sets it')
    return args, passed


if __name__ == '__main__':
    exit_on_error(main)

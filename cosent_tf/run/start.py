"""The start of a run: seeds, precision, what trains where, and the run folder."""

from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from cosent_tf.bert.compat import device_name, keras, tf, versions
from cosent_tf.bert.formats import read_config
from cosent_tf.bert.precision import POLICIES
from cosent_tf.bert.sources import hub_name
from cosent_tf.distribution import from_chief, is_chief, replicas, use_device, use_strategy
from cosent_tf.errors import UserError, WriteError
from cosent_tf.files import lock_folder, remove_temporaries, write_json
from cosent_tf.run.config import checksums, find_changes, git_commit
from cosent_tf.run.folder import (
    CLEARED,
    CONFIG_FILE,
    METRICS_FILE,
    STATE_FILE,
    is_finished,
    read_metrics,
    run_name,
)
from cosent_tf.screen import outlive_screen

UNITS = {'accuracy': ('accuracy', ' %'), 'spearman': ('Spearman', ' (×100)')}

# Of the run folder that this process has: its lock, without which it would be given up, and what
# config.json is to be.
_opened = Namespace(lock=None, config=None)


def start_run(args: Namespace) -> Path:
    """Seed all generators, say what trains where, and make the run folder.

    Returns:
        The run folder; the chief process has locked it. What is in it stays until `fit`.

    Raises:
        UserError: the run is finished, in progress, or does not fit --resume.
        RunError: the chief process has ended.
        SystemExit: with code 0, there is nothing left to --resume.
    """
    outlive_screen()
    use_device(args.device)
    use_strategy(args.strategy)
    keras.utils.set_random_seed(args.seed)
    tf.random.set_global_generator(tf.random.Generator.from_seed(args.seed))  # of dropout
    keras.mixed_precision.set_global_policy(POLICIES[args.precision])
    folder = Path(args.runs_dir) / run_name(args.task, args.model, args.method, args.seed)
    is_done = is_chief() and _open_folder(folder, _config(args), args)
    [is_done] = from_chief([np.array([is_done], np.int32)])  # or others end with a refused chief
    if is_done[0]:
        raise SystemExit(0)
    device, libraries = device_name(), versions()
    no_gpu = ['no GPU found'] if device == 'CPU' and args.device == 'auto' else []
    others = f' and {replicas() - 1} more' if replicas() > 1 else ''
    engine = [f'{name} {libraries[name]}' for name in ('tensorflow', 'tf_keras', 'bert4keras')]
    print(', '.join([*no_gpu, f'training on {device}{others}', args.precision, *engine]))
    return folder


def begin_run(folder: Path, args: Namespace) -> None:
    """Clear what an earlier start has left, and write config.json; not if the run goes on.

    Raises:
        WriteError: the folder cannot be written.
    """
    if not args.overwrite and (folder / STATE_FILE).exists():
        return
    for name in CLEARED:
        (folder / name).unlink(missing_ok=True)
    write_json(folder / CONFIG_FILE, _opened.config)


def show_figures(folder: Path) -> None:
    """Print what a finished run has reached.

    Raises:
        UserError: its metrics.json is broken.
    """
    metrics = read_metrics(folder)
    try:
        select = metrics['select']
        measure, unit = UNITS[select]
        split = 'valid' if metrics[f'test_{select}'] is None else 'test'
        figure = f'{100 * metrics[f"{split}_{select}"]:.2f}{unit}'
        note = '' if split == 'test' else '; test has no labels to measure by'
        print(f'{split} {measure} {figure} with epoch {metrics["best_epoch"]}{note}')
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f'{folder / METRICS_FILE}: not the figures of a run: {error}') from error
    print(f'written to {folder}; beside the published results: python eval_accuracy.py')


def _config(args: Namespace) -> dict:
    return {
        'arguments': vars(args),
        'versions': versions(),
        'device': device_name(),
        'precision': args.precision,
        'tensor_float_32': tf.config.experimental.tensor_float_32_execution_enabled(),
        'git_commit': git_commit(Path(__file__)),
        'encoder': read_config(Path(args.bert_dir)),
        'hub': hub_name(Path(args.bert_dir)),
        **checksums(args),
        'started': datetime.now(UTC).isoformat(timespec='seconds'),
    }


def _open_folder(folder: Path, config: dict, args: Namespace) -> bool:
    """Lock the run folder, and check that the run can be started, or go on, as asked.

    Returns:
        Whether there is nothing to go on with: the run is finished, and its figures are shown.
    """
    _lock(folder)
    _opened.config = config  # of the files before they are read
    finished = is_finished(folder)
    if args.overwrite or not (finished or (folder / STATE_FILE).exists()):
        return False
    if not args.resume:
        raise UserError(
            f'{folder}: this run is finished; --overwrite starts it anew'
            if finished
            else f'{folder}: this run was interrupted; --resume goes on, --overwrite starts anew'
        )
    if changes := find_changes(folder, args, config):
        raise UserError(f'{folder}: {"; ".join(changes)}; --overwrite starts the run anew')
    if finished:
        show_figures(folder)
        (folder / STATE_FILE).unlink(missing_ok=True)  # of a process killed just before that
    return finished


def _lock(folder: Path) -> None:
    """Hold the run folder until this process ends, or starts another run."""
    if _opened.lock:
        _opened.lock.release()
    try:
        _opened.lock = lock_folder(folder, 'training this run')
    except WriteError as error:
        raise UserError(f'{error}; --runs_dir names another place') from error
    if _opened.lock.is_locked:
        remove_temporaries(folder)  # nobody else is writing them

"""The start of a training run, and what it keeps in its folder."""

import shlex
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from cosent_tf import distribution
from cosent_tf.bert.backends import POLICIES
from cosent_tf.bert.compat import device_name, keras, tf, versions
from cosent_tf.bert.formats import read_config
from cosent_tf.bert.sources import CONFIG_FILE, WEIGHTS_FILE, hub_name
from cosent_tf.bert.weights import model_weights, read_arrays, read_weights, write_weights
from cosent_tf.errors import UserError, WriteError
from cosent_tf.files import lock_folder, remove, remove_temporaries, write_json, write_text
from cosent_tf.run.config import checksums, find_changes, git_commit
from cosent_tf.run.folder import (
    CLEARED,
    HISTORY_FILE,
    LOSSES_FILE,
    METRICS_FILE,
    STATE_FILE,
    is_finished,
    read_metrics,
    run_name,
)
from cosent_tf.run.state import State, read_state, state_variables, write_state
from cosent_tf.screen import outlive_screen, print_next

UNITS = {'accuracy': ('accuracy', ' %'), 'spearman': ('Spearman', ' (×100)')}


class Run:
    """A training run: the arguments of its script, its folder and its state.

    All processes call the same methods, and only the chief writes. They raise a WriteError if the
    folder cannot be written, a UserError if a file in it is broken or of another model, and a
    RunError if another process has ended.
    """

    def __init__(self, args: Namespace) -> None:
        self.args = args
        self.folder = Path(args.runs_dir) / run_name(args.task, args.model, args.method, args.seed)
        self.state = State()

    def open(self) -> bool:
        """Lock the folder, and check that the run can be started or resumed.

        Nothing in the folder changes before `restore`. Return whether the run to be resumed is
        finished; its figures are then shown. See `start_run` for errors.
        """
        args, folder = self.args, self.folder
        try:
            self._lock = lock_folder(folder, 'training this run')
        except WriteError as error:
            raise UserError(f'{error}; choose another folder with --runs_dir') from error
        if self._lock.is_locked:
            remove_temporaries(folder)  # no other process is writing them
        self._config = _config(args)  # checksums from before the files are read
        finished = is_finished(folder)
        if args.overwrite or not (finished or (self.folder / STATE_FILE).exists()):
            return False
        if not args.resume:
            problem = 'is finished;' if finished else 'was interrupted; --resume continues it,'
            raise UserError(f'{folder}: this run {problem} --overwrite starts it over')
        if changes := find_changes(folder, args, self._config):
            raise UserError(f'{folder}: {"; ".join(changes)}; --overwrite starts the run over')
        if finished:
            self.show_figures()
            remove(self.folder / STATE_FILE)  # if a process was killed just before removing it
        return finished

    def restore(self, model: keras.Model) -> None:
        """Continue after the last saved epoch, or clear the folder and begin."""
        if distribution.is_chief():
            if self.args.overwrite or not (self.folder / STATE_FILE).exists():
                for name in CLEARED:
                    remove(self.folder / name)
                write_json(self.folder / CONFIG_FILE, self._config)
            self.state = self._read_state(model)
        state = self.state
        distribution.copy_from_chief(state_variables(model).values())
        [shared] = distribution.from_chief(
            [np.array([state.epoch, state.best_epoch, state.best_value])]
        )
        state.epoch, state.best_epoch, state.best_value = int(shared[0]), int(shared[1]), shared[2]

    def save_epoch(self, model: keras.Model, is_best: bool) -> None:
        """Write the state of the run, the weights if they are the best so far, and the tables."""
        if not distribution.is_chief():
            return
        # the state first: the rest can be made again from it
        write_state(self.folder / STATE_FILE, self.state, model)
        if is_best:
            write_weights(self.folder / WEIGHTS_FILE, model_weights(model))
        self.write_tables()

    def load_best(self, model: keras.Model) -> None:
        """Load the weights of the best epoch into a model."""
        if distribution.is_chief():
            read_weights(self.folder / WEIGHTS_FILE, model_weights(model))
        distribution.copy_from_chief(model_weights(model).values())

    def write_tables(self) -> None:
        """Write history.csv and losses.csv."""
        history = self.state.history
        tables = {
            HISTORY_FILE: [history[0], *(row.values() for row in history)],
            LOSSES_FILE: [('step', 'loss'), *enumerate(self.state.losses, 1)],
        }
        for name, rows in tables.items():
            lines = (','.join('' if value is None else str(value) for value in row) for row in rows)
            write_text(self.folder / name, '\n'.join(lines) + '\n')

    def finish(self, metrics: dict) -> None:
        """Write metrics.json, which marks the run as finished, and show its figures."""
        write_json(self.folder / METRICS_FILE, metrics)
        remove(self.folder / STATE_FILE)
        self.show_figures()

    def show_figures(self) -> None:
        """Print the result of the finished run, and the next command."""
        metrics = read_metrics(self.folder)
        try:
            select = metrics['select']
            measure, unit = UNITS[select]
            split = 'valid' if metrics[f'test_{select}'] is None else 'test'
            figure = f'{100 * metrics[f"{split}_{select}"]:.2f}{unit}'
            note = '' if split == 'test' else '; test has no labels to measure by'
            print(f'{split} {measure} {figure} with epoch {metrics["best_epoch"]}{note}')
        except (KeyError, TypeError, ValueError) as error:
            path = self.folder / METRICS_FILE
            raise UserError(f'{path}: not the metrics of a run: {error}') from error
        runs_dir = str(self.args.runs_dir)
        flags = '' if runs_dir == 'runs' else f' --runs_dir {shlex.quote(runs_dir)}'
        print(f'written to {self.folder}')
        print_next(f'to see the table: python eval_accuracy.py{flags}')

    def _read_state(self, model: keras.Model) -> State:
        state, best = read_state(self.folder / STATE_FILE, model), self.folder / WEIGHTS_FILE
        if 0 < state.best_epoch < state.epoch:
            read_arrays(best, model_weights(model))  # to fail now, not hours later
        elif state.epoch:  # the last save may have ended after the state
            write_weights(best, model_weights(model))
        return state


def start_run(args: Namespace) -> Run:
    """Seed all generators, open the run's folder, and print what is trained where.

    Raises:
        UserError: the run is finished, in progress, or was started differently.
        RunError: the chief process has ended.
        SystemExit: with code 0; the run to be resumed is finished.
    """
    outlive_screen()
    distribution.use_device(args.device)
    distribution.use_strategy(args.strategy)
    keras.utils.set_random_seed(args.seed)
    tf.random.set_global_generator(tf.random.Generator.from_seed(args.seed))  # of dropout
    keras.mixed_precision.set_global_policy(POLICIES[args.precision])
    run = Run(args)
    is_done = distribution.is_chief() and run.open()
    [[is_done]] = distribution.from_chief([np.array([is_done], np.int32)])  # all end with the chief
    if is_done:
        raise SystemExit(0)
    device, libraries = device_name(), versions()
    others = f' and {distribution.replicas() - 1} more' if distribution.replicas() > 1 else ''
    no_gpu = ' (no GPU found)' if device == 'CPU' and args.device == 'auto' else ''
    engine = [f'{name} {libraries[name]}' for name in ('tensorflow', 'tf_keras', 'bert4keras')]
    print(f'training {args.method} on {args.task}, encoder {args.model} from {args.bert_dir}')
    print(f'the result will be in {run.folder}')
    print(', '.join([f'on {device}{others}{no_gpu}', args.precision, *engine]), flush=True)
    return run


def _config(args: Namespace) -> dict:
    return {
        'arguments': vars(args),
        'versions': versions(),
        'device': device_name(),
        'precision': args.precision,
        'tensor_float_32': tf.config.experimental.tensor_float_32_execution_enabled(),
        'git_commit': git_commit(Path(__file__)),
        'hub': hub_name(Path(args.bert_dir)),
        'encoder': read_config(Path(args.bert_dir)),
        **checksums(args),
        'started': datetime.now(UTC).isoformat(timespec='seconds'),
    }

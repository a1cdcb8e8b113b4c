"""Progress of a training, on a terminal and in a log."""

import sys
import threading
import time
from datetime import timedelta

from cosent_tf.bert.compat import keras

INTERVAL = 50  # seconds between lines of a log
FIRST_STEPS = 50  # steps after which the expected time is printed


class Progress(keras.callbacks.Callback):
    """Prints the expected time after the first steps and, in a log, the progress at intervals.

    A thread prints it, also while a step is compiled or a split is scored. On a terminal, Keras has
    its own bar instead. Workers other than the chief are `quiet`.
    """

    def __init__(self, pairs: int, quiet: bool = False) -> None:
        super().__init__()
        self.pairs, self.quiet = pairs, quiet
        self.epoch, self.step, self.loss = 0, 0, None
        self.steps_timed, self.step_seconds = 0, 0.0  # without the first step, which compiles
        self.epochs_timed, self.scoring_seconds = 0, 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._print_lines, daemon=True)

    def __enter__(self) -> 'Progress':
        if not (self.quiet or sys.stdout.isatty()):
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch, self.step = epoch + 1, 0
        self._since = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        now = time.perf_counter()
        if self.loss is not None:
            self.steps_timed += 1
            self.step_seconds += now - self._since
        self._since = now
        self.step, self.loss = batch + 1, logs['loss']
        if self.steps_timed == FIRST_STEPS and not self.quiet:
            start = '\n' if sys.stdout.isatty() else ''  # below Keras's bar
            steps = self.params['epochs'] * self.params['steps']
            print(f'{start}{steps:,} steps, about {self.time_left()} to go', flush=True)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Count the time since the last step, in which the previous callback has scored valid."""
        self.epochs_timed += 1
        self.scoring_seconds += time.perf_counter() - self._since

    def time_left(self) -> timedelta:
        """Return the remaining time at the pace so far, in whole seconds; needs a timed step."""
        epochs_left = self.params['epochs'] - self.epoch + 1
        steps_left = epochs_left * self.params['steps'] - self.step
        seconds = steps_left * self.step_seconds / self.steps_timed
        if self.epochs_timed:
            seconds += epochs_left * self.scoring_seconds / self.epochs_timed
        return timedelta(seconds=round(seconds))

    def line(self) -> str:
        """Return the progress as a line of a log."""
        if not self.epoch:
            return 'no step so far'
        epochs, steps = self.params['epochs'], self.params['steps']
        place = f'epoch {self.epoch}/{epochs}, step {self.step}/{steps}'
        if self.loss is None:
            return f'{place}: compiling the first step'
        if self.step == steps:
            return f'{place}: scoring'
        figures = f'{place}, loss {float(self.loss):.4f}'
        if not self.steps_timed:
            return figures
        rate = self.pairs / steps * self.steps_timed / self.step_seconds
        return f'{figures}, {rate:.1f} pairs/s, {self.time_left()} left'

    def _print_lines(self) -> None:
        while not self._stop.wait(INTERVAL):
            print(self.line(), flush=True)

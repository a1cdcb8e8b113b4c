"""The end of an epoch: score valid, keep the best weights, save all that is needed to go on."""

import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cosent_tf.bert.compat import keras
from cosent_tf.bert.weights import model_weights, write_weights
from cosent_tf.data import Split
from cosent_tf.decisions import fit_rule
from cosent_tf.distribution import is_chief
from cosent_tf.errors import RunError
from cosent_tf.files import write_text
from cosent_tf.run.folder import HISTORY_FILE, LOSSES_FILE, STATE_FILE, WEIGHTS_FILE
from cosent_tf.run.state import State, write_state

Score = Callable[[str], np.ndarray]  # the name of a split → scores (n,) or (n, C)


class EndOfEpoch(keras.callbacks.Callback):
    """Scores valid, keeps the best epoch, and saves all that is needed to go on."""

    def __init__(
        self, score: Score, valid: Split, state: State, args: Namespace, folder: Path
    ) -> None:
        super().__init__()
        self.score = score
        self.labels = valid.labels
        self.state = state
        self.method, self.select = args.method, args.select
        self.folder = folder

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.losses = []
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.losses.append(float(logs['loss']))
        if not np.isfinite(self.losses[-1]):
            self._refuse(f'the loss is {self.losses[-1]}')

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        state = self.state
        scores = self.score('valid')
        if not np.isfinite(scores).all():
            self._refuse('a score of valid is not finite')
        rule = fit_rule(self.labels, scores, self.method)
        valid = rule.measures(self.labels, scores)
        value = valid[rule.measure(self.select)]
        is_best = state.best_epoch == 0 or value > state.best_value
        if is_best:
            state.best_epoch, state.best_value = epoch + 1, value
        row = {
            'epoch': epoch + 1,
            'loss': float(np.mean(self.losses)),
            'seconds': round(time.perf_counter() - self.start, 3),
            'valid_spearman': valid['spearman'],
            'valid_accuracy': valid['accuracy'],
            'threshold': rule.threshold,
            'is_best': int(is_best),
        }
        state.epoch = epoch + 1
        state.history.append(row)
        state.losses += self.losses
        self._save(is_best)
        shown = ('loss', 'valid_accuracy', 'valid_spearman', 'threshold')
        logs.update({name: row[name] for name in shown if row[name] is not None})

    def _refuse(self, what: str) -> None:
        epoch, step = self.state.epoch, len(self.state.losses) + len(self.losses)
        kept = f'epoch {epoch} is kept, but' if epoch else 'nothing is kept, and'
        raise RunError(
            f'{self.folder}: {what} at step {step}, in epoch {epoch + 1}; {kept} --resume would '
            'end here again: --overwrite with a lower --lr starts anew'
        )

    def _save(self, is_best: bool) -> None:
        if not is_chief():
            return
        # In this order: with the state written, everything after it can be made again from it.
        write_state(self.folder / STATE_FILE, self.state, self.model)
        if is_best:
            write_weights(self.folder / WEIGHTS_FILE, model_weights(self.model))
        write_tables(self.folder, self.state)


def write_tables(folder: Path, state: State) -> None:
    """Write history.csv and losses.csv."""
    lines = [','.join(state.history[0])]
    for row in state.history:
        lines.append(','.join('' if value is None else str(value) for value in row.values()))
    write_text(folder / HISTORY_FILE, '\n'.join(lines) + '\n')
    steps = (f'{step},{loss}\n' for step, loss in enumerate(state.losses, 1))
    write_text(folder / LOSSES_FILE, 'step,loss\n' + ''.join(steps))

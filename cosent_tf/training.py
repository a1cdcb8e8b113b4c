"""Training: steps, the end of each epoch, resuming, and the final test."""

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from cosent_tf.audit import audit
from cosent_tf.bert.compat import keras, tf
from cosent_tf.cli import this_command
from cosent_tf.data import Batches, Split
from cosent_tf.decisions import fit_rule
from cosent_tf.distribution import distribute, explain_lost_workers, gather, is_chief, replicas
from cosent_tf.errors import RunError, WriteError
from cosent_tf.losses import cosent_loss, cosent_score_loss
from cosent_tf.micro_batch import apply_in_chunks
from cosent_tf.predictions import write_predictions
from cosent_tf.run.folder import TEST_FILE, VALID_FILE
from cosent_tf.run.progress import Progress
from cosent_tf.run.start import Run

Score = Callable[[str], np.ndarray]  # the name of a split → scores (n,) or (n, C)


class Model(keras.Model):
    """A keras.Model whose `fit` logs the loss of each step, not the mean so far.

    Each replica computes the loss of the whole batch, of which Keras gives it an equal share;
    gradient and log sum up the shares.
    """

    chunk_rows = None  # rows that a replica encodes at once in a step, None for all

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        inputs, labels = data
        labels = gather(labels)
        with tf.GradientTape() as tape:
            if self.chunk_rows is None:
                outputs = self(inputs, training=True)
            else:
                chunks = -(-tf.shape(labels)[0] // (self.chunk_rows * replicas()))
                outputs = apply_in_chunks(self, inputs, self.chunk_rows, chunks)
            loss = self.compute_loss(inputs, labels, gather(outputs))
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        return {'loss': loss}

    @property
    def metrics(self) -> list:
        return []  # they would be running means; the progress bar averages by itself


class EndOfEpoch(keras.callbacks.Callback):
    """Scores valid, keeps the best epoch, and saves what is needed to resume."""

    def __init__(self, run: Run, score: Score, valid: Split) -> None:
        super().__init__()
        self.run, self.score, self.labels = run, score, valid.labels

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.losses = []
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.losses.append(float(logs['loss']))
        if not np.isfinite(self.losses[-1]):
            self._refuse(f'the loss is {self.losses[-1]}')

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        state, args = self.run.state, self.run.args
        scores = self.score('valid')
        if not np.isfinite(scores).all():
            self._refuse('a validation score is not finite')
        rule = fit_rule(self.labels, scores, args.method)
        valid = rule.measures(self.labels, scores)
        value = valid[rule.measure(args.select)]
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
        self.run.save_epoch(self.model, is_best)
        shown = ('loss', 'valid_accuracy', 'valid_spearman', 'threshold')
        logs.update({name: row[name] for name in shown if row[name] is not None})

    def _refuse(self, what: str) -> None:
        state = self.run.state
        epoch, step = state.epoch, len(state.losses) + len(self.losses)
        kept = f'epoch {epoch} is saved, but' if epoch else 'nothing is saved, and'
        raise RunError(
            f'{self.run.folder}: {what} at step {step}, in epoch {epoch + 1}; {kept} --resume '
            'would end here again: start over with --overwrite and a lower --lr'
        )


def fit(model: Model, batches: Batches, score: Score, splits: dict[str, Split], run: Run) -> None:
    """Train, keep the epoch with the best `--select` on valid, and score test once with it.

    The model is compiled and maps token ids to outputs; `splits` are train, valid and test. What
    stops it (loss not finite, out of memory, Ctrl-C, …) is a RunError that says what to do.
    """
    args = run.args
    if args.micro_batch:
        model.chunk_rows = args.micro_batch * batches.encoded.index.ndim  # of 1 or 2 rows per pair
    # made now, as a variable made within the first step would have the step traced twice
    model.optimizer._create_all_weights(model.trainable_variables)
    progress = Progress(len(splits['train'].pairs), quiet=not is_chief())
    with _explain_errors(args), explain_lost_workers(), progress:
        run.restore(model)
        idle = _idle_batches(model, batches)
        if run.state.epoch < args.epochs:
            model.fit(
                make_dataset(batches, run.state.epoch),
                steps_per_epoch=len(batches),
                epochs=args.epochs,
                initial_epoch=run.state.epoch,
                callbacks=[EndOfEpoch(run, score, splits['valid']), progress],
                verbose=(1 if sys.stdout.isatty() else 2) if is_chief() else 0,
            )
        run.load_best(model)
        _score_best(run, score, splits, idle)


def _idle_batches(model: Model, batches: Batches) -> dict[str, int]:
    """Count the batches with a single class, whose CoSENT loss is 0, and warn of them."""
    if model.loss not in (cosent_loss, cosent_score_loss):
        return {}
    count = batches.count_one_class()
    if count and is_chief():
        print(
            f'{count} of {len(batches)} batches of an epoch hold one class: their loss is 0, and '
            'nothing is learned from them; a larger --batch_size leaves fewer of them',
            flush=True,
        )
    return {'batches_per_epoch': len(batches), 'one_class_batches': count}


@contextmanager
def _explain_errors(args: Namespace) -> Iterator[None]:
    """Turn what stops a training into a RunError that says what to do."""
    resume = f'{this_command("--overwrite", "--resume")} --resume'
    try:
        yield
    except WriteError as error:
        raise RunError(f'{error}; once that is solved, resume: {resume}') from error
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise RunError(
            'out of memory: --micro_batch N encodes N pairs at a time for the same loss (now '
            f'{args.micro_batch or "all"}); a lower --batch_size (now {args.batch_size}) or '
            f'--maxlen (now {args.maxlen}) also helps; add --overwrite if an epoch is already saved'
        ) from error
    except KeyboardInterrupt:
        raise RunError(f'interrupted; go on: {resume}') from None


def make_dataset(batches: Batches, first_epoch: int) -> tf.data.Dataset:
    """Return the batches of all epochs from `first_epoch` on, prepared in advance."""
    signature = (tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, 1), tf.int32))
    return distribute(lambda parts, own: batches.epochs(first_epoch, parts, own), signature)


def _score_best(run: Run, score: Score, splits: dict[str, Split], idle: dict[str, int]) -> None:
    """Score valid and test with the best weights; write predictions and metrics."""
    args, folder, state = run.args, run.folder, run.state
    start = time.perf_counter()
    scores = {name: score(name) for name in ('valid', 'test')}
    seconds = time.perf_counter() - start
    if not is_chief():
        return
    for name, file in (('valid', VALID_FILE), ('test', TEST_FILE)):
        write_predictions(folder / file, splits[name].labels, scores[name], splits[name].pairs)
    run.write_tables()
    rule = fit_rule(splits['valid'].labels, scores['valid'], args.method)
    measures = {
        f'{name}_{measure}': value
        for name in scores
        for measure, value in rule.measures(splits[name].labels, scores[name]).items()
    }
    metrics = {
        'best_epoch': state.best_epoch,
        'select': rule.measure(args.select),
        'search': 'powell',
        **rule._asdict(),
        **measures,
        'pairs': {name: len(split.pairs) for name, split in splits.items()},
        'skipped_lines': {name: split.skipped for name, split in splits.items()},
        **idle,
        'audit': audit({name: split.pairs for name, split in splits.items()}),
        'training_seconds': round(sum(row['seconds'] for row in state.history), 3),
        'scoring_seconds': round(seconds, 3),
    }
    run.finish(metrics)

"""What happens around `fit`: a score after each epoch, the best epoch, resume, the final test."""

import shlex
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cosent_tf.audit import audit
from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.weights import model_weights, read_arrays, read_weights, write_weights
from cosent_tf.data import Batches, Split
from cosent_tf.decisions import fit_rule
from cosent_tf.distribution import (
    LOST,
    copy_from_chief,
    distribute,
    from_chief,
    gather,
    has_workers,
    is_chief,
    lost_worker,
    replicas,
)
from cosent_tf.errors import RunError, WriteError
from cosent_tf.files import write_json
from cosent_tf.losses import cosent_loss, cosent_score_loss
from cosent_tf.micro_batch import apply_in_chunks
from cosent_tf.run.epochs import EndOfEpoch, Score, write_tables
from cosent_tf.run.folder import (
    METRICS_FILE,
    STATE_FILE,
    TEST_FILE,
    VALID_FILE,
    WEIGHTS_FILE,
    write_predictions,
)
from cosent_tf.run.progress import Progress
from cosent_tf.run.start import begin_run, show_figures
from cosent_tf.run.state import State, read_state, state_variables


class Model(keras.Model):
    """A keras.Model whose `fit` logs the loss of each step itself, not its mean so far.

    Of several replicas, each one computes the loss of the whole batch, and Keras gives it an equal
    share of it; the shares are summed in the gradient and in the log.
    """

    chunk_rows = None  # encoded at once in a step, if not all rows of a replica

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
        return []  # none that would be a running mean; the progress bar averages by itself


def fit(
    model: Model,
    batches: Batches,
    score: Score,
    splits: dict[str, Split],
    args: Namespace,
    folder: Path,
) -> None:
    """Train, keep the best epoch on valid, and score test once with it.

    The best epoch has the highest `args.select`, or Spearman for graded labels.

    Args:
        model: compiled, token ids → outputs.
        batches: the training pairs.
        score: the name of a split → its scores, with the model as it is.
        splits: train, valid and test.
        args: the script's arguments.
        folder: where `start_run` said.

    Raises:
        RunError: not finite, out of memory, interrupted, …: what to do is in the message.
    """
    if args.micro_batch:
        model.chunk_rows = args.micro_batch * batches.encoded.index.ndim  # of 1 or 2 rows a pair
    # Made now: a variable made within the first step would have the whole step traced twice.
    model.optimizer._create_all_weights(model.trainable_variables)
    progress = Progress(len(splits['train'].pairs), quiet=not is_chief())
    with _faults_told(args), progress:
        if is_chief():
            begin_run(folder, args)
        state = _restore(model, folder)
        idle = _idle_batches(model, batches)
        if state.epoch < args.epochs:
            model.fit(
                make_dataset(batches, state.epoch),
                steps_per_epoch=len(batches),
                epochs=args.epochs,
                initial_epoch=state.epoch,
                callbacks=[EndOfEpoch(score, splits['valid'], state, args, folder), progress],
                verbose=(1 if sys.stdout.isatty() else 2) if is_chief() else 0,
            )
        if is_chief():
            read_weights(folder / WEIGHTS_FILE, model_weights(model))
        copy_from_chief(model_weights(model).values())
        _score_best(score, splits, state, args, folder, idle)


def _idle_batches(model: Model, batches: Batches) -> dict[str, int]:
    """Return, and say, how many batches teach nothing: of one class, the CoSENT loss is 0."""
    if model.loss not in (cosent_loss, cosent_score_loss):
        return {}
    count = batches.count_one_class()
    if count and is_chief():
        print(
            f'{count} of {len(batches)} batches of an epoch hold one class: their loss is 0, and '
            'nothing is learned from them; a larger --batch_size leaves fewer',
            flush=True,
        )
    return {'batches_per_epoch': len(batches), 'one_class_batches': count}


@contextmanager
def _faults_told(args: Namespace) -> Iterator[None]:
    """Turn what stops a training into a RunError that says what to do."""
    try:
        yield
    except WriteError as error:
        raise RunError(f'{error}; once it can be, go on: {_resume_command()}') from error
    except LOST as error:
        if has_workers():
            raise lost_worker() from error
        raise  # a fault of this process, which TensorFlow's own message tells
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise RunError(
            'out of memory: --micro_batch N encodes N pairs at a time for the same loss (now '
            f'{args.micro_batch or "all"}); a lower --batch_size (now {args.batch_size}) or '
            f'--maxlen (now {args.maxlen}) needs less, too; an epoch already kept needs --overwrite'
        ) from error
    except KeyboardInterrupt:
        raise RunError(f'interrupted; go on: {_resume_command()}') from None


def _restore(model: Model, folder: Path) -> State:
    """Go on from the last epoch that was saved, or from none."""
    state = _read_state(model, folder) if is_chief() else State()
    copy_from_chief(state_variables(model).values())
    [shared] = from_chief([np.array([state.epoch, state.best_epoch, state.best_value])])
    state.epoch, state.best_epoch, state.best_value = int(shared[0]), int(shared[1]), shared[2]
    return state


def _read_state(model: Model, folder: Path) -> State:
    state = read_state(folder / STATE_FILE, model)
    if 0 < state.best_epoch < state.epoch:
        read_arrays(folder / WEIGHTS_FILE, model_weights(model))  # fails now, not hours later
    elif state.epoch:  # the state is the last thing known to be written
        write_weights(folder / WEIGHTS_FILE, model_weights(model))
    return state


def _resume_command() -> str:
    arguments = [part for part in sys.argv if part not in ('--overwrite', '--resume')]
    return f'python {shlex.join(arguments)} --resume'


def make_dataset(batches: Batches, first_epoch: int) -> tf.data.Dataset:
    """Return the batches of all epochs from one on, prepared ahead of their steps."""
    signature = (tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((None, 1), tf.int32))
    return distribute(lambda parts, own: batches.epochs(first_epoch, parts, own), signature)


def _score_best(
    score: Score,
    splits: dict[str, Split],
    state: State,
    args: Namespace,
    folder: Path,
    idle: dict[str, int],
) -> None:
    """Score valid and test with the best epoch's weights; write predictions and metrics."""
    start = time.perf_counter()
    valid, test = splits['valid'], splits['test']
    valid_scores, test_scores = score('valid'), score('test')
    seconds = time.perf_counter() - start
    if not is_chief():
        return
    write_predictions(folder / VALID_FILE, valid.labels, valid_scores, valid.pairs)
    write_predictions(folder / TEST_FILE, test.labels, test_scores, test.pairs)
    write_tables(folder, state)
    rule = fit_rule(valid.labels, valid_scores, args.method)
    measures = {
        f'{name}_{measure}': value
        for name, split, scores in (('valid', valid, valid_scores), ('test', test, test_scores))
        for measure, value in rule.measures(split.labels, scores).items()
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
    write_json(folder / METRICS_FILE, metrics)  # the last file: with it the run is finished
    (folder / STATE_FILE).unlink(missing_ok=True)
    show_figures(folder)

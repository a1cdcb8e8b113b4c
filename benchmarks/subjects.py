"""Training and scoring in TensorFlow: as this project does it, and the plain way.

The plain way is that of the article's scripts: bert4keras's own model on the whole padded batch,
its [CLS] position taken at the end, its own Adam, and a `predict` call a batch. Batches, loss,
dropout and initial weights are the same for both.
"""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.common import Turn
from benchmarks.workload import SEED, Workload
from cosent_tf import configure_process

configure_process()  # memory, threads, float32; before TensorFlow is imported

from cosent_tf.bert.backends import make_row_encoder
from cosent_tf.bert.compat import Adam, PlainAdam, build_transformer_model, keras, tf
from cosent_tf.bert.pretrained import load_bert, load_tokenizer
from cosent_tf.bert.sources import Source
from cosent_tf.bert.vectors import PooledVector
from cosent_tf.data import Batches, tokenize_sentences
from cosent_tf.losses import cosent_loss
from cosent_tf.metrics import cosine_similarity
from cosent_tf.training import Model, make_dataset

LEARNING_RATE = 2e-5
DROPOUT_RATE = 0.1
PREDICT_PAIRS = 32  # per predict call, so 64 rows


class EpochClock(keras.callbacks.Callback):
    """The seconds of the latest epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.perf_counter() - self.start


def our_model(work: Workload) -> keras.Model:
    """Build the model of train_cosent.py."""
    bert = load_bert(work.bert_dir, work.maxlen, DROPOUT_RATE)
    token_ids = keras.Input((None,), dtype='int32')
    model = Model(token_ids, PooledVector(bert)(token_ids))
    model.compile(loss=cosent_loss, optimizer=Adam(LEARNING_RATE))
    return model


def plain_model(work: Workload) -> keras.Model:
    """Build the model of the article's script."""
    folder = Path(work.bert_dir)
    bert = build_transformer_model(
        str(folder / 'bert_config.json'), str(folder / 'bert_model.ckpt')
    )
    token_ids = keras.Input((None,), dtype='int32')
    segment_ids = keras.layers.Lambda(tf.zeros_like)(token_ids)
    vectors = keras.layers.Lambda(lambda hidden: hidden[:, 0])(bert([token_ids, segment_ids]))
    model = keras.Model(token_ids, vectors)
    model.compile(loss=cosent_loss, optimizer=PlainAdam(LEARNING_RATE))
    return model


def make_batches(work: Workload) -> Batches:
    """Tokenize the training pairs."""
    encoded = tokenize_sentences(load_tokenizer(work.bert_dir), work.train, work.maxlen)
    return Batches(encoded, work.labels, work.batch_size, SEED)


def training(model: keras.Model, batches: Batches) -> Turn:
    """Return the turn of training one more epoch."""
    epochs = itertools.count()
    clock = EpochClock()

    def turn() -> float:
        epoch = next(epochs)
        model.fit(
            make_dataset(batches, epoch),
            steps_per_epoch=len(batches),
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=[clock],
            verbose=0,
        )
        return clock.seconds

    return turn


def our_scoring(
    work: Workload, precision: str = 'fp32', backend: str = 'tensorflow'
) -> Callable[[], np.ndarray]:
    """Return a function from the texts of `test` to their cosines, as train_cosent.py has it."""
    source = Source(Path(work.bert_dir), work.maxlen, 'cls')
    encode = make_row_encoder(our_model(work), source, precision, backend)
    tokenizer = load_tokenizer(work.bert_dir)

    def score() -> np.ndarray:
        rows, index = tokenize_sentences(tokenizer, work.test, work.maxlen)
        vectors = encode(rows)
        return cosine_similarity(vectors[index[:, 0]], vectors[index[:, 1]])

    return score


def plain_scoring(work: Workload) -> Callable[[], np.ndarray]:
    """Return a function from the texts of `test` to their cosines, a `predict` call a batch."""
    model = plain_model(work)
    tokenizer = load_tokenizer(work.bert_dir)

    def score() -> np.ndarray:
        cosines = []
        for start in range(0, len(work.test), PREDICT_PAIRS):
            pairs = work.test[start : start + PREDICT_PAIRS]
            rows, index = tokenize_sentences(tokenizer, pairs, work.maxlen)
            vectors = model.predict(rows.padded(index.reshape(-1)), verbose=0)
            cosines.append(cosine_similarity(vectors[::2], vectors[1::2]))
        return np.concatenate(cosines)

    return score

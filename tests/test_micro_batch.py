"""--micro_batch: the step of the whole batch, of which only some pairs are encoded at a time."""

import numpy as np
import pytest

from cosent_tf import training
from cosent_tf.bert.compat import Adam, keras, tf
from cosent_tf.bert.pretrained import load_bert
from cosent_tf.bert.vectors import PooledVector
from cosent_tf.losses import cosent_loss
from cosent_tf.micro_batch import apply_in_chunks
from tests.helpers import assert_close, read_json

LR = 1e-3


@pytest.mark.parametrize(
    'method',
    [
        'cosent',
        'interact',
        pytest.param('sbert', marks=pytest.mark.weekly),
        pytest.param('interact_cosent', marks=pytest.mark.weekly),
    ],
)
def test_the_steps_are_those_of_the_whole_batch(method, short, run, tmp_path, monkeypatch):
    """--micro_batch gives the losses and weights of the whole batch."""
    caught = []
    fit = training.fit

    def spied(model, batches, *more):
        caught.append((model, batches))
        fit(model, batches, *more)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr('cosent_tf.training.fit', spied)
    monkeypatch.setattr('cosent_tf.run.start.read_state', stop)
    code, _ = run(method, short, '--keep_padding', '--micro_batch', '5')
    config = read_json(tmp_path / f'TOY.bert.{method}.seed42' / 'config.json')
    assert code == 1 and config['arguments']['micro_batch'] == 5
    [(model, batches)] = caught
    assert model.chunk_rows == (5 if method.startswith('interact') else 10)  # of 16, 16, … 6 pairs
    before = model.get_weights()
    found = train(model, batches)
    model.set_weights(before)
    model.chunk_rows = None
    for ours, whole in zip(found, train(model, batches), strict=True):
        # the terms of a gradient that no loss depends on, of the bias of Interact's number, cancel:
        # from 0 it moves by what rounding leaves of them, a share of the length of the steps
        assert_close(ours, whole, rtol=2e-6, floor=5 * LR)


def train(model, batches):
    """The losses of 5 steps, and the weights after them."""
    # with its usual epsilon the steps are as long where rounding is all that is left of a gradient
    model.compile(loss=model.loss, optimizer=Adam(LR, epsilon=1.0))
    losses = keras.callbacks.LambdaCallback(on_batch_end=lambda _, logs: log.append(logs['loss']))
    log = []
    data = training.make_dataset(batches, 0)
    model.fit(data, steps_per_epoch=5, callbacks=[losses], verbose=0)
    return [np.array(log), *model.get_weights()]


@pytest.mark.parametrize('keep_padding', [False, True])
def test_both_passes_draw_the_same_dropout_masks(small_bert, keep_padding):
    """Outputs and gradients under dropout are those of chunks encoded one after the other."""
    bert = load_bert(small_bert, maxlen=12, dropout_rate=0.5)
    token_ids = keras.Input((None,), dtype='int32')
    model = keras.Model(token_ids, PooledVector(bert, keep_padding)(token_ids))
    draw = np.random.default_rng(0)
    rows = tf.constant(draw.integers(5, 50, (14, 12)), tf.int32)
    labels = np.repeat([0, 1, 0, 1, 1, 0, 1], 2)[:, None]

    def in_chunks():
        return apply_in_chunks(model, rows, 4, tf.constant(4))

    def one_after_the_other():
        return tf.concat([model(rows[at : at + 4], training=True) for at in (0, 4, 8, 12)], axis=0)

    def step(apply):
        with tf.GradientTape() as tape:
            outputs = apply()
            loss = cosent_loss(labels, outputs)
        gradients = tape.gradient(loss, model.trainable_weights)
        return [outputs, *(tf.convert_to_tensor(gradient) for gradient in gradients)]

    results, states = [], []
    for run, apply in ((tf.function(step), in_chunks), (step, one_after_the_other)):
        generator = tf.random.Generator.from_seed(7)
        tf.random.set_global_generator(generator)
        results.append(run(apply))
        states.append(generator.state.numpy())
    np.testing.assert_array_equal(*states)
    largest = max(np.abs(gradient).max() for gradient in results[1][1:])  # some cancel to 0
    for found, expected in zip(*results, strict=True):
        assert_close(found, expected, rtol=1e-5, floor=largest)

"""Weights and state on disk: whole or refused, and nothing of the optimizer forgotten."""

import numpy as np

from cosent_tf.bert.compat import Adam, keras, tf
from cosent_tf.bert.weights import read_weights, write_weights
from cosent_tf.errors import UserError
from cosent_tf.run.state import State, read_state, state_variables, write_state


def test_the_state_has_the_loss_scale_of_fp16(tmp_path):
    """A resumed fp16 run continues with its loss scale."""

    def model():
        inputs = keras.Input((2,))
        one = keras.Model(inputs, keras.layers.Dense(1, name='head')(inputs))
        one.compile(optimizer=keras.mixed_precision.LossScaleOptimizer(Adam(1e-3)))
        return one

    saved, resumed = model(), model()
    for weight in state_variables(saved).values():
        weight.assign(tf.fill(weight.shape, tf.cast(8, weight.dtype)))
    write_state(tmp_path / 'state.h5', State(epoch=1), saved)
    read_state(tmp_path / 'state.h5', resumed)
    assert float(resumed.optimizer.loss_scale) == 8
    assert int(resumed.optimizer.dynamic_counter) == 8


def test_a_damaged_weights_file_is_refused(tmp_path):
    """Any changed byte of a weight file is an error."""
    path = tmp_path / 'a.h5'
    weight = tf.Variable(np.random.default_rng(0).normal(size=(3, 50)).astype('float32'))
    expected = weight.numpy()
    write_weights(path, {'a/b': weight})
    good = path.read_bytes()
    damaged = [good[:size] for size in range(0, len(good), 97)]
    damaged += [good[:at] + b'\x55' + good[at + 1 :] for at in range(0, len(good), 7)]
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        weight.assign(tf.zeros_like(weight))
        try:
            read_weights(path, {'a/b': weight})
            np.testing.assert_array_equal(weight, expected)  # a byte that says nothing
        except UserError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > len(expected.tobytes()) // 7

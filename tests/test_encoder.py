"""Encoding without padding: the same vectors and gradients as the plain way, in the same order."""

import numpy as np
import pytest

from cosent_tf.backend import build_transformer_model, keras, tf
from cosent_tf.data import TokenRows
from cosent_tf.encoder import ClsVector, RowEncoder, load_encoder
from cosent_tf.errors import UserError
from cosent_tf.pretrained import load_bert

LENGTHS = [5, 30, 2, 17, 3, 3, 29, 8, 11]


@pytest.fixture(scope='module')
def token_ids():
    draw = np.random.default_rng(0)
    return TokenRows(draw.integers(5, 90, length).tolist() for length in LENGTHS)


def plain_vectors(bert_dir):
    """The [CLS] vectors of bert4keras itself, padding and all positions encoded."""
    config, checkpoint = str(bert_dir / 'bert_config.json'), str(bert_dir / 'bert_model.ckpt')
    bert = build_transformer_model(config, checkpoint, dropout_rate=0.0, attention_dropout_rate=0.0)
    return bert, lambda ids: bert([ids, tf.zeros_like(ids)])[:, 0]


def value_and_gradients(vectors, weights):
    """Any loss that depends on every number of the vectors, and its gradients by weight name."""
    with tf.GradientTape() as tape:
        outputs = vectors()
        loss = tf.reduce_sum(tf.sin(outputs))
    gradients = tape.gradient(loss, weights)
    return outputs.numpy(), [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


@pytest.mark.parametrize('rows', [1, 2, 3, 9])
@pytest.mark.parametrize('keep_padding', [False, True])
def test_vectors_and_gradients_equal_the_plain_path(bert_dir, token_ids, rows, keep_padding):
    """Guards the promise that speed changes no result; fewer rows than groups included."""
    ids = tf.constant(token_ids.padded(np.arange(rows)))
    bert = load_bert(bert_dir, maxlen=32)
    layer = ClsVector(bert, keep_padding)
    plain, plain_call = plain_vectors(bert_dir)
    ours, our_gradients = value_and_gradients(
        lambda: layer(ids, training=True), bert.model.trainable_weights
    )
    theirs, gradients = value_and_gradients(lambda: plain_call(ids), plain.trainable_weights)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    assert len(our_gradients) == len(gradients)
    for ours, theirs in zip(our_gradients, gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * max(1, np.abs(theirs).max()))


def test_row_encoder_returns_the_order_of_the_rows(bert_dir, token_ids, monkeypatch):
    """Guards scores that belong to another pair: rows are encoded longest first."""
    monkeypatch.setattr('cosent_tf.encoder.TOKENS_A_BATCH', 40)
    bert = load_bert(bert_dir, maxlen=32)
    inputs = keras.Input((None,), dtype='int32')
    encode = RowEncoder(keras.Model(inputs, ClsVector(bert)(inputs)))
    _, plain_call = plain_vectors(bert_dir)
    everything = tf.constant(token_ids.padded(np.arange(len(LENGTHS))))
    np.testing.assert_allclose(encode(token_ids), plain_call(everything), atol=2e-6)


def test_no_texts_give_no_vectors(bert_dir):
    """Guards a filter that left nothing over: an empty array with the right width."""
    assert load_encoder(bert_dir).encode([]).shape == (0, 32)


def test_inputs_longer_than_the_positions_are_refused(bert_dir):
    """Guards against a crash inside TensorFlow at the first long sentence."""
    with pytest.raises(UserError, match='64 positions'):
        load_bert(bert_dir, maxlen=65)

"""Encoding without padding: the same vectors and gradients as the plain way, in the same order."""

import numpy as np
import pytest

from cosent_tf.backend import build_transformer_model, keras, tf
from cosent_tf.data import TokenRows
from cosent_tf.encoder import PooledVector, RowEncoder, load_encoder
from cosent_tf.errors import UserError
from cosent_tf.pretrained import load_bert, named_weights

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


@pytest.mark.parametrize('rows', [0, 1, 2, 3, 9])
@pytest.mark.parametrize('options', [{}, {'keep_padding': True}, {'jit': True}])
def test_vectors_and_gradients_equal_the_plain_path(bert_dir, token_ids, rows, options):
    """Guards the promise that speed changes no result; fewer rows than groups included."""
    ids = tf.constant(token_ids.padded(np.arange(rows)))
    bert = load_bert(bert_dir, maxlen=32)
    layer = PooledVector(bert, **options)
    plain, plain_call = plain_vectors(bert_dir)
    ours, our_gradients = value_and_gradients(
        lambda: layer(ids, training=True), bert.model.trainable_weights
    )
    theirs, gradients = value_and_gradients(lambda: plain_call(ids), plain.trainable_weights)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    assert len(our_gradients) == len(gradients)
    for ours, theirs in zip(our_gradients, gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * max(1, np.abs(theirs).max()))


def test_half_precision_takes_large_activations(bert_dir, token_ids):
    """Guards fp16: squared in half precision, they would overflow and leave constant vectors."""
    ids = tf.constant(token_ids.padded(np.arange(3)))
    vectors = []
    for policy in ('float32', 'mixed_float16'):
        keras.mixed_precision.set_global_policy(policy)
        bert = load_bert(bert_dir, maxlen=32)
        for name, weight in named_weights(bert).items():
            if 'embeddings' in name and 'LayerNorm' not in name:
                weight.assign(1e4 * weight)
        vectors.append(PooledVector(bert)(ids))
    np.testing.assert_allclose(*vectors, atol=0.05)


def encoded_shapes(layer, name, monkeypatch, lengths):
    """The shapes of what the encoder gets in a training step on rows of these lengths."""
    shapes = []
    encode = getattr(layer, name)
    monkeypatch.setattr(
        layer, name, lambda ids, training: shapes.append(tuple(ids.shape)) or encode(ids, training)
    )
    rows = TokenRows([7] * length for length in lengths)
    layer(tf.constant(rows.padded(np.arange(len(lengths)))), training=True)
    return shapes


def test_a_long_row_is_not_encoded_with_short_ones(bert_dir, monkeypatch):
    """Guards the speed: one long sentence in a batch would otherwise pad a group of others."""
    layer = PooledVector(load_bert(bert_dir, maxlen=64))
    shapes = encoded_shapes(layer, '_encode', monkeypatch, [3] * 10 + [64] + [3] * 11)
    assert sum(rows * length for rows, length in shapes) == 64 + 21 * 3


def test_xla_compiles_few_shapes(bert_dir, monkeypatch):
    """Guards --jit: rows of other lengths would otherwise be compiled anew in every step."""
    shapes = set()
    layer = PooledVector(load_bert(bert_dir, maxlen=64), jit=True)
    for lengths in ([3] * 10 + [60] * 2, [9] * 11 + [50], list(range(2, 14))):
        shapes.update(encoded_shapes(layer, 'compiled', monkeypatch, lengths))
    assert shapes == {(3, 32), (3, 64)}


def test_row_encoder_returns_the_order_of_the_rows(bert_dir, token_ids, monkeypatch):
    """Guards scores that belong to another pair: rows are encoded longest first."""
    monkeypatch.setattr('cosent_tf.encoder.TOKENS_A_BATCH', 40)
    bert = load_bert(bert_dir, maxlen=32)
    inputs = keras.Input((None,), dtype='int32')
    encode = RowEncoder(keras.Model(inputs, PooledVector(bert)(inputs)))
    _, plain_call = plain_vectors(bert_dir)
    everything = tf.constant(token_ids.padded(np.arange(len(LENGTHS))))
    np.testing.assert_allclose(encode(token_ids), plain_call(everything), atol=2e-6)


def test_no_texts_give_no_vectors_and_one_text_is_no_list(bert_dir):
    """Guards a filter that left nothing over, and a text whose characters would be encoded."""
    encoder = load_encoder(bert_dir)
    assert encoder.encode([]).shape == (0, 32)
    with pytest.raises(TypeError, match='must be a list'):
        encoder.encode('好')


def test_inputs_longer_than_the_positions_are_refused(bert_dir):
    """Guards against a crash inside TensorFlow at the first long sentence."""
    with pytest.raises(UserError, match='64 positions'):
        load_bert(bert_dir, maxlen=65)

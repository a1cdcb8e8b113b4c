"""Encoding without padding: the same vectors and gradients as the plain way, in the same order."""

import functools
import gc
import json
import weakref

import numpy as np
import pytest

from cosent_tf.bert.compat import build_transformer_model, keras, tf
from cosent_tf.bert.pretrained import load_bert, named_weights
from cosent_tf.bert.rows import RowEncoder
from cosent_tf.bert.vectors import PooledVector, load_encoder
from cosent_tf.data import TokenRows
from cosent_tf.errors import UserError
from tests.helpers import assert_close
from tests.reference.numpy_bert import bert_hidden

LENGTHS = [5, 30, 2, 17, 3, 3, 29, 8, 11]


@pytest.fixture(scope='module')
def token_ids():
    draw = np.random.default_rng(0)
    return TokenRows(draw.integers(5, 90, length).tolist() for length in LENGTHS)


def plain_vectors(bert_dir, pooling='cls'):
    """The vectors of bert4keras itself, padding and all positions encoded."""
    config, checkpoint = str(bert_dir / 'bert_config.json'), str(bert_dir / 'bert_model.ckpt')
    bert = build_transformer_model(config, checkpoint, dropout_rate=0.0, attention_dropout_rate=0.0)

    def vectors(ids):
        hidden = bert([ids, tf.zeros_like(ids)])
        if pooling == 'cls':
            return hidden[:, 0]
        inside = tf.cast(ids > 0, tf.float32)[:, :, None]
        return tf.reduce_sum(hidden * inside, axis=1) / tf.reduce_sum(inside, axis=1)

    return bert, vectors


@pytest.fixture(scope='module')
def both_ways(bert_dir):
    """A pooling → the encoder as it is loaded, and bert4keras's own; each built once."""
    return functools.cache(
        lambda pooling: (
            load_bert(bert_dir, maxlen=32, pooling=pooling),
            *plain_vectors(bert_dir, pooling),
        )
    )


def value_and_gradients(vectors, weights):
    """Any loss that depends on every number of the vectors, and its gradients by weight name."""
    with tf.GradientTape() as tape:
        outputs = vectors()
        loss = tf.reduce_sum(tf.sin(outputs))
    gradients = tape.gradient(loss, weights)
    return outputs.numpy(), [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


@pytest.mark.parametrize(
    ('pooling', 'options', 'rows'),
    [
        *(('cls', {}, rows) for rows in (0, 1, 3, 9)),
        *(('cls', {'keep_padding': True}, rows) for rows in (0, 9)),
        *(('cls', {'jit': True}, rows) for rows in (0, 3, 9)),
        ('mean', {}, 9),
        ('mean', {'keep_padding': True}, 9),
        ('mean', {'jit': True}, 3),
    ],
)
def test_vectors_and_gradients_equal_the_plain_path(both_ways, token_ids, pooling, options, rows):
    """Vectors and gradients equal bert4keras's, for fewer rows than groups too."""
    ids = tf.constant(token_ids.padded(np.arange(rows)))
    bert, plain, plain_call = both_ways(pooling)
    layer = PooledVector(bert, **options)
    ours, our_gradients = value_and_gradients(
        lambda: layer(ids, training=True), bert.model.trainable_weights
    )
    theirs, gradients = value_and_gradients(lambda: plain_call(ids), plain.trainable_weights)
    assert_close(ours, theirs, rtol=1e-5)
    assert len(our_gradients) == len(gradients)
    largest = max(
        np.abs(gradient).max() for gradient in gradients
    )  # that of a key's bias is 0, but for rounding
    for ours, theirs in zip(our_gradients, gradients, strict=True):
        assert_close(ours, theirs, rtol=1e-5, floor=largest)


@pytest.mark.parametrize('pooling', ['cls', 'mean'])
def test_a_pad_within_a_row_is_a_token(small_bert, pooling):
    """Token id 0 within a row counts as a token; only zeros at the end are padding."""
    config = json.loads((small_bert / 'bert_config.json').read_text('utf-8'))
    ids = np.array([[2, 0, 9, 0, 0, 7, 3, 0], [2, 8, 3, 0, 0, 0, 0, 0], [2, 0, 0, 3, 0, 0, 0, 0]])
    mask = np.arange(8) < np.array([7, 3, 4])[:, None]
    bert = load_bert(small_bert, maxlen=8, pooling=pooling)
    weights = {name: weight.numpy() for name, weight in named_weights(bert).items()}
    hidden = bert_hidden(weights, config, ids, 0 * ids, mask)
    mean = hidden.sum(axis=1) / mask.sum(axis=1, keepdims=True)
    expected = hidden[:, 0] if pooling == 'cls' else mean
    for keep_padding in (False, True):
        vectors = PooledVector(bert, keep_padding)(tf.constant(ids, tf.int32))
        assert_close(vectors, expected, rtol=1e-5)


@pytest.mark.parametrize(
    'lengths', [[3] * 10 + [64] + [3] * 11, [32] * 4 + [16] * 8 + [8] * 16 + [4] * 32]
)
def test_padding_is_not_encoded(lengths, bert_dir, monkeypatch):
    """The layers encode no padding, and attention pads only within groups of like length."""
    layer = PooledVector(load_bert(bert_dir, maxlen=64))
    tokens, cells = [], []
    embed, softmax = layer.packed._embed, tf.nn.softmax
    monkeypatch.setattr(
        layer.packed, '_embed', lambda ids, *more: tokens.append(len(ids)) or embed(ids, *more)
    )
    monkeypatch.setattr(tf.nn, 'softmax', lambda x: cells.append(tf.size(x)) or softmax(x))
    rows = TokenRows([7] * length for length in lengths)
    layer(tf.constant(rows.padded(np.arange(len(lengths)))))
    assert sum(tokens) == sum(lengths)
    needed = (layer.packed.depth - 1) * sum(n**2 for n in lengths) + sum(lengths)
    assert sum(cells) == layer.packed.heads * needed


def test_keep_padding_is_the_way_of_bert4keras(bert_dir, token_ids, monkeypatch):
    """keep_padding=True encodes without the packed layers."""
    layer = PooledVector(load_bert(bert_dir, maxlen=32), keep_padding=True)
    monkeypatch.setattr(layer, 'packed', None)
    assert layer(tf.constant(token_ids.padded(np.arange(9)))).shape == (9, 32)


def test_xla_compiles_few_shapes(bert_dir, monkeypatch):
    """--jit compiles a shape for each length rounded up to 32, not for every length."""
    shapes = set()
    layer = PooledVector(load_bert(bert_dir, maxlen=64), jit=True)
    compiled = layer.compiled
    monkeypatch.setattr(
        layer, 'compiled', lambda ids, *more: shapes.add(tuple(ids.shape)) or compiled(ids, *more)
    )
    for lengths in ([3] * 10 + [60] * 2, [9] * 11 + [50], list(range(2, 14))):
        rows = TokenRows([7] * length for length in lengths)
        layer(tf.constant(rows.padded(np.arange(12))), training=True)
    assert shapes == {(3, 32), (3, 64)}


@pytest.mark.parametrize('options', [{}, {'keep_padding': True}, {'jit': True}])
def test_dropout_is_for_training_alone(bert_dir, token_ids, options):
    """Dropout changes the vectors in training, and never in scoring."""
    bert = load_bert(bert_dir, maxlen=32, dropout_rate=0.3)
    layer = PooledVector(bert, **options)
    ids = tf.constant(token_ids.padded(np.arange(3)))
    scored, again, trained, other = (
        layer(ids, training=training).numpy() for training in (False, False, True, True)
    )
    np.testing.assert_array_equal(scored, again)
    assert min(np.abs(trained - scored).max(), np.abs(trained - other).max()) > 0.01


def test_dropout_is_where_the_plain_way_has_it(bert_dir, token_ids, monkeypatch):
    """Packed encoding applies dropout in every place where the plain encoding does."""

    def dropped(x, rate, seed):
        places.append((len(x.shape), rate))
        return x

    monkeypatch.setattr(tf.nn.experimental, 'stateless_dropout', dropped)
    bert = load_bert(bert_dir, maxlen=32, dropout_rate=0.3)
    counts = []
    for keep_padding in (True, False):
        places = []
        PooledVector(bert, keep_padding)(tf.constant(token_ids.padded(np.arange(9))), training=True)
        assert {rate for _, rate in places} == {0.3}
        attention = sum(rank == 4 for rank, _ in places)
        counts.append((attention, len(places) - attention))
    plain, packed = counts
    assert plain == (2, 1 + 2 * 2)
    assert packed == (4 * plain[0], 2 * plain[1])  # groups


def test_row_encoder_returns_the_order_of_the_rows(bert_dir, token_ids, monkeypatch):
    """Rows are encoded longest first, and their vectors come back in the order of the rows."""
    monkeypatch.setattr('cosent_tf.bert.rows.TOKENS_PER_BATCH', 40)
    bert = load_bert(bert_dir, maxlen=32)
    inputs = keras.Input((None,), dtype='int32')
    encode = RowEncoder(keras.Model(inputs, PooledVector(bert)(inputs)))
    _, plain_call = plain_vectors(bert_dir)
    everything = tf.constant(token_ids.padded(np.arange(len(LENGTHS))))
    assert_close(encode(token_ids), plain_call(everything), rtol=1e-5)


def test_encoded_rows_are_freed(bert_dir):
    """Rows are freed once they are encoded."""
    encode = load_encoder(bert_dir).encode_rows
    rows = TokenRows([[2, 5, 3]])
    freed = weakref.ref(rows)
    encode(rows)
    del rows
    gc.collect()
    assert freed() is None


def test_no_texts_give_no_vectors(bert_dir):
    """A filter that left nothing over is no error: the array has no rows, and its usual width."""
    assert load_encoder(bert_dir).encode([]).shape == (0, 32)


def test_inputs_longer_than_the_positions_are_refused(bert_dir):
    """A maxlen above the number of positions is an error that names both."""
    with pytest.raises(UserError, match='64 positions'):
        load_bert(bert_dir, maxlen=65)

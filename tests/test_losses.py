"""The CoSENT losses against their definition: a double loop over pairs of examples, in float64."""

import math

import numpy as np
import pytest

from cosent_tf.bert.compat import keras, tf
from cosent_tf.losses import cosent_loss, cosent_score_loss
from tests.helpers import assert_close


def naive_loss(labels, scores):
    """log(1 + sum of exp(s_i - s_j) over l_i < l_j), term by term."""
    total = 0.0
    for label_i, score_i in zip(labels, scores, strict=True):
        for label_j, score_j in zip(labels, scores, strict=True):
            if label_i < label_j:
                total += math.exp(score_i - score_j)
    return math.log1p(total)


def naive_vector_loss(labels, vectors):
    """The same of 20·cos of the sentence vectors u0 v0 u1 v1 …; a zero vector has cosine 0."""
    scores = []
    for u, v in zip(vectors[::2], vectors[1::2], strict=True):
        lengths = np.linalg.norm(u) * np.linalg.norm(v)
        scores.append(20 * np.dot(u, v) / lengths if lengths else 0.0)
    return naive_loss(labels, scores)


def finite_differences(function, x, step=1e-5):
    """The gradient of a scalar function of a float64 array, by central differences."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        change = np.zeros_like(x)
        change[index] = step
        gradient[index] = (function(x + change) - function(x - change)) / (2 * step)
    return gradient


def value_and_gradient(loss, y_true, y_pred):
    y_true, y_pred = tf.convert_to_tensor(y_true), tf.convert_to_tensor(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(y_true, y_pred)
    return value, tape.gradient(value, y_pred)


def column(values, dtype=np.float32):
    return np.asarray(values, dtype)[:, None]


def both_sentences(labels):
    """Labels as Keras gets them with interleaved vectors: (2B, 1), each one twice."""
    return column(np.repeat(labels, 2))


@pytest.fixture
def rng():
    return np.random.default_rng(1)


RANDOM = np.random.default_rng(0)
SCORES = {
    'two classes': (RANDOM.integers(0, 2, 24), RANDOM.uniform(-5, 5, 24)),
    'graded labels, as in STS-B': (RANDOM.integers(0, 6, 24), RANDOM.uniform(-5, 5, 24)),
    'every label another, with fractions': (RANDOM.permutation(24) / 4, RANDOM.uniform(-5, 5, 24)),
    'negative labels': (RANDOM.integers(-3, 2, 24), RANDOM.uniform(-5, 5, 24)),
    'equal scores': ([0, 1, 0, 2, 1], [1.5] * 5),
    'two examples in order': ([0, 1], [-3, 3]),
    'two examples out of order': ([0, 1], [3, -3]),
    'extremes, all in order': ([1, 0, 1, 0], [20, -20, 20, -20]),
    'extremes, all out of order': ([1, 0, 1, 0], [-20, 20, -20, 20]),
    'extremes, graded': ([2, 0, 1, 2, 0], [-20, 20, 20, 20, -20]),
}


@pytest.mark.parametrize('case', SCORES)
def test_score_loss_is_the_double_loop(case):
    """Value and gradient for any number of label levels, in any order of examples."""
    labels, scores = (np.asarray(values, np.float32) for values in SCORES[case])
    value, gradient = value_and_gradient(cosent_score_loss, column(labels), column(scores))
    scores = scores.astype(np.float64)
    expected = finite_differences(lambda s: naive_loss(labels, s), scores)
    assert value.dtype == tf.float32
    assert float(value) == pytest.approx(naive_loss(labels, scores), rel=1e-5, abs=0)
    assert_close(gradient[:, 0], expected, rtol=1e-5)


def test_score_loss_has_no_range():
    """A joint model's score is any number: far beyond exp's range the loss is a difference."""
    value, gradient = value_and_gradient(
        cosent_score_loss, column([0, 1, 1, 2]), column([3000, 1000, 3000, -4000])
    )
    assert float(value) == pytest.approx(7000 + math.log(2))
    assert_close(gradient[:, 0], [0.5, 0, 0.5, -1], rtol=1e-6)


@pytest.mark.parametrize('levels', [2, 6])
def test_loss_of_sentence_vectors_is_the_double_loop(levels, rng):
    """Neighbouring rows are a pair, their cosine is scaled by 20, their length has no effect."""
    labels = rng.integers(0, levels, 8)
    vectors = (rng.normal(size=(16, 3)) * rng.uniform(0.01, 30, (16, 1))).astype(np.float32)
    value, gradient = value_and_gradient(cosent_loss, both_sentences(labels), vectors)
    vectors = vectors.astype(np.float64)
    expected = finite_differences(lambda x: naive_vector_loss(labels, x), vectors, step=1e-6)
    assert float(value) == pytest.approx(naive_vector_loss(labels, vectors), rel=1e-6)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    assert_close(gradient * lengths, expected * lengths, rtol=1e-5)  # which is of one size


@pytest.mark.parametrize('jit_compile', [False, True])
@pytest.mark.parametrize('labels', [[0, 0, 0], [1, 1, 1], [1]], ids=['zeros', 'ones', 'one pair'])
def test_without_two_classes_nothing_is_learned(labels, jit_compile, rng):
    """A batch with nothing to rank must not move the weights at all: exactly 0, not NaN."""

    @tf.function(jit_compile=jit_compile)
    def step(loss, y_true, y_pred):
        return value_and_gradient(loss, y_true, y_pred)

    vectors = rng.normal(size=(2 * len(labels), 4)).astype(np.float32)
    for value, gradient in (
        step(cosent_loss, both_sentences(labels), vectors),
        step(cosent_score_loss, column(labels), vectors[: len(labels), :1]),
    ):
        assert float(value) == 0
        assert not np.any(gradient)


U, V = [0.6, -0.8, 0.0], [5.0, 4.0, 3.0]
MINUS_U, ZERO = [-0.6, 0.8, 0.0], [0.0, 0.0, 0.0]
SPECIAL_VECTORS = {
    'cosines 1 and -1, in order': ([1, 0], [U, U, U, MINUS_U]),
    'cosines 1 and -1, out of order': ([0, 1], [U, U, U, MINUS_U]),
    'all cosines 1': ([0, 1, 0], [U, U, V, V, V, V]),
    'one class': ([1, 1], [U, U, U, MINUS_U]),
    'zero vectors': ([0, 1, 1, 2], [ZERO, ZERO, ZERO, U, U, V, MINUS_U, V]),
}


@pytest.mark.parametrize('dtype', [tf.float32, tf.float16, tf.bfloat16])
@pytest.mark.parametrize('case', SPECIAL_VECTORS)
def test_no_inf_and_no_nan_in_any_precision(case, dtype):
    """Also from half precision the loss is float32, right, and its gradient usable."""
    labels, vectors = SPECIAL_VECTORS[case]
    vectors = tf.cast(vectors, dtype)
    value, gradient = value_and_gradient(
        cosent_loss, tf.cast(both_sentences(labels), dtype), vectors
    )
    expected = naive_vector_loss(labels, tf.cast(vectors, tf.float64).numpy())
    assert value.dtype == tf.float32
    assert gradient.dtype == dtype
    assert float(value) == pytest.approx(expected, rel=1e-4, abs=0)
    assert np.all(np.isfinite(tf.cast(gradient, tf.float32)))


@pytest.mark.parametrize('jit_compile', [False, True])
@pytest.mark.parametrize('levels', [2, 6])
def test_large_batch_is_exact(levels, jit_compile, rng):
    """8,192 pairs: rounding does not pile up in the running sums."""
    labels = rng.integers(0, levels, 8192)
    scores = rng.uniform(-20, 20, 8192).astype(np.float32)
    loss = tf.function(cosent_score_loss, jit_compile=jit_compile)
    value, gradient = value_and_gradient(loss, column(labels), column(scores))
    scores = scores.astype(np.float64)
    sums = [
        np.exp(scores[labels < level]).sum() * np.exp(-scores[labels == level]).sum()
        for level in range(levels)
    ]
    assert float(value) == pytest.approx(math.log1p(sum(sums)), rel=1e-6)
    assert np.all(np.isfinite(gradient))
    # every term pulls one score up as far as another one down, all of them together by 1
    assert np.sum(gradient, dtype=np.float64) == pytest.approx(0, abs=2e-5)  # of 2
    if levels == 2:
        assert np.sum(np.abs(gradient), dtype=np.float64) == pytest.approx(2, rel=1e-5)


def test_memory_grows_linearly(rng):
    """65,536 pairs in one batch: a matrix of all pairs of examples would be 16 GiB."""
    pairs, width = 65536, 4
    labels = both_sentences(rng.integers(0, 6, pairs))
    vectors = rng.normal(size=(2 * pairs, width)).astype(np.float32)
    step = tf.function(lambda y, x: value_and_gradient(cosent_loss, y, x))
    graph = step.get_concrete_function(labels, vectors).graph
    sizes = [out.shape.num_elements() or 0 for op in graph.get_operations() for out in op.outputs]
    assert max(sizes) <= 2 * pairs * width  # checked before it runs
    value, gradient = step(labels, vectors)
    assert math.isfinite(value)
    assert np.all(np.isfinite(gradient))


def test_batch_size_may_be_unknown(rng):
    """One graph serves the full batches and the partial one at the end of an epoch."""
    signature = [tf.TensorSpec((None, 1)), tf.TensorSpec((None, 3))]
    loss = tf.function(cosent_loss, input_signature=signature)
    for pairs in (5, 2):
        labels = np.arange(pairs) % 3
        vectors = rng.normal(size=(2 * pairs, 3)).astype(np.float32)
        expected = naive_vector_loss(labels, vectors.astype(np.float64))
        assert float(loss(both_sentences(labels), vectors)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('precision', ['float32', 'mixed_float16', 'mixed_bfloat16'])
@pytest.mark.parametrize('loss, width', [(cosent_loss, 4), (cosent_score_loss, 1)])
def test_keras_compiles_with_it(loss, width, precision, rng):
    """Keras casts and squeezes what it hands to a loss, and averages what comes back."""
    layer = keras.layers.Dense(width, input_shape=(3,), dtype=precision)
    model = keras.Sequential([layer])
    model.compile(loss=loss)
    x = rng.normal(size=(12, 3)).astype(np.float32)
    y = np.repeat([0, 1, 2, 1, 0, 2], 2)[:, None]
    reported = model.evaluate(x, y, batch_size=12, verbose=0)
    assert reported == pytest.approx(float(loss(y, model(x))), rel=1e-3)


def test_odd_number_of_rows_is_refused():
    """Rows that are not interleaved pairs end in an error, not in the loss of something else."""
    with pytest.raises(tf.errors.InvalidArgumentError):
        cosent_loss(column([0, 0, 1]), np.ones((3, 2), np.float32))

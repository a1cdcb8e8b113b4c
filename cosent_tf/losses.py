"""The CoSENT losses, in O(B log B) time and O(B) memory, and cross-entropy.

For a batch of B examples with labels l and scores s, the CoSENT loss pushes the example with the
higher label to the higher score, over all pairs of examples whose labels differ:

    loss = log(1 + sum over l_i < l_j of exp(s_i - s_j))

References: 苏剑林, "CoSENT（一）：比Sentence-BERT更有效的句向量方案", kexue.fm/archives/8847
(the loss); archives/8860 (CoSENT against Interact); archives/9341 (the loss for a joint model).
"""

from collections.abc import Callable

from cosent_tf.bert.compat import keras, tf

SCALE = 20.0  # the article's factor for cosines, a temperature of 0.05
MIN_SQUARED_NORM = 1e-12  # shorter vectors count as zero, without a direction


def cosent_loss(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Return the CoSENT loss of interleaved sentence vectors, with s = 20·cos(u, v).

    | argument | shape   | content                                                  |
    |----------|---------|----------------------------------------------------------|
    | y_true   | (2B, 1) | labels of any number of levels, repeated for u and v     |
    | y_pred   | (2B, D) | sentence vectors u0 v0 u1 v1 … of any length             |

    Returns a float32 scalar for any precision of `y_pred`: exactly 0, with a zero gradient, if all
    labels are equal. A zero vector has cosine 0 with every other, and no gradient.
    """
    vectors = _unit(tf.cast(y_pred, tf.float32))  # (2B, D)
    pairs = tf.reshape(vectors, (-1, 2, tf.shape(vectors)[-1]))  # (B, 2, D)
    cosines = tf.reduce_sum(pairs[:, 0] * pairs[:, 1], axis=-1)  # (B,)
    return cosent_score_loss(tf.reshape(y_true, [-1])[::2], SCALE * cosines)


def cosent_score_loss(y_true: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Return the CoSENT loss of a model's own scores, without cosine and factor 20.

    Labels and scores are (B, 1); the scalar is as that of `cosent_loss`.
    """
    labels = tf.cast(tf.reshape(y_true, [-1]), tf.float32)  # (B,)
    scores = tf.cast(tf.reshape(scores, [-1]), tf.float64)  # (B,)
    order = tf.argsort(labels, stable=True)
    loss = _sorted_loss(tf.gather(scores, order), tf.gather(labels, order))
    return tf.cast(loss, tf.float32)


def cross_entropy(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Return the mean cross-entropy of class probabilities, a scalar: Sentence-BERT and Interact.

    y_true holds classes 0 … C−1, (B, 1), or (2B, 1) if repeated for u and v; y_pred is (B, C).
    """
    labels = tf.reshape(y_true, (tf.shape(y_pred)[0], -1))[:, 0]  # (B,)
    return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, y_pred))


def _unit(vectors: tf.Tensor) -> tf.Tensor:
    """Scale each row to length 1; too short a row becomes 0, with no gradient."""
    squared = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    inverse = tf.math.rsqrt(tf.where(squared > MIN_SQUARED_NORM, squared, float('inf')))
    return vectors * inverse


@tf.custom_gradient
def _sorted_loss(scores: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Return the loss of float64 scores (B,) in ascending order of their labels (B,).

    With sorted labels, all examples of lower levels come first, so that one running log-sum-exp
    serves every j. It needs float64: in float32, the rounding errors of 65,536 steps show. The
    gradient is written out because it takes only the mirrored sums, and because all its exponents
    are at most 0, so that it cannot overflow.
    """
    before = tf.math.cumulative_logsumexp(scores, exclusive=True)
    after = tf.math.cumulative_logsumexp(-scores, exclusive=True, reverse=True)
    lower = _level_minimum(before, labels)  # (B,) at j: log of the sum of exp(s_i), l_i < l_j
    higher = _level_minimum(after, labels)  # (B,) at i: log of the sum of exp(-s_j), l_j > l_i
    loss = tf.math.softplus(tf.reduce_logsumexp(lower - scores))

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        d_scores = tf.exp(scores + higher - loss) - tf.exp(lower - scores - loss)
        return upstream * d_scores, None

    return loss, gradient


def _level_minimum(running: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Give all examples of a level its least running sum, from before any of them was added."""
    is_new = labels != tf.concat([labels[:1], labels[:-1]], axis=0)  # (B,)
    level = tf.cumsum(tf.cast(is_new, tf.int32))  # (B,) 0 0 1 2 2 …
    least = tf.math.unsorted_segment_min(running, level, tf.size(labels))
    return tf.gather(least, level)

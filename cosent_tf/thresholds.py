"""From scores to decisions: thresholds for two classes, class weights for several.

`powell_threshold` and `powell_class_weights` are the searches behind the published numbers
(kexue.fm/archives/8860). Accuracy is a step function, so Powell's method can stall on a flat piece;
`best_threshold` finds the true optimum with one sort. scipy is imported on first use.
"""

import numpy as np
from numpy.typing import ArrayLike

from cosent_tf.errors import UserError

_LARGEST = np.finfo(np.float64).max
_ROUNDING = 1e-6  # by which a float32 cosine may exceed 1


def powell_threshold(
    y_true: ArrayLike, y_score: ArrayLike, unbounded: bool | None = None
) -> tuple[float, float]:
    """Fit a threshold as published, by Powell's method from t = 1.

    For bounded scores (cosines, probabilities) it maximises the accuracy of `score > tanh(t)`, and
    the threshold is tanh(t). For unbounded ones (Interact with the CoSENT loss) it maximises that
    of `tanh(score) > tanh(t)`, and the threshold is t.

    Args:
        y_true: (n,) labels, 0 or 1.
        y_score: (n,) finite scores, higher means more similar.
        unbounded: which of the two; by default, whether any score lies outside [-1, 1].

    Returns:
        (threshold, accuracy) as floats; `score > threshold` is positive.

    Raises:
        UserError: labels other than 0 and 1, NaN or infinite scores, wrong shapes, no example.
    """
    from scipy.optimize import minimize

    labels, scores = _checked_binary(y_true, y_score)
    positive = labels == 1
    if unbounded is None:
        unbounded = np.abs(scores).max() > 1 + _ROUNDING
    squeezed = np.tanh(scores) if unbounded else scores

    def loss(t: np.ndarray) -> float:
        return -np.mean(positive == (squeezed > np.tanh(t)))

    # x is a 0-d or a 1-element array, depending on the version of scipy
    t = np.asarray(minimize(loss, 1.0, method='Powell').x).item()
    threshold = float(t if unbounded else np.tanh(t))
    return threshold, float(np.mean(positive == (scores > threshold)))


def best_threshold(
    y_true: ArrayLike, y_score: ArrayLike, metric: str = 'accuracy'
) -> tuple[float, float]:
    """Find the exact optimum over all thresholds, in O(n log n); equal scores stay together.

    Of several best cuts, the one in the widest gap between two scores is taken. The threshold is
    finite, and decides the same after scores and threshold are rounded to float32, unless that
    makes the scores on its two sides equal.

    Args:
        y_true, y_score: as for `powell_threshold`; scores of any scale.
        metric: 'accuracy', or 'f1' of class 1 (0 if nothing is, or is predicted, positive).

    Returns (threshold, value of the metric), and raises a UserError, as `powell_threshold`.
    """
    labels, scores = _checked_binary(y_true, y_score)
    order = np.argsort(scores)
    scores, labels = scores[order], labels[order]
    n, positives = len(labels), int(labels.sum())

    # Cut i predicts positive from position i on: 0 for all scores, n for none.
    positives_below = np.concatenate(([0], np.cumsum(labels)))  # (n + 1,)
    cuts = np.arange(n + 1)
    true_positives = positives - positives_below
    if metric == 'accuracy':
        values = (cuts - positives_below + true_positives) / n
    elif metric == 'f1':
        values = 2 * true_positives / np.maximum(n - cuts + positives, 1)
    else:
        raise UserError(f"unknown metric {metric!r}: use 'accuracy' or 'f1'")

    allowed = np.concatenate(([True], scores[:-1] < scores[1:], [True]))
    best = np.flatnonzero(allowed & (values == values[allowed].max()))
    # halved, as the gap between two huge scores would overflow; the two ends count as no gap
    gaps = np.diff(scores / 2, prepend=scores[0] / 2, append=scores[-1] / 2)
    cut = best[np.argmax(gaps[best])]
    return _threshold_at(scores, cut), float(values[cut])


def powell_class_weights(y_true: ArrayLike, y_prob: ArrayLike) -> tuple[np.ndarray, float]:
    """Fit class weights as published: by the accuracy of `argmax(prob * weights)`.

    weights = (tanh(t) + 1) / 2, by Powell's method from t = 0. The article's code starts from a 2-D
    array, which scipy no longer accepts; the search is otherwise the same. If it finds nothing
    better than plain argmax, all weights are equal. Returns (weights (C,) float64, accuracy).

    Args:
        y_true: (n,) integer labels 0 … C−1.
        y_prob: (n, C) class probabilities, C >= 2.

    Raises:
        UserError: wrong shapes, no example, labels outside 0 … C−1, negative or NaN probabilities.
    """
    from scipy.optimize import minimize

    labels, probs = _checked_classes(y_true, y_prob)

    def weights(t: np.ndarray) -> np.ndarray:
        return (np.tanh(t) + 1) / 2

    def loss(t: np.ndarray) -> float:
        return -np.mean(labels == np.argmax(probs * weights(t), axis=1))

    start = np.zeros(probs.shape[1])
    options = {'xtol': 1e-10, 'ftol': 1e-10, 'maxiter': 100000}
    result = minimize(loss, start, method='Powell', options=options)
    best = result.x if result.fun < loss(start) else start
    return weights(best), float(-loss(best))


def _threshold_at(scores: np.ndarray, cut: int) -> float:
    """Return a finite float below sorted scores[cut] and not below scores[cut - 1]."""
    with np.errstate(over='ignore'):  # beyond float32's range is infinite, and compares correctly
        if cut == len(scores):
            return float(scores[-1])
        if cut == 0:
            below = np.nextafter(np.float32(scores[0]), np.float32(-np.inf))
            return float(below if np.isfinite(below) else np.nextafter(scores[0], -np.inf))
        low, high = scores[cut - 1], scores[cut]
        middle = low / 2 + high / 2
        survives = low <= middle < high and np.float32(middle) < np.float32(high)
        return float(middle if survives else low)


def _checked_binary(y_true: ArrayLike, y_score: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (n,) int64 of 0 and 1, and scores (n,) float64."""
    labels, scores = _checked(y_true, y_score, 'scores', '(n,)')
    strange = labels[(labels != 0) & (labels != 1)]
    if len(strange):
        raise UserError(f'labels must be 0 or 1 for a threshold, but one is {strange[0]}')
    return labels.astype(np.int64), scores


def _checked_classes(y_true: ArrayLike, y_prob: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (n,) int64 of 0 … C−1, and probabilities (n, C) float64."""
    labels, probs = _checked(y_true, y_prob, 'probabilities', '(n, C)')
    classes = probs.shape[1]
    strange = labels[~np.isin(labels, np.arange(classes))]
    if classes < 2 or len(strange):
        found = f'one is {strange[0]}' if len(strange) else 'there is only one class'
        raise UserError(f'{classes} probabilities need labels 0 .. {classes - 1}, but {found}')
    if probs.min() < 0:
        raise UserError('probabilities must not be negative: apply softmax to logits first')
    return labels.astype(np.int64), probs


def _checked(
    y_true: ArrayLike, y_score: ArrayLike, name: str, shape: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (n,), and finite float64 values of a `shape`, '(n,)' or '(n, C)'."""
    labels, values = np.asarray(y_true), np.asarray(y_score, np.float64)
    fits = labels.ndim == 1 and values.ndim == (1 if shape == '(n,)' else 2)
    if not fits or not 0 < len(labels) == len(values):
        shapes = f'{labels.shape} and {values.shape}'
        raise UserError(f'labels and {name} must be (n,) and {shape} with n >= 1, but are {shapes}')
    # the largest float is refused as well: no finite threshold lies beyond it
    strange = np.flatnonzero(~(np.abs(values) < _LARGEST).reshape(len(values), -1).all(axis=1))
    if len(strange):
        raise UserError(f'{name} must be finite: example {strange[0]} has {values[strange[0]]}')
    return labels, values

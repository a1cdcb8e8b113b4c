"""Decisions from scores: a rule fitted on valid, and the measures that it reaches on any split.

The rule depends on scores and labels alone:
- one score, labels 0 and 1: a threshold; accuracy and F1 of class 1;
- C probabilities: class weights, fitted for accuracy; accuracy and macro-F1;
- one score, graded labels (STS-B: 0 to 5): no rule; the measure is Spearman's correlation.
"""

from typing import NamedTuple

import numpy as np

from cosent_tf.errors import UserError
from cosent_tf.methods import find_method
from cosent_tf.metrics import accuracy, f1, has_two_labels, macro_f1, spearman
from cosent_tf.thresholds import best_threshold, powell_class_weights, powell_threshold


class Rule(NamedTuple):
    """A decision rule: a threshold, class weights (C,), or neither for graded labels."""

    threshold: float | None = None
    class_weights: tuple[float, ...] | None = None

    @property
    def graded(self) -> bool:
        """Whether there is nothing to decide."""
        return self.threshold is None and self.class_weights is None

    def measure(self, wanted: str) -> str:
        """Return the measure that counts: the wanted one, or Spearman if nothing is decided."""
        return 'spearman' if self.graded else wanted

    def predict(self, scores: np.ndarray) -> np.ndarray:
        """Return integer decisions (n,) for scores (n,) or (n, C); not for a graded rule."""
        if self.class_weights is not None:
            return np.argmax(scores * np.array(self.class_weights), axis=1)
        # float64, as in the search: NumPy would round the threshold to float32 scores
        return (np.asarray(scores, np.float64) > self.threshold).astype(np.int64)

    def measures(self, labels: np.ndarray, scores: np.ndarray) -> dict[str, float | None]:
        """Return accuracy, f1 and spearman of labels (n,) and scores (n,) or (n, C).

        Those that the rule does not have are None; all are if the labels are equal, or NaN.
        """
        measures = {'accuracy': None, 'f1': None, 'spearman': None}
        if not has_two_labels(labels):
            return measures
        if self.class_weights is None:
            measures['spearman'] = spearman(labels, scores)
        if not self.graded:
            predicted = self.predict(scores)
            f1_of = f1 if self.class_weights is None else macro_f1
            measures |= {'accuracy': accuracy(labels, predicted), 'f1': f1_of(labels, predicted)}
        return measures


def is_graded(labels: np.ndarray, scores: np.ndarray) -> bool:
    """Return whether labels with one score each are grades, not the classes 0 and 1."""
    return scores.ndim == 1 and not set(np.unique(labels).tolist()) <= {0, 1}


def fit_rule(
    labels: np.ndarray,
    scores: np.ndarray,
    method: str,
    metric: str = 'accuracy',
    search: str = 'powell',
) -> Rule:
    """Fit the decision rule on valid; by default with the searches of archives/8860.

    Args:
        labels: (n,) numbers.
        scores: (n,), or (n, C) probabilities.
        method: that made the scores. Unless its row says otherwise, they count as unbounded only
            if any lies outside [-1, 1].
        metric: 'accuracy' or 'f1', for which a threshold is fitted.
        search: for a threshold, 'powell' (accuracy only) or 'exact'.

    Raises a UserError as the searches, and for a single class, to which no threshold can be fitted.
    """
    if scores.ndim == 2:
        weights, _ = powell_class_weights(labels, scores)
        return Rule(class_weights=tuple(weights.tolist()))
    if is_graded(labels, scores):
        return Rule()
    if len(np.unique(labels)) < 2:
        message = 'a threshold cannot be fitted without both classes'
        raise UserError(f'all {len(labels)} labels are {labels[0]}: {message}')
    if search == 'powell':
        unbounded = None if find_method(method).is_bounded else True  # None: decided by the scores
        return Rule(threshold=powell_threshold(labels, scores, unbounded)[0])
    return Rule(threshold=best_threshold(labels, scores, metric)[0])

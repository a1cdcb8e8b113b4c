"""What is decided from scores: a rule fitted on valid, and the measures it reaches on any split.

The rule depends on scores and labels alone:
- one score, labels 0 and 1: a threshold; accuracy and F1 of class 1;
- C probabilities: class weights, fitted for accuracy; accuracy and macro-F1;
- one score, graded labels (STS-B: 0 to 5): nothing to fit, Spearman's correlation counts.
"""

from typing import NamedTuple

import numpy as np

from cosent_tf.errors import UserError
from cosent_tf.methods import find_method
from cosent_tf.metrics import accuracy, f1, has_two_labels, macro_f1, spearman
from cosent_tf.thresholds import best_threshold, powell_class_weights, powell_threshold


class Rule(NamedTuple):
    """A decision rule: a threshold, or class weights (C,), or neither for graded labels."""

    threshold: float | None = None
    class_weights: tuple[float, ...] | None = None

    @property
    def graded(self) -> bool:
        """Whether there is nothing to decide."""
        return self.threshold is None and self.class_weights is None

    def measure(self, wanted: str) -> str:
        """Return the measure to go by: the wanted one, or Spearman if nothing is decided."""
        return 'spearman' if self.graded else wanted

    def predict(self, scores: np.ndarray) -> np.ndarray:
        """Return the decisions (n,) for scores (n,) or (n, C), as integers; not if graded."""
        if self.class_weights is not None:
            return np.argmax(scores * np.array(self.class_weights), axis=1)
        # as the search did: NumPy would round the threshold to scores in float32
        return (np.asarray(scores, np.float64) > self.threshold).astype(np.int64)

    def measures(self, labels: np.ndarray, scores: np.ndarray) -> dict[str, float | None]:
        """Return accuracy, f1 and spearman, None where the rule has no such measure.

        Args:
            labels: (n,) numbers; where all are the same, or NaN, everything is None.
            scores: (n,), or (n, C) probabilities.
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
    """Tell whether labels with one score each are grades, not the classes 0 and 1."""
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
        method: what made the scores. Where they are not bounded, the threshold is not either; nor
            that of any other method of which some scores lie outside [-1, 1].
        metric: 'accuracy' or 'f1', what a threshold is fitted for.
        search: 'powell' (accuracy only) or 'exact', of a threshold.

    Raises:
        UserError: a threshold is to be fitted on one class, or as the searches.
    """
    if scores.ndim == 2:
        weights, _ = powell_class_weights(labels, scores)
        return Rule(class_weights=tuple(weights.tolist()))
    if is_graded(labels, scores):
        return Rule()
    if len(np.unique(labels)) < 2:
        raise UserError(
            f'all {len(labels)} labels are {labels[0]}: '
            'a threshold cannot be fitted without both classes'
        )
    if search == 'powell':
        unbounded = None if find_method(method).is_bounded else True  # None: by the scores
        return Rule(threshold=powell_threshold(labels, scores, unbounded)[0])
    return Rule(threshold=best_threshold(labels, scores, metric)[0])

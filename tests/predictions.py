"""Runs made of prediction files alone."""

import numpy as np

from cosent_tf.run.folder import TEST_FILE, VALID_FILE, write_predictions

PAIRS = [
    ('今天天气好', '天气今天好'),
    ('甲', '乙'),
    ('买一张票', '买二张票'),
    ('北京', '北京 '),
] * 10
LABELS = np.array([1, 0, 0, 1] * 10)


def add_run(folder, name, wrong=0, labels=LABELS, pairs=PAIRS, valid=None):
    """A run whose first `wrong` pairs are scored on the wrong side of 0.5, valid without fault."""
    scores = np.where(labels > 0, 0.9, 0.1)
    test = np.where(np.arange(len(scores)) < wrong, 1 - scores, scores)
    add_scores(folder, name, labels, test, scores if valid is None else valid, pairs)


def add_scores(folder, name, labels, test, valid=None, pairs=PAIRS):
    """A run with these scores of test, and of valid."""
    for file, scores in ((VALID_FILE, test if valid is None else valid), (TEST_FILE, test)):
        write_predictions(folder / name / file, labels, scores, pairs)

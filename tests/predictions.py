"""Runs made of prediction files alone."""

import numpy as np

from cosent_tf.files import write_json
from cosent_tf.predictions import write_predictions
from cosent_tf.published import SPEARMAN_TASKS
from cosent_tf.run.folder import TEST_FILE, VALID_FILE
from cosent_tools.report.published_figures import ENCODER, published_settings
from cosent_tools.runs import parse_run_name

PAIRS = [
    ('今天天气好', '天气今天好'),
    ('甲', '乙'),
    ('买一张票', '买二张票'),
    ('北京', '北京 '),
] * 10
LABELS = np.array([1, 0, 0, 1] * 10)


def add_run(folder, name, wrong=0, labels=LABELS, pairs=PAIRS, valid=None):
    """A run whose first `wrong` pairs are scored on the wrong side of 0.5, valid without fault.

    Every seed has scores of its own.
    """
    scores = np.where(labels > 0, 0.9, 0.1 + 1e-9 * parse_run_name(name).seed)
    test = np.where(np.arange(len(scores)) < wrong, 1 - scores, scores)
    add_scores(folder, name, labels, test, scores if valid is None else valid, pairs)


def add_scores(folder, name, labels, test, valid=None, pairs=PAIRS):
    """A run with these scores of test, and of valid."""
    for file, scores in ((VALID_FILE, test if valid is None else valid), (TEST_FILE, test)):
        write_predictions(folder / name / file, labels, scores, pairs)


def as_published(folder, metric='accuracy', runs='*', **change):
    """Give runs in a folder config.json and metrics.json of the published ones, but for a change.

    Their pairs are as many only with the fixture `forty_pairs`.
    """
    for run in folder.glob(runs):
        name = parse_run_name(run.name)
        if name.task in SPEARMAN_TASKS:
            settings = published_settings(name.task, name.method, metric) | change
            encoder = {key: settings[key] for key in ENCODER}
            config = {'arguments': settings, 'encoder': encoder}
            config['weights_sha256'] = {'bert_model.ckpt.index': settings.get('weights', 'ab12')}
            write_json(run / 'config.json', config)
            pairs = {split: settings[split] for split in ('train', 'valid', 'test')}
            select = settings.get('select', 'accuracy')
            write_json(run / 'metrics.json', {'pairs': pairs, 'select': select})

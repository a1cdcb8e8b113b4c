"""The four methods against the experiment stated a second time (tests/reference/protocol.py)."""

import h5py
import numpy as np
import pytest

from cosent_tf import training
from cosent_tf.data import read_pairs
from cosent_tf.decisions import fit_rule
from cosent_tf.methods import METHODS
from cosent_tf.predictions import read_predictions, write_predictions
from cosent_tools.report.evaluation import evaluate
from cosent_tools.runs import list_runs
from tests.helpers import assert_close, check_run, losses, read_csv, read_json
from tests.reference import protocol

LR = 1e-4


@pytest.mark.parametrize('method', METHODS)
def test_steps_of_training_are_those_of_the_plain_experiment(
    method, short, run, head, small_bert, data_dir, tmp_path
):
    """A training step of each method equals the protocol written a second time."""
    flags = short | {'epochs': '1', 'batch_size': '12', 'lr': str(LR)}
    assert run(method, flags) == (0, '')
    folder = tmp_path / f'TOY.bert.{method}.seed42'
    check_run(method, folder, data_dir, epochs=1, steps=6)

    pairs, _ = read_pairs(data_dir / 'TOY' / 'TOY.train.data')
    expected, weights = protocol.train(
        method, small_bert, pairs, head, batch_size=12, maxlen=40, lr=LR, seed=42
    )
    assert_close(losses(folder), expected, rtol=1e-5)
    with h5py.File(folder / 'best.weights.h5') as file:  # of the only epoch
        for name, weight in weights.items():
            # Adam moves a weight by up to lr a step: alike where the loss depends on it; where it
            # does not, rounding says which way
            free = name.endswith('key/bias') or (method, name) == ('interact_cosent', 'head/bias')
            atol = 6 * LR * (2 if free else 0.05)
            np.testing.assert_allclose(file[name], weight, rtol=0, atol=atol, err_msg=name)


@pytest.fixture(scope='module')
def scored():
    """Labels, and scores within [-1, 1] that tell them apart a little, as a cosine does."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 2000)
    return labels, np.tanh(draw.normal(size=2000) + labels)


@pytest.mark.parametrize('offset', [0, 3, -3, 6, -6])
@pytest.mark.parametrize('method', [*METHODS, 'other'])
def test_every_method_has_its_published_search(method, offset, scored, tmp_path):
    """Each method's threshold is the published search's; unbounded scores use unbounded t."""
    labels, scores = scored[0], scored[1] + offset
    bounded = method != 'interact_cosent' and offset == 0
    expected = protocol.published_threshold(
        'cosent' if bounded else 'interact_cosent', labels, scores
    )
    rule = fit_rule(labels, scores, method)
    assert rule.threshold == expected
    if offset == 3:  # beyond, tanh is too flat for the published search to leave its start
        assert rule.measures(labels, scores)['accuracy'] > 0.69

    folder = tmp_path / f'TOY.bert.{method}.seed0'
    for split in ('valid', 'test'):
        pairs = [('一', '二')] * len(labels)
        write_predictions(folder / f'predictions.{split}.tsv', labels, scores, pairs)
    [result], _ = evaluate(list_runs(tmp_path)[0], 'accuracy', 'powell')
    assert result.threshold == expected


def test_the_best_epoch_is_kept_where_it_is_not_the_last(short, run, tmp_path, monkeypatch):
    """Weights, predictions, threshold and metrics are those of the best epoch."""
    by_epoch = []
    fit = training.fit

    def spied(model, batches, score, *more):
        def recorded(split):
            by_epoch.append(score(split))
            return by_epoch[-1]

        fit(model, batches, recorded, *more)

    def break_the_last_epoch(self, epoch, logs=None):
        begin(self, epoch, logs)
        if epoch == 2:
            self.model.optimizer.lr.assign(10.0)

    begin = training.EndOfEpoch.on_epoch_begin
    monkeypatch.setattr('cosent_tf.training.fit', spied)
    monkeypatch.setattr('cosent_tf.training.EndOfEpoch.on_epoch_begin', break_the_last_epoch)
    assert run('cosent', short) == (0, '')
    folder = tmp_path / 'TOY.bert.cosent.seed42'
    metrics = read_json(folder / 'metrics.json')
    history = read_csv(folder / 'history.csv')
    best = metrics['best_epoch']
    assert best < 3
    assert float(history[best - 1]['valid_accuracy']) == metrics['valid_accuracy']
    assert float(history[2]['valid_accuracy']) < metrics['valid_accuracy']
    kept = read_predictions(folder / 'predictions.valid.tsv').scores
    assert_close(kept, by_epoch[best - 1], rtol=1e-6)
    assert np.abs(kept - by_epoch[2]).max() > 0.1

"""Oddities of the data, as eval_accuracy.py and the training scripts show them."""

import json

import numpy as np
import pytest

from cosent_tf.audit import audit, describe
from cosent_tf.data import SPLITS, read_task
from tests.helpers import as_data
from tests.predictions import add_scores

pytestmark = pytest.mark.fast

TRAIN = [('甲', '乙', 1), ('丙', '丁', 0), ('戊', '戊', 0), ('NS', '己', 0), ('庚', '庚', 1)]
VALID = [('乙', '甲', 1), ('丁', '丙', 1), ('NS', 'NS', 0)]  # the first two: turned round
TEST = [('丙', '丁', 0), ('辛', '壬', 1), ('壬', '辛', 0), ('NS', '癸', 1), ('NSA', '癸', 0)]
FOUND = {
    'pairs_in_two_splits': {'train, valid': 2, 'train, test': 1, 'valid, test': 1},
    'contradictory_pairs': 2,  # 丙 丁 of train and valid, 辛 壬 within test
    'identical_labelled_0': {'train': 1, 'valid': 1, 'test': 0},
    'placeholders': {'train': 1, 'valid': 1, 'test': 1},
    'test_sentences': 7,
    'test_sentences_in_train': 3,
}
TOLD = (
    '2 pairs in train and valid, 1 pair in train and test, 1 pair in valid and test, '
    '2 pairs with contradictory labels, 2 pairs of identical sentences labelled 0, '
    '3 pairs with a placeholder (NS), 3 of 7 test sentences in train'
)


def test_oddities_are_counted_whatever_the_order_of_a_pair(tmp_path, capsys):
    """A script shows the oddities of the data before it trains; a b is the pair b a."""
    (tmp_path / 'MINE').mkdir()
    for name, rows in zip(SPLITS, (TRAIN, VALID, TEST), strict=True):
        path = tmp_path / 'MINE' / f'MINE.{name}.data'
        path.write_text(as_data(rows), encoding='utf-8')
    splits = read_task(tmp_path, 'MINE')
    assert capsys.readouterr().out.splitlines()[-1] == f'MINE audit: {TOLD}'
    assert audit({name: split.pairs for name, split in splits.items()}) == FOUND
    assert [split.pairs for split in splits.values()] == [TRAIN, VALID, TEST]  # nothing changed
    clean = audit({'valid': [('甲', '乙', 1)], 'test': [('丙', '丁', 0)]})
    assert clean['test_sentences_in_train'] is None and describe(clean) == 'no oddity'


def add_task(folder, name, wrong):
    """A run on the pairs of VALID and TEST; `wrong` test pairs, the last ones, are wrong."""
    labels = np.array([0, 1] * 20)
    right = np.where(labels, 0.9, 0.1)
    scores = np.where(np.arange(40) >= 40 - wrong, 1 - right, right)
    pairs = [(f'甲{i}', f'乙{i}') for i in range(36)] + [('NS', f'丙{i}') for i in range(4)]
    add_scores(folder, name, labels, scores, right, pairs)


def audit_row(out, task):
    lines = out[out.index('Oddities of the data') :].splitlines()
    return next(line.split() for line in lines if line.startswith(task))


def test_the_report_tells_what_the_runs_have_counted(evaluate, tmp_path):
    """The report shows a task's oddities, those of train only if a run has counted them."""
    add_task(tmp_path, 'PAWSX.bert.cosent.seed1', wrong=4)
    add_task(tmp_path, 'MINE.bert.cosent.seed1', wrong=4)
    metrics = tmp_path / 'PAWSX.bert.cosent.seed1' / 'metrics.json'
    metrics.write_text(json.dumps({'audit': FOUND}), encoding='utf-8')
    code, out, _ = evaluate('--runs_dir', tmp_path)
    assert code == 0
    assert audit_row(out, 'PAWSX') == 'PAWSX 4 (1) 2 2 3 (1) 3 of 7'.split()
    assert audit_row(out, 'MINE') == 'MINE 40 (–) 0 0 8 (4) – of 77'.split()
    assert (
        json.loads(evaluate('--runs_dir', tmp_path, '--format', 'json')[1])['audit']['PAWSX']
        == FOUND
    )


@pytest.mark.parametrize('part', ['pairs_in_two_splits', 'identical_labelled_0', 'placeholders'])
@pytest.mark.parametrize('broken', [3, {'train, valid': None}])
def test_a_run_whose_audit_is_broken_is_left_out(part, broken, evaluate, tmp_path):
    """A run with a damaged audit is left out and named, and the other is shown."""
    for seed in (1, 2):
        add_task(tmp_path, f'PAWSX.bert.cosent.seed{seed}', wrong=4)
    metrics = tmp_path / 'PAWSX.bert.cosent.seed1' / 'metrics.json'
    metrics.write_text(json.dumps({'audit': FOUND | {part: broken}}), encoding='utf-8')
    code, out, _ = evaluate('--runs_dir', tmp_path)
    assert code == 1 and 'not an audit' in out
    assert audit_row(out, 'PAWSX') == 'PAWSX 40 (–) 0 0 8 (4) – of 77'.split()


def test_one_is_singular():
    """A single odd pair is shown as "1 pair", not "1 pairs"."""
    counts = audit(
        {'valid': [('甲', '甲', 0), ('丙', '丁', 1)], 'test': [('甲', '乙', 1), ('乙', '甲', 0)]}
    )
    assert describe(counts) == (
        '1 pair with contradictory labels, 1 pair of identical sentences labelled 0'
    )

"""A trained run in use: encode.py, load_encoder and load_scorer.

The runs are made by hand: their scores and vectors must be those of the NumPy BERT.
"""

import gzip
import json

import numpy as np
import pytest

import encode
from cosent_tf.bert.compat import keras
from cosent_tf.bert.scoring import load_scorer
from cosent_tf.bert.vectors import load_encoder
from cosent_tf.errors import UserError
from tests.handmade import (
    HEADS,
    PAIRS,
    TEXTS,
    TOLERANCE,
    call,
    reference,
    reference_scores,
    unit,
    write_bert_dir,
    write_run,
)
from tests.helpers import assert_close


@pytest.fixture
def bert_dir(tmp_path):
    return write_bert_dir(tmp_path / 'bert')


@pytest.fixture
def folder(bert_dir, tmp_path):
    """A run of CoSENT."""
    write_run(tmp_path / 'run', bert_dir)
    return tmp_path / 'run'


def test_a_file_of_texts_becomes_vectors_in_its_order(folder, tmp_path, monkeypatch, capsys):
    """Row i of the array is of line i, across chunks, repeated and empty lines; a line confirms it.

    On stderr, as --output may be /dev/stdout.
    """
    monkeypatch.setattr(encode, 'CHUNK', 4)
    texts = tmp_path / 'texts.txt.gz'
    texts.write_bytes(gzip.compress(''.join(f'{text}\r\n' for text in TEXTS).encode()))
    call(encode, monkeypatch, run=folder, input=texts, output=tmp_path / 'out' / 'v.npy')
    out, err = capsys.readouterr()
    assert out == '' and err == f'{tmp_path}/out/v.npy: vectors of 10 lines\n'
    vectors = np.load(tmp_path / 'out' / 'v.npy')
    assert vectors.dtype == np.float32 and vectors.flags.c_contiguous
    assert_close(vectors, unit(reference([[text] for text in TEXTS])), TOLERANCE)


def test_the_parts_of_a_file_are_the_whole(folder, tmp_path, monkeypatch):
    """The parts of --shard are the whole, in order, with more parts than lines too."""
    texts = tmp_path / 'texts.txt'
    texts.write_text(''.join(f'{text}\n' for text in TEXTS[:2]), encoding='utf-8')
    vectors = []
    for number in range(1, 4):
        output = tmp_path / f'{number}.npy'
        call(encode, monkeypatch, run=folder, input=texts, output=output, shard=f'{number}/3')
        vectors.append(np.load(output))
    assert [len(part) for part in vectors] == [0, 1, 1]
    expected = unit(reference([[text] for text in TEXTS[:2]]))
    assert_close(np.concatenate(vectors), expected, TOLERANCE)
    for wrong in ('0/3', '4/3', '3', '-1/-1', 'a/b'):
        with pytest.raises(SystemExit, match='2'):
            call(encode, monkeypatch, run=folder, input=texts, output=tmp_path, shard=wrong)


@pytest.mark.parametrize(
    ('case', 'pooling'), [*((case, 'cls') for case in HEADS), ('interact', 'mean')]
)
def test_a_file_of_pairs_becomes_scores(case, pooling, bert_dir, tmp_path, monkeypatch):
    """Scores are those of the run's method, in float32, whatever the process computes in."""
    monkeypatch.setattr(encode, 'CHUNK', 3)
    keras.mixed_precision.set_global_policy('mixed_bfloat16')  # which must not count
    more = {} if pooling == 'cls' else {'pooling': pooling}  # runs before there was a choice: cls
    head = write_run(tmp_path / 'run', bert_dir, case, **more)
    pairs, scores = tmp_path / 'pairs.tsv', tmp_path / 'scores.txt'
    pairs.write_text(''.join(f'{a}\t{b}\n' for a, b in PAIRS), encoding='utf-8')
    call(encode, monkeypatch, run=tmp_path / 'run', input=pairs, output=scores, format='pairs')
    assert_close(np.loadtxt(scores), reference_scores(case, head, pooling), TOLERANCE)


@pytest.mark.parametrize('method', ['cosent', 'interact'])
def test_pairs_are_scored_as_they_come(method, bert_dir, tmp_path):
    """A scorer takes pairs with labels, as `read_pairs` gives, and lists, as JSON gives."""
    write_run(tmp_path / 'run', bert_dir, method)
    score = load_scorer(tmp_path / 'run')
    labelled, lists = [(*pair, 1) for pair in PAIRS], [[*pair] for pair in PAIRS]
    for pairs in (labelled, lists):
        np.testing.assert_array_equal(score(pairs), score(PAIRS))


@pytest.mark.parametrize('method', ['cosent', pytest.param('interact', marks=pytest.mark.weekly)])
def test_scores_in_half_precision_are_near(method, bert_dir, tmp_path, monkeypatch):
    """Scores in bf16 are within 1e-2 of those in fp32, but not equal."""
    write_run(tmp_path / 'run', bert_dir, method)
    pairs = tmp_path / 'pairs.tsv'
    pairs.write_text(''.join(f'{a}\t{b}\n' for a, b in PAIRS), encoding='utf-8')
    scores = {}
    for precision in ('fp32', 'bf16'):
        path = tmp_path / precision
        flags = {'format': 'pairs', 'precision': precision}
        call(encode, monkeypatch, run=tmp_path / 'run', input=pairs, output=path, **flags)
        scores[precision] = np.loadtxt(path)
    assert 0 < np.abs(scores['bf16'] - scores['fp32']).max() < 1e-2


RULES = {
    'cosent': {'threshold': 0.93},
    'interact of three classes': {'threshold': None, 'class_weights': [0.9, 0.2, 0.95]},
    'interact_cosent': {'threshold': 3.2},
}


@pytest.mark.parametrize('case', RULES)
def test_a_file_of_pairs_becomes_labels(case, bert_dir, tmp_path, monkeypatch):
    """--format labels decides each pair by the run's own threshold or class weights."""
    monkeypatch.setattr(encode, 'CHUNK', 3)
    head = write_run(tmp_path / 'run', bert_dir, case)
    pairs = tmp_path / 'pairs.tsv'
    pairs.write_text(''.join(f'{a}\t{b}\n' for a, b in PAIRS), encoding='utf-8')
    flags = {'run': tmp_path / 'run', 'input': pairs, 'format': 'labels'}
    with pytest.raises(UserError, match=r'no metrics.json: only a finished run'):
        call(encode, monkeypatch, output=tmp_path / 'labels', **flags)
    (tmp_path / 'run' / 'metrics.json').write_text('{"threshold": null, "class_weights": null}')
    with pytest.raises(UserError, match='trained on graded labels'):
        call(encode, monkeypatch, output=tmp_path / 'labels', **flags)
    (tmp_path / 'run' / 'metrics.json').write_text(json.dumps(RULES[case]))
    call(encode, monkeypatch, output=tmp_path / 'labels', **flags)
    scores = reference_scores(case, head)
    weights = RULES[case].get('class_weights')
    expected = (
        scores > RULES[case]['threshold'] if weights is None else (scores * weights).argmax(1)
    )
    found = np.loadtxt(tmp_path / 'labels', dtype=int)
    assert found.tolist() == expected.astype(int).tolist()
    assert len(set(found.tolist())) > 1, scores  # or nothing was tested


def break_run(folder, **change):
    path = folder / 'config.json'
    config = json.loads(path.read_text('utf-8'))
    config['arguments'].update(change)
    path.write_text(json.dumps(config), encoding='utf-8')


WRONG_RUNS = {
    'no folder': (lambda run: run.rename(run.with_name('x')), 'run not found: it must be a run'),
    'interact': (lambda run: break_run(run, method='interact'), 'has no sentence vectors'),
    'moved BERT': (
        lambda run: break_run(run, bert_dir='gone'),
        r'no longer at gone: .*"bert_dir" in .*config.json',
    ),
    'first epoch': (lambda run: (run / 'best.weights.h5').unlink(), 'has not finished an epoch'),
    'broken weights': (
        lambda run: (run / 'best.weights.h5').write_bytes(b'x'),
        'best.weights.h5: broken',
    ),
    'broken config': (lambda run: (run / 'config.json').write_text('{'), 'config.json:1: not JSON'),
}


@pytest.mark.parametrize('case', WRONG_RUNS)
def test_a_run_without_an_encoder_says_why(case, folder):
    """A run that was moved, cleaned up or is of another method is a one-line error."""
    breaks, message = WRONG_RUNS[case]
    breaks(folder)
    with pytest.raises(UserError, match=message):
        load_encoder(folder)


def test_wrong_input_leaves_no_output(folder, tmp_path, monkeypatch):
    """A wrong line is an error that names it, and no output file is left."""
    pairs = tmp_path / 'pairs.tsv'
    pairs.write_text('我\t你\n我\t你\t1\n', encoding='utf-8')
    with pytest.raises(UserError, match=r'pairs.tsv:2: 3 fields'):
        call(encode, monkeypatch, run=folder, input=pairs, output=tmp_path / 'x', format='pairs')
    assert {path.name for path in tmp_path.iterdir()} == {'bert', 'run', 'pairs.tsv'}

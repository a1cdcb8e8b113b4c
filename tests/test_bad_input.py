"""Files as bad as they come: read as they are, or refused in one line; never miscounted."""

import csv
import io
import json
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cosent_tf.bert.formats import read_config, read_vocab
from cosent_tf.bert.sources import find_source
from cosent_tf.data import read_pairs
from cosent_tf.errors import UserError
from cosent_tf.predictions import read_predictions
from tests.helpers import FORMATS, write_lines
from tests.reference.checkpoints import TINY_CONFIG

FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
GOOD = {
    suffix: as_format([('我 "在"', '他, 去', 1), ('是', '', 0), ('，\u2028', "'也'\x85", 1)])
    for suffix, as_format in FORMATS.items()
}
CHARACTERS = '\t\n\r\x00\x1c\x85\u2028\ufeff"\',{}[]:_.e+-10 我'


def count(content, suffix):
    """Pairs and all rows of a file, counted another way than `readers` does."""
    text = content.decode('utf-8-sig')
    lines = re.split('\r\n|\r|\n', text)
    lines = lines[:-1] if lines[-1] == '' else lines
    if suffix == '.data':
        tabs = [line.strip().count('\t') for line in lines]
        rows = [count == (2 if 2 in tabs else 1) for count in tabs]  # 1: without labels
    elif suffix == '.tsv':
        rows = [line.count('\t') == lines[0].count('\t') for line in lines[1:]]
    elif suffix == '.csv':
        header, *table = csv.reader(io.StringIO(text, newline=''))
        rows = [len(row) == len(header) for row in table]
    else:
        values = [json.loads(line) if line.strip() else {} for line in lines]
        texts = [name for name in next(filter(None, values)) if name not in ('label', 'score')]
        rows = [all(isinstance(row.get(name), str) for name in texts) for row in values]
    return sum(rows), len(rows)


def read_or_refuse(path, content):
    path.write_bytes(content)
    try:
        pairs, skipped = read_pairs(path)
    except UserError as error:
        assert str(path) in str(error) and '\n' not in str(error)
        return
    assert (len(pairs), len(pairs) + skipped) == count(content, path.suffix)
    for _, _, label in pairs:
        assert label == np.int32(label) if isinstance(label, int) else label is None or label % 1


@pytest.mark.parametrize('suffix', FORMATS)
@FUZZ
@given(content=st.binary() | st.text(CHARACTERS).map(str.encode))
@example(content=b'[' * 100_000)
@example(content=b'{"text1": "", "text2": "", "label": ' + b'1' * 5000 + b'}')
@example(content=b'a\tb\t1e30\n')
@example(content=b'a\tb\n')
@example(content=b'text1,text2,label\n' + b'a' * 200_000 + b',b,1\n')
def test_any_bytes_are_read_or_refused(suffix, content, tmp_path):
    """Any bytes are read, with skipped lines counted, or are a one-line error."""
    read_or_refuse(tmp_path / f'a{suffix}', content)


@pytest.mark.parametrize('suffix', FORMATS)
@FUZZ
@given(
    place=st.floats(0, 1),
    length=st.integers(0, 5),
    inserted=st.binary(max_size=3) | st.text(CHARACTERS, max_size=3).map(str.encode),
)
def test_any_mutated_file_is_read_or_refused(suffix, place, length, inserted, tmp_path):
    """A file with a wrong byte, a lost quote or a cut line is read, or is a one-line error."""
    good = GOOD[suffix].encode()
    start = int(place * len(good))
    read_or_refuse(tmp_path / f'a{suffix}', good[:start] + inserted + good[start + length :])


EXTREMES = {
    'empty after tokenization': '\x00\u200b\ufffd',
    'nothing': '',
    '100,000 characters': '我你他她它' * 20_000,
    'one word of 100,000 letters': 'a' * 100_000,
    'only emoji': '😀👩\u200d👩\u200d👧\U0001f1e8\U0001f1f3',
    'control characters': '我\x01\x1f\x7f\x85\u202e你',
    'mixed width': 'ＡＢＣ１２３ABC123ｱｲｳ　我',
}


@pytest.mark.parametrize('method', ['interact', pytest.param('cosent', marks=pytest.mark.weekly)])
def test_extreme_texts_train_and_score(method, short, run, tmp_path):
    """Extreme texts are trained on, scored and written like any other."""
    texts = list(EXTREMES.values())
    lines = [f'我{text}\t{text}\t1' for text in texts] + [f'你\t{text}\t0' for text in texts]
    for split in ('train', 'valid', 'test'):
        write_lines(tmp_path / 'BAD' / f'BAD.{split}.data', lines)
    changed = {'task': 'BAD', 'data_dir': str(tmp_path), 'epochs': '1'}
    assert run(method, short | changed) == (0, '')
    folder = tmp_path / f'BAD.bert.{method}.seed42'
    texts = read_predictions(folder / 'predictions.test.tsv').texts
    assert [f'{a}\t{b}' for a, b in texts] == [line.rpartition('\t')[0] for line in lines]


WRONG_VALUES = [None, -1, 1.5, True, [], {}, [{}], 'a' * 5000, '\x00', '我\n']
CONFIGS = {  # file: what it holds, and what reads it
    'bert_config.json': (TINY_CONFIG | {'vocab_size': 9}, read_config),
    'tokenizer.json': ({'model': {'type': 'WordPiece', 'vocab': {'[PAD]': 0}}}, read_vocab),
    'config.json': (
        {'arguments': {'bert_dir': '.', 'maxlen': 8, 'method': 'cosent'}, 'data_sha256': {}},
        find_source,
    ),
    'sentence_bert_config.json': ({'max_seq_length': 8}, find_source),
}


@pytest.mark.parametrize('file', CONFIGS)
def test_any_mutated_configuration_is_read_or_refused(file, tmp_path):
    """A configuration with any change is read, or is a one-line error."""
    good, read = CONFIGS[file]
    (tmp_path / 'best.weights.h5').write_bytes(b'')
    text = json.dumps(good)
    bad = [text[:n].encode() for n in range(len(text))]
    bad += [b'[' * 100_000, b'1' * 5000, b'\xff', b'[]', b'{"arguments": {}}']
    bad += [json.dumps(changed).encode() for changed in changes(good)]
    refused = 0
    for content in bad:
        (tmp_path / file).write_bytes(content)
        try:
            read(tmp_path)
        except UserError as error:
            assert file in str(error) or 'the BERT it was trained from' in str(error)
            refused += 1
    assert refused > len(text)


def changes(value):
    """A JSON object with one value, at any depth, replaced or left out."""
    for key in value:
        yield {other: value[other] for other in value if other != key}
        yield from (value | {key: wrong} for wrong in WRONG_VALUES)
        if isinstance(value[key], dict):
            yield from (value | {key: changed} for changed in changes(value[key]))

"""Input from Python: a string is a text, two are a pair, anything else is a TypeError."""

import importlib.util
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosent_tf import load_encoder, load_scorer, write_predictions
from tests.handmade import write_bert_dir, write_run

if importlib.util.find_spec('pandas'):
    from pandas import DataFrame, Series
else:  # what is used of them: no dependency of the package

    def DataFrame(data):
        return type('DataFrame', (dict,), {'columns': list(data)})(data)

    def Series(data, dtype=object):
        return np.array(data, dtype)


BACKENDS = [
    ('cosent', 'tensorflow'),
    ('cosent', 'openvino'),
    ('interact', 'tensorflow'),
    ('interact', 'openvino'),
]


@pytest.fixture(scope='module')
def load(tmp_path_factory):
    """Load a run of a method on a backend, once a module: its encoder if it has one, its scorer."""
    folder, loaded = tmp_path_factory.mktemp('runs'), {}
    bert_dir = write_bert_dir(folder / 'bert')

    def load(method, backend='tensorflow'):
        if not (folder / method).exists():
            write_run(folder / method, bert_dir, method)
        if (method, backend) not in loaded:
            run = folder / method
            encoder = load_encoder(run, backend=backend) if method == 'cosent' else None
            loaded[method, backend] = encoder, load_scorer(run, backend=backend)
        return loaded[method, backend]

    return load


TEXTS = ['花呗', '借呗', '']
NO_TEXTS = {
    'one text': ('花呗', r'texts is of type str, .*\(one text: \[text\]\)'),
    'None': (None, 'texts is None, not a list'),
    'a number': (7, 'texts is of type int'),
    'bytes': (b'abc', 'texts is of type bytes'),
    'a dict': ({'text': '花呗'}, 'texts is of type dict'),
    'a set': ({'花呗', '借呗'}, 'texts is of type set'),
    'a table': (DataFrame({'text1': TEXTS}), 'texts is of type DataFrame'),
    'a table of arrays': (types.SimpleNamespace(columns=[TEXTS]), 'texts is of type'),
    'None among them': (['花呗', None], r'texts\[1\] is None, not a string'),
    'NaN among them': (Series(['花呗', float('nan')]), r'texts\[1\] is of type float, not a str'),
    'bytes among them': ([b'abc'], r'texts\[0\] is of type bytes, not a string'),
    'a pair': ([('花呗', '借呗')], r'texts\[0\] is of type tuple, not a string'),
    'an array of pairs': (np.array([['花呗', '借呗']]), r'texts\[0\] is of type ndarray'),
    'an array of bytes': (np.array([b'abc']), r'texts\[0\] is of type bytes_, not a string'),
}


@pytest.mark.parametrize('case', NO_TEXTS)
def test_what_is_no_text_is_told_by_its_position(case, load):
    """Nothing gets the vector of something else: not a dict's keys, a column's name, "b'abc'"."""
    texts, message = NO_TEXTS[case]
    with pytest.raises(TypeError, match=message):
        load('cosent')[0].encode(texts)


NO_PAIRS = {
    'one pair': (('花呗', '借呗'), r'pairs\[0\] is of type str, .*\(one pair: \[\(text1, text2'),
    'texts': (['ab', 'cd'], r'pairs\[0\] is of type str, not two strings'),
    'one text': ('花呗', 'pairs is of type str, not a list of pairs'),
    'a table': (DataFrame({'ab': TEXTS, 'cd': TEXTS}), 'pairs is of type DataFrame, .*zip'),
    'a dict': ({('a', 'b'): 1}, 'pairs is of type dict'),
    'rows of one text': ([('a',), ('b', 'c'), ('d',)], r'pairs\[0\] has 1 of the two strings'),
    'a row of none': ([('b', 'c'), ()], r'pairs\[1\] has 0 of the two strings'),
    'a row that is a dict': ([{'text1': 'a', 'text2': 'b'}], r'pairs\[0\] is of type dict'),
    'a row that is a set': ([{'a', 'b'}], r'pairs\[0\] is of type set'),
    'no row': ([('a', 'b'), None], r'pairs\[1\] is None, not two strings'),
    'bytes': ([b'ab'], r'pairs\[0\] is of type bytes, not two strings'),
    'None for a text': ([('a', None)], r'pairs\[0\]\[1\] is None, not a string'),
    'NaN for a text': ([('a', 'b'), (np.nan, 'b')], r'pairs\[1\]\[0\] is of type float, not a'),
    'a label first': ([(1, 'a', 'b')], r'pairs\[0\]\[0\] is of type int, not a string'),
}


@pytest.mark.parametrize(('method', 'backend'), BACKENDS)
def test_what_is_no_pair_is_told_by_its_position(method, backend, load):
    """Two texts are not two pairs of letters, nor is a lost text the word "None", in any method."""
    if backend == 'openvino':
        pytest.importorskip('openvino')
    score = load(method, backend)[1]
    for pairs, message in NO_PAIRS.values():
        with pytest.raises(TypeError, match=message):
            score(pairs)


def test_predictions_of_letters_are_not_written(tmp_path):
    """A file of predictions holds the pairs that were scored, or is not there."""
    with pytest.raises(TypeError, match=r'pairs\[0\] is of type str, not two strings'):
        write_predictions(tmp_path / 'x.tsv', [1], [0.5], ['我你'])
    assert not list(tmp_path.iterdir())


def test_texts_come_in_whatever_has_an_order(load):
    """Arrays, columns, generators and keys of a dict give the vectors of a list."""
    encode = load('cosent')[0].encode
    for texts in (tuple, np.array, Series, iter, dict.fromkeys):
        texts = texts(TEXTS)
        texts = texts.keys() if isinstance(texts, dict) else texts
        np.testing.assert_array_equal(encode(texts), encode(TEXTS))


@pytest.mark.parametrize('method', ['cosent', 'interact'])
def test_pairs_come_in_whatever_has_an_order(method, load):
    """Two columns, an array (n, 2), rows of lists or with labels give the scores of a list."""
    score, others = load(method)[1], TEXTS[::-1]
    pairs = [*zip(TEXTS, others, strict=True)]
    table = DataFrame({'text1': TEXTS, 'text2': others})
    same = (
        zip(Series(TEXTS), Series(others), strict=True),
        np.array(pairs),
        np.array(pairs, object),
        (list(pair) for pair in pairs),
        [(*pair, 1, None) for pair in pairs],
        [Series(pair) for pair in pairs],
        np.stack([table[name] for name in table.columns], axis=1),
    )
    for other in same:
        np.testing.assert_array_equal(score(other), score(pairs))


def as_array(items):
    array = np.empty(len(items), object)
    for number, item in enumerate(items):
        array[number] = item
    return array


ORDERED = {
    'list': list,
    'tuple': tuple,
    'generator': iter,
    'array': as_array,
    'Series': lambda items: Series(items, dtype=object),
}
REFUSED = {
    'dict': lambda items: dict(enumerate(items)),
    'keys': lambda items: {repr(item): item for item in items},
    'DataFrame': lambda items: DataFrame({name: [name] for name in map(repr, items)}),
    'set': lambda items: set(map(repr, items)),
}
BUILD = ORDERED | REFUSED
WORDS = st.text('花呗借还 a\x00\ud83d\u200d', max_size=4) | st.text(max_size=4)
JUNK = st.none() | st.floats() | st.integers() | st.binary(max_size=3) | st.just(np.array('a'))


def boxes(kinds, items):
    """A container to build, and its items."""
    return st.tuples(st.sampled_from(list(kinds)), st.lists(items, max_size=3))


GOOD = boxes(ORDERED, WORDS) | boxes(ORDERED, boxes(ORDERED, WORDS))
ANYTHING = st.recursive(WORDS | JUNK, lambda items: boxes(BUILD, items), max_leaves=6)


def build(spec):
    kind, items = spec if isinstance(spec, tuple) else (None, spec)
    return BUILD[kind](list(map(build, items))) if kind else items


def count(spec, is_good):
    """How many results an input asks for, or None for an error."""
    ordered = isinstance(spec, tuple) and spec[0] in ORDERED
    return len(spec[1]) if ordered and all(map(is_good, spec[1])) else None


def is_text(spec):
    return isinstance(spec, str)


def is_pair(spec):
    return isinstance(spec, tuple) and count((spec[0], spec[1][:2]), is_text) == 2


@settings(max_examples=200, deadline=None, derandomize=True)
@given(spec=GOOD | ANYTHING)
def test_any_input_has_as_many_results_or_is_refused(spec, load):
    """A vector for each text, a score for each pair, or a TypeError that says where: no other."""
    encoder, cosine = load('cosent')
    for function, is_good in (
        (encoder.encode, is_text),
        (cosine, is_pair),
        (load('interact')[1], is_pair),
    ):
        expected = count(spec, is_good)
        try:
            results = function(build(spec))
        except TypeError as error:
            assert expected is None and str(error).startswith(('texts', 'pairs')), spec
        else:
            assert len(results) == expected and np.isfinite(results).all(), spec

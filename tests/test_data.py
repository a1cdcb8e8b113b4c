"""Reading pairs, tokenizing and batching: what the models are fed, on examples worked by hand."""

import shutil
from itertools import islice

import numpy as np
import pytest

import encode
from cosent_tf.bert.pretrained import load_tokenizer
from cosent_tf.data import (
    Batches,
    Tokenized,
    TokenRows,
    class_count,
    read_pairs,
    read_split,
    read_task,
    tokenize_pairs,
    tokenize_sentences,
)
from cosent_tf.errors import UserError
from tests.helpers import write_lines
from tests.reference.checkpoints import tiny_vocab


@pytest.fixture(scope='module')
def tokenizer(bert_dir):
    return load_tokenizer(bert_dir)


def ids(*tokens):
    return [tiny_vocab().index(token) for token in tokens]


def rows(encoded):
    return [
        encoded.rows.padded(np.array([number]))[0].tolist() for number in range(len(encoded.rows))
    ]


def test_lines_are_stripped_and_split_on_tabs(tmp_path):
    """Outer white space of a line is stripped, inner white space stays, as in the original."""
    path = tmp_path / 'a.data'
    write_lines(path, ['  我 在\t他 去\t1 ', '是\t\t0'])
    assert read_pairs(path) == ([('我 在', '他 去', 1), ('是', '', 0)], 0)


def test_lines_without_three_fields_are_skipped_and_counted(tmp_path):
    """Lines without three fields are skipped and counted."""
    path = tmp_path / 'a.data'
    write_lines(path, ['我\t你\t1', '我\t你', '', 'a\tb\tc\t1', '他\t她\t0'])
    assert read_pairs(path) == ([('我', '你', 1), ('他', '她', 0)], 3)


def test_only_real_line_ends_separate_lines(tmp_path):
    """U+2028 and U+0085 are characters of a text, \\r\\n is a line end."""
    path = tmp_path / 'a.data'
    path.write_bytes('我\u2028在\t你\x85去\t1\r\n他\t她\t0\r\n'.encode())
    assert read_pairs(path) == ([('我\u2028在', '你\x85去', 1), ('他', '她', 0)], 0)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'no line of the form'),
        ('我\t你\t1\n他\t她\tinf\n'.encode(), r':2: the label must be a number'),
        ('我\t你\t1\n'.encode() + b'\xff\xfe\t\t0\n', r':2: not UTF-8'),
        ('我\t你\t1\n他\t她\t1\n'.encode(), 'every label is 1'),
        ('我\t你\n他\t她\n'.encode(), 'no labels; only test may'),
        ('我\t你\t1\n他\t她\t0\n他她\t0\n'.encode(), '1 of 3 lines'),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, content, message):
    path = tmp_path / 'a.data'
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_split(path)
    assert str(path) in str(error.value)


def test_one_percent_of_skipped_lines_is_tolerated(tmp_path):
    """One broken line in a hundred is skipped, not refused."""
    path = tmp_path / 'a.data'
    write_lines(path, ['我\t你\t1', '我\t你\t0'] * 50 + ['broken'])
    assert read_split(path).skipped == 1


def test_a_label_beyond_the_training_classes_is_named(data_dir, tmp_path):
    """A label beyond the classes of train is an error that names file and line."""
    splits = read_task(data_dir, 'TOY')
    path = tmp_path / 'a.data'
    write_lines(path, ['我\t你\t0', '我\t你\t2'])
    with pytest.raises(UserError, match=r'a\.data:2: label 2'):
        class_count({**splits, 'test': read_split(path)})


@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        ([0, 1, 100], r'a\.data:3: label 100 makes 101 classes.*no example of 2, 3, 4, …; '),
        ([1, 2], r'a\.data:2: label 2 makes 3 classes.*no example of 0; number'),
    ],
)
def test_classes_of_which_train_has_no_example_are_refused(labels, message, tmp_path):
    """One wrong label, or labels from 1 on, would make a softmax of classes without examples."""
    path = tmp_path / 'a.data'
    write_lines(path, [f'我\t你\t{label}' for label in labels])
    with pytest.raises(UserError, match=message):
        class_count({'train': read_split(path)})


@pytest.mark.parametrize(('label', 'told'), [('', 'no labels'), ('\t0', 'every label is 0')])
def test_a_test_file_without_labels_is_read_and_told(label, told, data_dir, tmp_path, capsys):
    """Competitions publish test without labels, or all 0: the task can be trained all the same."""
    shutil.copytree(data_dir / 'TOY', tmp_path / 'TOY')
    write_lines(tmp_path / 'TOY' / 'TOY.test.data', [f'我{n}\t你{label}' for n in range(3)])
    splits = read_task(tmp_path, 'TOY')
    out = capsys.readouterr().out
    assert f'TOY test: 3 pairs, {told}: scored, but not measured\n' in out
    assert class_count(splits) == 2 and 'contradictory' not in out
    for split in ('train', 'valid'):
        write_lines(tmp_path / 'TOY' / f'TOY.{split}.data', [f'我\t你{label}'])
        with pytest.raises(UserError, match=f'TOY.{split}.data: {told}; only test'):
            read_task(tmp_path, 'TOY')
        shutil.copy(data_dir / 'TOY' / f'TOY.{split}.data', tmp_path / 'TOY')


def test_whole_labels_are_integers_and_grades_are_no_classes(tmp_path):
    """1.0 and 0 are classes; a grade such as 0.8 is kept, and a classifier refuses it."""
    whole, graded = tmp_path / 'whole.data', tmp_path / 'graded.data'
    write_lines(whole, ['我\t你\t1.0', '我\t你\t0'])
    write_lines(graded, ['我\t你\t1', '我\t你\t0.8', '我\t你\t0'])
    split = read_split(whole)
    assert split.labels.dtype == np.int64 and split.labels.tolist() == [1, 0]
    assert read_split(graded).labels.tolist() == [1, 0.8, 0]
    for splits in ({'train': read_split(graded)}, {'train': split, 'test': read_split(graded)}):
        with pytest.raises(UserError, match=r'graded\.data:2: label 0\.8, but'):
            class_count(splits)


def test_sentences_are_lower_cased_and_truncated_before_the_last_token(tokenizer):
    """A sentence becomes "[CLS] a [SEP]" of at most maxlen tokens, with [SEP] kept."""
    encoded = tokenize_sentences(tokenizer, [('我Playing', '我你他她它们', 1)], maxlen=5)
    assert rows(encoded) == [
        ids('[CLS]', '我', 'play', '##ing', '[SEP]'),
        ids('[CLS]', '我', '你', '他', '[SEP]'),
    ]


def test_joint_input_loses_tokens_of_the_longer_sentence(tokenizer):
    """A pair becomes "[CLS] a [SEP] b [SEP]"; tokens are dropped from the longer sentence."""
    pairs = [('我你他她它们', '是不', 1), ('我', '是不', 0)]
    encoded = tokenize_pairs(tokenizer, pairs, maxlen=8)
    assert rows(encoded) == [
        ids('[CLS]', '我', '你', '他', '[SEP]', '是', '不', '[SEP]'),
        ids('[CLS]', '我', '[SEP]', '是', '不', '[SEP]'),
    ]


def test_equal_sentences_share_one_row(tokenizer):
    """Each distinct sentence is tokenized once, and the index leads back to the pairs."""
    encoded = tokenize_sentences(tokenizer, [('我', '你', 1), ('你', '他', 0)], maxlen=8)
    assert len(encoded.rows) == 3
    assert encoded.index.tolist() == [[0, 1], [1, 2]]


def test_encode_tells_of_the_quotes_of_csv_too(tmp_path, capsys):
    """Quotes in the pairs that encode.py scores are reported once, although it reads them twice."""
    path = tmp_path / 'pairs.tsv'
    write_lines(path, ['我\t你', '"他说""你好"""\t"我"'])
    pairs = [('我', '你'), ('"他说""你好"""', '"我"')]
    assert [*encode.Part(encode.text_pairs, path, 1, 1)] == [pairs]
    message = capsys.readouterr().err
    assert message.count('a field in quotes') == 1 and f'{path}:2: ' in message


def test_siamese_batches_are_interleaved_with_repeated_labels():
    """A batch holds the sentences as a0 b0 a1 b1 …, each with the label of its pair."""
    encoded = Tokenized(TokenRows([[1], [2, 2], [3, 3, 3], [4]]), np.array([[0, 1], [2, 3]]))
    token_ids, labels = Batches(encoded, np.array([7, 8]), 2, seed=0).batch(np.array([1, 0]))
    assert token_ids.tolist() == [[3, 3, 3], [4, 0, 0], [1, 0, 0], [2, 2, 0]]
    assert labels.tolist() == [[8], [8], [7], [7]]


def test_joint_batches_have_a_row_a_pair_padded_to_their_own_longest():
    """A batch is padded to its own longest row."""
    encoded = Tokenized(TokenRows([[1], [2, 2], [3, 3, 3]]), np.array([0, 1, 2]))
    token_ids, labels = Batches(encoded, np.array([5, 6, 7]), 2, seed=0).batch(np.array([0, 1]))
    assert token_ids.tolist() == [[1, 0], [2, 2]]
    assert labels.tolist() == [[5], [6]]


def test_grades_become_their_ranks():
    """Grades such as 3.8 and 3.81 stay different in training."""
    encoded = Tokenized(TokenRows([[1], [2], [3], [4]]), np.arange(4))
    batches = Batches(encoded, np.array([3.81, 0.8, 3.8, 0.8]), 4, seed=0)
    labels = batches.batch(np.arange(4))[1]
    assert labels.dtype == np.int32 and labels.tolist() == [[2], [0], [1], [0]]


def test_batches_of_one_class_are_counted():
    """Of 80 pairs with one positive, in batches of 32, 32 and 16, two hold negatives alone.

    They are counted in the order of the first epoch, grades like classes.
    """
    encoded = Tokenized(TokenRows([[1]]), np.zeros(80, int))
    for labels in (np.eye(80, dtype=int)[0], np.eye(80)[0] * 0.5):
        for seed in range(5):
            assert Batches(encoded, labels, 32, seed).count_one_class() == 2
    assert Batches(encoded, np.arange(80) / 7, 32, seed=0).count_one_class() == 0
    batches = Batches(encoded, np.arange(80) // 60, 3, seed=0)
    epoch = islice(batches.epochs(), len(batches))
    assert batches.count_one_class() == sum(len(set(y.flat)) == 1 for _, y in epoch) == 13


def test_order_is_one_numpy_permutation_an_epoch_with_the_last_partial_batch():
    """Each epoch has the order of the original's DataGenerator after np.random.seed."""
    n, seed = 10, 3
    encoded = Tokenized(TokenRows([[number] for number in range(n)]), np.arange(n))
    batches = Batches(encoded, np.zeros(n, int), 4, seed)
    stream = batches.epochs()
    seen = [[next(stream)[0] for _ in range(len(batches))] for _ in range(2)]
    np.random.seed(seed)
    for epoch in seen:
        assert [len(batch) for batch in epoch] == [4, 4, 2]
        assert np.concatenate(epoch)[:, 0].tolist() == np.random.permutation(n).tolist()
    resumed = next(batches.epochs(first=1))[0]
    assert resumed.tolist() == seen[1][0].tolist()

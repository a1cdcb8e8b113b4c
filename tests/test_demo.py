"""The embedded default: nothing leaks, nothing is given away, and the encoder is a real one."""

import itertools
import json
from collections import Counter

import numpy as np
import pytest

from cosent_tf.bert.compat import Tokenizer, build_transformer_model, tf
from cosent_tf.data import read_task
from cosent_tf.demo import task as demo
from cosent_tf.readers import read_pairs

SPLITS = ('train', 'valid', 'test')


@pytest.fixture(scope='module')
def pairs():
    return demo.demo_pairs()


@pytest.fixture(scope='module')
def bert_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp('demo') / 'bert'
    demo.make_demo_bert(folder)
    return folder


def sentences(pairs):
    return {text for pair in pairs for text in pair[:2]}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def best_accuracy(scores, labels):
    """Test accuracy of the best threshold on a score, whichever side is called positive."""
    above = [np.mean((scores >= threshold) == labels) for threshold in np.unique(scores)]
    return max(*above, *(1 - accuracy for accuracy in above))


def denies(text):
    return '没' in text or '不' in text


def overlaps(pairs):
    """Jaccard overlap of the characters of two sentences."""
    sets = [(set(a), set(b)) for a, b, _ in pairs]
    return np.array([len(a & b) / len(a | b) for a, b in sets])


def test_no_sentence_is_in_two_splits(pairs):
    for one, other in itertools.combinations(SPLITS, 2):
        assert not sentences(pairs[one]) & sentences(pairs[other])


def test_no_pair_comes_twice_in_either_order_and_none_is_of_equal_sentences(pairs):
    for split in SPLITS:
        different = {frozenset(pair[:2]) for pair in pairs[split]}
        assert len(different) == len(pairs[split]) and all(len(two) == 2 for two in different)


def test_valid_and_test_ask_for_nothing_that_train_does_not_show(pairs):
    seen = set(''.join(sentences(pairs['train'])))
    for split in ('valid', 'test'):
        assert set(''.join(sentences(pairs[split]))) <= seen


@pytest.mark.parametrize('split', SPLITS)
def test_labels_are_balanced(pairs, split):
    counts = Counter(label for _, _, label in pairs[split])
    assert set(counts) == {0, 1}
    assert len(pairs[split]) == demo.PAIRS[split]
    assert max(counts.values()) <= 0.55 * len(pairs[split])


def test_file_order_says_nothing_about_labels(pairs):
    labels = np.array([label for _, _, label in pairs['test']])
    assert abs(np.mean(labels[1:] == labels[:-1]) - 0.5) < 0.1


def test_overlap_of_characters_says_little_about_labels(pairs):
    scores, labels = overlaps(pairs['test']), np.array([label for _, _, label in pairs['test']])
    assert scores[labels == 0].mean() > scores[labels == 1].mean() - 0.05
    assert best_accuracy(scores, labels) < 0.65


@pytest.mark.parametrize('side', [0, 1])
def test_one_sentence_alone_says_little_about_labels(pairs, side):
    """Guards against a kind of change that marks the changed sentence: a denial, say."""
    labels = np.array([label for _, _, label in pairs['test']])
    denied = np.array([denies(pair[side]) for pair in pairs['test']])
    lengths = np.array([len(pair[side]) for pair in pairs['test']])
    assert best_accuracy(denied, labels) < 0.65
    assert best_accuracy(lengths, labels) < 0.6


def test_negatives_are_swapped_denied_or_renumbered(pairs):
    changes = Counter()
    for text1, text2, label in pairs['train']:
        numbers = [{n for n in '三四五六七八九' if n in text} for text in (text1, text2)]
        if denies(text1) != denies(text2):
            changes['denied', label] += 1
        elif numbers[0] != numbers[1]:
            changes['renumbered', label] += 1
        else:
            changes['swapped or same', label] += 1
    assert set(changes) == {
        ('denied', 0),
        ('renumbered', 0),
        ('swapped or same', 0),
        ('swapped or same', 1),
    }
    assert min(changes.values()) > 0.08 * len(pairs['train'])


def test_templates_are_whole():
    """Every wording names both names, and all wordings of a domain use the same slots."""
    for _, *templates in demo.DOMAINS:
        slots = set()
        for template in templates:
            for true in (True, False):
                fact = demo.Fact('甲甲', '乙乙', '丙丙', '丁丁', true)
                text = demo._say(template, fact)
                assert not set(text) & set('{}<>|')
                slots.add(frozenset(set(text) & set('甲乙丙丁')))
            yes, no = (demo._say(template, fact._replace(true=true)) for true in (True, False))
            assert yes != no
        assert len(slots) == 1 and slots.pop() >= set('甲乙')


def test_data_is_the_same_every_time_and_read_like_any_other(tmp_path, pairs):
    demo.make_demo_data(tmp_path / 'one')
    demo.make_demo_data(tmp_path / 'two')
    assert contents(tmp_path / 'one/DEMO') == contents(tmp_path / 'two/DEMO')
    splits = read_task(tmp_path / 'one', 'DEMO')
    for split in SPLITS:
        assert splits[split].pairs == pairs[split] and splits[split].skipped == 0


def test_every_character_has_a_token(pairs, bert_dir):
    tokenizer = Tokenizer(str(bert_dir / 'vocab.txt'), do_lower_case=True)
    for text in sentences(pairs['train'] + pairs['valid'] + pairs['test']):
        tokens = tokenizer.tokenize(text)
        assert tokens == ['[CLS]', *text, '[SEP]']
        assert tokenizer._token_unk_id not in tokenizer.tokens_to_ids(tokens)


def test_vocabulary_has_no_token_twice(bert_dir):
    tokens = (bert_dir / 'vocab.txt').read_text(encoding='utf-8').splitlines()
    assert tokens[0] == '[PAD]' and len(tokens) == len(set(tokens))
    assert len(tokens) == json.loads((bert_dir / 'bert_config.json').read_text())['vocab_size']


def test_checkpoint_fits_its_config(bert_dir):
    """bert4keras finds every weight under Google's name, in the shape that the config asks for."""
    checkpoint = str(bert_dir / 'bert_model.ckpt')
    bert = build_transformer_model(
        str(bert_dir / 'bert_config.json'), checkpoint, return_keras_model=False
    )
    names = dict(tf.train.list_variables(checkpoint))
    read = {
        name: weight
        for layer, layer_names in bert.variable_mapping().items()
        if layer in bert.layers
        for name, weight in zip(layer_names, bert.layers[layer].get_weights(), strict=True)
    }
    assert set(names) - set(read) == {'bert/pooler/dense/kernel', 'bert/pooler/dense/bias'}
    for name, weight in read.items():
        np.testing.assert_array_equal(weight, tf.train.load_variable(checkpoint, name))


def test_bert_is_the_same_every_time(tmp_path, bert_dir):
    demo.make_demo_bert(tmp_path / 'bert')
    assert contents(tmp_path / 'bert') == contents(bert_dir)


def test_what_is_there_is_left_alone(tmp_path, bert_dir, monkeypatch):
    demo.make_demo_data(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / 'DEMO').iterdir()}
    monkeypatch.setattr(demo, 'demo_pairs', None)  # calling it would fail
    demo.make_demo_data(tmp_path)
    demo.make_demo_bert(bert_dir)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / 'DEMO').iterdir()} == before


def test_a_broken_off_start_leaves_nothing_that_looks_complete(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(demo, 'demo_pairs', lambda: {'train': [('甲', '乙', 1)], 'valid': None})
        with pytest.raises(TypeError):
            demo.make_demo_data(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['DEMO']
    assert not list((tmp_path / 'DEMO').iterdir())
    demo.make_demo_data(tmp_path)
    assert len(list((tmp_path / 'DEMO').iterdir())) == 3


def test_a_missing_file_is_made_again(tmp_path):
    demo.make_demo_data(tmp_path)
    before = contents(tmp_path / 'DEMO')
    (tmp_path / 'DEMO/DEMO.valid.data').unlink()
    demo.make_demo_data(tmp_path)
    assert contents(tmp_path / 'DEMO') == before
    assert read_pairs(tmp_path / 'DEMO/DEMO.valid.data')[1] == 0


def test_two_at_once_do_not_disturb_each_other(tmp_path, monkeypatch):
    """The other process finishes while this one is still writing."""
    make_pairs = demo.demo_pairs

    def overtaken():
        monkeypatch.setattr(demo, 'demo_pairs', make_pairs)
        demo.make_demo_data(tmp_path)
        return make_pairs()

    monkeypatch.setattr(demo, 'demo_pairs', overtaken)
    demo.make_demo_data(tmp_path)
    assert len(contents(tmp_path / 'DEMO')) == 3
    assert [path.name for path in tmp_path.iterdir()] == ['DEMO']

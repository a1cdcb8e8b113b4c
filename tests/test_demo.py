"""The built-in task DEMO: no leaks, no short cuts, and an encoder that loads like any other."""

import itertools
from collections import Counter

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from cosent_tf.bert.pretrained import load_bert, load_tokenizer
from cosent_tf.cli import Settings, parse_args
from cosent_tf.data import SPLITS, read_task
from cosent_tf.demo import task as demo
from cosent_tf.readers import read_json


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


def told(text, details):
    """The details that a text mentions: number → which of its two values."""
    return {i: v for i, wordings in enumerate(details) for v in (0, 1) if wordings[v] in text}


def test_splits_share_no_sentence_but_every_character(pairs):
    """No sentence stands in two splits, and train has every character of the others."""
    for one, other in itertools.combinations(SPLITS, 2):
        assert not sentences(pairs[one]) & sentences(pairs[other])
    for split in SPLITS:
        assert set().union(*sentences(pairs[split])) <= set().union(*sentences(pairs['train']))
        different = {frozenset(pair[:2]) for pair in pairs[split]}
        assert len(different) == len(pairs[split]) and all(len(two) == 2 for two in different)
        assert len(pairs[split]) == demo.COUNTS[split]


# Of a pair, and of the pair before it: what must not tell whether it is a positive.
CLUES = {
    'always the same': (lambda a, b, _: 0, 0.55),
    'label of the pair before': (lambda a, b, before: before, 0.55),
    'shared characters': (lambda a, b, _: len({*a} & {*b}) / len({*a} | {*b}), 0.65),
    'length of the first': (lambda a, b, _: len(a), 0.6),
    'length of the second': (lambda a, b, _: len(b), 0.6),
}


@pytest.mark.parametrize('clue', CLUES)
def test_no_shallow_clue_tells_much(clue, pairs):
    """Length, shared characters or the label before decide less than 65 % of test."""
    value, most = CLUES[clue]
    labels = np.array([label for _, _, label in pairs['test']])
    rows = zip(pairs['test'], [0, *labels], strict=False)
    values = np.array([value(text1, text2, before) for (text1, text2, _), before in rows])
    above = [np.mean((values >= threshold) == labels) for threshold in np.unique(values)]
    assert max(*above, 0, *(1 - accuracy for accuracy in above)) < most


def test_what_each_sentence_mentions_tells_little(pairs):
    """Logistic regression on the characters of both sentences decides less than 65 %."""
    known = sorted(set().union(*sentences(pairs['train'])))

    def characters(split):
        texts = [[text1, text2] for text1, text2, _ in pairs[split]]
        return np.array([[char in text for text in two for char in known] for two in texts])

    labels = {split: [label for _, _, label in pairs[split]] for split in SPLITS}
    model = LogisticRegression().fit(characters('train'), labels['train'])
    assert model.score(characters('test'), labels['test']) < 0.65


def test_negatives_contradict_themselves_once_and_positives_never(pairs):
    """A negative pair contradicts itself in one detail, a positive pair in none."""
    contradictions = Counter()
    for text1, text2, label in (pair for split in SPLITS for pair in pairs[split]):
        [details] = [d for d in demo.DOMAINS if d[4][2][:2] in text1]  # 去了, 买了 or 转了
        one, other = told(text1, details), told(text2, details)
        both = one.keys() & other.keys()
        assert both and text1[:2] == text2[:2]
        contradictions[sum(one[i] != other[i] for i in both), label] += 1
    assert contradictions == {(0, 1): 7000, (1, 0): 7000}


def test_every_value_can_be_read_from_a_sentence():
    """Every detail can be read from its sentence, and one left open cannot."""
    for details in demo.DOMAINS:
        for values in itertools.product((0, 1, None), repeat=6):
            mentioned = {i: v for i, v in enumerate(values) if v is not None}
            assert told(demo._say('张伟', details, values, {*mentioned}), details) == mentioned


def test_files_are_made_once_and_always_the_same(tmp_path, pairs, bert_dir, monkeypatch):
    """DEMO's files are always the same, made once, and a missing one is made again."""
    demo.make_demo_data(tmp_path)
    assert {split: read.pairs for split, read in read_task(tmp_path, 'DEMO').items()} == pairs
    demo.make_demo_bert(tmp_path / 'bert')
    assert contents(tmp_path / 'bert') == contents(bert_dir)
    made = contents(tmp_path / 'DEMO')
    (tmp_path / 'DEMO/DEMO.valid.data').unlink()
    demo.make_demo_data(tmp_path)
    assert contents(tmp_path / 'DEMO') == made
    monkeypatch.setattr(demo, 'demo_pairs', None)  # calling it would fail
    demo.make_demo_data(tmp_path)
    demo.make_demo_bert(bert_dir)


def test_the_encoder_loads_and_knows_every_character(pairs, bert_dir):
    """DEMO's BERT loads completely, and its vocabulary covers every sentence."""
    assert load_bert(bert_dir, maxlen=64).model.output_shape[-1] == 64
    tokenizer = load_tokenizer(bert_dir)
    text = ''.join(sorted(set().union(*sentences(pairs['train']))))
    assert tokenizer.tokenize(text) == ['[CLS]', *text, '[SEP]']
    assert tokenizer.tokens_to_ids(['[UNK]'])[0] not in tokenizer.tokens_to_ids(text)
    vocab = (bert_dir / 'vocab.txt').read_text(encoding='utf-8').splitlines()
    assert vocab[0] == '[PAD]' and len(vocab) == len({*vocab})


def test_a_broken_off_start_leaves_nothing_that_looks_complete(tmp_path, monkeypatch):
    """A start that breaks off leaves no file that looks complete."""
    with monkeypatch.context() as patch:
        patch.setattr(demo, 'demo_pairs', lambda: {'train': [('甲', '乙', 1)], 'valid': None})
        with pytest.raises(TypeError):
            demo.make_demo_data(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['DEMO']
    assert not list((tmp_path / 'DEMO').iterdir())


def test_two_at_once_do_not_disturb_each_other(tmp_path, monkeypatch, pairs):
    """A process that finishes while another is writing leaves whole files."""

    def overtaken():
        monkeypatch.setattr(demo, 'demo_pairs', lambda: pairs)
        demo.make_demo_data(tmp_path)
        return pairs

    monkeypatch.setattr(demo, 'demo_pairs', overtaken)
    demo.make_demo_data(tmp_path)
    assert len(contents(tmp_path / 'DEMO')) == 3
    assert [path.name for path in tmp_path.iterdir()] == ['DEMO']


def test_another_model_is_not_the_tiny_bert(tmp_path, small_bert, monkeypatch):
    """--model roberta on DEMO trains RoBERTa, not the tiny BERT under its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('COSENT_ROBERTA_DIR', str(small_bert))
    monkeypatch.setattr('sys.argv', ['a.py', '--task', 'DEMO', '--model', 'roberta'])
    settings = Settings(epochs=5, batch_size=32, lr=2e-5, maxlen=64, maxlen_pawsx=128)
    args = parse_args('', 'cosent', settings)
    assert (args.bert_dir, args.lr, args.maxlen) == (str(small_bert), 2e-5, demo.MAXLEN)


def test_a_short_training_ends_clearly_above_chance(run, tmp_path, monkeypatch):
    """DEMO trains from data and BERT made on the spot, and beats chance clearly."""
    monkeypatch.chdir(tmp_path)
    assert run('interact', {'task': 'DEMO', 'epochs': '1', 'device': 'cpu'}) == (0, '')
    metrics = read_json('runs/DEMO.bert.interact.seed42/metrics.json')
    assert metrics['test_accuracy'] > 0.57  # 0.66; by chance 0.5, with a deviation of 0.016

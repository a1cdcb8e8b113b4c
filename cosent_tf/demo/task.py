"""The embedded default: sentence pairs and a small BERT, made on the spot from a seed.

The pairs are in the style of PAWS (Zhang et al., 2019): a positive says one fact in two ways, a
negative says two facts in nearly the same words, because two names are swapped, a number is
changed or one of them is denied. How many characters they share tells next to nothing.

A fact is about two names, `{a}` and `{b}`. The pairs of names are dealt out to the splits, so that
train, valid and test share every name and every template, but not one sentence.
"""

import itertools
import json
import random
import re
import string
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cosent_tf.demo.templates import DOMAINS, NUMBERS, PEOPLE
from cosent_tf.readers import Pair

SEED = 42  # of data and weights; independent of the seed of a training run
LR = 1e-3  # what training takes in place of the published settings
MAXLEN = 32  # tokens a sentence
PAIRS = {'train': 12000, 'valid': 1000, 'test': 1000}
SHARES = {'train': 0.8, 'valid': 0.1, 'test': 0.1}  # of the pairs of names

BERT = {  # Google's bert_config.json, without the size of the vocabulary
    'hidden_size': 64,
    'num_hidden_layers': 2,
    'num_attention_heads': 4,
    'intermediate_size': 256,
    'hidden_act': 'gelu',
    'max_position_embeddings': 512,
    'type_vocab_size': 2,
    'hidden_dropout_prob': 0.1,
    'attention_probs_dropout_prob': 0.1,
    'initializer_range': 0.1,
}
CHECKPOINT_FILES = ['bert_model.ckpt.data-00000-of-00001', 'bert_model.ckpt.index']
BERT_FILES = ['bert_config.json', 'vocab.txt', *CHECKPOINT_FILES]


class Fact(NamedTuple):
    """What a sentence says: who did what to whom, how much, and whether it is so."""

    a: str
    b: str
    n: str
    who: str
    true: bool


def _say(template: str, fact: Fact) -> str:
    wording = re.sub(r'<(.*?)\|(.*?)>', r'\1' if fact.true else r'\2', template)
    return wording.format(**fact._asdict())


def _alter(rng: random.Random, fact: Fact, has_number: bool) -> Fact:
    """Return another fact in nearly the same words: names swapped, denied, or another number."""
    weights = (2, 1, 2 if has_number else 0)
    (change,) = rng.choices(('deny', 'swap', 'number'), weights)
    if change == 'deny':
        return fact._replace(true=not fact.true)
    if change == 'swap':
        return fact._replace(a=fact.b, b=fact.a)
    return fact._replace(n=rng.choice([n for n in NUMBERS if n != fact.n]))


def _pairs(rng: random.Random, names: list[list[tuple[str, str]]]) -> Iterator[Pair]:
    """Yield pairs for ever, none of them twice, every other one positive.

    A positive always uses two templates, a negative sometimes twice the same.

    Args:
        rng: what decides.
        names: for each domain, the pairs of names it may use.
    """
    seen = set()
    while True:
        label = len(seen) % 2
        index = rng.randrange(len(DOMAINS))
        templates = DOMAINS[index][1:]
        a, b = rng.sample(rng.choice(names[index]), 2)
        fact = Fact(a, b, rng.choice(NUMBERS), rng.choice(PEOPLE), rng.random() < 0.7)
        if label:
            (said1, said2), other = rng.sample(templates, 2), fact
        else:
            said1, said2 = rng.choices(templates, k=2)
            other = _alter(rng, fact, '{n}' in said1)
        text1, text2 = _say(said1, fact), _say(said2, other)
        if (text1, text2) not in seen and (text2, text1) not in seen:
            seen.add((text1, text2))
            yield text1, text2, label


def demo_pairs() -> dict[str, list[Pair]]:
    """Return the pairs of every split, always the same."""
    rng = random.Random(SEED)
    names = {split: [] for split in SHARES}  # for each domain, the pairs of names of the split
    for pool, *_ in DOMAINS:
        combinations = list(itertools.combinations(pool, 2))
        rng.shuffle(combinations)
        ends = [round(share * len(combinations)) for share in itertools.accumulate(SHARES.values())]
        for split, (start, end) in zip(SHARES, itertools.pairwise([0, *ends]), strict=True):
            names[split].append(combinations[start:end])
    splits = {s: list(itertools.islice(_pairs(rng, names[s]), n)) for s, n in PAIRS.items()}
    for pairs in splits.values():
        rng.shuffle(pairs)
    return splits


def _complete(folder: Path, names: list[str], write: Callable[[Path], None]) -> None:
    """Fill a folder with files that appear whole or not at all.

    `write` fills a temporary folder beside it, whose files then move over one by one. Several
    processes may do so at once, because all of them write the same.
    """
    if all((folder / name).exists() for name in names):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'{folder.name}.', dir=folder.parent) as temporary:
        write(Path(temporary))
        for name in names:
            (Path(temporary) / name).replace(folder / name)


def make_demo_data(data_dir: str | Path) -> None:
    """Write `{data_dir}/DEMO/DEMO.{train,valid,test}.data`, unless they are there."""

    def write(folder: Path) -> None:
        for split, pairs in demo_pairs().items():
            lines = [f'{text1}\t{text2}\t{label}\n' for text1, text2, label in pairs]
            (folder / f'DEMO.{split}.data').write_text(''.join(lines), encoding='utf-8')

    _complete(Path(data_dir) / 'DEMO', [f'DEMO.{split}.data' for split in PAIRS], write)


def demo_vocab() -> list[str]:
    """Return the tokens: BERT's special ones, ASCII without upper case, every character used."""
    ascii_tokens = string.digits + string.ascii_lowercase + string.punctuation
    used = {char for pairs in demo_pairs().values() for pair in pairs for char in pair[0] + pair[1]}
    chars = used.union('，。！？、；：“”（）《》').difference(ascii_tokens)
    return ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *ascii_tokens, *sorted(chars)]


def _bert_weights(config: dict) -> dict[str, np.ndarray]:
    """Return random float32 weights under the names of Google's checkpoints.

    Kernels are normal, as in BERT. What differs makes an encoder without pretraining learn soon:
    word vectors have ten times the size of the others, and positions start as small sinusoids.
    """
    rng = np.random.default_rng(SEED)
    width, inner = config['hidden_size'], config['intermediate_size']
    frequencies = 1e4 ** (-np.arange(0, width, 2) / width)  # (width / 2,)
    angles = np.arange(config['max_position_embeddings'])[:, None] * frequencies
    weights = {
        'bert/embeddings/word_embeddings': rng.normal(0, 0.2, (config['vocab_size'], width)),
        'bert/embeddings/token_type_embeddings': rng.normal(0, 0.02, (2, width)),
        'bert/embeddings/position_embeddings': 0.02 * np.hstack([np.sin(angles), np.cos(angles)]),
    }

    def add_dense(name: str, rows: int, columns: int) -> None:
        kernel = rng.normal(0, config['initializer_range'], (rows, columns))
        weights.update({f'{name}/kernel': kernel, f'{name}/bias': np.zeros(columns)})

    def add_norm(name: str) -> None:
        norm = f'{name}/LayerNorm'
        weights.update({f'{norm}/beta': np.zeros(width), f'{norm}/gamma': np.ones(width)})

    add_norm('bert/embeddings')
    for layer in range(config['num_hidden_layers']):
        prefix = f'bert/encoder/layer_{layer}'
        for name in ('query', 'key', 'value'):
            add_dense(f'{prefix}/attention/self/{name}', width, width)
        add_dense(f'{prefix}/attention/output/dense', width, width)
        add_norm(f'{prefix}/attention/output')
        add_dense(f'{prefix}/intermediate/dense', width, inner)
        add_dense(f'{prefix}/output/dense', inner, width)
        add_norm(f'{prefix}/output')
    add_dense('bert/pooler/dense', width, width)
    return {name: value.astype(np.float32) for name, value in weights.items()}


def make_demo_bert(bert_dir: str | Path) -> None:
    """Write bert_config.json, vocab.txt and bert_model.ckpt.*, unless they are there."""
    _complete(Path(bert_dir), BERT_FILES, lambda folder: write_bert(folder, demo_vocab(), BERT))


def write_bert(folder: Path, vocab: list[str], sizes: dict) -> None:
    """Write an untrained BERT as Google publishes them.

    Args:
        folder: must be there.
        vocab: the tokens.
        sizes: bert_config.json without the size of the vocabulary.
    """
    from cosent_tf.bert.compat import tf  # here: the data alone need no TensorFlow

    config = {**sizes, 'vocab_size': len(vocab)}
    (folder / 'vocab.txt').write_text('\n'.join(vocab) + '\n', encoding='utf-8')
    (folder / 'bert_config.json').write_text(json.dumps(config, indent=2) + '\n')
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for name, value in _bert_weights(config).items():
            tf.compat.v1.get_variable(name, initializer=value)
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver()
        saver.save(session, str(folder / 'bert_model.ckpt'), write_meta_graph=False)

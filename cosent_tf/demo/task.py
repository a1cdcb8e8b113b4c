"""The pairs and the tiny BERT of the task DEMO.

A sentence tells who did something and some of six details of it. The two of a pair are about one
person and one thing, and mention a detail at least in common. A positive agrees wherever both
mention a detail, a negative contradicts itself in one. How many characters they share tells little.

One word decides, whatever else is alike: what the article (kexue.fm/archives/8860) finds hard for a
cosine, which is continuous. Hard to learn, not impossible: (1, 0), (0, 1) or, if left open,
(1, 1)/√2 for each detail, multiplied out, are vectors of 64 dimensions whose cosine is 0 where
sentences contradict each other, and only there.
"""

import json
import random
import string
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cosent_tf.demo.sentences import DOMAINS, PEOPLE
from cosent_tf.files import make_folder
from cosent_tf.readers import Pair

SEED = 42  # of data and weights; independent of the seed of a training run
LR = 1e-3  # of the tiny BERT, in place of the published one
MAXLEN = 32  # tokens per sentence
COUNTS = {'train': 12000, 'valid': 1000, 'test': 1000}
FIFTHS = ('train', 'train', 'train', 'valid', 'test')  # the split of each fifth of the sentences
MENTIONED = (0.2, 0.7)  # the chance of a detail to be told, drawn for each pair
MORE_IN_NEGATIVES = 0.1  # for they share fewer characters; still more, and length would tell

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
WEIGHTS = 'bert_model.ckpt'
CHECKPOINT = ['bert_config.json', 'vocab.txt', f'{WEIGHTS}.data-00000-of-00001', f'{WEIGHTS}.index']


def _say(who: str, details: list[list[str]], values: Sequence[int], mentioned: set[int]) -> str:
    """Say who did it, with the details `mentioned`, by number; the others are left open."""
    told = (wordings[values[i] if i in mentioned else -1] for i, wordings in enumerate(details))
    return who + ''.join(told)


def _draw(rng: random.Random) -> Pair:
    """Return a random pair; its sentences need not be of one split, nor different."""
    label, who, details = rng.randrange(2), rng.choice(PEOPLE), rng.choice(DOMAINS)
    values = [rng.randrange(2) for _ in details]
    chance = rng.uniform(*MENTIONED) + (0 if label else MORE_IN_NEGATIVES)
    shared = set()
    while not shared:  # without a common detail, nothing would agree or contradict
        mentioned = [{i for i in range(len(details)) if rng.random() < chance} for _ in range(2)]
        shared = set.intersection(*mentioned)
    others = values.copy()
    if not label:
        changed = rng.choice(sorted(shared))
        others[changed] = 1 - others[changed]
    text1 = _say(who, details, values, mentioned[0])
    return text1, _say(who, details, others, mentioned[1]), label


def _split(text: str) -> str:
    """Choose by the sentence alone, so that none is in two splits."""
    return FIFTHS[zlib.crc32(text.encode()) % 5]


def demo_pairs() -> dict[str, list[Pair]]:
    """Return the pairs of every split, always the same; no sentence is in two splits."""
    rng = random.Random(SEED)
    splits = {split: [] for split in COUNTS}
    missing = {(split, label): n // 2 for split, n in COUNTS.items() for label in (0, 1)}
    seen = set()
    while any(missing.values()):
        text1, text2, label = pair = _draw(rng)
        split, sentences = _split(text1), frozenset({text1, text2})
        new = len(sentences) == 2 and sentences not in seen
        if split == _split(text2) and new and missing[split, label]:
            missing[split, label] -= 1
            seen.add(sentences)
            splits[split].append(pair)
    for pairs in splits.values():
        rng.shuffle(pairs)
    return splits


def _complete(folder: Path, names: list[str], write: Callable[[Path], None]) -> None:
    """Fill a folder, unless all files are there, with files that appear whole or not at all.

    `write` fills a temporary folder beside it, whose files then move over one by one. Several
    processes may do so at once: all write the same.
    """
    if all((folder / name).exists() for name in names):
        return
    make_folder(folder)
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

    _complete(Path(data_dir) / 'DEMO', [f'DEMO.{split}.data' for split in COUNTS], write)


def demo_vocab() -> list[str]:
    """Return the tokens: BERT's special ones, ASCII without upper case, every character used."""
    ascii_tokens = string.digits + string.ascii_lowercase + string.punctuation
    wordings = (wording for details in DOMAINS for detail in details for wording in detail)
    chars = {*''.join([*PEOPLE, *wordings]), *'，。！？、；：“”（）《》'}.difference(ascii_tokens)
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
    return {name: value.astype(np.float32) for name, value in weights.items()}


def make_demo_bert(bert_dir: str | Path) -> None:
    """Write bert_config.json, vocab.txt and bert_model.ckpt.*, unless they are there."""
    _complete(Path(bert_dir), CHECKPOINT, lambda folder: write_bert(folder, demo_vocab(), BERT))


def write_bert(folder: Path, vocab: list[str], sizes: dict) -> None:
    """Write an untrained BERT in the format of Google, without a pooler; `sizes` as in `BERT`."""
    from cosent_tf.bert.compat import tf  # here: the data alone need no TensorFlow

    config = {**sizes, 'vocab_size': len(vocab)}
    (folder / 'vocab.txt').write_text('\n'.join(vocab) + '\n', encoding='utf-8')
    (folder / 'bert_config.json').write_text(json.dumps(config, indent=2) + '\n')
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for name, value in _bert_weights(config).items():
            tf.compat.v1.get_variable(name, initializer=value)
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver()
        saver.save(session, str(folder / WEIGHTS), write_meta_graph=False)

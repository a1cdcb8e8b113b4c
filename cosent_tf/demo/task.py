"""The pairs and the tiny BERT of the task DEMO.

A sentence says who did something, with some of six details. The two of a pair are about the same
person and deed, and have at least one detail in common. Positives agree in all common details,
negatives contradict each other in one. The number of shared characters reveals little.

A single word decides, which the article (kexue.fm/archives/8860) finds hard for a cosine, as it is
continuous. It is hard, not impossible: with (1, 0), (0, 1) or, if left open, (1, 1)/√2 per detail,
the tensor product has 64 dimensions, and a cosine of 0 exactly for sentences that contradict.
"""

import json
import random
import string
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cosent_tf.files import make_folder
from cosent_tf.readers import Pair

PEOPLE = '张伟 李娜 王芳 刘洋 陈静 杨磊 赵敏 周涛 吴刚 孙丽 郑凯 何琳 马超 朱红 胡斌 林峰'.split()

# A domain's six details in the order of its sentences: value|other value|wording if left open
DOMAINS = [
    [detail.split('|') for detail in domain.split()]
    for domain in (
        '周五|周六| 上午|下午| 和朋友|和同事| 坐高铁|坐飞机| 去了北京|去了上海|去了外地 旅游|看展|',
        '今天|昨天| 在网上|在店里| 用微信|用信用卡| '
        '给爸爸|给妈妈| 买了红色的|买了白色的|买了 手机|电脑|东西',
        '月初|月底| 在柜台|在手机上| 从工资卡|从储蓄卡| '
        '给儿子|给女儿| 转了三千元|转了五千元|转了一笔 学费|房租|钱',
    )
]

SEED = 42  # for data and weights, independent of a run's seed
LR = 1e-3  # for the tiny BERT, in place of the published learning rate
MAXLEN = 32  # tokens per sentence
COUNTS = {'train': 12000, 'valid': 1000, 'test': 1000}
FIFTHS = ('train', 'train', 'train', 'valid', 'test')  # the split of each fifth of the sentences
MENTIONED = (0.2, 0.7)  # range of the probability that a detail is mentioned, drawn for each pair
MORE_IN_NEGATIVES = 0.1  # added to it: negatives share fewer characters; more would show in length

BERT = {  # bert_config.json, without vocab_size
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
    """Return a sentence with the details of the numbers `mentioned`; the others are left open."""
    said = (wordings[values[i] if i in mentioned else -1] for i, wordings in enumerate(details))
    return who + ''.join(said)


def _draw(rng: random.Random) -> Pair:
    """Return a random pair; its sentences may be equal, or belong to different splits."""
    label, who, details = rng.randrange(2), rng.choice(PEOPLE), rng.choice(DOMAINS)
    values = [rng.randrange(2) for _ in details]
    chance = rng.uniform(*MENTIONED) + (0 if label else MORE_IN_NEGATIVES)
    shared = set()
    while not shared:  # a pair needs a common detail to agree or differ in
        mentioned = [{i for i in range(len(details)) if rng.random() < chance} for _ in range(2)]
        shared = set.intersection(*mentioned)
    others = values.copy()
    if not label:
        changed = rng.choice(sorted(shared))
        others[changed] = 1 - others[changed]
    text1 = _say(who, details, values, mentioned[0])
    return text1, _say(who, details, others, mentioned[1]), label


def _split(text: str) -> str:
    """Return the split of a sentence, so that none is in two of them."""
    return FIFTHS[zlib.crc32(text.encode()) % 5]


def demo_pairs() -> dict[str, list[Pair]]:
    """Return the pairs of every split, the same on every call; no sentence is in two splits."""
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
    """Have `write` fill a folder unless all files exist; they appear whole or not at all.

    It fills a temporary folder, whose files are then moved. Several processes may do so at once, as
    all write the same.
    """
    if all((folder / name).exists() for name in names):
        return
    make_folder(folder)
    with tempfile.TemporaryDirectory(prefix=f'{folder.name}.', dir=folder.parent) as temporary:
        write(Path(temporary))
        for name in names:
            (Path(temporary) / name).replace(folder / name)


def make_demo_data(data_dir: str | Path) -> None:
    """Write `{data_dir}/DEMO/DEMO.{train,valid,test}.data` unless they exist."""

    def write(folder: Path) -> None:
        for split, pairs in demo_pairs().items():
            lines = [f'{text1}\t{text2}\t{label}\n' for text1, text2, label in pairs]
            (folder / f'DEMO.{split}.data').write_text(''.join(lines), encoding='utf-8')

    _complete(Path(data_dir) / 'DEMO', [f'DEMO.{split}.data' for split in COUNTS], write)


def demo_vocab() -> list[str]:
    """Return the tokens: BERT's special ones, lower-case ASCII, and every character used."""
    ascii_tokens = string.digits + string.ascii_lowercase + string.punctuation
    wordings = (wording for details in DOMAINS for detail in details for wording in detail)
    chars = {*''.join([*PEOPLE, *wordings]), *'，。！？、；：“”（）《》'}.difference(ascii_tokens)
    return ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *ascii_tokens, *sorted(chars)]


def _bert_weights(config: dict) -> dict[str, np.ndarray]:
    """Return random float32 weights under the names of Google's checkpoints.

    To learn quickly without pretraining, it differs from BERT: word vectors are ten times larger,
    and positions start as small sinusoids.
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
    """Write bert_config.json, vocab.txt and bert_model.ckpt.* unless they exist."""
    _complete(Path(bert_dir), CHECKPOINT, lambda folder: write_bert(folder, demo_vocab(), BERT))


def write_bert(folder: Path, vocab: list[str], sizes: dict) -> None:
    """Write an untrained BERT without pooler in Google's format; `sizes` as in `BERT`."""
    from cosent_tf.bert.compat import tf  # not at the top: the data need no TensorFlow

    config = {**sizes, 'vocab_size': len(vocab)}
    (folder / 'vocab.txt').write_text('\n'.join(vocab) + '\n', encoding='utf-8')
    (folder / 'bert_config.json').write_text(json.dumps(config, indent=2) + '\n')
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for name, value in _bert_weights(config).items():
            tf.compat.v1.get_variable(name, initializer=value)
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver()
        saver.save(session, str(folder / WEIGHTS), write_meta_graph=False)

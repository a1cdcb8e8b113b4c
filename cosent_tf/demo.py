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

SEED = 42  # of data and weights; independent of the seed of a training run
PAIRS = {'train': 12000, 'valid': 1000, 'test': 1000}
SHARES = {'train': 0.8, 'valid': 0.1, 'test': 0.1}  # of the pairs of names

CITIES = '北京 上海 广州 深圳 成都 杭州 武汉 西安 南京 重庆 长沙 青岛 厦门 昆明 沈阳 兰州'.split()
PEOPLE = '张伟 李娜 王芳 刘洋 陈静 杨磊 赵敏 周涛 吴刚 孙丽 郑凯 何琳 马超 朱红 胡斌 林峰'.split()
COUNTRIES = (
    '巴西 德国 法国 英国 日本 韩国 荷兰 泰国 印度 埃及 希腊 波兰 瑞典 越南 美国 智利'.split()
)
PLACES = '邮局 超市 医院 学校 公园 银行 书店 车站 酒店 剧院 工厂 餐厅 药店 球场 宿舍 茶馆'.split()
FRUITS = '苹果 香蕉 葡萄 西瓜 草莓 桃子 橙子 樱桃 荔枝 芒果 柚子 石榴 柠檬 椰子 杏子 李子'.split()
NUMBERS = list('三五八')  # few, so that a small encoder soon learns to compare them

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

Pair = tuple[str, str, int]  # text1, text2, label

# (names of {a} and {b}, template, template, …): the templates of a domain say the same of the same
# {a}, {b}, {n} and {who}; at <yes|no> they take the first wording to say so, the second to deny it.
DOMAINS = (
    (
        CITIES,  # air travel
        '{n}点<有|没有>从{a}飞往{b}的航班',
        '从{a}到{b}<有|没有>{n}点的飞机',
        '从{a}飞往{b}的航班<有|没有>{n}点的',
        '飞往{b}的航班<有|没有>{n}点从{a}起飞的',
    ),
    (
        CITIES,  # railway
        '从{a}到{b}坐高铁<要|不用>{n}个小时',
        '坐高铁从{a}到{b}<需要|不需要>{n}小时',
        '{a}开往{b}的高铁<要|不用>开{n}个小时',
        '去{b}的高铁从{a}出发<要|不用>开{n}小时',
    ),
    (
        CITIES,  # delivery
        '包裹从{a}寄到{b}<要|不用>{n}天',
        '从{a}寄往{b}的包裹<得走|不用走>{n}天',
        '寄往{b}的快递从{a}发出<需要|不需要>{n}天',
        '快递从{a}到{b}<需要|不需要>{n}天时间',
    ),
    (
        CITIES,  # weather
        '今天{a}<比|没有比>{b}热{n}度',
        '今天{b}<比|没有比>{a}冷{n}度',
        '{a}今天的气温<比|没有比>{b}高{n}度',
        '{b}今天的气温<比|没有比>{a}低{n}度',
    ),
    (
        CITIES,  # moving house
        '{who}{n}月<从{a}搬到了|没有从{a}搬到>{b}',
        '{n}月{who}<从{a}搬家去了|没有从{a}搬家去>{b}',
        '{who}<是|不是>{n}月从{a}搬去{b}的',
        '{who}{n}月<离开{a}搬到了|没有离开{a}搬到>{b}',
    ),
    (
        PEOPLE,  # a loan
        '{a}<借给了|没有借给>{b}{n}百块钱',
        '{a}<借了|没有借>{n}百块钱给{b}',
        '{b}<向{a}借了|没有向{a}借>{n}百块钱',
        '{b}<从{a}那里借到了|没有从{a}那里借到>{n}百块',
    ),
    (
        PEOPLE,  # bank
        '{a}在银行<给{b}转了|没有给{b}转>{n}千元',
        '{b}<收到了|没有收到>{a}转来的{n}千元',
        '{a}的账户<向{b}转出了|没有向{b}转出>{n}千元',
        '银行<把|没有把>{a}的{n}千元转给{b}',
    ),
    (
        PEOPLE,  # age
        '{a}<比|没有比>{b}大{n}岁',
        '{b}<比|没有比>{a}小{n}岁',
        '{a}的年龄<比|没有比>{b}大{n}岁',
        '论年龄{b}<比|没有比>{a}小{n}岁',
    ),
    (
        PEOPLE,  # school
        '{a}<教了|没有教>{b}{n}年数学',
        '{b}<跟{a}学了|没有跟{a}学>{n}年数学',
        '{a}<给{b}当了|没有给{b}当>{n}年数学老师',
        '{b}<上了|没有上>{n}年{a}的数学课',
    ),
    (
        PEOPLE,  # telephone
        '{n}点{a}<给{b}打了|没有给{b}打>电话',
        '{a}{n}点<打了电话|没有打电话>给{b}',
        '{b}{n}点<接到了|没有接到>{a}的电话',
        '{n}点的时候{b}<接了|没有接>{a}的电话',
    ),
    (
        COUNTRIES,  # football
        '{a}队<赢了|没有赢>{b}队{n}个球',
        '{b}队<输给了|没有输给>{a}队{n}个球',
        '{a}足球队<净胜|没有净胜>{b}队{n}球',
        '{b}足球队<输了|没有输>{a}队{n}球',
    ),
    (
        COUNTRIES,  # trade
        '{a}<向{b}出口了|没有向{b}出口>{n}万吨大米',
        '{b}<从{a}进口了|没有从{a}进口>{n}万吨大米',
        '{a}<卖给了|没有卖给>{b}{n}万吨大米',
        '{b}<买了|没有买>{a}{n}万吨大米',
    ),
    (
        PLACES,  # geography
        '{a}<在|不在>{b}以北{n}百米的地方',
        '{b}<在|不在>{a}以南{n}百米的地方',
        '从{b}往北走{n}百米<就是|不是>{a}',
        '从{a}往南走{n}百米<就是|不是>{b}',
    ),
    (
        FRUITS,  # market
        '{a}每斤<比|没有比>{b}贵{n}元',
        '{b}每斤<比|没有比>{a}便宜{n}元',
        '一斤{a}的价格<比|没有比>{b}高{n}元',
        '一斤{b}的价格<比|没有比>{a}低{n}元',
    ),
    (
        list('三四五六七八九'),  # tickets
        '{who}<买了|没有买>{a}张成人票和{b}张儿童票',
        '{who}<买了|没有买>{b}张儿童票和{a}张成人票',
        '{a}张成人票和{b}张儿童票<是|不是>{who}买的',
        '{b}张儿童票和{a}张成人票<是|不是>{who}订的',
    ),
)


class Fact(NamedTuple):
    """What a sentence says: who did what to whom, how much, and whether it is so."""

    a: str
    b: str
    n: str
    who: str
    true: bool


def _say(template: str, fact: Fact) -> str:
    """Put a fact into words."""
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

    def write(folder: Path) -> None:
        from cosent_tf.backend import tf  # here: the data alone need no TensorFlow

        vocab = demo_vocab()
        config = {**BERT, 'vocab_size': len(vocab)}
        (folder / 'vocab.txt').write_text('\n'.join(vocab) + '\n', encoding='utf-8')
        (folder / 'bert_config.json').write_text(json.dumps(config, indent=2) + '\n')
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            for name, value in _bert_weights(config).items():
                tf.compat.v1.get_variable(name, initializer=value)
            session.run(tf.compat.v1.global_variables_initializer())
            saver = tf.compat.v1.train.Saver()
            saver.save(session, str(folder / 'bert_model.ckpt'), write_meta_graph=False)

    _complete(Path(bert_dir), BERT_FILES, write)

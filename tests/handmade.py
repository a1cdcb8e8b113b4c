"""A run made by hand, with its vectors and scores from the NumPy BERT, and scripts called on it."""

import json
import sys

import h5py
import numpy as np

from tests.reference.checkpoints import random_weights, tiny_vocab
from tests.reference.hf_checkpoints import HF_CONFIG, write_hf_bert
from tests.reference.numpy_bert import bert_hidden

TEXTS = ['银行卡', '', '我' * 9, '手机号码', '', '银行卡', '人', '国中', '借贷', '花呗还借款']
PAIRS = [('银行卡', '我'), ('手机', ''), ('银行卡', '我'), ('', ''), ('我' * 9, '借贷花呗')]
CONFIG = HF_CONFIG | {'num_hidden_layers': 1}
WEIGHTS = random_weights(CONFIG, seed=5)
HEADS = {
    'cosent': {},
    'interact': {'head/kernel': (32, 2), 'head/bias': (2,)},
    'interact of three classes': {'head/kernel': (32, 3), 'head/bias': (3,)},
    'interact_cosent': {'head/kernel': (32, 1), 'head/bias': (1,)},
}
TOLERANCE = 2e-5  # float32 rounding through a layer


def write_bert_dir(folder):
    """Write what a run needs of its pretrained BERT: configuration and vocabulary, no weights."""
    write_hf_bert(folder, 'model.safetensors', CONFIG)
    (folder / 'model.safetensors').unlink()
    return folder


def write_run(folder, bert_dir, case='cosent', weights=WEIGHTS, **more):
    """Write what a run leaves of its encoder; return the weights of its head."""
    draw = np.random.default_rng(0)
    head = {name: draw.normal(size=shape) for name, shape in HEADS[case].items()}
    folder.mkdir()
    with h5py.File(folder / 'best.weights.h5', 'w') as file:
        for name, value in (weights | head).items():
            file[name] = value
    arguments = {'bert_dir': str(bert_dir), 'maxlen': 40, 'method': case.split()[0]} | more
    (folder / 'config.json').write_text(json.dumps({'arguments': arguments}), encoding='utf-8')
    return head


def reference(rows, pooling='cls'):
    """The vectors of rows of texts, "[CLS] a [SEP]" or "[CLS] a [SEP] b [SEP]", (n, D)."""
    tokens = [['[CLS]', *(token for text in row for token in [*text, '[SEP]'])] for row in rows]
    ids = np.zeros((len(tokens), max(map(len, tokens))), int)
    for row, pieces in zip(ids, tokens, strict=True):
        row[: len(pieces)] = [tiny_vocab().index(piece) for piece in pieces]
    hidden = bert_hidden(WEIGHTS, CONFIG, ids, 0 * ids, ids > 0)
    mean = hidden.sum(axis=1) / (ids > 0).sum(axis=1, keepdims=True)
    return hidden[:, 0] if pooling == 'cls' else mean


def reference_scores(case, head, pooling='cls'):
    """The scores of PAIRS by a run of a method with this head, (n,) or (n, C)."""
    if case == 'cosent':
        u, v = (unit(reference([[pair[side]] for pair in PAIRS])) for side in (0, 1))
        return (u * v).sum(axis=1)
    outputs = reference(PAIRS, pooling) @ head['head/kernel'] + head['head/bias']
    powers = np.exp(outputs)
    scores = outputs if case == 'interact_cosent' else powers / powers.sum(1, keepdims=True)
    return scores if case.endswith('classes') else scores[:, -1]


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def call(script, monkeypatch, *arguments, **flags):
    """Run a script's main with these arguments and flags."""
    for name, value in flags.items():
        arguments += (f'--{name}', value)
    monkeypatch.setattr(sys, 'argv', ['script', *map(str, arguments)])
    script.main()

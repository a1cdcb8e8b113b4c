"""A run made by hand, whose scores and vectors the NumPy BERT knows."""

import json

import h5py
import numpy as np

from tests.reference.checkpoints import random_weights
from tests.reference.hf_checkpoints import HF_CONFIG, write_hf_bert

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

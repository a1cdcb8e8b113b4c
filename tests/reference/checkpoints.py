"""Small random BERT checkpoints in Google's format, so that no test needs a download."""

import json
from pathlib import Path

import numpy as np

TINY_CONFIG = {
    'attention_probs_dropout_prob': 0.1,
    'hidden_act': 'gelu',
    'hidden_dropout_prob': 0.1,
    'hidden_size': 32,
    'initializer_range': 0.02,
    'intermediate_size': 64,
    'max_position_embeddings': 64,
    'num_attention_heads': 4,
    'num_hidden_layers': 2,
    'type_vocab_size': 2,
}

STD = 0.25  # far above the usual 0.02: a swapped, missing or misread weight shows at once

SPECIALS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
CHARACTERS = (
    '我你他她它们这那的了是不有在和去来说要会能可以想做吃喝玩看听读写走跑飞到从把被给用为'
    '什么怎多少几一二三四五六七八九十百千万今明昨天年月日时分上下左右前后里外大小高低好坏新旧'
    '人家国中北京海南东西银行卡钱款借贷花呗还信额度开通提现账号密码手机微电话付支转客服城市'
)
WORD_PIECES = ['play', 'go', 'bank', 'app', 'wifi', '##ing', '##ed', '##s', '##er', '##a', '##b']
DIGITS = [*'0123456789', *(f'##{digit}' for digit in range(10))]
PUNCTUATION = [*',.?!:;-%()，。？！：；、（）“”']


def tiny_vocab() -> list[str]:
    """Return the tokens of a small vocabulary, in the order of their ids; [PAD] is 0."""
    tokens = [*SPECIALS, *CHARACTERS, *WORD_PIECES, *DIGITS, *PUNCTUATION]
    return list(dict.fromkeys(tokens))


def write_google_bert(
    folder, config=TINY_CONFIG, vocab=None, seed=0, pooler=False
) -> dict[str, np.ndarray]:
    """Write bert_config.json, vocab.txt and bert_model.ckpt.* with every weight random.

    Args:
        folder: where to write; made if it is not there.
        config: Google's configuration; `vocab_size` is set to fit the vocabulary.
        vocab: tokens in the order of their ids; `tiny_vocab()` if None.
        seed: of the weights.
        pooler: whether there is one.

    Returns:
        The float32 weights by Google's names.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    vocab = tiny_vocab() if vocab is None else vocab
    config = {**config, 'vocab_size': len(vocab)}
    (folder / 'bert_config.json').write_text(json.dumps(config, indent=2), encoding='utf-8')
    (folder / 'vocab.txt').write_text('\n'.join(vocab) + '\n', encoding='utf-8')
    weights = random_weights(config, seed)
    if not pooler:
        weights = {name: weights[name] for name in weights if 'pooler' not in name}
    save_checkpoint(folder / 'bert_model.ckpt', weights)
    return weights


def random_weights(config, seed) -> dict[str, np.ndarray]:
    """Draw every weight, LayerNorm's and the biases too; gammas around 1, all others around 0."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(name.endswith('gamma'), STD, shape).astype(np.float32)
        for name, shape in weight_shapes(config).items()
    }


def weight_shapes(config) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight of Google's BERT, without its pre-training heads."""
    hidden, inner = config['hidden_size'], config['intermediate_size']
    shapes = {
        'bert/embeddings/word_embeddings': (config['vocab_size'], hidden),
        'bert/embeddings/position_embeddings': (config['max_position_embeddings'], hidden),
        'bert/embeddings/token_type_embeddings': (config['type_vocab_size'], hidden),
    }
    dense = {'bert/pooler/dense': (hidden, hidden)}
    norms = ['bert/embeddings/LayerNorm']
    for index in range(config['num_hidden_layers']):
        layer = f'bert/encoder/layer_{index}'
        for name in ('self/query', 'self/key', 'self/value', 'output/dense'):
            dense[f'{layer}/attention/{name}'] = (hidden, hidden)
        dense[f'{layer}/intermediate/dense'] = (hidden, inner)
        dense[f'{layer}/output/dense'] = (inner, hidden)
        norms += [f'{layer}/attention/output/LayerNorm', f'{layer}/output/LayerNorm']
    for scope, shape in dense.items():
        shapes |= {f'{scope}/kernel': shape, f'{scope}/bias': shape[1:]}
    for scope in norms:
        shapes |= {f'{scope}/gamma': (hidden,), f'{scope}/beta': (hidden,)}
    return shapes


def save_checkpoint(path, weights) -> None:
    """Write a checkpoint as TensorFlow 1 did, in a graph and session of its own."""
    from cosent_tf.bert.compat import tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        variables = [v1.get_variable(name, initializer=value) for name, value in weights.items()]
        session.run(v1.global_variables_initializer())
        v1.train.Saver(variables).save(session, str(path), write_meta_graph=False)

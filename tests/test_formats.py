"""Any BERT folder: the same encoder from each format, and nothing in its files overlooked."""

import json
import re
import shutil

import numpy as np
import pytest

from cosent_tf.bert.compat import tf
from cosent_tf.bert.pretrained import build_bert, load_bert, load_tokenizer
from cosent_tf.bert.sources import is_encoder
from cosent_tf.data import tokenize_texts
from cosent_tf.errors import UserError
from tests.helpers import ROOT, assert_close, change_json
from tests.reference.checkpoints import random_weights, save_checkpoint, tiny_vocab
from tests.reference.hf_checkpoints import HF_CONFIG, split_weights, write_hf_bert
from tests.reference.numpy_bert import bert_cls

TEXTS = ['花呗怎么还款？', '', '我' * 60, 'Playing wifi 12', '手机号码']
TOLERANCE = 2e-5  # float32 rounding through two layers


def cls_vectors(folder, texts=TEXTS):
    """The [CLS] vectors of a folder's encoder, (n, D); eager, which takes the least time."""
    rows, index = tokenize_texts(load_tokenizer(folder), texts, maxlen=64)
    token_ids = rows.padded(index)
    return load_bert(folder, maxlen=64).model([token_ids, 0 * token_ids])[:, 0].numpy()


@pytest.fixture(scope='module')
def expected(bert_dir):
    """The vectors of Google's format, which is proved against the papers elsewhere."""
    return cls_vectors(bert_dir)


@pytest.mark.parametrize(
    ('file', 'legacy'),
    [('model.safetensors', False), ('model.safetensors', True), ('tf_model.h5', False)],
)
def test_every_format_gives_the_same_vectors(file, legacy, expected, tmp_path):
    """Hugging Face's formats give the vectors of Google's; heads and buffers are ignored."""
    write_hf_bert(tmp_path, file, legacy=legacy)
    assert_close(cls_vectors(tmp_path), expected, TOLERANCE)


def test_google_checkpoints_of_a_training_load(bert_dir, expected, tmp_path):
    """A checkpoint with pre-training heads and optimizer state loads."""
    weights = random_weights(HF_CONFIG, seed=0)
    name = 'bert/encoder/layer_0/output/dense/kernel'
    more = {f'{name}/adam_m': weights[name], f'{name}/adam_v': weights[name]}
    more |= {'global_step': np.int64(7), 'cls/predictions/output_bias': np.ones(7, np.float32)}
    for file in ('bert_config.json', 'vocab.txt'):
        (tmp_path / file).write_bytes((bert_dir / file).read_bytes())
    save_checkpoint(tmp_path / 'bert_model.ckpt', weights | more)
    assert_close(cls_vectors(tmp_path), expected, TOLERANCE)


@pytest.mark.parametrize('path', ['model.ckpt-1000', '/where/it/was/trained/model.ckpt-1000'])
def test_a_checkpoint_that_tensorflow_names_loads(path, bert_dir, expected, tmp_path):
    """A folder that pre-training left, model.ckpt-1000.* and `checkpoint`, loads, also moved."""
    for file in bert_dir.iterdir():
        name = file.name.replace('bert_model.ckpt', 'model.ckpt-1000')
        (tmp_path / name).write_bytes(file.read_bytes())
    tf.compat.v1.train.update_checkpoint_state(str(tmp_path), path, [path])
    assert is_encoder(tmp_path)
    assert_close(cls_vectors(tmp_path), expected, TOLERANCE)


def test_a_checkpoint_of_keras_is_told_apart(bert_dir, expected, tmp_path, monkeypatch):
    """Keras's bert_model.ckpt is one short line that leads to docs/own-bert.md, whose way works."""
    for file in ('bert_config.json', 'vocab.txt'):
        (tmp_path / file).write_bytes((bert_dir / file).read_bytes())
    bert = load_bert(bert_dir, maxlen=64)
    bert.model.save_weights(str(tmp_path / 'bert_model.ckpt'))
    with pytest.raises(UserError, match=r'written by Keras .*docs/own-bert.md') as error:
        cls_vectors(tmp_path)
    assert len(str(error.value)) < len(str(tmp_path)) + 200
    monkeypatch.chdir(tmp_path)
    for document in ('own-bert.md', 'own-bert_zh.md'):
        text = (ROOT / 'docs' / document).read_text('utf-8')
        code = re.search(r'```python\n(named = .*?)```', text, re.DOTALL)[1]
        exec(code, {'bert': bert, 'tf': tf})
        assert_close(cls_vectors(tmp_path), expected, TOLERANCE)
        (tmp_path / 'bert_model.ckpt.index').unlink()


def test_weights_in_parts_load(expected, tmp_path):
    """model.safetensors.index.json and the parts that it names are read as one file would be."""
    write_hf_bert(tmp_path, 'model.safetensors')
    split_weights(tmp_path / 'model.safetensors')
    assert is_encoder(tmp_path)
    assert_close(cls_vectors(tmp_path), expected, TOLERANCE)


def test_vocabulary_of_transformers_5(bert_dir, tmp_path):
    """A folder with tokenizer.json and no vocab.txt, as transformers 5 writes, loads."""
    vocab = {token: number for number, token in reversed(list(enumerate(tiny_vocab())))}
    tokenizer = {'version': '1.0', 'model': {'type': 'WordPiece', 'vocab': vocab}}
    (tmp_path / 'tokenizer.json').write_text(json.dumps(tokenizer), encoding='utf-8')
    expected, found = (load_tokenizer(folder) for folder in (bert_dir, tmp_path))
    for text in TEXTS:
        assert found.encode(text) == expected.encode(text)


def test_rows_without_a_token_are_told_and_never_used(bert_dir, expected, tmp_path, capsys):
    """ERNIE 1.0's kind: vocab.txt is shorter than the table and ends in a blank line; it loads."""
    size = len(tiny_vocab())
    weights = random_weights(HF_CONFIG, seed=0)
    words = 'bert/embeddings/word_embeddings'
    weights[words] = np.vstack([weights[words], np.full((3, 32), 99, np.float32)])
    save_checkpoint(tmp_path / 'bert_model.ckpt', weights)
    for file in ('bert_config.json', 'vocab.txt'):
        (tmp_path / file).write_bytes((bert_dir / file).read_bytes())
    change_json(tmp_path / 'bert_config.json', vocab_size=size + 3)
    with (tmp_path / 'vocab.txt').open('a') as file:
        file.write('\n')
    assert_close(cls_vectors(tmp_path), expected, TOLERANCE)
    told = '3 rows of the embeddings have no token and are never used'
    assert capsys.readouterr().err.startswith(f'{tmp_path}: {told}\n')


ADDED = {  # the files that transformers has written such tokens to, over the years
    'added_tokens.json': {'[NUM]': 150, '[MASK]': 4},
    'special_tokens_map.json': {'additional_special_tokens': ['[NUM]'], 'mask_token': '[MASK]'},
    'tokenizer_config.json': {
        'added_tokens_decoder': {'4': {'content': '[MASK]'}, '150': {'content': '[NUM]'}}
    },
    'tokenizer.json': {'added_tokens': [{'id': 4, 'content': '[MASK]'}, {'content': '[NUM]'}]},
}


@pytest.mark.parametrize('file', ADDED)
def test_added_tokens_are_told(file, small_bert, tmp_path, capsys):
    """A token that transformers would find in a text, and which is plain text here, is named."""
    shutil.copytree(small_bert, tmp_path, dirs_exist_ok=True)
    (tmp_path / file).write_text(json.dumps(ADDED[file]))
    build_bert(tmp_path, maxlen=8)
    told = "added tokens are read as plain text, unlike in transformers: '[NUM]'"
    assert capsys.readouterr().err == f'{tmp_path}: {told}\n'
    (tmp_path / file).write_text('{}')  # as hfl/chinese-roberta-wwm-ext has it
    build_bert(tmp_path, maxlen=8)
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('change', [{'layer_norm_eps': 0.1}, {'hidden_act': 'gelu_new'}])
def test_the_configuration_decides_what_a_layer_computes(change, tmp_path):
    """Epsilon and activation are those of the configuration, not bert4keras's defaults."""
    config = HF_CONFIG | change
    weights = write_hf_bert(tmp_path, 'model.safetensors', config)
    ids = np.array([[tiny_vocab().index(token) for token in ('[CLS]', '我', '你', '[SEP]')]])
    wanted = bert_cls(weights, config, ids, np.zeros_like(ids), ids > 0)
    usual = bert_cls(weights, HF_CONFIG, ids, np.zeros_like(ids), ids > 0)
    assert np.abs(wanted - usual).max() > 5 * TOLERANCE * np.abs(wanted).max()
    found = cls_vectors(tmp_path, ['我你'])
    assert_close(found, wanted, TOLERANCE)

"""BERT folders that do not load: what is missing, broken or does not fit is named."""

import json
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cosent_tf.bert.pretrained import load_bert, load_tokenizer
from cosent_tf.errors import UserError
from tests.helpers import change_json
from tests.reference.checkpoints import tiny_vocab
from tests.reference.hf_checkpoints import split_weights, write_hf_bert


def load(folder):
    load_tokenizer(folder)
    load_bert(folder, maxlen=64)


def change_tensors(folder, change):
    """Rewrite model.safetensors after a change of its dict."""
    tensors = load_file(folder / 'model.safetensors')
    change(tensors)
    save_file(tensors, folder / 'model.safetensors')


def number_tokens(folder, vocab):
    """Have tokenizer.json alone give the tokens their numbers."""
    (folder / 'vocab.txt').unlink()
    tokenizer = {'model': {'type': 'WordPiece', 'vocab': vocab}}
    (folder / 'tokenizer.json').write_text(json.dumps(tokenizer), encoding='utf-8')


KEY = 'encoder.layer.1.attention.self.key'


CONFIG = 'config.json'


WRONG = {
    'missing': (
        lambda f: change_tensors(f, lambda t: t.pop(f'{KEY}.bias')),
        r'model.safetensors: bert/encoder/layer_1/attention/self/key/bias is missing',
    ),
    'surplus': (
        lambda f: change_tensors(f, lambda t: t.update({'adapter.bias': np.ones(2)})),
        r'model.safetensors: adapter.bias has no place',
    ),
    'another shape': (
        lambda f: change_tensors(f, lambda t: t.update({f'{KEY}.weight': np.ones((32, 16))})),
        rf'{KEY}.weight has shape \(16, 32\), but .* of \(32, 32\)',
    ),
    'fewer layers in the configuration': (
        lambda f: change_json(f / CONFIG, num_hidden_layers=1),
        r'encoder.layer.1.\S+ has no place in the configuration',
    ),
    'another model': (
        lambda f: change_json(f / CONFIG, model_type='roberta'),
        "model_type is 'roberta'",
    ),
    'relative positions': (
        lambda f: change_json(f / CONFIG, position_embedding_type='relative_key'),
        "position_embedding_type is 'relative_key'",
    ),
    'a decoder': (lambda f: change_json(f / CONFIG, is_decoder=True), 'is_decoder is True'),
    'another vocabulary': (
        lambda f: change_json(f / CONFIG, vocab_size=21128),
        r'word_embeddings.weight has shape .* asks for .* of \(21128, 32\)',
    ),
    'a vocabulary longer than the table': (
        lambda f: change_json(f / CONFIG, vocab_size=len(tiny_vocab()) - 1),
        f'vocab_size in the configuration is {len(tiny_vocab()) - 1}: they belong to different',
    ),
    'a number without a token': (
        lambda f: number_tokens(f, {'[PAD]': 0, 'a': 2}),
        'tokenizer.json: the vocabulary has no token, or two, with number 1',
    ),
    'numbers from 1': (
        lambda f: number_tokens(f, {'[PAD]': 1, 'a': 2}),
        'tokenizer.json: the vocabulary has no token, or two, with number 0',
    ),
    'added tokens of another form': (
        lambda f: (f / 'tokenizer.json').write_text('{"added_tokens": [1]}'),
        'not the added tokens of a tokenizer',
    ),
    'no size': (
        lambda f: change_json(f / CONFIG, num_attention_heads=None),
        'num_attention_heads must',
    ),
    'unknown activation': (
        lambda f: change_json(f / CONFIG, hidden_act='mish'),
        "hidden_act is 'mish'",
    ),
    'epsilon of a string': (
        lambda f: change_json(f / CONFIG, layer_norm_eps='1e-12'),
        'layer_norm_eps',
    ),
    'fewer positions': (
        lambda f: change_json(f / CONFIG, max_position_embeddings=63),
        '63 positions',
    ),
    'cut weights': (
        lambda f: (f / 'model.safetensors').write_bytes(b'x' * 50),
        'model.safetensors: not readable as weights',
    ),
    'no weights': (lambda f: (f / 'model.safetensors').unlink(), 'no weights there: none of'),
    'a part is gone': (
        lambda f: split_weights(f / 'model.safetensors')[1].unlink(),
        r'index.json: its part model-00002-of-00002.safetensors is missing',
    ),
    'a part of another format': (
        lambda f: change_json(
            split_weights(f / 'model.safetensors')[2], weight_map={'x': 'vocab.txt'}
        ),
        r'index.json: its part vocab.txt is missing or not a .safetensors file',
    ),
    'no parts': (
        lambda f: change_json(split_weights(f / 'model.safetensors')[2], weight_map=[]),
        r'index.json: not an index of weights: it has no weight_map',
    ),
    'the checkpoint named is gone': (
        lambda f: (
            (f / 'model.safetensors').rename(f / 'x')
            and (f / 'checkpoint').write_text('model_checkpoint_path: "model.ckpt-7"')
        ),
        r'none of bert_model.ckpt.index, model.ckpt-7.index, model.safetensors',
    ),
    'no configuration': (lambda f: (f / 'config.json').unlink(), 'nor config.json'),
    'no vocabulary': (lambda f: (f / 'vocab.txt').unlink(), 'vocab.txt: cannot be read'),
}


@pytest.mark.parametrize('case', WRONG)
def test_what_does_not_fit_is_named(case, tmp_path):
    """Files that do not fit together are a one-line error that names the part at fault."""
    breaks, message = WRONG[case]
    write_hf_bert(tmp_path, 'model.safetensors')
    breaks(tmp_path)
    with pytest.raises(UserError, match=message) as error:
        load(tmp_path)
    assert '\n' not in str(error.value)


def test_pytorch_files_without_pytorch(tmp_path, monkeypatch):
    """pytorch_model.bin without PyTorch is an error with the install command."""
    write_hf_bert(tmp_path, 'model.safetensors')
    (tmp_path / 'model.safetensors').rename(tmp_path / 'pytorch_model.bin')
    monkeypatch.setitem(sys.modules, 'torch', None)
    with pytest.raises(UserError, match=r'pytorch_model.bin: .*pip install torch'):
        load(tmp_path)

"""The same vectors as transformers and sentence-transformers: make test-peers."""

import sys

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoTokenizer, BertModel

import export
from cosent_tf.encoder import load_encoder
from cosent_tf.pretrained import load_bert
from tests.reference.checkpoints import tiny_vocab
from tests.reference.hf_checkpoints import HF_CONFIG, write_hf_bert

TOLERANCE = 1e-4
TEXTS = [
    '花呗怎么还款？',
    '',
    '我' * 90,
    'Playing，WIFI 12 a',
    '手机号码',
    'é 银行 卡',
    '花呗怎么还款？',
]
MODELS = {
    'model.safetensors': {},
    'pytorch_model.bin': {},
    'gelu_new': {'hidden_act': 'gelu_new'},
    'gelu_pytorch_tanh': {'hidden_act': 'gelu_pytorch_tanh'},
    'silu': {'hidden_act': 'silu'},
    'epsilon': {'layer_norm_eps': 0.01},
}


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize('case', MODELS)
def test_a_folder_is_the_bert_of_transformers(case, legacy, tmp_path):
    """Guards what a configuration means: names, activations, epsilon, masks of padded batches."""
    file = 'pytorch_model.bin' if case == 'pytorch_model.bin' else 'model.safetensors'
    write_hf_bert(tmp_path, file, HF_CONFIG | MODELS[case], legacy=legacy)
    draw = np.random.default_rng(0)
    mask = np.arange(64) < np.array([64, 2, 17, 33, 63])[:, None]  # (5, 64)
    token_ids = draw.integers(1, len(tiny_vocab()), mask.shape) * mask
    segment_ids = draw.integers(0, 2, mask.shape) * mask
    theirs = BertModel.from_pretrained(tmp_path, add_pooling_layer=False).eval()
    with torch.no_grad():
        expected = theirs(
            input_ids=torch.tensor(token_ids),
            attention_mask=torch.tensor(mask.astype(int)),
            token_type_ids=torch.tensor(segment_ids),
        ).last_hidden_state[:, :1]
    ours = load_bert(tmp_path, maxlen=64).model([token_ids, segment_ids])
    np.testing.assert_allclose(ours.numpy(), expected.numpy(), atol=TOLERANCE, rtol=0)


def test_a_folder_saved_by_transformers_loads(tmp_path):
    """Guards the folders of today's transformers: its names, and tokenizer.json for vocab.txt."""
    write_hf_bert(tmp_path / 'a', 'model.safetensors')
    BertModel.from_pretrained(tmp_path / 'a').save_pretrained(tmp_path / 'b')
    AutoTokenizer.from_pretrained(tmp_path / 'a').save_pretrained(tmp_path / 'b')
    expected, found = (load_encoder(tmp_path / name).encode(TEXTS) for name in 'ab')
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('change', [{}, {'hidden_act': 'gelu_new', 'layer_norm_eps': 0.01}])
def test_an_export_gives_the_same_vectors(change, tmp_path, monkeypatch):
    """Guards the folder for others: weights, tokenizer, length, pooling and normalisation."""
    write_hf_bert(tmp_path / 'bert', 'model.safetensors', HF_CONFIG | change)
    folder = tmp_path / 'export'
    command = ['export.py', str(tmp_path / 'bert'), '--to', 'hf', '--output', str(folder)]
    monkeypatch.setattr(sys, 'argv', command)
    export.main()
    expected = load_encoder(tmp_path / 'bert').encode(TEXTS)

    sentences = SentenceTransformer(str(folder), device='cpu')
    np.testing.assert_allclose(sentences.encode(TEXTS), expected, atol=TOLERANCE, rtol=0)

    model = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(TEXTS, padding=True, truncation=True, return_tensors='pt')
    with torch.no_grad():
        vectors = model(**inputs).last_hidden_state[:, 0]
    vectors = torch.nn.functional.normalize(vectors)
    np.testing.assert_allclose(vectors.numpy(), expected, atol=TOLERANCE, rtol=0)

"""The same vectors as transformers and sentence-transformers: make test-peers."""

import itertools
import json
import sys

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer, models
from transformers import AutoTokenizer, BertModel, BertTokenizer

import export
from cosent_tf.bert.pretrained import load_bert, load_tokenizer
from cosent_tf.bert.vectors import load_encoder
from cosent_tf.data import TokenRows
from tests.helpers import assert_close
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
    """Vectors equal transformers' for each activation, epsilon and padded batch."""
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
    assert_close(ours.numpy(), expected.numpy(), TOLERANCE)


def test_a_folder_saved_by_transformers_loads(tmp_path):
    """A folder that today's transformers saved loads, with tokenizer.json for vocab.txt."""
    write_hf_bert(tmp_path / 'a', 'model.safetensors')
    BertModel.from_pretrained(tmp_path / 'a').save_pretrained(tmp_path / 'b')
    AutoTokenizer.from_pretrained(tmp_path / 'a').save_pretrained(tmp_path / 'b')
    expected, found = (load_encoder(tmp_path / name).encode(TEXTS) for name in 'ab')
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('change', [{}, {'hidden_act': 'gelu_new', 'layer_norm_eps': 0.01}])
def test_an_export_gives_the_same_vectors(change, tmp_path, monkeypatch):
    """An exported folder gives the same vectors and tokens in transformers."""
    write_hf_bert(tmp_path / 'bert', 'model.safetensors', HF_CONFIG | change)
    folder = tmp_path / 'export'
    command = ['export.py', str(tmp_path / 'bert'), '--to', 'hf', '--output', str(folder)]
    monkeypatch.setattr(sys, 'argv', command)
    export.main()
    expected = load_encoder(tmp_path / 'bert').encode(TEXTS)

    sentences = SentenceTransformer(str(folder), device='cpu')
    assert_close(sentences.encode(TEXTS), expected, TOLERANCE)

    model = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(TEXTS, padding=True, truncation=True, return_tensors='pt')
    with torch.no_grad():
        vectors = model(**inputs).last_hidden_state[:, 0]
    vectors = torch.nn.functional.normalize(vectors)
    assert_close(vectors.numpy(), expected, TOLERANCE)


def save_folder(folder, pooling, normalize, tokenizer):
    """Write a tiny encoder as sentence-transformers saves it, with these tokenizer settings."""
    bert = folder.with_name(f'{folder.name}-bert')
    write_hf_bert(bert, 'model.safetensors')
    (bert / 'tokenizer_config.json').write_text(json.dumps(tokenizer), encoding='utf-8')
    parts = [models.Transformer(str(bert), max_seq_length=40), models.Pooling(32, pooling)]
    SentenceTransformer(modules=parts + [models.Normalize()] * normalize, device='cpu').save(
        str(folder)
    )
    return SentenceTransformer(str(folder), device='cpu')


FOLDERS = {
    'mean': ('mean', False, {}),
    'cls': ('cls', True, {}),
    'cased': ('mean', True, {'do_lower_case': False}),
}


@pytest.mark.parametrize('case', FOLDERS)
def test_a_folder_is_used_as_sentence_transformers_uses_it(case, tmp_path, monkeypatch):
    """Folders of sentence-transformers and exports of them give the same vectors."""
    theirs = save_folder(tmp_path / 'st', *FOLDERS[case])
    expected = theirs.encode(TEXTS)
    ours = load_encoder(tmp_path / 'st').encode(TEXTS, normalize=FOLDERS[case][1])
    assert_close(ours, expected, TOLERANCE)

    folder = str(tmp_path / 'export')
    command = ['export.py', str(tmp_path / 'st'), '--to', 'hf', '--output', folder]
    monkeypatch.setattr(sys, 'argv', command)
    export.main()
    exported = SentenceTransformer(folder, device='cpu').encode(TEXTS)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert_close(exported, expected, TOLERANCE)


STRANGE = [
    'ÀÉÎ Çöü ÅÑ café naïve Ｃａｆｅ İstanbul straße',
    '我Playing，GO1bank们 东北 手机app2.0…',
    '한국어 カタカナ が ぎ \u0301e\u0301 ﬁ ㍿ ①②',
    '\ta\x00b\ufffdc\u200bd\u3000e\u2028f\x85g 👍🏽 ❤️ \ufe0f',
    "don't [x] ##ing $5 a_b ~^` “q” — ·",
    '𠀀 㐀 﨎 豈 々 〇 ㄅ',
]


@pytest.mark.parametrize(
    ('lower', 'strip', 'chinese'),
    list(itertools.product([True, False], [None, True, False], [True, False])),
)
def test_tokens_are_those_of_transformers(lower, strip, chinese, tmp_path):
    """Every combination of tokenizer settings gives transformers' tokens."""
    pieces = sorted({char for text in STRANGE + TEXTS for char in text if char.isprintable()})
    vocab = list(dict.fromkeys([*tiny_vocab(), *'abcdefghijklmnopqrstuvwxyz', *pieces]))
    vocab = [token for token in vocab if token.strip()]
    vocab += [f'##{token}' for token in vocab if len(token) == 1 and f'##{token}' not in vocab]
    (tmp_path / 'vocab.txt').write_text('\n'.join(vocab) + '\n', encoding='utf-8')
    config = {'do_lower_case': lower, 'strip_accents': strip, 'tokenize_chinese_chars': chinese}
    (tmp_path / 'tokenizer_config.json').write_text(json.dumps(config), encoding='utf-8')
    ours, theirs = load_tokenizer(tmp_path), BertTokenizer.from_pretrained(tmp_path)
    for text in STRANGE + TEXTS:
        assert ours.encode(text)[0] == theirs(text)['input_ids'], text


@pytest.mark.parametrize('pooling', ['pooler', 'pooler_linear'])
def test_a_pooler_is_a_dense_module(pooling, tmp_path, monkeypatch):
    """SimCSE's and SimBERT's vectors, dense and tanh or dense alone, leave as they were."""
    write_hf_bert(tmp_path / 'bert', 'model.safetensors')
    folder, flags = str(tmp_path / 'exported'), ['--to', 'hf', '--pooling', pooling]
    how = [str(tmp_path / 'bert'), *flags, '--output', folder, '--maxlen', '40']
    monkeypatch.setattr(sys, 'argv', ['export', *how])
    export.main()
    expected = load_encoder(tmp_path / 'bert', pooling, 40).encode(TEXTS)
    exported = SentenceTransformer(folder, device='cpu').encode(TEXTS)
    assert_close(exported, expected, TOLERANCE)
    pooled = BertModel.from_pretrained(folder).eval()(torch.tensor([[2, 30, 3]])).pooler_output
    ours = load_encoder(folder, 'pooler', 40).encode_rows(TokenRows([[2, 30, 3]]))
    assert_close(ours, pooled.detach().numpy(), TOLERANCE)

"""Exports in their own runtimes, ONNX Runtime and transformers: the numbers of the run."""

import json
import re
import sys

import numpy as np
import onnxruntime
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import export
from cosent_tf.bert.pretrained import load_tokenizer
from cosent_tf.bert.scoring import load_scorer
from cosent_tf.bert.vectors import load_encoder
from cosent_tf.data import tokenize_pairs, tokenize_texts
from tests.handmade import PAIRS, TEXTS, write_run
from tests.helpers import ROOT, assert_close
from tests.reference.checkpoints import random_weights, tiny_vocab
from tests.reference.hf_checkpoints import HF_CONFIG, write_hf_bert

TOLERANCE = 1e-4
WEIGHTS = random_weights(HF_CONFIG, seed=5)  # of two layers
LONG = [('我你他' * 20, '银行卡'), ('花呗', '人家国中' * 15), ('我你' * 15, '他她' * 15)]


def exported(run, to, tmp_path, monkeypatch):
    folder = tmp_path / f'{run.name}-{to}'
    monkeypatch.setattr(sys, 'argv', ['export', str(run), '--to', to, '--output', str(folder)])
    export.main()
    return folder


def run_onnx(folder, rows):
    session = onnxruntime.InferenceSession(folder / 'model.onnx')
    return session.run(None, {'token_ids': rows.padded(np.arange(len(rows))).astype(np.int64)})[0]


@pytest.mark.parametrize('pooling', ['cls', 'mean'])
@pytest.mark.parametrize('activation', ['gelu', 'gelu_new', 'relu', 'silu'])
def test_onnx_gives_the_vectors_of_the_encoder(pooling, activation, tmp_path, monkeypatch):
    """The ONNX file gives the run's vectors: padding, lengths, a [PAD] within a row."""
    config = HF_CONFIG | {'hidden_act': activation, 'layer_norm_eps': 0.01}
    write_hf_bert(tmp_path / 'bert', 'model.safetensors', config)
    write_run(tmp_path / 'run', tmp_path / 'bert', weights=WEIGHTS, pooling=pooling)
    encoder = load_encoder(tmp_path / 'run')
    rows = tokenize_texts(encoder.tokenizer, [*TEXTS, '我' * 90], 40).rows
    rows.ids[2] = 0
    expected = encoder.encode_rows(rows)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = run_onnx(exported(tmp_path / 'run', 'onnx', tmp_path, monkeypatch), rows)
    assert_close(found, expected, TOLERANCE)


@pytest.mark.parametrize('case', ['interact', 'interact of three classes', 'interact_cosent'])
def test_a_joint_model_gives_the_scores_of_the_run(case, tmp_path, monkeypatch):
    """Each export of a joint run gives its scores, with segment ids 0 in transformers too."""
    write_hf_bert(tmp_path / 'bert', 'model.safetensors')
    write_run(tmp_path / 'run', tmp_path / 'bert', case, WEIGHTS)
    pairs = [*PAIRS, *LONG]
    expected = load_scorer(tmp_path / 'run')(pairs)
    rows, index = tokenize_pairs(load_tokenizer(tmp_path / 'bert'), pairs, 40)
    found = run_onnx(exported(tmp_path / 'run', 'onnx', tmp_path, monkeypatch), rows)
    assert_close(found[index], expected, TOLERANCE)
    tokenizer = Tokenizer.from_file(str(tmp_path / 'run-onnx' / 'tokenizer.json'))
    ids = np.array([row.ids for row in tokenizer.encode_batch(pairs)])
    padded = rows.padded(np.arange(len(rows)))[index]
    np.testing.assert_array_equal(ids, padded[:, : ids.shape[1]])

    folder = exported(tmp_path / 'run', 'hf', tmp_path, monkeypatch)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [[pair[side] for pair in pairs] for side in (0, 1)]
    inputs = tokenizer(*texts, padding=True, truncation=True, return_tensors='pt')
    with torch.no_grad():
        logits = model(**inputs).logits
    scores = logits if case == 'interact_cosent' else logits.softmax(dim=1)
    scores = scores if case.endswith('classes') else scores[:, -1]
    assert_close(scores.numpy(), expected, TOLERANCE)


@pytest.mark.parametrize('case', ['interact', 'interact_cosent'])
def test_a_joint_model_is_not_broken_by_half_precision_or_a_first_step(case, tmp_path, monkeypatch):
    """Scores in bf16 differ by rounding, and a step of the head changes none by over 0.005."""
    write_hf_bert(tmp_path / 'bert', 'model.safetensors')
    write_run(tmp_path / 'run', tmp_path / 'bert', case, WEIGHTS)
    folder = exported(tmp_path / 'run', 'hf', tmp_path, monkeypatch)
    ids = torch.arange(10, 20).reshape(2, 5)

    def logits(model):
        with torch.no_grad():
            return model.eval()(ids).logits.float()

    model = AutoModelForSequenceClassification.from_pretrained(folder)
    before = logits(model)
    named = model.named_parameters()
    head = [weight for name, weight in named if not re.search('embeddings|encoder', name)]
    optimizer = torch.optim.Adam(head, lr=2e-5)  # as published
    model.train()(ids).logits.sum(dim=0)[-1].backward()
    optimizer.step()
    step = (logits(model) - before).abs().max()
    # of 32 features of size 1, each weight moves by 2e-5, in two units of the head
    assert 1e-5 < step < 0.005
    half = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.bfloat16)
    assert (logits(half) - before).abs().max() < 2**-8 * 8 * before.abs().max()


STRANGE = [
    '花呗怎么还款？',
    '',
    '我' * 90,
    'Playing，WIFI é 12',
    '[SEP] [CLS]a',
    'a' * 150,
    'b' * 201,
]


@pytest.mark.parametrize('settings', [{}, {'do_lower_case': False, 'strip_accents': True}])
@pytest.mark.parametrize('page', ['docs/vectors.md', 'docs/vectors_zh.md'])
def test_the_documented_script_needs_the_folder_alone(page, settings, tmp_path, monkeypatch):
    """From text to vectors and a decision by onnxruntime and tokenizers, as the run has them."""
    write_hf_bert(tmp_path / 'bert', 'model.safetensors')
    (tmp_path / 'bert' / 'tokenizer_config.json').write_text(json.dumps(settings))
    write_run(tmp_path / 'run', tmp_path / 'bert', weights=WEIGHTS)
    (tmp_path / 'run' / 'metrics.json').write_text('{"threshold": 0.25, "class_weights": null}')
    folder = exported(tmp_path / 'run', 'onnx', tmp_path, monkeypatch)
    expected = load_encoder(tmp_path / 'run').encode(STRANGE)
    for name in ('run', 'bert'):
        (tmp_path / name).rename(tmp_path / f'no {name}')
    blocks = re.findall(r'```python\n(.*?)```', (ROOT / page).read_text('utf-8'), re.DOTALL)
    [script] = [block for block in blocks if 'from tokenizers' in block]
    script = script.replace("'exported/bq-onnx'", repr(str(folder)))
    script = re.sub(r'^texts = .*$', f'texts = {STRANGE!r}', script, flags=re.MULTILINE)
    found = {}
    exec(script, found)
    assert found['threshold'] == 0.25
    assert_close(found['vectors'], expected, TOLERANCE)
    card = (folder / 'README.md').read_text('utf-8')
    assert 'score > 0.25' in card and 'tokenizer.json' in card
    assert (folder / 'vocab.txt').read_text('utf-8').split() == tiny_vocab()

"""Exports in their own runtimes, ONNX Runtime and transformers: the numbers of the run."""

import sys

import numpy as np
import onnxruntime
import pytest
import torch
from transformers import AutoTokenizer, BertForSequenceClassification

import export
from cosent_tf.bert.pretrained import load_tokenizer
from cosent_tf.bert.scoring import load_scorer
from cosent_tf.bert.vectors import load_encoder
from cosent_tf.data import tokenize_pairs, tokenize_texts
from tests.handmade import PAIRS, TEXTS, write_run
from tests.reference.checkpoints import random_weights
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
    [path] = folder.iterdir()
    session = onnxruntime.InferenceSession(path)
    return session.run(None, {'token_ids': rows.padded(np.arange(len(rows))).astype(np.int64)})[0]


@pytest.mark.parametrize('pooling', ['cls', 'mean'])
@pytest.mark.parametrize('activation', ['gelu', 'gelu_new', 'relu', 'silu'])
def test_onnx_gives_the_vectors_of_the_encoder(pooling, activation, tmp_path, monkeypatch):
    """Guards a graph written by hand: every node, padding, lengths, a [PAD] within a row."""
    config = HF_CONFIG | {'hidden_act': activation, 'layer_norm_eps': 0.01}
    write_hf_bert(tmp_path / 'bert', 'model.safetensors', config)
    write_run(tmp_path / 'run', tmp_path / 'bert', weights=WEIGHTS, pooling=pooling)
    encoder = load_encoder(tmp_path / 'run')
    rows = tokenize_texts(encoder.tokenizer, [*TEXTS, '我' * 90], 40).rows
    rows.ids[2] = 0
    expected = encoder.encode_rows(rows)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = run_onnx(exported(tmp_path / 'run', 'onnx', tmp_path, monkeypatch), rows)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize('case', ['interact', 'interact of three classes', 'interact_cosent'])
def test_a_joint_model_gives_the_scores_of_the_run(case, tmp_path, monkeypatch):
    """Guards the score that the threshold belongs to; segment ids 0, also for transformers."""
    write_hf_bert(tmp_path / 'bert', 'model.safetensors')
    write_run(tmp_path / 'run', tmp_path / 'bert', case, WEIGHTS)
    pairs = [*PAIRS, *LONG]
    expected = load_scorer(tmp_path / 'run')(pairs)
    rows, index = tokenize_pairs(load_tokenizer(tmp_path / 'bert'), pairs, 40)
    found = run_onnx(exported(tmp_path / 'run', 'onnx', tmp_path, monkeypatch), rows)
    np.testing.assert_allclose(found[index], expected, atol=TOLERANCE, rtol=0)

    folder = exported(tmp_path / 'run', 'hf', tmp_path, monkeypatch)
    model = BertForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [[pair[side] for pair in pairs] for side in (0, 1)]
    inputs = tokenizer(*texts, padding=True, truncation=True, return_tensors='pt')
    with torch.no_grad():
        logits = model(**inputs).logits
    scores = logits if case == 'interact_cosent' else logits.softmax(dim=1)
    scores = scores if case.endswith('classes') else scores[:, -1]
    np.testing.assert_allclose(scores.numpy(), expected, atol=TOLERANCE, rtol=0)

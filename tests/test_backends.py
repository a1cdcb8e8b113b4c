"""OpenVINO instead of TensorFlow: the same vectors and scores of the same runs."""

import sys

import numpy as np
import openvino
import pytest

import encode
from cosent_tf import load_encoder, load_scorer
from cosent_tf.bert import backends
from cosent_tf.errors import UserError
from tests.handmade import PAIRS, TEXTS, write_run
from tests.helpers import assert_close
from tests.reference.checkpoints import random_weights
from tests.reference.hf_checkpoints import HF_CONFIG, write_hf_bert

TOLERANCE = 2e-5  # float32 rounding through two layers
WEIGHTS = random_weights(HF_CONFIG, seed=5)  # of two layers
LONG = ['我' * 90, '银行卡' * 5]  # the first is cut


@pytest.fixture
def make_run(tmp_path):
    def make(case='cosent', config=HF_CONFIG, **more):
        write_hf_bert(tmp_path / 'bert', 'model.safetensors', config)
        write_run(tmp_path / 'run', tmp_path / 'bert', case, WEIGHTS, **more)
        return tmp_path / 'run'

    return make


@pytest.mark.parametrize(
    ('pooling', 'activation'),
    [('cls', 'gelu'), pytest.param('mean', 'silu', marks=pytest.mark.weekly)],
)
def test_vectors_are_those_of_tensorflow(pooling, activation, make_run, monkeypatch):
    """OpenVINO gives TensorFlow's vectors, in order, with padding and over many batches."""
    monkeypatch.setattr(backends, 'OPENVINO_TOKENS', 12)
    run = make_run(config=HF_CONFIG | {'hidden_act': activation}, pooling=pooling)
    ours, theirs = (load_encoder(run, backend=backend) for backend in backends.BACKENDS)
    for normalize in (True, False):
        vectors = [encoder.encode([*TEXTS, *LONG], normalize) for encoder in (ours, theirs)]
        assert_close(*vectors, TOLERANCE)
    assert theirs.encode([]).shape == (0, 32)


@pytest.mark.parametrize(
    'case',
    [
        'interact of three classes',
        pytest.param('cosent', marks=pytest.mark.weekly),
        pytest.param('interact_cosent', marks=pytest.mark.weekly),
    ],
)
def test_scores_are_those_of_tensorflow(case, make_run, monkeypatch):
    """OpenVINO gives the scores of the run, without any call of TensorFlow's encoder."""
    run = make_run(case)
    pairs = [*PAIRS, tuple(LONG), tuple(LONG[::-1])]
    expected = load_scorer(run)(pairs)
    monkeypatch.setattr(backends, 'RowEncoder', None)
    scores = load_scorer(run, backend='openvino')(pairs)
    assert_close(scores, expected, TOLERANCE)


def test_encode_computes_with_it_when_asked(make_run, tmp_path, monkeypatch):
    """encode.py --backend openvino encodes without any call of TensorFlow's encoder."""
    run, texts, output = make_run(), tmp_path / 'texts.txt', tmp_path / 'vectors.npy'
    texts.write_text(''.join(f'{text}\n' for text in TEXTS), encoding='utf-8')
    expected = load_encoder(run, backend='openvino').encode(TEXTS)
    monkeypatch.setattr(backends, 'RowEncoder', None)
    flags = f'--run {run} --input {texts} --output {output} --backend openvino'
    monkeypatch.setattr(sys, 'argv', ['encode.py', *flags.split()])
    encode.main()
    np.testing.assert_array_equal(np.load(output), expected)


def test_bf16_vectors_are_near_those_of_fp32(make_run):
    """Asked for bf16, OpenVINO computes in it, and every vector keeps its direction to 1e-3."""
    if 'BF16' not in openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
        pytest.skip('this processor has no bf16')
    run = make_run()
    expected = load_encoder(run).encode(TEXTS)
    vectors = load_encoder(run, precision='bf16', backend='openvino').encode(TEXTS)
    assert np.sum(vectors * expected, axis=1).min() > 1 - 1e-3  # cosines
    assert np.abs(vectors - expected).max() > 1e-5


def test_bf16_scores_of_interact_are_near_those_of_fp32(make_run):
    """A probability of an Interact run is off by 0.01 at most, and not the one of fp32."""
    if 'BF16' not in openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
        pytest.skip('this processor has no bf16')
    run = make_run('interact')
    expected = load_scorer(run)(PAIRS)
    scores = load_scorer(run, precision='bf16', backend='openvino')(PAIRS)
    assert 1e-5 < np.abs(scores - expected).max() < 0.01


class CoreWithoutBF16:
    """openvino.Core on a processor that has no bf16."""

    def get_property(self, device, name):
        assert (device, name) == ('CPU', 'OPTIMIZATION_CAPABILITIES')
        return ['FP32', 'INT8', 'BIN']


@pytest.mark.parametrize('load', [load_encoder, load_scorer])
def test_what_a_backend_cannot_do_is_an_error_before_anything_is_loaded(load, monkeypatch):
    """Unknown names, fp16, bf16 on a processor without it, and a package that is missing end in one
    line, although the model is not there either."""
    with pytest.raises(ValueError, match="tensorflow or openvino, not 'onnx'"):
        load('nowhere', backend='onnx')
    with pytest.raises(UserError, match='openvino computes in fp32 or bf16'):
        load('nowhere', precision='fp16', backend='openvino')
    monkeypatch.setattr(openvino, 'Core', CoreWithoutBF16)
    with pytest.raises(UserError, match='this processor has no bf16: use fp32'):
        load('nowhere', precision='bf16', backend='openvino')
    monkeypatch.setitem(sys.modules, 'openvino', None)
    with pytest.raises(UserError, match='pip install openvino onnx'):
        load('nowhere', backend='openvino')

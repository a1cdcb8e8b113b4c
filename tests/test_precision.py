"""The precision that an encoder computes in, and what half precision must not round."""

import numpy as np
import pytest

from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.pretrained import load_bert, named_weights
from cosent_tf.bert.vectors import PooledVector, load_encoder
from tests.helpers import assert_close, losses


def test_loading_computes_in_float32_whatever_the_process_does(small_bert):
    """A loaded encoder computes in float32 in a process whose policy is bfloat16."""
    keras.mixed_precision.set_global_policy('mixed_bfloat16')
    [*_, layer] = load_encoder(small_bert).model.layers
    assert {part.compute_dtype for part in (layer, *layer.bert.layers)} == {'float32'}
    assert keras.mixed_precision.global_policy().name == 'mixed_bfloat16'


def test_an_encoder_computes_in_the_precision_asked_for(small_bert):
    """precision='bf16' gives float32 vectors within 1e-2 of fp32's, but not equal ones."""
    texts = ['明天会下雨吗', '今天天气怎么样', '']
    vectors = {
        name: load_encoder(small_bert, precision=name).encode(texts) for name in ('fp32', 'bf16')
    }
    assert vectors['bf16'].dtype == np.float32
    difference = np.abs(vectors['bf16'] - vectors['fp32'])
    assert 0 < difference.max() < 1e-2  # of vectors of length 1, in numbers of 8 bits
    with pytest.raises(ValueError, match='fp32, bf16, fp16'):
        load_encoder(small_bert, precision='bfloat16')


def test_half_precision_rounds_no_sum(small_bert):
    """In bf16, residual sums and embeddings are added up in float32."""
    [*_, layer] = load_encoder(small_bert, precision='bf16').model.layers
    computed = {part.name: part.compute_dtype for part in layer.bert.layers}
    sums = {dtype for name, dtype in computed.items() if name.endswith(('-Add', '-Position'))}
    assert sums == {'float32'}
    assert 'bfloat16' in computed.values()


def test_half_precision_takes_large_activations(bert_dir):
    """In fp16, activations of 10,000 do not overflow in layer normalisation."""
    ids = tf.constant(np.random.default_rng(0).integers(5, 90, (3, 30)), tf.int32)
    vectors = []
    for policy in ('float32', 'mixed_float16'):
        keras.mixed_precision.set_global_policy(policy)
        bert = load_bert(bert_dir, maxlen=32)
        for name, weight in named_weights(bert).items():
            if 'embeddings' in name and 'LayerNorm' not in name:
                weight.assign(1e4 * weight)
        vectors.append(PooledVector(bert)(ids))
    assert_close(*vectors, rtol=0.02)  # half precision has 11 bits


@pytest.mark.weekly
def test_losses_in_bf16_are_those_of_fp32_within_its_own_noise(short, run, tmp_path):
    """Over 200 steps the losses of a training in bf16 stray from those in fp32 no further than two
    trainings in bf16 stray from each other that only add up in another order."""
    found = {}
    for name, more in {
        'fp32': [],
        'bf16': ['--precision', 'bf16'],
        'padded': ['--precision', 'bf16', '--keep_padding'],
    }.items():
        flags = short | {'epochs': '40', 'lr': '1e-4', 'runs_dir': str(tmp_path / name)}
        assert run('cosent', flags, *more) == (0, '')
        found[name] = np.array(losses(tmp_path / name / 'TOY.bert.cosent.seed42'))
    assert found['fp32'].shape == (200,)
    assert found['fp32'][-5:].mean() < 0.5 * found['fp32'][:5].mean()
    noise = np.abs(found['bf16'] - found['padded']).mean()
    assert np.abs(found['bf16'] - found['fp32']).mean() < 2 * noise

"""Processes that fork, as web servers and multiprocessing do, and a service that allows for it."""

import os
import runpy
import signal

import pytest
from fastapi.testclient import TestClient

from cosent_tf import load_encoder, load_scorer
from cosent_tf.bert.backends import BACKENDS
from cosent_tf.errors import UserError
from tests.handmade import PAIRS, TEXTS, write_run
from tests.helpers import ROOT, assert_close
from tests.reference.checkpoints import random_weights
from tests.reference.hf_checkpoints import HF_CONFIG, write_hf_bert


def in_fork(use):
    """Return what a function's UserError says in a fork of this process, '' if it hangs."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(20)
            use()
        except UserError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding='utf-8') as told:
        text = told.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.parametrize('backend', BACKENDS)
def test_a_fork_with_an_encoder_ends_in_one_line(backend, small_bert, tmp_path):
    """What would hang for ever in a worker says to load the encoder there: to encode, to score by
    cosine or by Interact, and to load another one."""
    write_hf_bert(tmp_path / 'bert', 'model.safetensors')
    write_run(tmp_path / 'run', tmp_path / 'bert', 'interact', random_weights(HF_CONFIG, seed=5))
    encoder = load_encoder(small_bert, backend=backend)
    cosine, joint = (load_scorer(name, backend=backend) for name in (small_bert, tmp_path / 'run'))
    for use in (
        lambda: encoder.encode(TEXTS),
        lambda: cosine(PAIRS),
        lambda: joint(PAIRS),
        lambda: load_encoder(small_bert, backend=backend),
        lambda: load_scorer(tmp_path / 'run', backend=backend),
    ):
        told = in_fork(use)
        assert 'forked after an encoder had been loaded' in told and '\n' not in told
        assert 'load the encoder in the worker' in told
    assert encoder.encode(TEXTS).shape == (len(TEXTS), 32)  # this process goes on


def test_the_service_loads_when_a_worker_starts(small_bert, monkeypatch):
    """Importing the application loads nothing, so a server may do it before the fork; then vectors
    and scores are those of Python, and what is no list of texts is refused."""
    monkeypatch.setenv('COSENT_RUN', str(small_bert))
    app = runpy.run_path(str(ROOT / 'examples/http_service.py'))['app']
    assert not hasattr(app.state, 'encoder')
    with TestClient(app) as client:
        vectors = client.post('/vectors', json=TEXTS).json()
        expected = load_encoder(small_bert).encode(TEXTS)
        assert_close(vectors, expected, rtol=1e-5)  # floats as text
        scores = client.post('/scores', json=PAIRS).json()
        # of float32 vectors of unit length, whose products are rounded once more
        assert_close(scores, load_scorer(small_bert)(PAIRS), rtol=1e-5)
        assert client.post('/vectors', json=[]).json() == []
        for wrong in ('one text', [1], ['text'] * 1001):
            assert client.post('/vectors', json=wrong).status_code == 422

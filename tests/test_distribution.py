"""Several devices and several processes: the run of one device, to 1e-4."""

import json
import os
import socket
import subprocess
import sys

import pytest

from cosent_tf.bert.compat import tf
from cosent_tf.distribution import distribute
from cosent_tf.predictions import read_predictions
from tests.helpers import ROOT, assert_close, command, losses, run_code

# 23 of 70 pairs a step: parts of 12 and 11, and in the last step of 1 and 0.
UNEVEN = {'batch_size': '23', 'epochs': '2'}


def start(arguments, **environment):
    """Start a script as a process that finds tests/distributed.py's two devices."""
    return subprocess.Popen(
        [sys.executable, 'tests/distributed.py', *arguments],
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': str(ROOT)} | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def check_equal(folder, other):
    assert len(losses(folder)) == 8
    assert_close(losses(folder), losses(other), rtol=1e-4)
    for split in ('valid', 'test'):
        one, two = (read_predictions(f / f'predictions.{split}.tsv') for f in (folder, other))
        assert_close(one.scores, two.scores, rtol=1e-4)
        assert one.texts == two.texts


@pytest.mark.weekly
def test_two_devices_give_the_run_of_one(short, run, tmp_path):
    """Two devices, with --micro_batch too, give the losses and scores of one."""
    processes = {}
    for part, more in {'all': (), '11': ('--micro_batch', '11')}.items():  # 12 are two chunks
        flags = short | UNEVEN | {'runs_dir': str(tmp_path / part)}
        processes[part] = start(command('sbert', flags, '--strategy', 'mirrored', *more))
    assert run('sbert', short | UNEVEN) == (0, '')
    name = 'TOY.bert.sbert.seed42'
    for part, process in processes.items():
        _, err = process.communicate()
        assert process.returncode == 0, err
        check_equal(tmp_path / name, tmp_path / part / name)


@pytest.mark.weekly
def test_two_processes_give_the_run_of_one_and_one_of_them_writes(short, run, tmp_path):
    """Two processes give the losses and scores of one, and only the first writes."""
    processes = start_workers(short, tmp_path)
    assert run('cosent', short | UNEVEN) == (0, '')
    for process in processes:
        _, err = process.communicate()
        assert process.returncode == 0, err
    name = 'TOY.bert.cosent.seed42'
    check_equal(tmp_path / name, tmp_path / '0' / name)
    assert not (tmp_path / '1').exists()
    return_codes = [process.wait() for process in start_workers(short, tmp_path, '--resume')]
    assert return_codes == [0, 0]  # a finished run, for every one of them


def start_workers(short, tmp_path, *more):
    workers = [f'127.0.0.1:{port}' for port in free_ports(2)]
    processes = []
    for index in range(2):
        task = {'cluster': {'worker': workers}, 'task': {'type': 'worker', 'index': index}}
        flags = short | UNEVEN | {'runs_dir': str(tmp_path / str(index))}
        arguments = command('cosent', flags, '--strategy', 'multiworker', *more)
        processes.append(start(arguments, TF_CONFIG=json.dumps(task)))
    return processes


def free_ports(count):
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def test_no_iterator_waits_for_tuning():
    """Iterators have tf.data's tuner switched off, which delays their end by seconds."""
    numbers = distribute(lambda parts, own: iter([1]), tf.TensorSpec((), tf.int32))
    assert numbers.options().autotune.enabled is False
    assert list(numbers.as_numpy_iterator()) == [1]


def test_multiworker_without_a_cluster_is_refused(short, run, monkeypatch):
    """--strategy multiworker without TF_CONFIG is an error of one line."""
    monkeypatch.delenv('TF_CONFIG', raising=False)
    code, message = run('cosent', short, '--strategy', 'multiworker')
    assert code == 2 and 'TF_CONFIG' in message and message.count('\n') == 1


SEVERAL_DEVICES = """
import gc, weakref
import numpy as np
from cosent_tf import load_encoder
from cosent_tf.bert import rows
from cosent_tf.bert.compat import tf
from cosent_tf.data import tokenize_texts

[cpu] = tf.config.list_physical_devices('CPU')
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
texts = ['银行卡' * n for n in range(9)]
expected = load_encoder({bert_dir!r}).encode(texts, normalize=False)
strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
tf.distribute.experimental_set_strategy(strategy)
rows.TOKENS_PER_BATCH = 60
encoder = load_encoder({bert_dir!r})
encoded = tokenize_texts(encoder.tokenizer, texts, encoder.maxlen).rows
alive = weakref.ref(encoded)
np.testing.assert_allclose(encoder.encode_rows(encoded), expected, atol=1e-5)
del encoded
gc.collect()
assert alive() is None
"""


@pytest.mark.weekly
def test_encoding_on_several_devices_keeps_no_rows(small_bert):
    """What several devices encode is what one does, and is freed afterwards."""
    result = run_code(SEVERAL_DEVICES.format(bert_dir=str(small_bert)))
    assert result.returncode == 0, result.stderr

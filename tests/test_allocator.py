"""Memory that TensorFlow frees stays with the process."""

import ctypes
import platform
from types import SimpleNamespace

import pytest

from cosent_tf.process import keep_freed_memory
from tests.helpers import run_code

FAULTS = """
import resource
from cosent_tf import configure_process
configure_process()
import tensorflow as tf

ones = tf.Variable(tf.ones((1000, 4000)))  # 16 MB

@tf.function(autograph=False)
def work():
    values = [tf.exp(-ones) * weight for weight in range(8)]
    return tf.reduce_sum(tf.add_n(values))

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

for _ in range(40):
    work()
before = faults()
for _ in range(20):
    work()
print((faults() - before) * resource.getpagesize() / 2**20)
"""


@pytest.mark.weekly
@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='not glibc')
def test_memory_of_a_step_serves_the_next():
    """20 steps take less than 200 MB anew from the kernel: freed memory serves the next step."""
    done = run_code(FAULTS)
    assert not done.returncode, done.stderr
    assert float(done.stdout) < 200  # MB that the kernel gave anew in 20 steps; without: 2,400


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('MALLOC_ARENA_MAX', '2'),
        ('MALLOC_TRIM_THRESHOLD_', '131072'),
        ('GLIBC_TUNABLES', 'glibc.malloc.mmap_threshold=131072'),
    ],
)
def test_settings_in_the_environment_are_left_alone(name, value, monkeypatch):
    """Memory limits that a user sets by glibc's own variables stay as they are."""
    calls = []
    libc = SimpleNamespace(mallopt=lambda *setting: calls.append(setting))
    monkeypatch.setattr(ctypes, 'CDLL', lambda _: libc)
    monkeypatch.setattr(platform, 'libc_ver', lambda: ('glibc', '2.36'))
    keep_freed_memory()
    assert calls
    calls.clear()
    monkeypatch.setenv(name, value)
    keep_freed_memory()
    assert not calls

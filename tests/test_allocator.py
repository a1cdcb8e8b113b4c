"""Memory that TensorFlow frees, as the kernel sees it; each case in a process of its own."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FAULTS = """
import resource
from cosent_tf.bert.compat import tf

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

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='not glibc')


def fresh_megabytes(**environment):
    """Memory that the kernel gave anew while steps were repeated."""
    done = subprocess.run(
        [sys.executable, '-c', FAULTS],
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    return float(done.stdout)


def test_memory_of_a_step_serves_the_next():
    """Guards the speed of training on a CPU: zeroing pages anew took up to half of its time."""
    assert fresh_megabytes() < 200  # default: 2,400


@pytest.mark.parametrize('name', ['MALLOC_MMAP_THRESHOLD_', 'GLIBC_TUNABLES'])
def test_settings_in_the_environment_are_left_alone(name):
    """Guards a user who limits memory by glibc's own variables."""
    value = '131072' if name.startswith('MALLOC') else 'glibc.malloc.mmap_threshold=131072'
    assert fresh_megabytes(**{name: value}) > 1000

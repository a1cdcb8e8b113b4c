"""Runs a training script on two devices that every machine has: two halves of its GPU, or CPU.

python tests/distributed.py train_cosent.py --strategy mirrored --task …

With --little-memory at the end, it is one GPU with little memory instead.
"""

import functools
import runpy
import sys

from cosent_tf import distribution
from cosent_tf.bert.compat import tf

kind = 'GPU' if tf.config.list_physical_devices('GPU') else 'CPU'
[device, *_] = tf.config.list_physical_devices(kind)
split = functools.partial(tf.config.set_logical_device_configuration, device)
if sys.argv[-1] == '--little-memory':
    sys.argv.pop()
    split([tf.config.LogicalDeviceConfiguration(memory_limit=8)])  # MB
if 'mirrored' in sys.argv:
    split([tf.config.LogicalDeviceConfiguration(2048 if kind == 'GPU' else None)] * 2)
    distribution.STRATEGIES['mirrored'] = lambda: tf.distribute.MirroredStrategy(
        [f'{kind}:0', f'{kind}:1'],
        # NCCL takes a GPU once
        tf.distribute.ReductionToOneDevice() if kind == 'GPU' else None,
    )
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')

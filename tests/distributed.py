"""Runs a training script on two devices that every machine has: two halves of its CPU.

python tests/distributed.py train_cosent.py --strategy mirrored --task …
"""

import functools
import runpy
import sys

from cosent_tf import distribution
from cosent_tf.bert.compat import tf

cpu = tf.config.list_physical_devices('CPU')[0]
if 'mirrored' in sys.argv:
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    two = functools.partial(tf.distribute.MirroredStrategy, ['CPU:0', 'CPU:1'])
    distribution.STRATEGIES['mirrored'] = two
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')

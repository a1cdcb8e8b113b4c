"""The worker of `benchmarks.peers` for TensorFlow: this project, and the plain way.

    python -m benchmarks.tensorflow_worker SUBJECT PRECISION WORKLOAD

SUBJECT is train-tensorflow, score-tensorflow or score-openvino, all ours, or train-plain or
score-plain; PRECISION fp32 or bf16. WORKLOAD is the file that it wrote.
"""

import sys

from benchmarks.common import LIBRARIES, timed, versions
from benchmarks.subjects import (
    make_batches,
    our_model,
    our_scoring,
    plain_model,
    plain_scoring,
    training,
)
from benchmarks.turns import Turns
from benchmarks.workload import Workload
from cosent_tf.bert.backends import POLICIES
from cosent_tf.bert.compat import keras

SUBJECTS = {
    'train-tensorflow': lambda work, _: training(our_model(work), make_batches(work)),
    'train-plain': lambda work, _: training(plain_model(work), make_batches(work)),
    'score-tensorflow': lambda work, precision: timed(our_scoring(work, precision)),
    'score-openvino': lambda work, precision: timed(our_scoring(work, precision, 'openvino')),
    'score-plain': lambda work, _: timed(plain_scoring(work)),
}

if __name__ == '__main__':
    _, subject, precision, path = sys.argv
    keras.mixed_precision.set_global_policy(POLICIES[precision])
    turn = SUBJECTS[subject](Workload.load(path), precision)
    Turns(versions(LIBRARIES)).serve(turn)

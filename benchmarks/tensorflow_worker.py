"""The worker of `benchmarks.peers` for this project and for the plain way.

    python -m benchmarks.tensorflow_worker SUBJECT PRECISION WORKLOAD

SUBJECT is train-ours, train-plain, score-ours or score-plain, PRECISION fp32 or bf16. WORKLOAD is
the file that `benchmarks.peers` wrote.
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
from cosent_tf.bert.compat import keras
from cosent_tf.bert.precision import POLICIES

SUBJECTS = {
    'train-ours': lambda work: training(our_model(work), make_batches(work)),
    'train-plain': lambda work: training(plain_model(work), make_batches(work)),
    'score-ours': lambda work: timed(our_scoring(work)),
    'score-plain': lambda work: timed(plain_scoring(work)),
}

if __name__ == '__main__':
    _, subject, precision, path = sys.argv
    keras.mixed_precision.set_global_policy(POLICIES[precision])
    turn = SUBJECTS[subject](Workload.load(path))
    Turns(versions(LIBRARIES)).serve(turn)

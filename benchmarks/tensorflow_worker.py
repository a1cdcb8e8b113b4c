"""The worker of `benchmarks.peers` for this project and for the plain way.

    python -m benchmarks.tensorflow_worker train-ours|train-plain|score-ours|score-plain WORKLOAD

WORKLOAD is the file that `benchmarks.peers` wrote.
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

SUBJECTS = {
    'train-ours': lambda work: training(our_model(work), make_batches(work)),
    'train-plain': lambda work: training(plain_model(work), make_batches(work)),
    'score-ours': lambda work: timed(our_scoring(work)),
    'score-plain': lambda work: timed(plain_scoring(work)),
}

if __name__ == '__main__':
    _, subject, path = sys.argv
    turn = SUBJECTS[subject](Workload.load(path))
    Turns(versions(LIBRARIES)).serve(turn)

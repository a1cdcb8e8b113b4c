"""Runs a training script once for every moment, each in a process that ends itself there.

    python tests/stopped.py MOMENT … -- train_cosent.py --task …

A moment is `kill step 3`, `kill epoch 2` (its beginning), `kill state.h5` (half written), the same
with `interrupt` (Ctrl-C) for `kill`, or `never`. After each process its moment and status are
printed on a line of their own. The processes are forks, so that TensorFlow is imported only once.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

from cosent_tf import training

SIGNALS = {'kill': signal.SIGKILL, 'interrupt': signal.SIGINT}


def main():
    split = sys.argv.index('--')
    moments, sys.argv = sys.argv[1:split], sys.argv[split + 1 :]
    for moment in moments:
        process = os.fork()
        if process == 0:
            arrange(moment)
            runpy.run_path(sys.argv[0], run_name='__main__')
            return
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        print(f'\n== {moment}: {status}', flush=True)


def arrange(moment):
    """Have this process sent a signal at a moment of its run."""
    if moment == 'never':
        return
    name, what, *number = moment.split()

    def end():
        os.kill(os.getpid(), SIGNALS[name])

    if what in ('step', 'epoch'):
        attribute = {'step': 'on_train_batch_end', 'epoch': 'on_epoch_begin'}[what]
        original = getattr(training.EndOfEpoch, attribute)

        def called(self, count, logs=None):  # counted from 0
            if count + 1 == int(number[0]):
                end()
            original(self, count, logs)

        setattr(training.EndOfEpoch, attribute, called)
    else:
        replace = Path.replace

        def half_written(self, target):
            if target.name == what:
                os.truncate(self, self.stat().st_size // 2)
                end()
            return replace(self, target)

        Path.replace = half_written


if __name__ == '__main__':
    main()

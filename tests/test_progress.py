"""The progress of a training, as it is printed."""

import re
import runpy
import sys

from cosent_tf.run import progress
from tests.helpers import ROOT, command, exit_code

LINE = r'epoch \d/3, step \d/5, loss \d\.\d{4}, \d+\.\d pairs/s, \d:\d\d:\d\d left\n'


def test_a_log_says_how_far_it_is(short, monkeypatch, capsys):
    """Without a terminal, lines appear in time, from the start of compiling on."""
    monkeypatch.setattr(progress, 'INTERVAL', 1e-3)
    monkeypatch.setattr(progress, 'FIRST_STEPS', 2)
    monkeypatch.setattr(sys, 'argv', command('cosent', short))
    assert exit_code(runpy.run_path, str(ROOT / sys.argv[0]), run_name='__main__') == 0
    out = capsys.readouterr().out
    for line in (
        'no step so far\n',
        'step 0/5: compiling the first step\n',
        LINE,
        r'3/3, step 5/5: scoring\n',
    ):
        assert re.search(line, out), line
    assert re.search(r'\n15 steps, about 0:00:\d\d to go\n', out)


def test_the_time_left_is_that_of_steps_and_scoring(monkeypatch):
    """The time left counts steps at their pace and the scoring, but not the compiling."""
    now = iter([0, 100, 102, 104, 110, 110, 112])  # compiled in 100 s; steps of 2 s; scored in 6 s
    monkeypatch.setattr(progress.time, 'perf_counter', lambda: next(now))
    told = progress.Progress(pairs=30)
    told.set_params({'epochs': 3, 'steps': 3})
    told.on_epoch_begin(0)
    for step in range(3):
        told.on_train_batch_end(step, {'loss': 1.5})
    told.on_epoch_end(0)
    told.on_epoch_begin(1)
    told.on_train_batch_end(0, {'loss': 0.5})
    assert told.line() == 'epoch 2/3, step 1/3, loss 0.5000, 5.0 pairs/s, 0:00:22 left'


def test_workers_other_than_the_chief_are_quiet(monkeypatch, capsys):
    """Only the first worker prints progress."""
    monkeypatch.setattr(progress, 'INTERVAL', 1e-3)
    with progress.Progress(pairs=30, quiet=True) as told:
        told._stop.wait(0.05)
    assert capsys.readouterr().out == ''

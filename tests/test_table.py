"""The whole table, with training scripts that take no time."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers import ROOT

# Writes its arguments into the run folder; fails for task BAD, and for SLOW until it is killed.
SCRIPT = """
import json, sys, time
from pathlib import Path
flags = dict(zip(sys.argv[1::2], sys.argv[2::2]))
method = 'cosent' if 'cosent' in sys.argv[0] else 'interact'
name = '{--task}.{--model}.{}.seed{--seed}'.format(method, **flags)
folder = Path(flags['--runs_dir']) / name
folder.mkdir(parents=True, exist_ok=True)
(folder / 'config.json').write_text(json.dumps(sys.argv[1:]))
if flags['--task'] == 'SLOW':
    (folder / 'state.h5').write_text('')
    (folder / 'running').write_text('')
    time.sleep(60)
if flags['--task'] == 'BAD':
    sys.exit(1)
(folder / 'metrics.json').write_text('')
"""


@pytest.fixture
def table(tmp_path):
    """Start train_table.py beside the stand-ins; return the process."""
    shutil.copy(ROOT / 'train_table.py', tmp_path)
    for script in ('train_cosent.py', 'train_interact.py'):
        (tmp_path / script).write_text(SCRIPT)

    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, 'train_table.py', '--models', 'bert', *arguments],
            cwd=tmp_path,
            env=os.environ | {'PYTHONPATH': str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def test_what_is_not_finished_is_run_and_failures_are_named(table, tmp_path):
    """Guards a table that stops at the first failure, or trains a finished run again."""
    flags = ['--tasks', 'BAD', 'BQ', '--methods', 'cosent', 'interact', '--', '--epochs', '1']
    process = table(*flags)
    out, err = process.communicate()
    assert [line.split(' ', 1)[1] for line in out.splitlines()] == [
        'BAD.bert.cosent.seed42: started',
        'BAD.bert.interact.seed42: started',
        'BQ.bert.cosent.seed42: started',
        'BQ.bert.interact.seed42: started',
    ]
    assert process.returncode == 1
    assert '2 of 4 runs failed: BAD.bert.cosent.seed42, BAD.bert.interact.seed42' in err
    passed = (tmp_path / 'runs' / 'BQ.bert.cosent.seed42' / 'config.json').read_text()
    assert '"--resume", "--epochs", "1"]' in passed

    out, _ = table(*flags).communicate()
    assert 'BAD.bert.cosent.seed42: started' in out
    assert 'BQ.bert.cosent.seed42: finished, skipped' in out


@pytest.mark.parametrize('stop', [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_table_stops_its_run_and_resumes_it(stop, table, tmp_path):
    """Guards two trainings at once: one left behind by a stopped table, one of the next."""
    flags = ['--tasks', 'SLOW', '--methods', 'cosent']
    folder = tmp_path / 'runs' / 'SLOW.bert.cosent.seed42'
    for what in ('started', 'resumed'):
        process = table(*flags)
        assert process.stdout.readline() == f'[1/1] SLOW.bert.cosent.seed42: {what}\n'
        while not (folder / 'running').exists() and process.poll() is None:
            time.sleep(0.05)
        (folder / 'running').unlink()
        process.send_signal(stop)
        _, err = process.communicate(timeout=20)  # ends only when nobody holds the pipe
        assert process.returncode == 1 and err.endswith('stopped; the same command goes on\n')


def test_flags_of_the_table_are_not_passed_on(table):
    """Guards runs that land in another folder than the one looked for."""
    process = table('--tasks', 'BQ', '--', '--seed=1')
    _, err = process.communicate()
    assert process.returncode == 2 and '--seed after --' in err

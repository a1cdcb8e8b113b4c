"""The sides of a comparison: running them, and their results in the same form."""

import csv
import os
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cosent_tf.data import Split
from cosent_tf.errors import RunError, UserError
from cosent_tf.files import make_folder, write_json, write_text
from cosent_tf.predictions import read_predictions, write_predictions
from cosent_tf.readers import read_json, read_lines
from cosent_tf.run.folder import LOSSES_FILE, TEST_FILE, VALID_FILE, read_metrics
from cosent_tools.original.inputs import script_task
from cosent_tools.runs import RunName

ROOT = Path(__file__).parents[2]
ORIGINAL, OURS, PADDED, AGAIN = 'original', 'ours', 'ours-padded', 'original-again'
LABELS = {
    ORIGINAL: 'original',
    OURS: 'ours',
    PADDED: 'ours --keep_padding',
    AGAIN: 'original, one thread',
}
ONE_THREAD = ('TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS', 'OMP_NUM_THREADS')
LOG_FILE, RESULT_FILE = 'log.txt', 'result.json'


class Side(NamedTuple):
    """One training; scores are of the best epoch, `before` of the initial weights."""

    name: RunName  # the model is the side
    losses: np.ndarray  # (steps,)
    before: np.ndarray  # (valid pairs,)
    valid: np.ndarray
    test: np.ndarray
    best_epoch: int
    threshold: float
    valid_accuracy: float
    test_accuracy: float
    fit_seconds: float  # the training, with valid scored after each epoch
    seconds: float  # the whole process
    peak_bytes: int  # main memory of the process


def train_original(
    args: Namespace, name: RunName, work: Path, values: dict, splits: dict[str, Split]
) -> tuple[Side, dict]:
    """Run the script of the checkout and write its results as the files of a run.

    Args:
        args: arguments of the command.
        name: name of the run; its model is the side.
        work: a folder for temporary files.
        values: values of names in the script that are set from outside.
        splits: the pairs that the script reads.

    Raises:
        RunError: the script failed; the message names its log.
    """
    spec = {
        'side': 'original',
        'checkout': str(args.original),
        'method': name.method,
        'task': script_task(name.task),
        'values': values,
        'lr': args.lr,
        'dropout_rate': args.dropout_rate,
        'work': str(work),
    }
    folder, threads = args.runs_dir / str(name), ONE_THREAD if name.model == AGAIN else ()
    found = _launch(spec, name, folder, dict.fromkeys(threads, '1'))
    for file, split, scores in (
        (VALID_FILE, splits['valid'], found['valid']),
        (TEST_FILE, splits['test'], found['test']),
    ):
        write_predictions(folder / file, split.labels, scores, split.pairs)
    steps = (f'{step},{loss}\n' for step, loss in enumerate(found['losses'], 1))
    write_text(folder / LOSSES_FILE, 'step,loss\n' + ''.join(steps))
    return Side(name, *(_value(found[key]) for key in Side._fields[1:])), found


def train_ours(args: Namespace, name: RunName, data_dir: Path, settings: dict) -> Side:
    """Run our script of a method with these settings, and read its run folder.

    Raises:
        RunError: as `train_original`.
    """
    flags = {
        'task': name.task,
        'model': name.model,
        'bert_dir': args.bert_dir,
        'data_dir': data_dir,
        'runs_dir': args.runs_dir,
        'dropout_rate': args.dropout_rate,
        'seed': name.seed,
        **settings,
    }
    words = [str(part) for flag, value in flags.items() for part in (f'--{flag}', value)]
    words += ['--overwrite', '--keep_padding'] if name.model == PADDED else ['--overwrite']
    script = ROOT / f'train_{name.method}.py'
    folder = args.runs_dir / str(name)
    found = _launch({'side': 'ours', 'script': str(script), 'flags': words}, name, folder, {})
    metrics, files = read_metrics(folder), (folder / VALID_FILE, folder / TEST_FILE)
    found |= {key: metrics[key] for key in Side._fields if key in metrics}
    found |= dict(zip(('valid', 'test'), (read_predictions(f).scores for f in files), strict=True))
    rows = csv.DictReader(read_lines(folder / LOSSES_FILE))
    found['losses'] = [float(row['loss']) for row in rows]
    return Side(name, *(_value(found[key]) for key in Side._fields[1:]))


def revision(checkout: Path) -> str | None:
    """Return the commit of a checkout, with -dirty appended if files differ; None if unknown."""
    command = ['git', '-C', checkout, 'describe', '--always', '--dirty', '--exclude=*']
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _value(found: object) -> object:
    return np.array(found) if isinstance(found, list) else found


def _launch(spec: dict, name: RunName, folder: Path, environment: dict[str, str]) -> dict:
    """Run one side in a process of its own, with its output in a log, and return its results."""
    make_folder(folder)
    result, log = folder / RESULT_FILE, folder / LOG_FILE
    result.unlink(missing_ok=True)
    spec_path = folder / 'spec.json'
    write_json(spec_path, spec | {'seed': name.seed, 'result': str(result)})
    command = [sys.executable, '-m', 'cosent_tools.original.launch', str(spec_path)]
    start = time.perf_counter()
    print(f'{name.task} {name.method}, seed {name.seed}: {LABELS[name.model]} …', flush=True)
    with log.open('w', encoding='utf-8') as output:
        options = {'cwd': ROOT, 'stdout': output, 'stderr': subprocess.STDOUT}
        try:
            done = subprocess.run(command, env=os.environ | environment, **options)
        except KeyboardInterrupt:
            raise RunError('stopped') from None
    seconds = time.perf_counter() - start
    if done.returncode or not result.exists():
        last = log.read_text('utf-8', 'replace').strip().rpartition('\n')[2]
        error = UserError if done.returncode == 2 else RunError
        raise error(f'{LABELS[name.model]}, {name.method}: {last}; its whole output is in {log}')
    return read_json(result) | {'seconds': seconds}

"""The start of a run: seeds, precision, what trains where, and the run folder."""

import fcntl
import hashlib
import json
import subprocess
from argparse import Namespace
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from cosent_tf.backend import device_name, keras, versions
from cosent_tf.data import SPLITS, split_path
from cosent_tf.distribution import from_chief, is_chief, replicas, use_strategy
from cosent_tf.errors import UserError
from cosent_tf.files import remove_temporaries, write_json
from cosent_tf.runs import (
    CONFIG_FILE,
    HISTORY_FILE,
    LOSSES_FILE,
    METRICS_FILE,
    STATE_FILE,
    TEST_FILE,
    VALID_FILE,
    WEIGHTS_FILE,
    is_finished,
    run_name,
)

POLICIES = {'fp32': 'float32', 'bf16': 'mixed_bfloat16', 'fp16': 'mixed_float16'}

# What a new start removes, in this order: a run without metrics.json does not look finished, and
# one without state.h5 is not resumed. config.json stays until it is replaced: it says whose run
# this is.
RUN_FILES = (
    METRICS_FILE,
    STATE_FILE,
    HISTORY_FILE,
    LOSSES_FILE,
    WEIGHTS_FILE,
    VALID_FILE,
    TEST_FILE,
)

_locks = []  # the open lock file: closing it would give the run folder up


def start_run(args: Namespace) -> Path:
    """Seed all generators, say what trains where, and make the run folder.

    Returns:
        The run folder; the chief process has locked it and written config.json.

    Raises:
        UserError: the run is finished, in progress, or does not fit --resume.
        RunError: the chief process has ended.
    """
    use_strategy(args.strategy)
    keras.utils.set_random_seed(args.seed)
    keras.mixed_precision.set_global_policy(POLICIES[args.precision])
    folder = Path(args.runs_dir) / run_name(args.task, args.model, args.method, args.seed)
    device, libraries = device_name(), versions()
    print(
        ('no GPU found, training on the CPU' if device == 'CPU' else f'training on {device}')
        + (f' and {replicas() - 1} more' if replicas() > 1 else '')
        + f', {args.precision}, '
        + ', '.join(
            f'{name} {libraries[name]}' for name in ('tensorflow', 'tf_keras', 'bert4keras')
        )
    )
    if is_chief():
        config = {
            'arguments': vars(args),
            'versions': libraries,
            'device': device,
            'precision': args.precision,
            'git_commit': _git_commit(),
            'data_sha256': _checksums(args),
            'started': datetime.now(UTC).isoformat(timespec='seconds'),
        }
        _take(folder, config, args)
    from_chief([np.zeros(1)])  # so that the others end with a chief that was refused
    return folder


def _take(folder: Path, config: dict, args: Namespace) -> None:
    """Lock the run folder, and prepare it for a new start or for going on."""
    _lock(folder)
    if not args.overwrite and is_finished(folder):
        raise UserError(f'{folder}: this run is finished; --overwrite starts it anew')
    if not args.overwrite and (folder / STATE_FILE).exists():
        _check_resumable(folder, config, args)
    else:
        _clear(folder)
        write_json(folder / CONFIG_FILE, config)


def _lock(folder: Path) -> None:
    """Hold the run folder until this process ends, or starts another run."""
    for lock in _locks:
        lock.close()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _locks[:] = [(folder / '.lock').open('w')]
        fcntl.flock(_locks[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f'{folder}: another process is training this run') from None
    except OSError as error:
        reason = f'{folder}: cannot be written: {error.strerror}'
        raise UserError(f'{reason}; --runs_dir names another place') from error
    remove_temporaries(folder)


def _check_resumable(folder: Path, config: dict, args: Namespace) -> None:
    if not args.resume:
        raise UserError(
            f'{folder}: this run was interrupted; --resume goes on, --overwrite starts anew'
        )
    try:
        before = json.loads((folder / CONFIG_FILE).read_bytes())
        # the defaults of flags that the run may be older than
        arguments, data = {'pooling': 'cls'} | before['arguments'], before['data_sha256']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f'{folder / CONFIG_FILE}: cannot be read: {error}; --overwrite starts the run anew'
        ) from error
    changed = [
        f'--{name} {arguments.get(name)}, now {value}'
        for name, value in vars(args).items()
        if name not in ('resume', 'overwrite', 'runs_dir') and arguments.get(name) != value
    ]
    if changed:
        raise UserError(f'{folder}: the run was started with {"; ".join(changed)}')
    for path, checksum in config['data_sha256'].items():
        if data.get(path) != checksum:
            raise UserError(
                f'{path}: changed since {folder} was started; --overwrite starts the run anew'
            )


def _clear(folder: Path) -> None:
    for name in RUN_FILES:
        (folder / name).unlink(missing_ok=True)


def _checksums(args: Namespace) -> dict[str, str]:
    """Return the SHA-256 of each file of the task; reading one that is missing fails later."""
    checksums = {}
    for split in SPLITS:
        path = split_path(args.data_dir, args.task, split)
        with suppress(OSError), path.open('rb') as file:
            checksums[str(path)] = hashlib.file_digest(file, 'sha256').hexdigest()
    return checksums


def _git_commit() -> str | None:
    command = ['git', '-C', Path(__file__).parent, 'rev-parse', 'HEAD']
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None

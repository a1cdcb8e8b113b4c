"""The needs of a table's runs before the first one starts: settings, files, and costs."""

import os
import shlex
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

from cosent_tf.bert.sources import HUB, is_encoder
from cosent_tf.data import SPLITS, split_path
from cosent_tf.errors import UserError
from cosent_tf.places import (
    MODELS,
    data_folder,
    encoder_folder,
    find_data,
    find_encoder,
    has_demo_bert,
    has_own_data,
)
from cosent_tf.published import PAIRS
from cosent_tf.run.config import checksums, find_changes
from cosent_tf.run.folder import CONFIG_FILE, STATE_FILE, is_finished
from cosent_tools.download.provide import SIZES, address_of
from cosent_tools.runs import RunName
from cosent_tools.table.plan import (
    BASE,
    FLOAT,
    Cost,
    count_pairs,
    count_weights,
    estimate_cost,
    expect_cost,
)


def changed_runs(
    settings: dict[RunName, Namespace], runs_dir: Path, overwrite: bool
) -> list[RunName]:
    """Return the runs that were started with other settings than now.

    If data or encoder are missing, only the other settings are compared.

    Args:
        settings: all arguments of each run.
        runs_dir: folder of the runs.
        overwrite: whether they are to be retrained.

    Raises:
        UserError: there are such runs, without `overwrite`.
    """
    changed = {}
    for name, args in settings.items():
        folder, now = runs_dir / str(name), Namespace(**vars(args))
        is_ours = (folder / CONFIG_FILE).exists()  # or predictions of another program
        if is_ours and (is_finished(folder) or (folder / STATE_FILE).exists()):
            sums = {}
            with suppress(UserError):
                find_data(now)
                find_encoder(now)
                sums = checksums(now)
            if changes := find_changes(folder, now, sums):
                changed[name] = f'{folder}: {"; ".join(changes)}'
    if changed and not overwrite:
        more = f' (and {len(changed) - 1} more)' if len(changed) > 1 else ''
        raise UserError(
            f'{next(iter(changed.values()))}{more}; --overwrite retrains such runs, another '
            '--runs_dir keeps them'
        )
    return list(changed)


def files_to_fetch(settings: Namespace) -> set[str]:
    """Return what download.py has to fetch for a run."""
    missing = set()
    if settings.task in PAIRS:
        folder = data_folder(settings.data_dir)
        if not has_own_data(folder) and not all(
            split_path(folder, settings.task, split).is_file() for split in SPLITS
        ):
            missing.add('data')
    if settings.model in MODELS and not (settings.bert_dir or has_demo_bert(settings)):
        folder = encoder_folder(settings.model)
        if not folder.startswith(HUB) and not is_encoder(Path(folder)):
            missing.add(settings.model)
    return missing


def cost_of(settings: Namespace, dry_run: bool) -> Cost:
    """Return the cost of a run, as far as it is known before all files are there.

    Args:
        settings: all arguments of the run.
        dry_run: whether an encoder of the Hub may be missing.

    Raises:
        UserError: files are broken, or missing and not fetched.
    """
    missing = files_to_fetch(settings)
    place = settings.bert_dir or encoder_folder(settings.model)
    if 'data' not in missing:
        find_data(settings)
    try:
        find_encoder(settings)
    except UserError:
        if not missing and not (dry_run and place.startswith(HUB)):
            raise
        settings.bert_dir = None
    if not missing and settings.bert_dir:
        return estimate_cost(settings)
    return expect_cost(settings, None if 'data' in missing else count_pairs(settings))


def describe_fetching(command: list[str], names: list[str]) -> list[str]:
    """Return lines that show what is downloaded first, its size and its address."""
    mirror, weights = os.environ.get('COSENT_MIRROR'), f'{FLOAT * count_weights(BASE) / 1e6:.0f} MB'
    lines = [
        f'    {name}: {SIZES.get(name, f"size not known; its weights take {weights}")}, from '
        f'{address_of(name, mirror)}'
        for name in names
    ]
    return [f'First: python {shlex.join(command)}', *lines]

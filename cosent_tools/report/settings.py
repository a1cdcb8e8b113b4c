"""The settings of a run, and how they differ from those of the published one.

Only like is compared with like: the pairs of every split, the encoder, and every setting of
training and evaluation that a result depends on. The checksums of the published checkpoints are
not known: an encoder counts as published by the name of its run (`--model`) and its sizes.
"""

from pathlib import Path

from cosent_tf.bert.sources import CONFIG_FILE
from cosent_tf.errors import UserError
from cosent_tf.readers import read_json
from cosent_tools.report.published_figures import ENCODER, published_figure, published_settings

_SPLITS = ('train', 'valid', 'test')
_NAMES = {  # in the report
    **{split: f'{split} pairs' for split in _SPLITS},
    'num_hidden_layers': 'layers',
    'hidden_size': 'hidden size',
    'intermediate_size': 'inner size',
    'num_attention_heads': 'heads',
    'vocab_size': 'vocabulary',
    'epochs': 'epochs',
    'batch_size': 'batch size',
    'lr': 'learning rate',
    'maxlen': 'maxlen',
    'dropout_rate': 'dropout rate',
    'pooling': 'pooling',
    'precision': 'precision',
    'select': 'checkpoint chosen by',
    'search': 'threshold search',
    'data_sha256': 'data files',
    'weights_sha256': 'pretrained weights',
}

Settings = dict[str, object]


def read_settings(folder: Path, metrics: dict) -> Settings | None:
    """Return the settings of a run of the training scripts; None for another program's run.

    Args:
        folder: the run's folder.
        metrics: its metrics.json.

    Returns:
        Values by the keys of `_NAMES`, None where not recorded; checksums of all files of a
        kind, in their order.

    Raises:
        UserError: config.json is broken.
    """
    path = folder / CONFIG_FILE
    if not path.exists():
        return None
    config = read_json(path)
    try:
        pairs = dict(metrics.get('pairs') or {})
        known = pairs | dict(config.get('encoder') or {}) | dict(config.get('arguments') or {})
        sums = {
            kind: list(dict(config.get(kind) or {}).values()) or None
            for kind in ('data_sha256', 'weights_sha256')
        }
    except (TypeError, ValueError) as error:
        raise UserError(f'{path}: not the settings of a run: {error}') from error
    known |= sums | {'select': metrics.get('select')}
    return {key: known.get(key) for key in _NAMES if key != 'search'}


def unlike_published(
    settings: Settings | None, name: tuple, metric: str, search: str | None, pairs: dict[str, int]
) -> tuple[str, ...]:
    """Return how a run differs from the published one of its name; nothing if there is none.

    Args:
        settings: the run's settings.
        name: its task, model, method and seed.
        metric: 'accuracy', 'f1' or 'spearman'.
        search: threshold search, None for 'spearman'.
        pairs: number of evaluated pairs of valid and test.
    """
    task, model, method, _ = name
    if published_figure(metric, task, model, method) is None:
        return ()
    expected = published_settings(task, method, metric)
    found = {**(settings or {}), **pairs, 'search': search}
    if settings is None:
        unknown = ('settings unknown: no config.json',)
        expected = {key: expected[key] for key in ('valid', 'test', 'search') if key in expected}
    else:
        unknown = ('encoder not recorded',) if found['hidden_size'] is None else ()
        expected = {key: expected[key] for key in expected if not (unknown and key in ENCODER)}
    return unknown + tuple(
        f'{_NAMES[key]} {_shown(found.get(key))}, not {_shown(value)}'
        for key, value in expected.items()
        if found.get(key) != value
    )


def unlike_each_other(by_seed: dict[int, Settings | None]) -> tuple[str, ...]:
    """Return how the settings of a mean's runs differ, by seed."""
    known = {seed: settings for seed, settings in by_seed.items() if settings}
    if not known:
        return ()
    unlike = []
    for key in next(iter(known.values())):
        seeds = {}
        for seed, settings in known.items():
            seeds.setdefault(_shown(settings[key]), []).append(str(seed))
        if len(seeds) > 1:
            values = (f'{value} (seed {", ".join(group)})' for value, group in seeds.items())
            unlike.append(f'seeds differ in {_NAMES[key]}: {", ".join(values)}')
    if others := [str(seed) for seed, settings in by_seed.items() if not settings]:
        unlike.append(f'settings of seed {", ".join(others)} unknown: no config.json')
    return tuple(unlike)


def _shown(value: object) -> str:
    if value is None:
        return 'unknown'
    if isinstance(value, list):  # checksums, shortened
        return ' '.join(str(digest)[:8] for digest in value)
    return f'{value:,}' if isinstance(value, int) else str(value)

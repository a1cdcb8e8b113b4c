"""The input of both sides: the same pairs in files, and the same BERT in Google's format."""

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from cosent_tf.bert.sources import CONFIGS
from cosent_tf.data import Split, split_path
from cosent_tf.errors import UserError
from cosent_tf.files import make_folder, write_text
from cosent_tf.readers import read_json, read_lines
from cosent_tools.original.script import TASKS

SCORED = 1000  # pairs of valid and of test, where losses are compared step by step
GOOGLE = 'bert_model.ckpt'


class Plan(NamedTuple):
    """A number of epochs, and the training pairs of each."""

    epochs: int
    pairs: int


def plan_steps(steps: int, batch_size: int, pairs: int) -> Plan:
    """Return epochs of whole batches with that many steps in all, or a few more."""
    steps_per_epoch = max(1, pairs // batch_size)
    epochs = -(-steps // steps_per_epoch)
    return Plan(epochs, min(pairs, batch_size * -(-steps // epochs)))


def script_task(task: str) -> str:
    """Return the name by which a script of the checkout, which knows four, takes a task."""
    return task if task in TASKS else 'BQ'


def check_labels(splits: dict[str, Split]) -> None:
    """Raise UserError for labels other than 0 and 1, which the scripts do not support."""
    for split in splits.values():
        if not set(split.labels.tolist()) <= {0, 1}:
            raise UserError(f'{split.path}: the original scripts support only the labels 0 and 1')


def write_pairs(
    folder: Path, task: str, splits: dict[str, Split], kept: dict[str, int | None]
) -> dict[str, Split]:
    """Write the first pairs of each split under the task names of both sides; return them."""
    written = {}
    for name, split in splits.items():
        pairs = split.pairs[: kept[name]]
        for known in {task, script_task(task)}:
            path = split_path(folder, known, name)
            write_text(path, ''.join(f'{a}\t{b}\t{label}\n' for a, b, label in pairs))
        written[name] = Split(pairs, 0, path)
    return written


def google_bert(bert_dir: Path, folder: Path) -> dict[str, str]:
    """Return the paths of a BERT under the scripts' names, converted to `folder` if need be.

    Raises:
        UserError: a file is missing or broken, or bert4keras alone would compute something else.
    """
    if not (bert_dir / f'{GOOGLE}.index').is_file():
        _convert(bert_dir, folder)
        bert_dir = folder
    path = bert_dir / 'vocab.txt'
    token, count = Counter(line.strip() for line in read_lines(path)).most_common(1)[0]
    if count > 1:
        raise UserError(
            f'{path}: {token!r} is there {count} times, but the original scripts count it once, so '
            'that all tokens after it would get other ids'
        )
    return {
        'config_path': str(bert_dir / 'bert_config.json'),
        'checkpoint_path': str(bert_dir / GOOGLE),
        'dict_path': str(path),
    }


def _convert(bert_dir: Path, folder: Path) -> None:
    from cosent_tf.bert.compat import tf
    from cosent_tf.bert.formats import read_vocab
    from cosent_tf.bert.pretrained import load_bert, named_weights

    config_path = next(bert_dir / name for name in CONFIGS if (bert_dir / name).is_file())
    config = read_json(config_path)
    if config.get('layer_norm_eps', 1e-12) != 1e-12:
        raise UserError(
            f'{config_path}: layer_norm_eps is {config["layer_norm_eps"]}; the original scripts '
            'always use 1e-12'
        )
    weights = named_weights(load_bert(bert_dir, maxlen=3))
    values = {name: weight.numpy() for name, weight in weights.items()}
    make_folder(folder)
    write_text(folder / 'bert_config.json', json.dumps(config))
    write_text(folder / 'vocab.txt', '\n'.join(read_vocab(bert_dir)[1]) + '\n')
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        variables = [v1.get_variable(name, initializer=value) for name, value in values.items()]
        session.run(v1.global_variables_initializer())
        v1.train.Saver(variables).save(session, str(folder / GOOGLE), write_meta_graph=False)

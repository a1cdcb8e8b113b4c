"""Where a run finds data and encoder: as given, as the environment says, or by default."""

import os
import shlex
from argparse import Namespace
from pathlib import Path

from cosent_tf.bert.sources import bert_folder
from cosent_tf.data import SPLITS, split_path
from cosent_tf.errors import UserError
from cosent_tf.files import SUMS_FILE
from cosent_tf.published import PAIRS
from cosent_tf.run.config import with_revision

# model: (environment variable, default folder), which download.py fills
MODELS = {
    'bert': ('COSENT_BERT_DIR', 'pretrained/chinese_L-12_H-768_A-12'),
    'roberta': ('COSENT_ROBERTA_DIR', 'pretrained/chinese_roberta_wwm_ext_L-12_H-768_A-12'),
}
DATA_DIR = 'data/senteval_cn'
DEMO_DATA_DIR, DEMO_BERT_DIR = 'data/demo', 'pretrained/demo'


def data_folder(given: str | None) -> str:
    """Return the folder of the tasks: the given one, the environment's, or the default."""
    return given or os.environ.get('COSENT_DATA_DIR', DATA_DIR)


def has_own_data(folder: str) -> bool:
    """Return whether a folder of tasks holds somebody's files, into which nothing is fetched.

    Other than the default folder, one that is empty, and those that download.py has filled.
    """
    path = Path(folder)
    is_ours = path.resolve() == Path(DATA_DIR).resolve() or (path / SUMS_FILE).exists()
    return not is_ours and path.is_dir() and any(path.iterdir())


def encoder_folder(model: str) -> str:
    """Return the folder of a model, the environment's or the default, or its name on the Hub."""
    variable, default = MODELS.get(model, ('', f'pretrained/{model}'))
    return os.environ.get(variable, default)


def has_demo_bert(args: Namespace) -> bool:
    """Return whether a run starts from the tiny BERT of DEMO, made on the spot."""
    return args.task == 'DEMO' and args.model == 'bert' and not args.bert_dir


def find_data(args: Namespace) -> None:
    """Set the folder of the data, and make those of DEMO; a UserError says how to get others."""
    if args.task == 'DEMO' and not args.data_dir:
        from cosent_tf.demo.task import make_demo_data

        make_demo_data(DEMO_DATA_DIR)
        args.data_dir = DEMO_DATA_DIR
    folder, known, fetched = data_folder(args.data_dir), '', ''
    if args.task not in PAIRS:
        known = f' (known tasks: {", ".join(PAIRS)}, DEMO)'
    elif has_own_data(folder):
        fetched = f'python download.py --only data --data_dir {DATA_DIR} fetches them elsewhere; '
    else:
        fetched = _fetched_by('data', args)
    for path in (split_path(folder, args.task, split) for split in SPLITS):
        if not path.is_file():
            raise UserError(
                f'{path.absolute()} not found: task {args.task!r}{known} needs its train, valid '
                f'and test files there (.data, .tsv, .csv or .jsonl, also .gz); {fetched}'
                f'without any download: python train_{args.method}.py --task DEMO'
            )
    args.data_dir = folder


def find_encoder(args: Namespace) -> None:
    """Set the folder of the encoder, and make that of DEMO; see `find_data`."""
    if has_demo_bert(args):
        from cosent_tf.demo.task import make_demo_bert

        make_demo_bert(DEMO_BERT_DIR)
        args.bert_dir = DEMO_BERT_DIR
    folder = args.bert_dir or encoder_folder(args.model)
    if args.resume:
        folder = with_revision(folder, args)
    folder = bert_folder(folder).absolute()  # so that the run can be used from anywhere
    if not folder.is_dir():
        fetched = _fetched_by(args.model, args) if args.model in MODELS else ''
        raise UserError(
            f'{folder} not found: model {args.model!r} needs bert_config.json, vocab.txt and '
            f'bert_model.ckpt.* there, or config.json, vocab.txt and model.safetensors; {fetched}'
            f'without any download: python train_{args.method}.py --task DEMO'
        )
    args.bert_dir = str(folder)


def download_command(names: list[str], args: Namespace) -> list[str]:
    """Return the command that puts what is named where a run with these arguments looks for it."""
    command = ['download.py', '--only', *names]
    for name in names:
        if folder := args.data_dir if name == 'data' else args.bert_dir:
            command += [f'--{name}_dir', folder]
    return command


def _fetched_by(name: str, args: Namespace) -> str:
    return f'python {shlex.join(download_command([name], args))} fetches them; '

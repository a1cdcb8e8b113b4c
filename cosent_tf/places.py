"""Where a run finds data and encoder: by flag, environment variable or default."""

import os
import shlex
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

from cosent_tf.bert.settings import read_if_there
from cosent_tf.bert.sources import CONFIG_FILE, bert_folder
from cosent_tf.data import SPLITS, split_path
from cosent_tf.errors import UserError
from cosent_tf.files import SUMS_FILE
from cosent_tf.published import PAIRS
from cosent_tf.run.folder import run_name

# model: (environment variable, default folder, which download.py fills)
MODELS = {
    'bert': ('COSENT_BERT_DIR', 'pretrained/chinese_L-12_H-768_A-12'),
    'roberta': ('COSENT_ROBERTA_DIR', 'pretrained/chinese_roberta_wwm_ext_L-12_H-768_A-12'),
}
DATA_DIR = 'data/senteval_cn'
DEMO_DATA_DIR, DEMO_BERT_DIR = 'data/demo', 'pretrained/demo'


def data_folder(given: str | None) -> str:
    """Return the folder of the tasks: the given one, else COSENT_DATA_DIR, else the default."""
    return given or os.environ.get('COSENT_DATA_DIR', DATA_DIR)


def has_own_data(folder: str) -> bool:
    """Return whether a folder of tasks holds a user's own files, so that nothing is fetched there.

    Not if it is the default folder, is empty, or was filled by download.py.
    """
    path = Path(folder)
    is_ours = path.resolve() == Path(DATA_DIR).resolve() or (path / SUMS_FILE).exists()
    return not is_ours and path.is_dir() and any(path.iterdir())


def encoder_folder(model: str) -> str:
    """Return the folder of a model, from the environment or the default; it may be hf:NAME."""
    variable, default = MODELS.get(model, ('', f'pretrained/{model}'))
    return os.environ.get(variable, default)


def has_demo_bert(args: Namespace) -> bool:
    """Return whether a run starts from DEMO's generated tiny BERT."""
    return args.task == 'DEMO' and args.model == 'bert' and not args.bert_dir


def find_data(args: Namespace) -> None:
    """Set data_dir, and generate the data of DEMO; a UserError says how to get other data."""
    if args.task == 'DEMO' and not args.data_dir:
        from cosent_tf.demo.task import make_demo_data

        make_demo_data(DEMO_DATA_DIR)
        args.data_dir = DEMO_DATA_DIR
    folder, known, fetched = data_folder(args.data_dir), '', ''
    if args.task not in PAIRS:
        known = f' (known tasks: {", ".join(PAIRS)}, DEMO)'
    elif has_own_data(folder):
        fetched = f'python download.py --only data --data_dir {DATA_DIR} fetches them there; '
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
    """Set bert_dir, and generate the encoder of DEMO; see `find_data`."""
    if has_demo_bert(args):
        from cosent_tf.demo.task import make_demo_bert

        make_demo_bert(DEMO_BERT_DIR)
        args.bert_dir = DEMO_BERT_DIR
    folder = args.bert_dir or encoder_folder(args.model)
    if args.resume:
        folder = _with_revision(folder, args)
    folder = bert_folder(folder).absolute()  # the run can then be used from any directory
    if not folder.is_dir():
        fetched = _fetched_by(args.model, args) if args.model in MODELS else ''
        raise UserError(
            f'{folder} not found: model {args.model!r} needs bert_config.json, vocab.txt and '
            f'bert_model.ckpt.* there, or config.json, vocab.txt and model.safetensors; {fetched}'
            f'without any download: python train_{args.method}.py --task DEMO'
        )
    args.bert_dir = str(folder)


def _with_revision(name: str, args: Namespace) -> str:
    """Return `hf:NAME` with the revision that the run was started from, any other name unchanged.

    A run can then be resumed after the model's main branch has moved.
    """
    folder = Path(args.runs_dir) / run_name(args.task, args.model, args.method, args.seed)
    with suppress(UserError):  # of a broken config.json, which `find_changes` reports
        started = str(read_if_there(folder / CONFIG_FILE).get('hub'))
        if started.partition('@')[0] == name:
            return started
    return name


def download_command(names: list[str], args: Namespace) -> list[str]:
    """Return the download.py command that fetches `names` to where a run looks for them."""
    command = ['download.py', '--only', *names]
    for name in names:
        if folder := args.data_dir if name == 'data' else args.bert_dir:
            command += [f'--{name}_dir', folder]
    return command


def _fetched_by(name: str, args: Namespace) -> str:
    return f'python {shlex.join(download_command([name], args))} fetches them; '

"""Download the data and both encoders of the published experiment from their publishers.

    python download.py
    python download.py --only data
    HF_ENDPOINT=https://my.hub python download.py --mirror https://my.mirror

data: ATEC, BQ (licensed for research only), LCQMC, PAWSX and STS-B. bert: Google's Chinese BERT
base. roberta: Chinese RoBERTa-wwm-ext base. The training scripts find them where they are stored.

Files that are there are not downloaded again, and the same command resumes a download that broke
off. SHA256SUMS in each folder keeps the checksums of the downloaded files, which the next download
compares.
"""

import os
import shlex
from argparse import Namespace
from pathlib import Path

from cosent_tf.bert.sources import HUB, is_encoder
from cosent_tf.cli import exit_on_error, make_parser
from cosent_tf.data import SPLITS, split_path
from cosent_tf.errors import RunError, UserError, WriteError, print_error
from cosent_tf.places import DATA_DIR, MODELS, data_folder, encoder_folder
from cosent_tf.published import PAIRS
from cosent_tf.readers import read_pairs
from cosent_tf.screen import print_next
from cosent_tools.download.provide import ADDRESSES, address_of, compare_sums, provide

SPLIT_FILES = {f'{task}/{task}.{split}.data': (task, split) for task in PAIRS for split in SPLITS}
FILES = {  # the index last: a checkpoint without it counts as missing
    'data': list(SPLIT_FILES),
    'bert': [
        'bert_config.json',
        'vocab.txt',
        'bert_model.ckpt.data-00000-of-00001',
        'bert_model.ckpt.index',
    ],
    'roberta': ['config.json', 'vocab.txt', 'tf_model.h5'],
}


def main():
    args = parse_args()
    problems = []
    for name in args.only:
        place = getattr(args, f'{name}_dir')
        if place.startswith(HUB):
            print(f'{name}: {place} is downloaded on first use')
            continue
        address, folder = address_of(name, args.mirror), Path(place).absolute()
        try:
            fill(name, address, folder, args.offline)
        except RunError:
            raise
        except UserError as error:
            problems.append(UserError(f'{name}: {error}; {what(name, address)} in {folder}'))
        except OSError as error:
            raise WriteError(f'{error.filename or folder}: {error.strerror or error}') from error
    for problem in problems[:-1]:
        print_error(problem)
    if problems:
        raise problems[-1]
    print_next(f'to train: python {shlex.join(training_command(args))}')


def training_command(args: Namespace) -> list[str]:
    """Return a command that trains on what was downloaded."""
    command = ['train_cosent.py', '--task', 'BQ']
    model = 'roberta' if args.only == ['roberta'] else 'bert'
    if model != 'bert':
        command += ['--model', model]
    for flag, folder, usual in (
        ('--bert_dir', getattr(args, f'{model}_dir'), encoder_folder(model)),
        ('--data_dir', args.data_dir, data_folder(None)),
    ):
        if folder != usual:
            command += [flag, folder]
    return command


def fill(name: str, address: str, folder: Path, offline: bool) -> None:
    """Download what is missing in a folder, and check it."""
    compare_sums(folder)
    missing = missing_files(name, folder)
    if not missing:
        print(f'{name}: found in {folder}')
        return
    if offline:
        raise UserError(f'{len(missing)} file{"s" if len(missing) > 1 else ""} missing')
    print(f'{name}: downloading {address} to {folder}', flush=True)
    if name == 'data':
        print('BQ is licensed for research only.')
    found = provide(address, missing, folder)
    if name == 'data':
        compare_counts(folder, found)
    if absent := [file for file in missing if file not in found]:
        raise UserError(f'{address} has no {", ".join(absent)}')


def missing_files(name: str, folder: Path) -> list[str]:
    """Return the files to download; a split or an encoder may be there in another format."""
    if name == 'data':
        return [file for file, key in SPLIT_FILES.items() if not split_path(folder, *key).is_file()]
    if is_encoder(folder):
        return []
    return [file for file in FILES[name] if not (folder / file).is_file()]


def compare_counts(folder: Path, files: list[str]) -> None:
    """Print the splits whose number of pairs is not the published one."""
    differences = 0
    for file in files:
        task, split = SPLIT_FILES[file]
        pairs, skipped = read_pairs(folder / file)
        published = PAIRS[task][SPLITS.index(split)]
        if len(pairs) != published:
            differences += 1
            note = f' and {skipped} lines without three fields' if skipped else ''
            print(f'{file}: {len(pairs):,} pairs{note}, published: {published:,}')
    print(f'{len(files) - differences} of {len(files)} splits have the published number of pairs')


def what(name: str, address: str) -> str:
    if address.startswith(HUB):
        repository = address.removeprefix(HUB)
        return f'{", ".join(FILES[name])} of https://huggingface.co/{repository} belong'
    return f'what {address} holds belongs'


def parse_args():
    parser = make_parser(__doc__)
    add, environment = parser.add_argument, os.environ.get
    add('--only', nargs='+', choices=ADDRESSES, default=list(ADDRESSES), help='default: all')
    for name, (variable, folder) in {'data': ('COSENT_DATA_DIR', DATA_DIR), **MODELS}.items():
        add(f'--{name}_dir', default=environment(variable, folder), help=f'default: {folder}')
    add(
        '--mirror',
        default=environment('COSENT_MIRROR'),
        help="replaces scheme and host of the archives' addresses (for the Hub: HF_ENDPOINT)",
    )
    add('--offline', action='store_true', help='only show what is missing')
    return parser.parse_args()


if __name__ == '__main__':
    exit_on_error(main)

"""What is published, small, for download.py to fetch; and what must be there afterwards."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import download
from cosent_tf.data import SPLITS
from tests.hosts import WEIGHTS

DATA, BERT = (urlsplit(download.ADDRESSES[name]).path for name in ('data', 'bert'))
GOOGLE = {file: f'{file} of Google'.encode() for file in download.FILES['bert']}
SENTEVAL = Path('data/senteval_cn')
PAIRS = {task: (9, 5 + number, 5) for number, task in enumerate(download.PAIRS)}
DATA_FILES = {
    f'{task}/{task}.{split}.data': ''.join(f'我{n}\t你\t{n % 2}\n' for n in range(pairs)).encode()
    for task in PAIRS
    for split, pairs in zip(SPLITS, PAIRS[task], strict=True)
}


def senteval_cn():
    """What the archive holds: our folders, somewhere, and what a Mac adds."""
    junk = {'__MACOSX/senteval_cn/BQ/._BQ.train.data': b'x', 'senteval_cn/noise': WEIGHTS}
    return {f'senteval_cn/{file}': content for file, content in DATA_FILES.items()} | junk


def content(folder):
    """Path below a folder → bytes, of every file in it."""
    files = [path for path in folder.rglob('*') if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def without_sums(folder):
    return {file: data for file, data in content(Path(folder)).items() if file != 'SHA256SUMS'}


def check_failure(done, code, message):
    """One line that says it, and nothing in the folder."""
    assert done[0] == code and done[2].count('\n') == 1, done
    assert re.search(message, done[2]), done[2]
    assert not [*Path().glob('data/[!.]*'), *Path().glob('pretrained/[!.]*')]

"""Where an encoder comes from: a run, a folder with a BERT, or `hf:NAME` on the Hugging Face Hub.

TensorFlow-free, so that a wrong name is told at once.
"""

from pathlib import Path
from typing import NamedTuple

from cosent_tf.errors import UserError
from cosent_tf.runs import CONFIG_FILE, WEIGHTS_FILE
from cosent_tf.settings import read_json, read_maxlen, read_pooling

HUB = 'hf:'
# Each is enough, so that only the first one there is downloaded.
HUB_WEIGHTS = ('model.safetensors', 'tf_model.h5', 'pytorch_model.bin')
HUB_FILES = (
    'config.json',
    'vocab.txt',
    'tokenizer.json',
    'tokenizer_config.json',
    'modules.json',
    '*/config.json',  # of a module
    'sentence_bert_config.json',
    'config_sentence_transformers.json',
)


class Source(NamedTuple):
    """What an encoder is made of."""

    bert_dir: Path  # configuration and vocabulary, and the weights if there is no run
    maxlen: int
    pooling: str  # 'cls' or 'mean'
    run: Path | None = None  # its best weights replace the pretrained ones
    method: str | None = None  # of the run

    @property
    def is_joint(self) -> bool:
        """Whether both sentences go in as one input, so that none has a vector."""
        return self.method is not None and self.method.startswith('interact')


def find_source(name: str | Path) -> Source:
    """Find out what a user means.

    Args:
        name: a run folder, a folder with a BERT, or `hf:NAME`.

    Raises:
        UserError: nothing of these, an unfinished run, a run whose BERT folder is gone, or a
            folder of sentence-transformers that asks for more than `settings` knows.
    """
    folder = bert_folder(name)
    if not folder.is_dir():
        raise UserError(
            f'{folder.absolute()} not found: it must be a run, a BERT folder or hf:NAME'
        )
    config = read_json(folder / CONFIG_FILE)
    if 'arguments' not in config:
        return Source(folder, read_maxlen(folder), read_pooling(folder))
    arguments = config['arguments']
    bert_dir = Path(arguments['bert_dir'])
    if not (folder / WEIGHTS_FILE).is_file():
        raise UserError(f'{folder}: no {WEIGHTS_FILE}: this run has not finished an epoch')
    if not bert_dir.is_dir():
        raise UserError(
            f'{folder}: the BERT it was trained from is no longer at {bert_dir}: put its '
            f'configuration and vocabulary back, or write their new place as "bert_dir" into '
            f'{folder / CONFIG_FILE}'
        )
    pooling = arguments.get('pooling', 'cls')  # of runs before there was a choice
    return Source(bert_dir, arguments['maxlen'], pooling, folder, arguments['method'])


def bert_folder(name: str | Path) -> Path:
    """Return a folder: of `hf:NAME` the downloaded one, anything else as it is.

    Raises:
        UserError: huggingface_hub is not installed, or the files cannot be had.
    """
    if not str(name).startswith(HUB):
        return Path(name)
    repository = str(name).removeprefix(HUB)
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise UserError(f'{name} needs huggingface_hub: pip install huggingface_hub') from None
    try:
        for weights in HUB_WEIGHTS:
            folder = Path(snapshot_download(repository, allow_patterns=[*HUB_FILES, weights]))
            if any((folder / file).is_file() for file in HUB_WEIGHTS):
                return folder
    except (OSError, ValueError) as error:  # no network, no such repository, no such name
        reason = str(error).partition('\n')[0]
        raise UserError(_by_hand(name, repository, reason)) from error
    raise UserError(_by_hand(name, repository, f'it has none of {", ".join(HUB_WEIGHTS)}'))


def _by_hand(name: str | Path, repository: str, reason: str) -> str:
    return (
        f'{name} cannot be downloaded ({reason}); by hand: put config.json, vocab.txt, '
        'model.safetensors and, where there are, tokenizer_config.json, modules.json, '
        'sentence_bert_config.json and 1_Pooling/config.json of '
        f'https://huggingface.co/{repository} into one folder, and give that folder instead'
    )

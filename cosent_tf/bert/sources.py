"""Where an encoder comes from: a run, a folder with a BERT, or the Hugging Face Hub.

`hf:NAME` is the current version of a model on the Hub, `hf:NAME@REVISION` a branch, tag or commit.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cosent_tf.bert.settings import POOLINGS, check_length, how_used, read_if_there
from cosent_tf.errors import UserError
from cosent_tf.methods import find_method
from cosent_tf.readers import read_json, read_lines

CONFIG_FILE, WEIGHTS_FILE = 'config.json', 'best.weights.h5'  # of a run

CONFIGS = ('bert_config.json', 'config.json')  # of a BERT, Google's and Hugging Face's

VOCABULARIES = ('vocab.txt', 'tokenizer.json')
TOKENIZER_FILES = (*VOCABULARIES, 'tokenizer_config.json', 'sentence_bert_config.json')

HUB = 'hf:'
HUB_WEIGHTS = {  # each is enough: only the first that exists is downloaded, with its parts
    'model.safetensors': 'model.safetensors',
    'model.safetensors.index.json': 'model-*.safetensors',
    'tf_model.h5': 'tf_model.h5',
    'pytorch_model.bin': 'pytorch_model.bin',
    'pytorch_model.bin.index.json': 'pytorch_model-*.bin',
}
HUB_FILES = ('config.json', *TOKENIZER_FILES, 'added_tokens.json', 'special_tokens_map.json')
HUB_FILES += ('modules.json', '*/config.json', 'config_sentence_transformers.json')

PUBLISHED_FOLDERS = {  # names of published encoders: --model
    'chinese_L-12_H-768_A-12': 'bert',
    'bert-base-chinese': 'bert',
    'chinese_roberta_wwm_ext_L-12_H-768_A-12': 'roberta',
    'chinese-roberta-wwm-ext': 'roberta',
}


class Source(NamedTuple):
    """What an encoder is loaded from."""

    bert_dir: Path  # configuration and vocabulary, and the weights if there is no run
    maxlen: int
    pooling: str  # one of `settings.POOLINGS`
    run: Path | None = None  # its best weights replace the pretrained ones
    method: str | None = None  # of the run

    @property
    def is_joint(self) -> bool:
        """Whether both sentences are read as one input, so that neither has a vector."""
        return self.method is not None and find_method(self.method).is_joint


def find_source(name: str | Path, pooling: str | None = None, maxlen: int | None = None) -> Source:
    """Return what a run folder, a folder with a BERT, or `hf:NAME` stands for.

    `pooling`, one of `settings.POOLINGS`, and `maxlen`, tokens per text, are for names that are not
    runs, and override what the folder says.

    Raises:
        UserError: none of these, an unfinished run, a run whose BERT folder is gone, a pooling or
            maxlen for a run, or a folder that asks for something unsupported (see `settings`).
    """
    folder = bert_folder(name)
    if not folder.is_dir():
        raise UserError(
            f'{folder.absolute()} not found: it must be a run, a BERT folder or hf:NAME'
        )
    config = read_if_there(folder / CONFIG_FILE)
    if 'arguments' not in config:
        return Source(folder, *how_used(folder, pooling, maxlen))
    if pooling is not None or maxlen is not None:
        raise UserError(
            f'{folder}: a run keeps the pooling and maxlen it was trained with; leave them out'
        )
    return _run_source(folder, config['arguments'])


def _run_source(folder: Path, arguments: dict) -> Source:
    path = folder / CONFIG_FILE
    try:
        bert_dir, method = Path(arguments['bert_dir']), str(arguments['method'])
        pooling = str(arguments.get('pooling', 'cls'))  # older runs had no choice
        maxlen = check_length(path, 'maxlen', arguments['maxlen'])
        has_bert = bert_dir.is_dir()
        if pooling not in POOLINGS:
            raise ValueError(f'pooling is {pooling!r}')
    except (KeyError, TypeError, AttributeError, ValueError, OSError) as error:
        raise UserError(f'{path}: not the arguments of a run: {str(error)[:80]}') from error
    if not (folder / WEIGHTS_FILE).is_file():
        raise UserError(
            f'{folder}: no {WEIGHTS_FILE}: this run has not finished an epoch, or its weights were '
            'not kept'
        )
    if not has_bert:
        raise UserError(
            f'{folder}: the BERT it was trained from is no longer at {bert_dir}: put its '
            f'configuration and vocabulary back, or set "bert_dir" in {path} to their new place'
        )
    return Source(bert_dir, maxlen, pooling, folder, method)


def bert_folder(name: str | Path) -> Path:
    """Download `hf:NAME` or `hf:NAME@REVISION` and return its folder; others as they are."""
    if not str(name).startswith(HUB):
        return Path(name)
    repository, _, revision = str(name).removeprefix(HUB).partition('@')
    from huggingface_hub import snapshot_download  # not at the top: half a second
    from huggingface_hub.errors import HTTPError

    reason = f'it has none of {", ".join(HUB_WEIGHTS)}'
    try:
        for weights in HUB_WEIGHTS.items():
            files = [*HUB_FILES, *weights]
            folder = snapshot_download(repository, revision=revision or None, allow_patterns=files)
            folder = Path(folder)
            if any((folder / file).is_file() for file in HUB_WEIGHTS):
                return folder
    except (OSError, ValueError, HTTPError) as error:  # no network, no such repository or name
        reason = first_line(error)
    raise UserError(
        f'{name} cannot be downloaded ({reason}); by hand: put config.json, vocab.txt, '
        'model.safetensors and, if they exist, tokenizer_config.json, modules.json, '
        'sentence_bert_config.json and 1_Pooling/config.json from '
        f'https://huggingface.co/{repository} into one folder, and give that folder instead'
    )


def hub_name(folder: Path) -> str | None:
    """Return `hf:NAME@COMMIT` for a folder in the cache of the Hub's client, else None."""
    folder = folder.resolve()  # models--OWNER--NAME/snapshots/COMMIT
    if folder.parent.name == 'snapshots' and folder.parents[1].name.startswith('models--'):
        repository = folder.parents[1].name.removeprefix('models--').replace('--', '/')
        return f'{HUB}{repository}@{folder.name}'
    return None


def encoder_name(folder: Path) -> str:
    """Return the model's name on the Hub if the folder is from there, else the folder's name."""
    name = hub_name(folder)
    return name.removeprefix(HUB).partition('@')[0] if name else folder.resolve().name


def model_name(bert_dir: str) -> str:
    """Return what runs call a folder or hf:NAME; published encoders are bert and roberta."""
    hub = bert_dir.startswith(HUB)
    folder = bert_dir[len(HUB) :].partition('@')[0] if hub else encoder_name(Path(bert_dir))
    own = re.sub('[^A-Za-z0-9_-]+', '-', folder.rpartition('/')[2]).strip('-')
    if not own:
        raise UserError(
            f'--bert_dir {bert_dir}: give it a name of letters and digits, --model NAME'
        )
    return PUBLISHED_FOLDERS.get(own, own)


def is_encoder(folder: Path) -> bool:
    """Return whether a folder has configuration, vocabulary and weights, in any format."""
    with suppress(UserError):
        find_weights(folder)
        kinds = (CONFIGS, VOCABULARIES)
        return all(any((folder / file).is_file() for file in files) for files in kinds)
    return False


def find_weights(folder: Path) -> list[Path]:
    """Return the files with the weights of a BERT: several if an index names its parts.

    Of several formats, Google's comes first: bert_model.ckpt, or the checkpoint that TensorFlow's
    `checkpoint` names; then those of `HUB_WEIGHTS` in their order. Without any: a UserError.
    """
    names = [*_google_indexes(folder), *HUB_WEIGHTS]
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise UserError(f'{folder}: no weights there: none of {", ".join(names)}')
    if path.suffix != '.json':
        return [path]
    parts = read_json(path).get('weight_map')
    if not parts or not isinstance(parts, dict):
        raise UserError(f'{path}: not an index of weights: it has no weight_map')
    parts = [folder / name for name in dict.fromkeys(map(str, parts.values()))]
    suffix = Path(HUB_WEIGHTS[path.name]).suffix
    for part in parts:
        if part.suffix != suffix or not part.is_file():
            raise UserError(f'{path}: its part {part.name} is missing or not a {suffix} file')
    return parts


def _google_indexes(folder: Path) -> dict[str, None]:
    path = folder / 'checkpoint'
    lines = read_lines(path) if path.is_file() else []
    names = (re.match(r'model_checkpoint_path: *"(?:.*[/\\])?(.+)"', line) for line in lines)
    return dict.fromkeys(['bert_model.ckpt.index', *(f'{name[1]}.index' for name in names if name)])


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, shortened to 200 characters."""
    return str(error).partition('\n')[0][:200]

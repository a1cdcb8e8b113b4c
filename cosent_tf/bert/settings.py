"""How an encoder is meant to be used: what its folder says beside configuration and weights.

    modules.json, 1_Pooling/config.json   how tokens become a vector (sentence-transformers)
    sentence_bert_config.json             tokens per text, lower-casing (sentence-transformers)
    tokenizer_config.json                 lower-casing, accents, Chinese characters (transformers)
    tokenizer.json                        the same, where tokenizer_config.json leaves it open

Any of them may be missing. A broken file, or a setting that is not supported here, is a UserError
that names file and key, since the vectors would otherwise be silently wrong.
"""

from pathlib import Path
from typing import NamedTuple

from cosent_tf.errors import UserError, tell_once
from cosent_tf.readers import read_json

POOLERS = {'pooler': 'tanh', 'pooler_linear': 'linear'}  # activation of the pooler's dense layer
POOLINGS = ('cls', 'mean', *POOLERS)
MAXLEN = 64  # tokens per text, of an encoder whose folder does not say

MODULES = (['Transformer', 'Pooling'], ['Transformer', 'Pooling', 'Normalize'])
# one flag per mode before sentence-transformers 6
OLD_POOLINGS = {'pooling_mode_cls_token': 'cls', 'pooling_mode_mean_tokens': 'mean'}
BERT_TOKENIZERS = (None, 'BertTokenizer', 'BertTokenizerFast')
ANY_TOKENIZERS = ('PreTrainedTokenizerFast', 'TokenizersBackend')  # all is in tokenizer.json
SPECIAL_TOKENS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]')
REQUIRED_SETTINGS = {  # of tokenizer_config.json
    'do_basic_tokenize': True,
    'never_split': None,
    'truncation_side': 'right',
    **{f'{token[1:-1].lower()}_token': token for token in SPECIAL_TOKENS},
}


class TokenizerSettings(NamedTuple):
    """How a BERT's tokenizer normalises texts; the names are those of tokenizer_config.json."""

    do_lower_case: bool = True
    strip_accents: bool = True
    tokenize_chinese_chars: bool = True  # each one is a word


def how_used(folder: Path, pooling: str | None, maxlen: int | None) -> tuple[int, str]:
    """Return an encoder's tokens per text and its pooling, as given or as its folder says.

    Where neither says, 64 tokens and [CLS] are assumed, with a notice on stderr.
    """
    if pooling not in (None, *POOLINGS):
        raise UserError(f'pooling must be one of {", ".join(POOLINGS)}, not {pooling!r}')
    pooling = pooling or read_pooling(folder)
    maxlen = read_maxlen(folder) if maxlen is None else check_length(folder, 'maxlen', maxlen)
    assumed = '[CLS] pooling' if pooling is None else ''
    if maxlen is None:
        assumed += f'{" and " if assumed else ""}{MAXLEN} tokens per text'
    if assumed:
        tell_once(
            f'{folder}: assuming {assumed}, as there is no modules.json; --pooling and --maxlen '
            '(in Python pooling= and maxlen=) set them'
        )
    return maxlen or MAXLEN, pooling or 'cls'


def read_pooling(folder: Path) -> str | None:
    """Return the pooling of a sentence-transformers folder, 'cls' or 'mean'; None for others."""
    path = folder / 'modules.json'
    if not path.is_file():
        return None
    modules = read_json(path, list)
    try:
        types, paths = ([module[key] for module in modules] for key in ('type', 'path'))
        own = [kind.startswith('sentence_transformers.') for kind in types]
        kinds = [kind.rpartition('.')[2] for kind in types]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{path}: not the modules of sentence-transformers: {error!r}') from error
    if not all(own) or kinds not in MODULES:
        raise UserError(
            f'{path}: type is {", ".join(types)}; only Transformer, Pooling and Normalize, in this '
            'order, are supported; --pooling (in Python pooling=) uses the folder without them'
        )
    require(path, 'path of the Transformer', paths[0], '')
    prompts = folder / 'config_sentence_transformers.json'
    config = read_if_there(prompts)
    name = config.get('default_prompt_name')
    if name is not None and (config.get('prompts') or {}).get(name) != '':
        raise UserError(
            f'{prompts}: default_prompt_name is {name!r}, but prompts are not supported: set it to '
            'null, and write the prompt in front of each text yourself'
        )
    return _pooling_mode(folder / paths[1] / 'config.json')


def _pooling_mode(path: Path) -> str:
    config = read_json(path)
    modes = config.get('pooling_mode')
    if modes is None:
        flags = [key for key in config if key.startswith('pooling_mode_') and config[key]]
        modes = [OLD_POOLINGS.get(key, key) for key in flags] or 'mean'
    modes = [modes] if isinstance(modes, str) else modes
    if modes not in (['cls'], ['mean']):
        raise UserError(f'{path}: pooling_mode is {modes}, only cls or mean is supported')
    return modes[0]


def read_maxlen(folder: Path) -> int | None:
    """Return the tokens per text that a folder says, None if it does not.

    A folder with modules.json has the limit that sentence-transformers would apply.
    """
    path, key = folder / 'sentence_bert_config.json', 'max_seq_length'
    maxlen = read_if_there(path).get(key)
    if maxlen is None and (folder / 'modules.json').is_file():
        positions = read_if_there(folder / 'config.json').get('max_position_embeddings', 512)
        path, key = folder / 'tokenizer_config.json', 'model_max_length'
        maxlen = read_if_there(path).get(key, positions)
        if type(maxlen) in (int, float) and type(positions) is int:  # 1e30 means no limit
            maxlen = int(min(maxlen, positions))
    return None if maxlen is None else check_length(path, key, maxlen)


def read_tokenizer_settings(folder: Path) -> TokenizerSettings:
    """Return how the tokenizer of a folder treats case, accents and Chinese characters.

    tokenizer_config.json decides, with the defaults of transformers' BertTokenizer. tokenizer.json
    decides if the other file is missing or names no BERT tokenizer. Without either, texts are
    lower-cased, as published.
    """
    path, other = folder / 'tokenizer_config.json', folder / 'tokenizer.json'
    config = read_if_there(path)
    kind = config.get('tokenizer_class')
    if kind not in BERT_TOKENIZERS + ANY_TOKENIZERS:
        require(path, 'tokenizer_class', kind, 'BertTokenizer')
    for key, supported in REQUIRED_SETTINGS.items():
        value = config.get(key, supported)
        value = value.get('content') if isinstance(value, dict) else value
        require(path, key, None if value == [] else value, supported)
    if other.is_file() and (not path.is_file() or kind in ANY_TOKENIZERS):
        path, config = other, _normalizer(other, kind in ANY_TOKENIZERS)
    lower = _flag(path, config, 'do_lower_case', True)
    strip = _flag(path, config, 'strip_accents', lower)
    chinese = _flag(path, config, 'tokenize_chinese_chars', True)
    path = folder / 'sentence_bert_config.json'
    lower = _flag(path, read_if_there(path), 'do_lower_case', False) or lower
    return TokenizerSettings(lower, strip, chinese)


def read_added_tokens(folder: Path) -> list[str]:
    """Return the tokens that transformers recognises anywhere in a text, and this project does not.

    [CLS] and the other special tokens are left out, although the same holds for them.
    """
    files = ('tokenizer_config', 'special_tokens_map', 'added_tokens', 'tokenizer')
    config, special, added, tokenizer = (read_if_there(folder / f'{name}.json') for name in files)
    try:
        tokens = [*added, *(config.get('added_tokens_decoder') or {}).values()]
        tokens += config.get('additional_special_tokens') or []
        tokens += special.get('additional_special_tokens') or []
        tokens += tokenizer.get('added_tokens') or []
        contents = [token if isinstance(token, str) else str(token['content']) for token in tokens]
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f'{folder}: not the added tokens of a tokenizer: {error!r}') from error
    return [token for token in dict.fromkeys(contents) if token not in (*SPECIAL_TOKENS, '[MASK]')]


def _normalizer(path: Path, required: bool) -> dict:
    """Return the settings of tokenizer.json under the names of tokenizer_config.json."""
    tokenizer = read_json(path)
    for part, kind in (('normalizer', 'BertNormalizer'), ('pre_tokenizer', 'BertPreTokenizer')):
        found = tokenizer.get(part)
        if found is not None or required:
            require(path, part, found.get('type') if isinstance(found, dict) else found, kind)
    normalizer = tokenizer.get('normalizer') or {}
    require(path, 'clean_text of the normalizer', bool(normalizer.get('clean_text', True)), True)
    return {
        'do_lower_case': normalizer.get('lowercase'),
        'strip_accents': normalizer.get('strip_accents'),
        'tokenize_chinese_chars': normalizer.get('handle_chinese_chars'),
    }


def _flag(path: Path, config: dict, key: str, default: bool) -> bool:
    value = config.get(key)
    if value not in (None, True, False):
        raise UserError(f'{path}: {key} must be true or false, not {value!r}')
    return default if value is None else bool(value)


def read_if_there(path: Path) -> dict:
    """Return the JSON object in a file, an empty one if there is no such file."""
    return read_json(path) if path.is_file() else {}


def require(path: Path, key: str, value: object, supported: object) -> None:
    """Raise a UserError unless a setting has the only value that is supported here."""
    if value != supported:
        raise UserError(f'{path}: {key} is {value!r}, only {supported!r} is supported')


def check_length(path: Path, key: str, value: object) -> int:
    """Return a number of tokens that leaves room for one beside [CLS] and [SEP], or refuse it."""
    if type(value) is not int or value < 3:
        raise UserError(f'{path}: {key} must be an integer of at least 3, not {value!r}')
    return value

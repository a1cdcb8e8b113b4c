"""How an encoder was made to be used: what a folder says beside configuration and weights.

    modules.json, 1_Pooling/config.json   how tokens become a vector (sentence-transformers)
    sentence_bert_config.json             tokens a text, lower-casing (sentence-transformers)
    tokenizer_config.json                 lower-casing, accents, Chinese characters (transformers)
    tokenizer.json                        the same, where tokenizer_config.json leaves it to it

All of them may be missing. What they ask for and is not done here is an error that names file and
key, since vectors would silently be others. TensorFlow-free.
"""

from pathlib import Path
from typing import NamedTuple

from cosent_tf.errors import UserError, tell_once
from cosent_tf.readers import read_json

POOLERS = {'pooler': 'tanh', 'pooler_linear': 'linear'}  # what follows the pooler's dense layer
POOLINGS = ('cls', 'mean', *POOLERS)
MAXLEN = 64  # tokens a text, of an encoder of which nobody says

MODULES = (['Transformer', 'Pooling'], ['Transformer', 'Pooling', 'Normalize'])
OLD_POOLINGS = {  # before sentence-transformers 6: a flag for each
    'pooling_mode_cls_token': 'cls',
    'pooling_mode_mean_tokens': 'mean',
}
BERT_TOKENIZERS = (None, 'BertTokenizer', 'BertTokenizerFast')
ANY_TOKENIZERS = ('PreTrainedTokenizerFast', 'TokenizersBackend')  # all is in tokenizer.json
ONLY_TOKENIZER = {  # of tokenizer_config.json
    'do_basic_tokenize': True,
    'never_split': None,
    'truncation_side': 'right',
    'pad_token': '[PAD]',
    'unk_token': '[UNK]',
    'cls_token': '[CLS]',
    'sep_token': '[SEP]',
}


BERT_TOKENS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]')


class TokenizerSettings(NamedTuple):
    """What a BERT's tokenizer does to a text first, under the names of tokenizer_config.json."""

    do_lower_case: bool = True
    strip_accents: bool = True
    tokenize_chinese_chars: bool = True  # each one is a word


def how_used(folder: Path, pooling: str | None, maxlen: int | None) -> tuple[int, str]:
    """Return the tokens a text and the pooling of an encoder: as given, or as its folder says.

    What nobody says is assumed, [CLS] and 64 tokens, and told.

    Raises:
        UserError: no such pooling or length, or as `read_pooling` and `read_maxlen`.
    """
    if pooling not in (None, *POOLINGS):
        raise UserError(f'pooling must be one of {", ".join(POOLINGS)}, not {pooling!r}')
    pooling = pooling or read_pooling(folder)
    maxlen = read_maxlen(folder) if maxlen is None else check_length(folder, 'maxlen', maxlen)
    assumed = ['[CLS] pooling'] * (pooling is None) + [f'{MAXLEN} tokens a text'] * (maxlen is None)
    if assumed:
        tell_once(
            f'{folder}: {" and ".join(assumed)} assumed, as there is no modules.json that says; '
            '--pooling and --maxlen (in Python pooling= and maxlen=) do'
        )
    return maxlen or MAXLEN, pooling or 'cls'


def read_pooling(folder: Path) -> str | None:
    """Return how the encoder of a folder makes a vector of its tokens: 'cls' or 'mean'.

    A folder without modules.json does not say: None.

    Raises:
        UserError: a broken file, or another pooling, module or a prompt.
    """
    path = folder / 'modules.json'
    if not path.is_file():
        return None
    modules = read_if_there(path, list)
    try:
        types = [module['type'] for module in modules]
        kinds = [kind.removeprefix('sentence_transformers.').split('.')[-1] for kind in types]
        paths = [module['path'] for module in modules]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{path}: not the modules of sentence-transformers: {error!r}') from error
    foreign = [kind for kind in types if not kind.startswith('sentence_transformers.')]
    if foreign or kinds not in MODULES:
        raise UserError(
            f'{path}: type is {", ".join(types)}; only Transformer, Pooling and Normalize, in this '
            'order, can be used, unless you say what to do instead: --pooling, or pooling='
        )
    if paths[0] != '':
        raise UserError(f'{path}: path of the Transformer is {paths[0]!r}, only "" can be used')
    _check_prompt(folder / 'config_sentence_transformers.json')
    return _pooling_of(folder / paths[1] / 'config.json')


def _check_prompt(path: Path) -> None:
    config = read_if_there(path)
    name = config.get('default_prompt_name')
    if name is not None and (config.get('prompts') or {}).get(name) != '':
        raise UserError(
            f'{path}: default_prompt_name is {name!r}, but prompts cannot be used: set it to null, '
            'and write the prompt in front of each text yourself'
        )


def _pooling_of(path: Path) -> str:
    if not path.is_file():
        raise UserError(f'{path}: not found, though modules.json names it')
    config = read_if_there(path)
    modes = config.get('pooling_mode')
    if modes is None:
        flags = [key for key in config if key.startswith('pooling_mode_') and config[key]]
        modes = [OLD_POOLINGS.get(key, key) for key in flags] or 'mean'
    modes = [modes] if isinstance(modes, str) else modes
    if modes not in (['cls'], ['mean']):
        raise UserError(f'{path}: pooling_mode is {modes}, only one of cls and mean can be used')
    return modes[0]


def read_maxlen(folder: Path) -> int | None:
    """Return how many tokens of a text the encoder of a folder takes.

    A folder with modules.json takes what sentence-transformers takes; one that says nothing, None.

    Raises:
        UserError: a broken file, or no number in it.
    """
    path, key = folder / 'sentence_bert_config.json', 'max_seq_length'
    maxlen = read_if_there(path).get(key)
    if maxlen is None and (folder / 'modules.json').is_file():
        positions = read_if_there(folder / 'config.json').get('max_position_embeddings', 512)
        path, key = folder / 'tokenizer_config.json', 'model_max_length'
        maxlen = read_if_there(path).get(key, positions)
        if type(maxlen) in (int, float) and type(positions) is int:  # 1e30 is no limit
            maxlen = int(min(maxlen, positions))
    return None if maxlen is None else check_length(path, key, maxlen)


def read_tokenizer_settings(folder: Path) -> TokenizerSettings:
    """Return how the tokenizer of a folder treats case, accents and Chinese characters.

    tokenizer_config.json decides, with the defaults of transformers' BertTokenizer for what it
    does not say. tokenizer.json decides where there is no other, or it names no tokenizer of its
    own. A folder with neither is lower-cased, as published.

    Raises:
        UserError: a broken file, another tokenizer, or a setting that cannot be used.
    """
    path, other = folder / 'tokenizer_config.json', folder / 'tokenizer.json'
    config = read_if_there(path)
    kind = config.get('tokenizer_class')
    if kind not in BERT_TOKENIZERS + ANY_TOKENIZERS:
        raise UserError(f'{path}: tokenizer_class is {kind!r}, only BertTokenizer can be used')
    for key, expected in ONLY_TOKENIZER.items():
        value = config.get(key, expected)
        value = value.get('content') if isinstance(value, dict) else value
        if value != expected and (value or expected):
            raise UserError(f'{path}: {key} is {value!r}, only {expected!r} can be used')
    if other.is_file() and (not path.is_file() or kind in ANY_TOKENIZERS):
        path, config = other, _normalizer(other, kind in ANY_TOKENIZERS)
    lower = _flag(path, config, 'do_lower_case', True)
    strip = _flag(path, config, 'strip_accents', lower)
    chinese = _flag(path, config, 'tokenize_chinese_chars', True)
    path = folder / 'sentence_bert_config.json'
    return TokenizerSettings(
        _flag(path, read_if_there(path), 'do_lower_case', False) or lower, strip, chinese
    )


def read_added_tokens(folder: Path) -> list[str]:
    """Return what transformers takes for a token wherever it stands in a text; here it is plain.

    [CLS] and the like are not among them, although it does the same with these.

    Raises:
        UserError: a broken file.
    """
    config, special = (
        read_if_there(folder / f'{name}.json')
        for name in ('tokenizer_config', 'special_tokens_map')
    )
    tokens = list(read_if_there(folder / 'added_tokens.json'))
    try:
        tokens += (config.get('added_tokens_decoder') or {}).values()
        tokens += config.get('additional_special_tokens') or []
        tokens += special.get('additional_special_tokens') or []
        tokens += read_if_there(folder / 'tokenizer.json').get('added_tokens') or []
        contents = [token if isinstance(token, str) else str(token['content']) for token in tokens]
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f'{folder}: not the added tokens of a tokenizer: {error!r}') from error
    return [token for token in dict.fromkeys(contents) if token not in BERT_TOKENS]


def _normalizer(path: Path, required: bool) -> dict:
    """Return the settings of tokenizer.json under the names of tokenizer_config.json."""
    tokenizer = read_if_there(path)
    for part, expected in (('normalizer', 'BertNormalizer'), ('pre_tokenizer', 'BertPreTokenizer')):
        found = tokenizer.get(part)
        if found is None and not required:
            continue
        kind = found.get('type') if isinstance(found, dict) else found
        if kind != expected:
            raise UserError(f'{path}: {part} is {kind!r}, only {expected!r} can be used')
    normalizer = tokenizer.get('normalizer') or {}
    if not normalizer.get('clean_text', True):
        raise UserError(f'{path}: clean_text of the normalizer is false, only true can be used')
    names = {
        'lowercase': 'do_lower_case',
        'strip_accents': 'strip_accents',
        'handle_chinese_chars': 'tokenize_chinese_chars',
    }
    return {name: normalizer[key] for key, name in names.items() if key in normalizer}


def _flag(path: Path, config: dict, key: str, default: bool) -> bool:
    value = config.get(key)
    if value not in (None, True, False):
        raise UserError(f'{path}: {key} must be true or false, not {value!r}')
    return default if value is None else bool(value)


def read_if_there(path: Path, kind: type = dict) -> dict | list:
    """Return what a file holds, nothing if there is no such file.

    Raises:
        UserError: as `read_json`.
    """
    return read_json(path, kind) if path.is_file() else kind()


def check_length(path: Path, key: str, value: object) -> int:
    """Return a number of tokens that leaves room for one beside [CLS] and [SEP].

    Raises:
        UserError: it is none.
    """
    if type(value) is not int or value < 3:
        raise UserError(f'{path}: {key} must be an integer from 3 on, not {value!r}')
    return value

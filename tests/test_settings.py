"""What a folder says of its own use: followed, or refused by file and key."""

import json

import pytest

from cosent_tf.bert.pretrained import BertTokenizer
from cosent_tf.bert.settings import (
    TokenizerSettings,
    read_maxlen,
    read_pooling,
    read_tokenizer_settings,
)
from cosent_tf.errors import UserError

OLD, NEW = 'sentence_transformers.models', 'sentence_transformers.sentence_transformer.modules'
BERT_NORMALIZER = {'type': 'BertNormalizer', 'clean_text': True, 'lowercase': False}


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding='utf-8')
    return folder


def modules(*kinds, place=OLD):
    return [
        {'idx': i, 'name': str(i), 'path': f'{i}_{kind}' if i else '', 'type': f'{place}.{kind}'}
        for i, kind in enumerate(kinds)
    ]


def pooled(config, place=OLD, more=()):
    """The files of a sentence-transformers folder with this 1_Pooling/config.json."""
    kinds = ('Transformer', 'Pooling', *more)
    return {'modules.json': modules(*kinds, place=place), '1_Pooling/config.json': config}


POOLINGS = {
    'no modules': ({'1_Pooling/config.json': {'pooling_mode': 'mean'}}, None),
    'old, cls': (pooled({'pooling_mode_cls_token': True, 'pooling_mode_max_tokens': False}), 'cls'),
    'old, mean': (pooled({'pooling_mode_mean_tokens': True}, more=['Normalize']), 'mean'),
    'new, cls': (pooled({'pooling_mode': 'cls'}, NEW, ['Normalize']), 'cls'),
    'new, mean': (pooled({'pooling_mode': ['mean'], 'include_prompt': False}, NEW), 'mean'),
    'nothing said': (pooled({'word_embedding_dimension': 32}), 'mean'),
}


@pytest.mark.parametrize('case', POOLINGS)
def test_the_pooling_is_that_of_the_folder(case, tmp_path):
    """The pooling of a folder is read from its modules, old and new."""
    files, expected = POOLINGS[case]
    assert read_pooling(write(tmp_path, files)) == expected


TOKENIZERS = {
    'no file': ({}, (True, True, True)),
    'cased': ({'tokenizer_config.json': {'do_lower_case': False}}, (False, False, True)),
    'accents kept': ({'tokenizer_config.json': {'strip_accents': False}}, (True, False, True)),
    'all said': (
        {
            'tokenizer_config.json': {
                'tokenizer_class': 'BertTokenizerFast',
                'do_lower_case': False,
                'strip_accents': True,
                'tokenize_chinese_chars': False,
                'cls_token': {'content': '[CLS]', 'special': True},
                'never_split': [],
            },
        },
        (False, True, False),
    ),
    'tokenizer.json alone': (
        {'tokenizer.json': {'normalizer': BERT_NORMALIZER | {'handle_chinese_chars': False}}},
        (False, False, False),
    ),
    'tokenizer.json by name': (
        {
            'tokenizer_config.json': {'tokenizer_class': 'PreTrainedTokenizerFast'},
            'tokenizer.json': {
                'normalizer': BERT_NORMALIZER | {'strip_accents': True},
                'pre_tokenizer': {'type': 'BertPreTokenizer'},
            },
        },
        (False, True, True),
    ),
    'tokenizer_config.json wins': (
        {
            'tokenizer_config.json': {'tokenizer_class': 'BertTokenizer'},
            'tokenizer.json': {'normalizer': BERT_NORMALIZER},
        },
        (True, True, True),
    ),
    'cased, but lower-cased before': (
        {
            'tokenizer_config.json': {'do_lower_case': False},
            'sentence_bert_config.json': {'do_lower_case': True},
        },
        (True, False, True),
    ),
}


@pytest.mark.parametrize('case', TOKENIZERS)
def test_the_tokenizer_is_that_of_the_folder(case, tmp_path):
    """Lower-casing and accents are read from the folder, with transformers' defaults."""
    files, expected = TOKENIZERS[case]
    assert read_tokenizer_settings(write(tmp_path, files)) == TokenizerSettings(*expected)


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        ((True, True, True), 'cafe 我 们 ab ！'),
        ((True, False, True), 'café 我 们 ab ！'),
        ((False, True, True), 'Cafe 我 们 aB ！'),
        ((False, False, True), 'Café 我 们 aB ！'),
        ((True, True, False), 'cafe 我们ab ！'),
    ],
)
def test_each_setting_changes_tokens_by_itself(settings, expected):
    """Lower-casing, accents and Chinese characters can be set independently."""
    words = ['cafe', 'café', 'Cafe', 'Café', '我', '们', 'ab', 'aB', '！', '我们ab', '[UNK]']
    vocab = {word: number for number, word in enumerate(words)}
    tokenizer = BertTokenizer(vocab, TokenizerSettings(*settings))
    assert ' '.join(tokenizer.tokenize('Café 我们aB！')[1:-1]) == expected


ST = pooled({'pooling_mode': 'cls'})
MAXLENS = {
    'a BERT alone': ({'tokenizer_config.json': {'model_max_length': 512}}, None),
    'said': (ST | {'sentence_bert_config.json': {'max_seq_length': 256}}, 256),
    'said of the tokenizer': (ST | {'tokenizer_config.json': {'model_max_length': 128}}, 128),
    'no limit': (
        ST
        | {
            'tokenizer_config.json': {'model_max_length': 10**30},
            'config.json': {'max_position_embeddings': 300},
        },
        300,
    ),
    'not said': (ST, 512),
}


@pytest.mark.parametrize('case', MAXLENS)
def test_texts_are_cut_where_sentence_transformers_cuts_them(case, tmp_path):
    """The maximum length is read from whichever file a version writes it to."""
    files, expected = MAXLENS[case]
    assert read_maxlen(write(tmp_path, files)) == expected


def tokenizer_json(**parts):
    return {'tokenizer.json': {'normalizer': BERT_NORMALIZER} | parts}


def tokenizer_config(**config):
    return {'tokenizer_config.json': config}


WRONG = {
    'Dense': (pooled({}, more=['Dense']), r'modules.json: type is .*\.Dense; only Transformer'),
    'no pooling': ({'modules.json': modules('Transformer')}, 'modules.json: type is'),
    'own code': ({'modules.json': modules('Transformer', 'Pooling', place='x')}, r'type is x\.'),
    'no type': ({'modules.json': [{'idx': 0}]}, "modules.json: .*KeyError\\('type'\\)"),
    'no list': ({'modules.json': {}}, 'modules.json:1: not a JSON array'),
    'elsewhere': (
        {'modules.json': [modules('Transformer')[0] | {'path': 'x'}, modules('', 'Pooling')[1]]},
        "modules.json: path of the Transformer is 'x'",
    ),
    'no file of it': ({'modules.json': modules('Transformer', 'Pooling')}, '1_Pooling/config.json'),
    'max': (pooled({'pooling_mode_max_tokens': True}), r"config.json: .*'pooling_mode_max_tokens'"),
    'two': (
        pooled({'pooling_mode_cls_token': True, 'pooling_mode_mean_tokens': True}),
        r"1_Pooling/config.json: pooling_mode is \['cls', 'mean'\]",
    ),
    'weighted mean': (pooled({'pooling_mode': 'weightedmean'}), 'pooling_mode is .*weightedmean'),
    'two, new': (pooled({'pooling_mode': ['cls', 'mean']}), 'pooling_mode is'),
    'a prompt': (
        ST | {'config_sentence_transformers.json': {'default_prompt_name': 'query'}},
        "config_sentence_transformers.json: default_prompt_name is 'query'",
    ),
    'no length': (
        {'sentence_bert_config.json': {'max_seq_length': '64'}},
        'sentence_bert_config.json: max_seq_length must',
    ),
    'another tokenizer': (
        tokenizer_config(tokenizer_class='XLMRobertaTokenizer'),
        "tokenizer_config.json: tokenizer_class is 'XLMRobertaTokenizer'",
    ),
    'no words': (tokenizer_config(do_basic_tokenize=False), 'do_basic_tokenize is False'),
    'words kept': (tokenizer_config(never_split=['a']), 'never_split is'),
    'another token': (tokenizer_config(cls_token={'content': '<s>'}), "cls_token is '<s>'"),
    'cut on the left': (tokenizer_config(truncation_side='left'), "truncation_side is 'left'"),
    'no flag': (tokenizer_config(do_lower_case='no'), "do_lower_case must be .*, not 'no'"),
    'normalizer': (
        tokenizer_json(normalizer={'type': 'Lowercase'}),
        "tokenizer.json: normalizer is 'Lowercase'",
    ),
    'pre-tokenizer': (
        tokenizer_json(pre_tokenizer={'type': 'Whitespace'}),
        "tokenizer.json: pre_tokenizer is 'Whitespace'",
    ),
    'unclean': (
        tokenizer_json(normalizer=BERT_NORMALIZER | {'clean_text': False}),
        'tokenizer.json: clean_text',
    ),
    'normalizer missing': (
        tokenizer_config(tokenizer_class='TokenizersBackend') | {'tokenizer.json': {}},
        'tokenizer.json: normalizer is None',
    ),
}


@pytest.mark.parametrize('case', WRONG)
def test_what_cannot_be_done_is_refused_by_file_and_key(case, tmp_path):
    """A setting that cannot be followed is an error that names file and key."""
    files, message = WRONG[case]
    write(tmp_path, files)
    with pytest.raises(UserError, match=message) as error:
        for read in (read_pooling, read_maxlen, read_tokenizer_settings):
            read(tmp_path)
    assert '\n' not in str(error.value)

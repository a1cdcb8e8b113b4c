"""What makes an exported folder of use alone: vocabulary, tokenizer, threshold, card."""

from pathlib import Path

from cosent_tf.bert.formats import read_vocab
from cosent_tf.bert.pretrained import load_tokenizer
from cosent_tf.bert.settings import TokenizerSettings
from cosent_tf.bert.sources import Source
from cosent_tf.files import write_json, write_text
from cosent_tf.run.folder import read_metrics
from cosent_tools.export.cards import model_card

RULES = ('threshold', 'class_weights')  # of a run: the one or the other, neither for grades
WORD_LENGTH = 200  # in characters; a longer word is [UNK], as in bert4keras


def write_companions(folder: Path, source: Source, to: str) -> None:
    """Write vocabulary, card, threshold and tokenizer.

    Args:
        folder: of the export.
        source: what is exported.
        to: 'savedmodel', 'onnx' or 'hf'.

    Raises:
        UserError: the run's metrics.json is broken, or a file cannot be written.
    """
    tokens = read_vocab(source.bert_dir)[1]
    write_text(folder / 'vocab.txt', '\n'.join(tokens) + '\n')
    write_text(folder / 'README.md', model_card(source, to))
    metrics = read_metrics(source.run) if source.run else {}
    rule = {key: metrics[key] for key in RULES if metrics.get(key) is not None}
    if rule:
        write_json(folder / 'threshold.json', rule)
    if to != 'hf':  # transformers makes its own of vocab.txt and tokenizer_config.json
        settings = load_tokenizer(source.bert_dir).settings
        write_json(folder / 'tokenizer.json', _tokenizer_file(tokens, settings, source.maxlen))


def _tokenizer_file(tokens: list[str], settings: TokenizerSettings, maxlen: int) -> dict:
    """Return tokenizer.json: texts, or pairs, to token ids as here, cut and padded."""
    numbers = {token: number for number, token in enumerate(tokens)}
    truncation = {'direction': 'Right', 'max_length': maxlen, 'strategy': 'LongestFirst'}
    padding = {'strategy': 'BatchLongest', 'direction': 'Right', 'pad_token': '[PAD]'}
    return {
        'version': '1.0',
        'truncation': {**truncation, 'stride': 0},
        'padding': {**padding, 'pad_id': 0, 'pad_type_id': 0, 'pad_to_multiple_of': None},
        'added_tokens': [],  # a [SEP] within a text is plain text
        'normalizer': {
            'type': 'BertNormalizer',
            'clean_text': True,
            'lowercase': settings.do_lower_case,
            'strip_accents': settings.strip_accents,
            'handle_chinese_chars': settings.tokenize_chinese_chars,
        },
        'pre_tokenizer': {'type': 'BertPreTokenizer'},
        'post_processor': {
            'type': 'BertProcessing',
            'cls': ['[CLS]', numbers['[CLS]']],
            'sep': ['[SEP]', numbers['[SEP]']],
        },
        'decoder': {'type': 'WordPiece', 'prefix': '##', 'cleanup': True},
        'model': {
            'type': 'WordPiece',
            'unk_token': '[UNK]',
            'continuing_subword_prefix': '##',
            'max_input_chars_per_word': WORD_LENGTH,
            'vocab': numbers,
        },
    }

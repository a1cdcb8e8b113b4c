"""Pretrained encoders: from a folder in Google's or Hugging Face's format to a bert4keras BERT."""

import unicodedata
import warnings
from pathlib import Path

import numpy as np

from cosent_tf.bert.compat import (
    BERT,
    Embedding,
    PositionEmbedding,
    Tokenizer,
    build_transformer_model,
    keras,
    tf,
)
from cosent_tf.bert.formats import read_config, read_tensors, read_vocab
from cosent_tf.bert.settings import (
    POOLERS,
    SPECIAL_TOKENS,
    TokenizerSettings,
    read_added_tokens,
    read_tokenizer_settings,
)
from cosent_tf.errors import UserError, tell_once
from cosent_tf.process import check_process, grow_gpu_memory


def row_lengths(token_ids: tf.Tensor) -> tf.Tensor:
    """Return the position, from 1, of each row's last token that is not 0: (n, L) → (n,)."""
    places = tf.range(1, tf.shape(token_ids)[1] + 1)
    return tf.reduce_max(tf.where(tf.equal(token_ids, 0), 1, places), axis=1)


class TokenEmbedding(Embedding):
    """bert4keras's embedding without its mask on a [PAD] within a row, as in transformers."""

    def compute_mask(self, inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        return tf.sequence_mask(row_lengths(inputs), tf.shape(inputs)[1])


class PooledBERT(BERT):
    """A BERT whose last layer computes no more than the pooling needs.

    'cls', as in every method of the article: the [CLS] position, (n, 1, D), without the queries,
    output projection and feed-forward part of the others. 'mean': all positions, (n, L, D).
    'pooler': tanh(dense([CLS])), (n, D). 'pooler_linear': dense([CLS]), as in SimBERT.
    """

    def __init__(self, pooling: str, layer_norm_eps: float, **kwargs: object) -> None:
        super().__init__(with_pool=POOLERS.get(pooling, False), **kwargs)
        self.pooling = pooling
        self.layer_norm_eps = layer_norm_eps

    def apply(self, inputs: object = None, layer: object = None, **kwargs: object) -> tf.Tensor:
        if layer is Embedding and kwargs.get('mask_zero'):
            layer = TokenEmbedding
        if 'epsilon' in kwargs:  # a LayerNormalization: bert4keras always passes 1e-12
            kwargs['epsilon'] = self.layer_norm_eps
            kwargs['dtype'] = 'float32'  # its squares would overflow in half precision
        if layer in (keras.layers.Add, PositionEmbedding):
            kwargs['dtype'] = 'float32'  # sums stay exact
        attention = f'Transformer-{self.num_hidden_layers - 1}-MultiHeadSelfAttention'
        last = kwargs.get('name') in (attention, f'{attention}-Add')
        if self.pooling != 'mean' and inputs is not None and last:
            # attention takes [query, key, value], the residual connection [x, attention output]
            first = keras.layers.Lambda(lambda x: x[:, :1], name=f'{kwargs["name"]}-Cls')
            inputs = [first(inputs[0]), *inputs[1:]]
        return super().apply(inputs, layer, **kwargs)


class BertTokenizer(Tokenizer):
    """bert4keras's tokenizer with the settings that transformers' BertTokenizer has.

    bert4keras lower-cases and strips accents together or not at all, and splits off every Chinese
    character. With all settings on, as published, the tokens are the same.

    Unlike in transformers, a special token written out in a text is plain text, words of 101 to 200
    characters are split, and unassigned and private characters are kept.
    """

    def __init__(self, vocab: dict[str, int], settings: TokenizerSettings) -> None:
        super().__init__(vocab, do_lower_case=False)
        self.settings = settings

    def _tokenize(self, text: str, pre_tokenize: bool = True) -> list[str]:
        if self.settings.do_lower_case:
            text = text.lower()
        if self.settings.strip_accents:
            text = unicodedata.normalize('NFD', text)
            text = ''.join(char for char in text if unicodedata.category(char) != 'Mn')
        return super()._tokenize(text, pre_tokenize)

    def _is_cjk_character(self, char: str) -> bool:
        return self.settings.tokenize_chinese_chars and Tokenizer._is_cjk_character(char)


def load_tokenizer(bert_dir: str | Path) -> BertTokenizer:
    """Return the tokenizer of a folder, with the folder's settings."""
    path, tokens = read_vocab(Path(bert_dir))
    if missing := [token for token in SPECIAL_TOKENS if token not in tokens]:
        raise UserError(f'{path}: not the vocabulary of a BERT: it has no {missing[0]}')
    if tokens[0] != '[PAD]':  # bert4keras masks token id 0
        raise UserError(f'{path}: the first token must be [PAD], not {tokens[0][:20]!r}')
    vocab = {token: number for number, token in enumerate(tokens)}
    return BertTokenizer(vocab, read_tokenizer_settings(Path(bert_dir)))


def load_bert(
    bert_dir: str | Path, maxlen: int, dropout_rate: float = 0.0, pooling: str = 'cls'
) -> PooledBERT:
    """Build the BERT of a folder, with its pretrained weights.

    Args:
        bert_dir: the folder, in a format of `formats`.
        maxlen: tokens of the longest input.
        dropout_rate: of hidden states and attention.
        pooling: one of `settings.POOLINGS`; what the folder says of it is not read here.

    Returns:
        bert4keras's transformer; its `.model` maps [token_ids (n, L), segment_ids (n, L)] to the
        vectors that `PooledBERT` describes.

    Raises:
        UserError: a file is missing or broken, or files do not match.
    """
    bert = build_bert(bert_dir, maxlen, dropout_rate, pooling)
    weights = named_weights(bert)
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    set_weights(weights, read_tensors(Path(bert_dir), shapes))
    return bert


def build_bert(
    bert_dir: str | Path, maxlen: int, dropout_rate: float = 0.0, pooling: str = 'cls'
) -> PooledBERT:
    """Build the BERT of a folder without its weights, otherwise as `load_bert`.

    From now on the process takes GPU memory as needed; see `process.grow_gpu_memory`.
    """
    check_process()
    folder = Path(bert_dir)
    config = read_config(folder)
    _tell_unused(folder, check_sizes(folder, config, maxlen))
    config.update(dropout_rate=dropout_rate, attention_dropout_rate=dropout_rate, pooling=pooling)
    grow_gpu_memory()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # about initial values, which the weights replace
            return build_transformer_model(model=PooledBERT, return_keras_model=False, **config)
    except (TypeError, ValueError, KeyError, ZeroDivisionError) as error:
        raise UserError(f'{folder}: not the configuration of a BERT: {error}') from error


def named_weights(bert: BERT) -> dict[str, tf.Variable]:
    """Return the weights of a bert4keras BERT by the names of Google's checkpoints."""
    return {
        name: weight
        for layer, names in bert.variable_mapping().items()
        if layer in bert.layers
        for name, weight in zip(names, bert.layers[layer].trainable_weights, strict=True)
    }


def set_weights(weights: dict[str, tf.Variable], values: dict[str, np.ndarray]) -> None:
    """Assign values to weights of the same names."""
    keras.backend.batch_set_value([(weight, values[name]) for name, weight in weights.items()])


def check_sizes(folder: Path, config: dict, maxlen: int) -> int:
    """Return how many rows of a BERT's embeddings have no token, and so are never used.

    A UserError if the vocabulary or the longest input does not fit the configuration.
    """
    path, tokens = read_vocab(folder)
    rows, positions = config['vocab_size'], config['max_position_embeddings']
    if rows < len(tokens):
        raise UserError(
            f'{path} has {len(tokens)} tokens, but vocab_size in the configuration is {rows}: they '
            'belong to different models'
        )
    if maxlen > positions:
        raise UserError(
            f'inputs of {maxlen} tokens are too long: {folder} has {positions} positions; lower '
            '--maxlen, or max_seq_length of a sentence-transformers folder'
        )
    return rows - len(tokens)


def _tell_unused(folder: Path, unused: int) -> None:
    """Print a notice of what is in a folder and not used: rows of embeddings, added tokens."""
    if unused:
        tell_once(f'{folder}: {unused} rows of the embeddings have no token and are never used')
    if added := read_added_tokens(folder):
        names = ', '.join(repr(token[:20]) for token in added[:3])
        more = ', …' if len(added) > 3 else ''
        tell_once(
            f'{folder}: added tokens are read as plain text, unlike in transformers: {names}{more}'
        )

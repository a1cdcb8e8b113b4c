"""Pretrained encoders: from a folder in Google's or Hugging Face's format to a bert4keras BERT."""

import warnings
from pathlib import Path

import numpy as np

from cosent_tf.backend import BERT, Tokenizer, build_transformer_model, keras, tf
from cosent_tf.errors import UserError
from cosent_tf.formats import read_config, read_tensors, read_vocab

SPECIAL_TOKENS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]')


class ClsBERT(BERT):
    """A BERT whose last layer computes the [CLS] position only, (n, 1, D).

    Every method of the article uses the [CLS] vector alone, so the queries, the output projection
    and the feed-forward part of the other positions of the last layer are never needed.
    """

    def __init__(self, layer_norm_eps: float = 1e-12, **kwargs):
        super().__init__(**kwargs)
        self.layer_norm_eps = layer_norm_eps

    def apply(self, inputs=None, layer=None, arguments=None, **kwargs):
        if 'epsilon' in kwargs:  # of a LayerNormalization: bert4keras always passes 1e-12
            kwargs['epsilon'] = self.layer_norm_eps
            kwargs['dtype'] = 'float32'  # in half precision its squares would overflow
        attention = f'Transformer-{self.num_hidden_layers - 1}-MultiHeadSelfAttention'
        if inputs is not None and kwargs.get('name') in (attention, f'{attention}-Add'):
            # attention takes [query, key, value], the residual connection [x, attention output]
            first = keras.layers.Lambda(lambda x: x[:, :1], name=f'{kwargs["name"]}-Cls')
            inputs = [first(inputs[0]), *inputs[1:]]
        return super().apply(inputs, layer, arguments, **kwargs)


def load_tokenizer(bert_dir: str | Path) -> Tokenizer:
    """Return bert4keras's tokenizer, lower-casing, for the vocabulary of a folder.

    Raises:
        UserError: no vocabulary, or one that lacks a special token.
    """
    path, tokens = read_vocab(Path(bert_dir))
    missing = [token for token in SPECIAL_TOKENS if token not in tokens]
    if missing:
        raise UserError(f'{path}: not the vocabulary of a BERT, it has no {missing[0]}')
    if tokens[0] != '[PAD]':  # bert4keras masks token id 0
        raise UserError(f'{path}: the first token must be [PAD], not {tokens[0][:20]!r}')
    return Tokenizer({token: number for number, token in enumerate(tokens)}, do_lower_case=True)


def load_bert(bert_dir: str | Path, maxlen: int, dropout_rate: float = 0.0) -> ClsBERT:
    """Build the BERT of a folder, with its pretrained weights.

    Args:
        bert_dir: the folder, in one of the formats of `formats`.
        maxlen: tokens of the longest input.
        dropout_rate: of hidden states and of attention.

    Returns:
        bert4keras's transformer; its `.model` maps [token_ids (n, L), segment_ids (n, L)] to the
        [CLS] vectors of the last layer, (n, 1, D).

    Raises:
        UserError: a file is missing or broken, or the files do not fit each other.
    """
    bert = build_bert(bert_dir, maxlen, dropout_rate)
    weights = named_weights(bert)
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    set_weights(weights, read_tensors(Path(bert_dir), shapes))
    return bert


def build_bert(bert_dir: str | Path, maxlen: int, dropout_rate: float = 0.0) -> ClsBERT:
    """Build the BERT of a folder without its weights, as `load_bert` otherwise.

    Raises:
        UserError: configuration or vocabulary is missing or broken, or they do not fit.
    """
    folder = Path(bert_dir)
    config = read_config(folder)
    _check_sizes(folder, config, maxlen)
    config.update(dropout_rate=dropout_rate, attention_dropout_rate=dropout_rate)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of initial values that a file's replace
            return build_transformer_model(model=ClsBERT, return_keras_model=False, **config)
    except (TypeError, ValueError, KeyError, ZeroDivisionError) as error:
        raise UserError(f'{folder}: no BERT can be built of its configuration: {error}') from error


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


def _check_sizes(folder: Path, config: dict, maxlen: int) -> None:
    path, tokens = read_vocab(folder)
    if len(tokens) != config['vocab_size']:
        raise UserError(
            f'{path} has {len(tokens)} tokens, but vocab_size in the configuration is '
            f'{config["vocab_size"]}: they belong to different models'
        )
    positions = config['max_position_embeddings']
    if maxlen > positions:
        raise UserError(f'--maxlen {maxlen} is too long: {folder} has {positions} positions')

"""Pretrained encoders: from a folder in Google's format to a bert4keras BERT."""

import json
import warnings
from pathlib import Path

import numpy as np

from cosent_tf.backend import BERT, Tokenizer, build_transformer_model, keras, tf
from cosent_tf.data import read_lines
from cosent_tf.errors import UserError

SPECIAL_TOKENS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]')


class ClsBERT(BERT):
    """A BERT whose last layer computes the [CLS] position only, (n, 1, D).

    Every method of the article uses the [CLS] vector alone, so the queries, the output projection
    and the feed-forward part of the other positions of the last layer are never needed.
    """

    def apply(self, inputs=None, layer=None, arguments=None, **kwargs):
        attention = f'Transformer-{self.num_hidden_layers - 1}-MultiHeadSelfAttention'
        if inputs is not None and kwargs.get('name') in (attention, f'{attention}-Add'):
            # attention takes [query, key, value], the residual connection [x, attention output]
            first = keras.layers.Lambda(lambda x: x[:, :1], name=f'{kwargs["name"]}-Cls')
            inputs = [first(inputs[0]), *inputs[1:]]
        return super().apply(inputs, layer, arguments, **kwargs)


def load_tokenizer(bert_dir: str | Path) -> Tokenizer:
    """Return bert4keras's tokenizer, lower-casing, for a folder's vocab.txt.

    Raises:
        UserError: vocab.txt is missing, or lacks a special token.
    """
    path = Path(bert_dir) / 'vocab.txt'
    tokens = [token.strip() for token in read_lines(path)]
    missing = [token for token in SPECIAL_TOKENS if token not in tokens]
    if missing:
        raise UserError(f'{path}: not the vocabulary of a BERT, it has no {missing[0]}')
    if tokens[0] != '[PAD]':  # bert4keras masks token id 0
        raise UserError(f'{path}:1: the first token must be [PAD], not {tokens[0][:20]!r}')
    return Tokenizer({token: number for number, token in enumerate(tokens)}, do_lower_case=True)


def load_bert(bert_dir: str | Path, maxlen: int, dropout_rate: float = 0.0) -> ClsBERT:
    """Build a pretrained BERT from a folder in Google's format.

    Args:
        bert_dir: holds bert_config.json, vocab.txt and bert_model.ckpt.*.
        maxlen: tokens of the longest input.
        dropout_rate: of hidden states and of attention.

    Returns:
        bert4keras's transformer; its `.model` maps [token_ids (n, L), segment_ids (n, L)] to the
        [CLS] vectors of the last layer, (n, 1, D).

    Raises:
        UserError: a file is missing or broken, or the files do not fit each other.
    """
    folder = Path(bert_dir)
    config = _read_config(folder / 'bert_config.json')
    _check_sizes(folder, config, maxlen)
    config.update(dropout_rate=dropout_rate, attention_dropout_rate=dropout_rate)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of initial values that the checkpoint replaces
            bert = build_transformer_model(model=ClsBERT, return_keras_model=False, **config)
    except (TypeError, ValueError, KeyError, ZeroDivisionError) as error:
        raise UserError(f'{folder}/bert_config.json: no BERT can be built: {error}') from error
    tensors = _read_checkpoint(folder / 'bert_model.ckpt', named_weights(bert))
    set_weights(named_weights(bert), tensors)
    return bert


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


def _read_config(path: Path) -> dict:
    try:
        config = json.loads('\n'.join(read_lines(path)))
    except json.JSONDecodeError as error:
        raise UserError(f'{path}:{error.lineno}: not JSON: {error.msg}') from error
    if not isinstance(config, dict):
        raise UserError(f'{path}: must hold a JSON object')
    return config


def _check_sizes(folder: Path, config: dict, maxlen: int) -> None:
    tokens, vocab_size = len(read_lines(folder / 'vocab.txt')), config.get('vocab_size')
    if tokens != vocab_size:
        raise UserError(
            f'{folder}/vocab.txt has {tokens} tokens, but vocab_size in bert_config.json is '
            f'{vocab_size}: they belong to different models'
        )
    positions = config.get('max_position_embeddings', 512)
    if maxlen > positions:
        raise UserError(f'--maxlen {maxlen} is too long: {folder} has {positions} positions')


def _read_checkpoint(path: Path, weights: dict[str, tf.Variable]) -> dict[str, np.ndarray]:
    """Read every weight from a TensorFlow checkpoint, all shapes compared first."""
    try:
        reader = tf.train.load_checkpoint(str(path))
        shapes = reader.get_variable_to_shape_map()
        _check_shapes(path, shapes, weights)
        return {name: reader.get_tensor(name) for name in weights}
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        message = str(error).splitlines()[0]
        raise UserError(f'{path}.*: not a readable checkpoint: {message}') from error


def _check_shapes(path: Path, shapes: dict[str, list[int]], weights: dict[str, tf.Variable]):
    for name, weight in weights.items():
        expected = weight.shape.as_list()
        if name not in shapes:
            raise UserError(f'{path}: {name} is missing, but bert_config.json asks for {expected}')
        if list(shapes[name]) != expected:
            raise UserError(
                f'{path}: {name} has shape {shapes[name]}, but bert_config.json asks for {expected}'
            )

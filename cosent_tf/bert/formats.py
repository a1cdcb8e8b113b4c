"""The files of a BERT folder, whoever wrote them, under the names of Google's BERT.

    configuration   bert_config.json (Google) or config.json (Hugging Face)
    vocabulary      vocab.txt, or tokenizer.json (all that transformers 5 writes)
    weights         bert_model.ckpt.*, or what `checkpoint` names (Google); model.safetensors,
                    tf_model.h5 or pytorch_model.bin, or parts with an index (Hugging Face)

If a folder has several of a kind, the first is read. A missing, broken or inconsistent file is a
UserError. Every tensor is accounted for: a weight of the encoder, matched by `NOT_ENCODER`, or an
error.
"""

import pickle
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from safetensors import SafetensorError, safe_open

from cosent_tf.bert.compat import tf
from cosent_tf.bert.settings import require
from cosent_tf.bert.sources import CONFIGS, find_weights, first_line
from cosent_tf.errors import UserError, tell_once
from cosent_tf.readers import read_json, read_lines

SIZES = {  # with the defaults of both formats
    'vocab_size': None,
    'hidden_size': None,
    'num_hidden_layers': None,
    'num_attention_heads': None,
    'intermediate_size': None,
    'max_position_embeddings': 512,
    'type_vocab_size': 2,
}
REQUIRED = {'model_type': 'bert', 'position_embedding_type': 'absolute', 'is_decoder': False}
KERAS_ACTIVATIONS = {  # hidden_act: bert4keras's name
    **dict.fromkeys(('gelu', 'gelu_python'), 'gelu_erf'),
    **dict.fromkeys(('gelu_new', 'gelu_fast', 'gelu_pytorch_tanh'), 'gelu_tanh'),
    **dict.fromkeys(('silu', 'swish'), 'swish'),
    'relu': 'relu',
}
POOLER = 'bert/pooler/dense/kernel'
NOT_ENCODER = re.compile(
    r'bert/pooler/.*'  # follows the [CLS] vector; read where the pooling uses it
    r'|(cls|mlm___cls|nsp___cls|classifier)/.*'  # heads of pre-training and of classifiers
    r'|bert/embeddings/(position_ids|token_type_ids)'  # 0, 1, 2, … and 0, 0, 0, …
    r'|global_step|.*/adam_[mv]'  # the state of Google's optimizer
)

# what the libraries behind the readers raise for a broken file
READ_ERRORS = (OSError, ValueError, RuntimeError, LookupError, EOFError)
READ_ERRORS += (tf.errors.OpError, SafetensorError, pickle.UnpicklingError)

# the name of a tensor in its file, and how to read it
Tensors = Iterator[tuple[str, Callable[[], np.ndarray]]]


def read_config(folder: Path) -> dict:
    """Return Google's keys for the sizes, `hidden_act` by bert4keras's name, `layer_norm_eps`."""
    path = next((folder / name for name in CONFIGS if (folder / name).is_file()), None)
    if path is None:
        raise UserError(f'{folder}/bert_config.json: cannot be read: no such file, nor config.json')
    config = read_json(path)
    for key, supported in REQUIRED.items():
        require(path, key, config.get(key, supported), supported)
    sizes = {key: config.get(key, default) for key, default in SIZES.items()}
    for key, size in sizes.items():
        if type(size) is not int or size < 1:
            raise UserError(f'{path}: {key} must be a positive integer, not {size!r}')
    activation = config.get('hidden_act')
    if activation not in list(KERAS_ACTIVATIONS):  # a list, as JSON may hold what has no hash
        names = ', '.join(KERAS_ACTIVATIONS)
        raise UserError(f'{path}: hidden_act is {activation!r}, not one of {names}')
    epsilon = config.get('layer_norm_eps', 1e-12)
    if type(epsilon) is not float or not 0 < epsilon < 1:
        raise UserError(f'{path}: layer_norm_eps must be between 0 and 1, not {epsilon!r}')
    return {**sizes, 'hidden_act': KERAS_ACTIVATIONS[activation], 'layer_norm_eps': epsilon}


def read_vocab(folder: Path) -> tuple[Path, list[str]]:
    """Return the file with the tokens of a BERT, and the tokens in the order of their ids."""
    path, other = folder / 'vocab.txt', folder / 'tokenizer.json'
    if path.is_file() or not other.is_file():
        tokens = [token.strip() for token in read_lines(path)]
        while tokens and not tokens[-1]:  # the file ends in blank lines
            tokens.pop()
        return path, tokens
    model = read_json(other).get('model')
    if not isinstance(model, dict) or model.get('type') != 'WordPiece':
        raise UserError(f'{other}: not the tokenizer of a BERT: no WordPiece model')
    vocab = model.get('vocab')
    if not isinstance(vocab, dict) or not all(type(number) is int for number in vocab.values()):
        raise UserError(f'{other}: the vocabulary must map each token to a number')
    tokens = sorted(vocab, key=vocab.get)
    for number, token in enumerate(tokens):
        if vocab[token] != number:
            raise UserError(f'{other}: the vocabulary has no token, or two, with number {number}')
    return other, tokens


def read_tensors(folder: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Read the float32 weights of an encoder, by Google's names, which must have these shapes."""
    own_names, arrays = {}, {}
    for path in find_weights(folder):
        reader, google_name = READERS[path.suffix]
        try:
            for own_name, read in reader(path):
                name = google_name(own_name)
                if name in shapes or not NOT_ENCODER.fullmatch(name):
                    array = np.asarray(read(), np.float32)
                    transposed = google_name is _name_of_pytorch and name.endswith('/kernel')
                    own_names[name], arrays[name] = own_name, array.T if transposed else array
                elif name == POOLER and not (folder / 'modules.json').is_file():
                    tell_once(
                        f'{folder}: it has a pooler, which is not used; --pooling pooler uses it, '
                        '--pooling pooler_linear as SimBERT does'
                    )
        except READ_ERRORS as error:
            raise UserError(f'{path}: not readable as weights: {first_line(error)}') from error
    _check_complete(path, arrays, own_names, shapes)
    return arrays


def _check_complete(path: Path, arrays: dict, own_names: dict, shapes: dict) -> None:
    for name, shape in shapes.items():
        if name not in arrays:
            is_pooler = name.startswith('bert/pooler/')
            asks = 'pooling asks for a pooler' if is_pooler else f'configuration asks for {shape}'
            raise UserError(f'{path}: {name} is missing, but the {asks}')
        if arrays[name].shape != shape:
            found = f'{own_names[name]} has shape {arrays[name].shape}'
            raise UserError(f'{path}: {found}, but the configuration asks for {name} of {shape}')
    for name in arrays:
        if name not in shapes:
            raise UserError(f"{path}: {own_names[name]} has no place in the configuration's BERT")


def _read_google(path: Path) -> Tensors:
    checkpoint = tf.train.load_checkpoint(str(path.with_suffix('')))
    shapes = checkpoint.get_variable_to_shape_map()
    if '_CHECKPOINTABLE_OBJECT_GRAPH' in shapes:
        raise UserError(
            f"{path}: written by Keras (save_weights), without Google's names; write it with "
            'tf.compat.v1.train.Saver, as docs/own-bert.md shows'
        )
    for name in shapes:
        yield name, partial(checkpoint.get_tensor, name)


def _read_safetensors(path: Path) -> Tensors:
    with safe_open(path, 'numpy') as file:
        for name in file.keys():  # noqa: SIM118 (not a dict)
            yield name, partial(file.get_tensor, name)


def _read_keras(path: Path) -> Tensors:
    names = []
    with h5py.File(path, 'r') as file:
        file.visit(names.append)
        for name in names:
            if isinstance(file[name], h5py.Dataset):
                yield name, file[name].__array__


def _read_torch(path: Path) -> Tensors:
    try:
        import torch
    except ImportError:
        raise UserError(
            f'{path}: reading it needs PyTorch (pip install torch); model.safetensors does not'
        ) from None
    for name, tensor in torch.load(path, map_location='cpu', weights_only=True).items():
        yield name, tensor.float().numpy


def _name_of_pytorch(own_name: str) -> str:
    """Rename encoder.layer.0.….LayerNorm.weight → bert/encoder/layer_0/…/LayerNorm/gamma."""
    name = re.sub(r'^(embeddings|encoder|pooler)\.', r'bert.\1.', own_name)
    name = re.sub(r'\.layer\.(\d+)\.', r'.layer_\1.', name).replace('.', '/')
    name = name.replace('LayerNorm/weight', 'LayerNorm/gamma')
    name = name.replace('LayerNorm/bias', 'LayerNorm/beta')
    return re.sub(r'/weight$', '/kernel', name.replace('_embeddings/weight', '_embeddings'))


def _name_of_keras(own_name: str) -> str:
    """Rename bert/tf_bert_model/bert/encoder/layer_._0/…:0 → bert/encoder/layer_0/…."""
    name = re.sub(r'^bert/(\w+/)?bert/', 'bert/', own_name).removesuffix(':0')
    name = re.sub(r'_embeddings/(weight|embeddings)$', '_embeddings', name)
    return name.replace('layer_._', 'layer_')


READERS = {  # suffix: the reader, and the function from its names to Google's
    '.index': (_read_google, str),
    '.safetensors': (_read_safetensors, _name_of_pytorch),
    '.h5': (_read_keras, _name_of_keras),
    '.bin': (_read_torch, _name_of_pytorch),
}

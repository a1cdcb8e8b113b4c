"""Small random BERT checkpoints in Hugging Face's formats, under the names its libraries write."""

import json
from pathlib import Path

import h5py
import numpy as np
from safetensors.numpy import load_file, save_file

from tests.reference.checkpoints import TINY_CONFIG, random_weights, tiny_vocab

HF_CONFIG = {
    **TINY_CONFIG,
    'architectures': ['BertModel'],
    'layer_norm_eps': 1e-12,
    'model_type': 'bert',
    'pad_token_id': 0,
    'vocab_size': len(tiny_vocab()),
}


def write_hf_bert(folder, file, config=HF_CONFIG, seed=0, legacy=False) -> dict[str, np.ndarray]:
    """Write config.json, vocab.txt and the weights that `write_google_bert` draws from this seed.

    Args:
        folder: where to write; made if it is not there.
        file: model.safetensors, tf_model.h5 or pytorch_model.bin.
        config: Hugging Face's configuration.
        seed: of the weights.
        legacy: as a BertForPreTraining of 2019: heads, prefix `bert.`, gamma and beta, buffers.

    Returns:
        The float32 weights by Google's names.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'config.json').write_text(json.dumps(config), encoding='utf-8')
    (folder / 'vocab.txt').write_text('\n'.join(tiny_vocab()) + '\n', encoding='utf-8')
    weights = random_weights(config, seed)
    if file == 'tf_model.h5':
        write_keras(folder / file, weights)
    else:
        write_pytorch(folder / file, pytorch_tensors(weights, legacy))
    return weights


def pytorch_tensors(weights, legacy=False) -> dict[str, np.ndarray]:
    """Return the state dict of a BertModel, or of a BertForPreTraining of 2019."""
    tensors = {}
    for name, value in weights.items():
        *scopes, kind = name.replace('layer_', 'layer/').split('/')[1:]
        if kind.endswith('_embeddings'):
            scopes, kind = [*scopes, kind], 'weight'
        if kind == 'kernel':
            kind, value = 'weight', np.ascontiguousarray(value.T)
        if not legacy:
            kind = {'gamma': 'weight', 'beta': 'bias'}.get(kind, kind)
        tensors['.'.join(['bert'] * legacy + [*scopes, kind])] = value
    if legacy:
        tensors['bert.embeddings.position_ids'] = np.arange(64)[None]
        tensors['cls.predictions.bias'] = np.ones(7, np.float32)
        tensors['cls.seq_relationship.weight'] = np.ones((2, 32), np.float32)
    return tensors


def write_pytorch(path, tensors) -> None:
    if path.suffix == '.safetensors':
        save_file(tensors, path, metadata={'format': 'pt'})
    else:
        import torch

        torch.save({name: torch.from_numpy(value) for name, value in tensors.items()}, path)


def split_weights(path) -> tuple[Path, Path, Path]:
    """Replace model.safetensors by two parts and their index, as transformers names them."""
    tensors = load_file(path)
    parts = [path.with_name(f'model-0000{i}-of-00002.safetensors') for i in (1, 2)]
    places = {name: parts[i % 2] for i, name in enumerate(sorted(tensors))}
    for part in parts:
        save_file({name: tensors[name] for name in tensors if places[name] == part}, part)
    index = path.with_name(f'{path.name}.index.json')
    names = {name: part.name for name, part in places.items()}
    index.write_text(json.dumps({'metadata': {}, 'weight_map': names}), encoding='utf-8')
    path.unlink()
    return *parts, index


def write_keras(path, weights) -> None:
    """Write what TFBertForPreTraining.save_pretrained wrote, heads included."""
    with h5py.File(path, 'w') as file:
        for name, value in weights.items():
            name = name.replace('layer_', 'layer_._')
            if name.endswith('_embeddings'):
                name += '/weight' if name.endswith('word_embeddings') else '/embeddings'
            file[f'bert/tf_bert_for_pre_training/{name}:0'] = value
        file['nsp___cls/tf_bert_for_pre_training/nsp___cls/seq_relationship/bias:0'] = np.ones(2)
        words = weights['bert/embeddings/word_embeddings']
        shared = 'tf_bert_for_pre_training/bert/embeddings/word_embeddings/weight:0'
        file[f'mlm___cls/{shared}'] = words  # the output layer shares them

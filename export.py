"""A trained encoder for other programs: a SavedModel, or a Hugging Face folder.

    python export.py runs/BQ.bert.cosent.seed42 --to savedmodel --output exported/bq
    python export.py runs/BQ.bert.cosent.seed42 --to hf --output exported/bq-hf

savedmodel: signature `token_ids` (n, L) int32, 0 where padded → `vectors` (n, D) float32 of unit
length; needs TensorFlow alone.
hf: loads as sentence_transformers.SentenceTransformer(folder), with the pooling and tokenizer of
the encoder and with normalisation, and as
transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).
"""

import os
import re
import shutil
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from cosent_tf.bert.compat import tf
from cosent_tf.bert.formats import read_config, read_vocab
from cosent_tf.bert.sources import find_source
from cosent_tf.bert.vectors import SentenceEncoder, load_encoder
from cosent_tf.cli import exit_on_error, make_parser
from cosent_tf.errors import UserError
from cosent_tf.run.files import write_json, write_text

HF_ACTIVATIONS = {'gelu_erf': 'gelu', 'gelu_tanh': 'gelu_new', 'relu': 'relu', 'swish': 'silu'}


def main():
    args = parse_args()
    if args.output.exists():
        raise UserError(f'{args.output}: is there already; remove it, or choose another --output')
    encoder = load_encoder(args.run)
    beside = args.output.with_name(f'.{args.output.name}.tmp{os.getpid()}')
    try:
        beside.mkdir(parents=True)
        if args.to == 'savedmodel':
            write_savedmodel(beside, encoder)
        else:
            write_hf(beside, encoder, find_source(args.run).bert_dir)
        beside.rename(args.output)
    except (OSError, SafetensorError, tf.errors.OpError) as error:
        raise UserError(f'{args.output}: cannot be written: {error}') from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    print(f'written to {args.output}')


def write_savedmodel(folder: Path, encoder: SentenceEncoder) -> None:
    """Write token ids → unit vectors, without anything of Keras in it."""
    module = tf.Module()
    module.weights = encoder.model.weights

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32, name='token_ids')])
    def serve(token_ids):
        vectors = encoder.model(token_ids, training=False)
        norms = tf.norm(vectors, axis=1, keepdims=True)
        return {'vectors': vectors / tf.maximum(norms, 1e-12)}

    tf.saved_model.save(module, str(folder), signatures=serve)


def write_hf(folder: Path, encoder: SentenceEncoder, bert_dir: Path) -> None:
    """Write what transformers and sentence-transformers load."""
    tensors = {}
    for name, weight in encoder.weights.items():
        value = weight.numpy()
        tensors[pytorch_name(name)] = np.ascontiguousarray(
            value.T if name.endswith('/kernel') else value
        )
    save_file(tensors, folder / 'model.safetensors', metadata={'format': 'pt'})
    write_text(folder / 'vocab.txt', '\n'.join(read_vocab(bert_dir)[1]) + '\n')
    config = read_config(bert_dir)
    for name, content in hf_files(config, encoder).items():
        write_json(folder / name, content)


def pytorch_name(name: str) -> str:
    """bert/encoder/layer_0/output/LayerNorm/gamma → encoder.layer.0.output.LayerNorm.weight"""
    name = name.removeprefix('bert/').replace('layer_', 'layer.').replace('/', '.')
    name = re.sub(r'\.(kernel|gamma)$', '.weight', name)
    name = re.sub(r'\.beta$', '.bias', name)
    return re.sub(r'_embeddings$', '_embeddings.weight', name)


def hf_files(config: dict, encoder: SentenceEncoder) -> dict[str, dict | list]:
    """Return the JSON files of the folder: the model, its tokenizer, its use for sentences."""
    modules = (('', 'Transformer'), ('1_Pooling', 'Pooling'), ('2_Normalize', 'Normalize'))
    return {
        'config.json': {
            'architectures': ['BertModel'],
            'model_type': 'bert',
            **config,
            'hidden_act': HF_ACTIVATIONS[config['hidden_act']],
            'hidden_dropout_prob': 0.1,
            'attention_probs_dropout_prob': 0.1,
            'pad_token_id': 0,
        },
        'tokenizer_config.json': {
            'tokenizer_class': 'BertTokenizer',
            **encoder.tokenizer.settings._asdict(),
            'model_max_length': encoder.maxlen,
        },
        'sentence_bert_config.json': {
            'max_seq_length': encoder.maxlen,
            'model_args': {'add_pooling_layer': False},
        },
        'modules.json': [
            {'idx': i, 'name': str(i), 'path': path, 'type': f'sentence_transformers.models.{kind}'}
            for i, (path, kind) in enumerate(modules)
        ],
        '1_Pooling/config.json': {
            'word_embedding_dimension': config['hidden_size'],
            'pooling_mode_cls_token': encoder.pooling == 'cls',
            'pooling_mode_mean_tokens': encoder.pooling == 'mean',
        },
        '2_Normalize/config.json': {},
    }


def parse_args():
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('run', help='a run, a folder with a BERT, or hf:NAME')
    add('--to', choices=['savedmodel', 'hf'], required=True)
    add('--output', type=Path, required=True, help='the folder to make')
    return parser.parse_args()


if __name__ == '__main__':
    exit_on_error(main)

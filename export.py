"""A trained model for other programs: a SavedModel, an ONNX file, or a Hugging Face folder.

    python export.py runs/BQ.bert.cosent.seed42 --to savedmodel --output exported/bq
    python export.py runs/BQ.bert.cosent.seed42 --to onnx --output exported/bq-onnx
    python export.py runs/BQ.bert.cosent.seed42 --to hf --output exported/bq-hf

savedmodel: signature `token_ids` (n, L) int32, padded with 0 → `vectors` (n, D) float32 of unit
length; needs only TensorFlow.
onnx: model.onnx, the same with `token_ids` as int64; needs only ONNX Runtime. Writing it needs the
package onnx. Both have a tokenizer.json, which the package tokenizers loads.
hf: loads as sentence_transformers.SentenceTransformer(folder), with the pooling and tokenizer of
the encoder and with normalisation, and as
transformers.BertModel.from_pretrained(folder, add_pooling_layer=False). A pooler (--pooling pooler)
becomes a Dense module, as in LaBSE, and also BertModel's pooler.

For a run of Interact, `token_ids` are pairs, "[CLS] a [SEP] b [SEP]", and the output is `scores`:
(n,), the probability of class 1 or the unbounded score; (n, C) for C > 2 classes. hf then loads as
transformers.AutoModelForSequenceClassification.

Every folder has the vocabulary, a model card (README.md) and, for a finished run, threshold.json.
"""

import os
import re
import shutil
from pathlib import Path

from cosent_tf import configure_process

configure_process()  # memory, threads, float32; before TensorFlow is imported

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.formats import read_config
from cosent_tf.bert.onnx_graph import write_graph
from cosent_tf.bert.pretrained import load_tokenizer, row_lengths
from cosent_tf.bert.scoring import joint_scores
from cosent_tf.bert.settings import POOLERS, TokenizerSettings
from cosent_tf.bert.sources import Source, find_source
from cosent_tf.bert.vectors import load_model
from cosent_tf.bert.weights import weight_arrays
from cosent_tf.cli import add_source_flags, exit_on_error, make_parser
from cosent_tf.errors import UserError
from cosent_tf.files import write_atomic, write_json
from cosent_tools.export.companions import write_companions

HF_ACTIVATIONS = {'gelu_erf': 'gelu', 'gelu_tanh': 'gelu_new', 'relu': 'relu', 'swish': 'silu'}
TORCH_ACTIVATIONS = {
    'tanh': 'torch.nn.modules.activation.Tanh',
    'linear': 'torch.nn.modules.linear.Identity',
}


def main():
    args = parse_args()
    if args.output.exists():
        raise UserError(f'{args.output}: already exists; remove it, or choose another --output')
    source = find_source(args.run, args.pooling, args.maxlen)
    write = {'savedmodel': write_savedmodel, 'onnx': write_onnx, 'hf': write_hf}[args.to]
    model = load_model(source)
    beside = args.output.with_name(f'.{args.output.name}.tmp{os.getpid()}')
    try:
        beside.mkdir(parents=True)
        write(beside, source, model)
        write_companions(beside, source, args.to)
        beside.rename(args.output)
    except (OSError, SafetensorError, tf.errors.OpError) as error:
        raise UserError(f'{args.output}: cannot be written: {error}') from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    print(f'written to {args.output}; {args.output}/README.md shows how to load it')


def write_savedmodel(folder: Path, source: Source, model: keras.Model) -> None:
    """Write token ids → unit vectors, or scores, without any Keras objects."""
    module = tf.Module()
    module.weights = model.weights
    positions = read_config(source.bert_dir)['max_position_embeddings']

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32, name='token_ids')])
    def serve(token_ids):
        # on a GPU, longer rows would silently give wrong vectors
        message = f'rows have at most {positions} tokens'
        checked = tf.debugging.assert_less_equal(row_lengths(token_ids), positions, message)
        with tf.control_dependencies([checked]):
            outputs = model(token_ids, training=False)
        if source.is_joint:
            return {'scores': joint_scores(outputs)}
        norms = tf.norm(outputs, axis=1, keepdims=True)
        return {'vectors': outputs / tf.maximum(norms, 1e-12)}

    tf.saved_model.save(module, str(folder), signatures=serve)


def write_onnx(folder: Path, source: Source, model: keras.Model) -> None:
    """Write token ids → unit vectors, or scores, as one file, above 2 GB with weights beside it."""
    write_graph(folder / 'model.onnx', weight_arrays(model), source)


def write_hf(folder: Path, source: Source, model: keras.Model) -> None:
    """Write what transformers loads, and for an encoder sentence-transformers."""
    if source.is_joint and source.pooling != 'cls':
        raise UserError(
            f'{source.run}: ElectraForSequenceClassification has no --pooling {source.pooling}; '
            '--to onnx and --to savedmodel do'
        )
    weights = weight_arrays(model)
    tensors = joint_tensors(weights) if source.is_joint else pytorch_tensors(weights)
    path, metadata = folder / 'model.safetensors', {'format': 'pt'}
    write_atomic(path, lambda temporary: save_file(tensors, temporary, metadata))
    config, settings = read_config(source.bert_dir), load_tokenizer(source.bert_dir).settings
    files = hf_files(config, source, settings)
    if source.is_joint:
        labels = len(weights['head/bias'])
        kind = 'single_label_classification' if labels > 1 else 'regression'
        files['config.json'] |= {
            'architectures': ['ElectraForSequenceClassification'],
            'model_type': 'electra',
            'embedding_size': config['hidden_size'],
            'id2label': {str(label): f'LABEL_{label}' for label in range(labels)},
            'problem_type': kind,
        }
        files['tokenizer_config.json']['model_input_names'] = ['input_ids', 'attention_mask']
    else:
        files |= sentence_files(config, source)
        if source.pooling in POOLERS:
            dense = {
                f'linear.{kind}': tensors[f'pooler.dense.{kind}'] for kind in ('weight', 'bias')
            }
            path = folder / '2_Dense' / 'model.safetensors'
            write_atomic(path, lambda temporary: save_file(dense, temporary, metadata))
    for name, content in files.items():
        write_json(folder / name, content)


def pytorch_tensors(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tensors of a BertModel."""
    return {
        pytorch_name(name): np.ascontiguousarray(value.T if name.endswith('/kernel') else value)
        for name, value in weights.items()
        if not name.startswith('head/')
    }


def joint_tensors(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tensors of an ElectraForSequenceClassification with a BERT's encoder.

    BertForSequenceClassification has tanh before its classifier, which a linear head cannot pass
    through. ELECTRA, the same encoder, has gelu there, and gelu(x) - gelu(-x) = x: so two units of
    its hidden layer make every output x, and the others are 0.
    """
    kernel, bias = weights['head/kernel'], weights['head/bias']  # (D, C), (C,)
    width, outputs = kernel.shape
    units = np.zeros((width, width), np.float32)  # after their bias: (units, D)
    unit_bias, difference = np.zeros(width, np.float32), np.zeros((outputs, width), np.float32)
    for sign, part in ((1, slice(0, outputs)), (-1, slice(outputs, 2 * outputs))):
        units[part], unit_bias[part] = sign * kernel.T, sign * bias
        difference[:, part] = sign * np.eye(outputs)
    return {f'electra.{name}': value for name, value in pytorch_tensors(weights).items()} | {
        'classifier.dense.weight': units,
        'classifier.dense.bias': unit_bias,
        'classifier.out_proj.weight': difference,
        'classifier.out_proj.bias': np.zeros(outputs, np.float32),
    }


def pytorch_name(name: str) -> str:
    """bert/encoder/layer_0/output/LayerNorm/gamma → encoder.layer.0.output.LayerNorm.weight"""
    name = name.removeprefix('bert/').replace('layer_', 'layer.').replace('/', '.')
    name = re.sub(r'\.(kernel|gamma)$', '.weight', name)
    name = re.sub(r'\.beta$', '.bias', name)
    return re.sub(r'_embeddings$', '_embeddings.weight', name)


def hf_files(config: dict, source: Source, settings: TokenizerSettings) -> dict[str, dict]:
    """Return the JSON files of a BertModel and its tokenizer."""
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
            **settings._asdict(),
            'model_max_length': source.maxlen,
        },
    }


def sentence_files(config: dict, source: Source) -> dict[str, dict | list]:
    """Return the JSON files by which sentence-transformers uses the model."""
    dense = {}
    if source.pooling in POOLERS:  # which the Pooling module has no setting for
        dense['2_Dense/config.json'] = {
            'in_features': config['hidden_size'],
            'out_features': config['hidden_size'],
            'bias': True,
            'activation_function': TORCH_ACTIVATIONS[POOLERS[source.pooling]],
        }
    kinds = ('Transformer', 'Pooling', *['Dense'] * len(dense), 'Normalize')
    modules = [(f'{i}_{kind}' if i else '', kind) for i, kind in enumerate(kinds)]
    return dense | {
        'sentence_bert_config.json': {
            'max_seq_length': source.maxlen,
            'model_args': {'add_pooling_layer': bool(dense)},
        },
        'modules.json': [
            {'idx': i, 'name': str(i), 'path': path, 'type': f'sentence_transformers.models.{kind}'}
            for i, (path, kind) in enumerate(modules)
        ],
        '1_Pooling/config.json': {
            'word_embedding_dimension': config['hidden_size'],
            'pooling_mode_cls_token': source.pooling != 'mean',
            'pooling_mode_mean_tokens': source.pooling == 'mean',
        },
        f'{modules[-1][0]}/config.json': {},
    }


def parse_args():
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('run', help='a run, a folder with a BERT, or hf:NAME[@REVISION]')
    add_source_flags(add)
    add('--to', choices=['savedmodel', 'onnx', 'hf'], required=True)
    add('--output', type=Path, required=True, help='folder to create')
    return parser.parse_args()


if __name__ == '__main__':
    exit_on_error(main)

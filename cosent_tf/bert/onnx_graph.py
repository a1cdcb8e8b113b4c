"""A BERT as an ONNX graph, written node by node from its weights.

It computes the same as `vectors.PooledVector`, on padded rows: the last layer only for positions
that the pooling needs, and no attention to the padding at the end of a row.
"""

from pathlib import Path

import numpy as np

from cosent_tf.bert.formats import read_config
from cosent_tf.bert.settings import POOLERS
from cosent_tf.bert.sources import Source
from cosent_tf.errors import UserError
from cosent_tf.methods import find_method

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:  # an extra of the package
    onnx = None

OPSET = 20  # the first with Gelu
IR_VERSION = 9  # released with it
MAX_BYTES = 2**31 - 2**24  # limit of a protobuf message, less room for the nodes
GELUS = {'gelu_erf': 'none', 'gelu_tanh': 'tanh'}
MASKED = np.float32(-1e12)
LAST = np.array([-1])  # an axis


def write_graph(
    path: Path, weights: dict[str, np.ndarray], source: Source, raw: bool = False
) -> None:
    """Write token ids (n, L) int64, padded with 0 at the end, → unit vectors or scores.

    The output is `vectors` (n, D), or for a joint method `scores` as from `load_scorer`: (n,), or
    (n, C) for C > 2 classes. Above 2 GB the weights are beside the file, in `<name>.data`.

    Args:
        weights: by Google's names; for a joint method also `head/kernel` and `head/bias`.
        raw: write `outputs` as the Keras model has them instead: vectors of any length (n, D), or
            all outputs of a joint method's head (n, C).
    """
    if onnx is None:
        raise UserError('an ONNX graph needs the package onnx: pip install onnx')
    graph = _Graph(weights, read_config(source.bert_dir))
    inputs = [helper.make_tensor_value_info('token_ids', TensorProto.INT64, ['n', 'L'])]
    output = graph.output(source, raw)
    nodes = helper.make_graph(graph.nodes, 'cosent_tf', inputs, [output], graph.constants)
    opset = helper.make_opsetid('', OPSET)
    model = helper.make_model(nodes, opset_imports=[opset], ir_version=IR_VERSION)
    is_large = sum(len(constant.raw_data) for constant in graph.constants) > MAX_BYTES
    location = f'{path.name}.data' if is_large else None
    onnx.save_model(model, path, save_as_external_data=is_large, location=location)


class _Graph:
    """Nodes and constants; every method adds some, and returns the name of their result."""

    def __init__(self, weights: dict[str, np.ndarray], config: dict) -> None:
        self.weights = weights
        self.config = config
        self.nodes = []
        self.constants = []

    def node(self, kind: str, *inputs: str | np.ndarray, output: str = '', **attributes) -> str:
        """Add a node; arrays become constants."""
        names = [name if isinstance(name, str) else self.constant(name) for name in inputs]
        output = output or f'{kind}_{len(self.nodes)}'
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def constant(self, value: np.ndarray) -> str:
        name = f'constant_{len(self.constants)}'
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def dense(self, x: str, name: str, scale: float = 1.0) -> str:
        """(x·kernel + bias)·scale"""
        kernel, bias = (self.weights[f'{name}/{kind}'] for kind in ('kernel', 'bias'))
        product = self.node('MatMul', x, np.float32(scale) * kernel)
        return self.node('Add', product, np.float32(scale) * bias)

    def layer_norm(self, x: str, name: str) -> str:
        gamma, beta = (self.weights[f'{name}/LayerNorm/{kind}'] for kind in ('gamma', 'beta'))
        epsilon = float(self.config['layer_norm_eps'])
        return self.node('LayerNormalization', x, gamma, beta, epsilon=epsilon)

    def activation(self, x: str) -> str:
        kind = self.config['hidden_act']
        if kind in GELUS:
            return self.node('Gelu', x, approximate=GELUS[kind])
        if kind == 'relu':
            return self.node('Relu', x)
        return self.node('Mul', x, self.node('Sigmoid', x))  # swish

    def pooled(self, pooling: str) -> str:
        """Token ids → vectors, (n, D)."""
        inside, x = self.inside(), self.embeddings()  # (n, L) bool, (n, L, D)
        outside = self.node('Where', inside, np.float32(0), MASKED)
        bias = self.node('Unsqueeze', outside, np.array([1, 2]))  # (n, 1, 1, L)
        layers = self.config['num_hidden_layers']
        for number in range(layers):
            only_first = pooling != 'mean' and number == layers - 1
            x = self.layer(x, f'bert/encoder/layer_{number}', bias, only_first)
        if pooling != 'mean':
            x = self.node('Squeeze', x, np.array([1]))
            x = self.dense(x, 'bert/pooler/dense') if pooling in POOLERS else x
            return self.node('Tanh', x) if pooling == 'pooler' else x
        weights = self.node('Unsqueeze', self.node('Cast', inside, to=TensorProto.FLOAT), LAST)
        total = self.node('ReduceSum', self.node('Mul', x, weights), np.array([1]), keepdims=0)
        return self.node('Div', total, self.node('ReduceSum', weights, np.array([1]), keepdims=0))

    def inside(self) -> str:
        """Which positions are not padding, (n, L): up to the last token that is not 0."""
        self.length = self.node('Gather', self.node('Shape', 'token_ids'), np.array(1))
        places = self.node('Range', np.array(0), self.length, np.array(1))  # (L,)
        is_zero = self.node('Equal', 'token_ids', np.array(0))
        ends = self.node('Where', is_zero, np.array(0), places)  # (n, L)
        return self.node('LessOrEqual', places, self.node('ReduceMax', ends, np.array([1])))

    def embeddings(self) -> str:
        """The first layer's input, (n, L, D); segment ids are all 0."""
        scope = 'bert/embeddings'
        words = self.node('Gather', self.weights[f'{scope}/word_embeddings'], 'token_ids')
        places = self.weights[f'{scope}/position_embeddings']
        places = places + self.weights[f'{scope}/token_type_embeddings'][0]
        length = self.node('Unsqueeze', self.length, np.array([0]))
        places = self.node('Slice', places, np.array([0]), length)  # (L, D)
        return self.layer_norm(self.node('Add', words, places), scope)

    def layer(self, x: str, scope: str, bias: str, only_first: bool) -> str:
        """One layer: (n, L, D) → (n, L, D), or (n, 1, D) of the first position only."""
        heads = self.config['num_attention_heads']
        size = self.config['hidden_size'] // heads
        kept = self.node('Slice', x, *(np.array([i]) for i in (0, 1, 1))) if only_first else x
        attention = f'{scope}/attention'
        parts = (
            (self.dense(kept, f'{attention}/self/query', size**-0.5), (0, 2, 1, 3)),
            (self.dense(x, f'{attention}/self/key'), (0, 2, 3, 1)),
            (self.dense(x, f'{attention}/self/value'), (0, 2, 1, 3)),
        )
        split = np.array([0, 0, heads, size])
        query, key, value = (
            self.node('Transpose', self.node('Reshape', part, split), perm=perm)
            for part, perm in parts
        )
        scores = self.node('Add', self.node('MatMul', query, key), bias)  # (n, heads, L, L)
        mixed = self.node('MatMul', self.node('Softmax', scores, axis=-1), value)
        mixed = self.node('Transpose', mixed, perm=(0, 2, 1, 3))
        mixed = self.node('Reshape', mixed, np.array([0, 0, heads * size]))
        mixed = self.dense(mixed, f'{attention}/output/dense')
        x = self.layer_norm(self.node('Add', kept, mixed), f'{attention}/output')
        inner = self.activation(self.dense(x, f'{scope}/intermediate/dense'))
        outputs = self.dense(inner, f'{scope}/output/dense')
        return self.layer_norm(self.node('Add', x, outputs), f'{scope}/output')

    def output(self, source: Source, raw: bool) -> 'onnx.ValueInfoProto':
        """Everything from token ids to the output; return its declaration."""
        name, shape, x = 'outputs', ['n', 'C'], self.pooled(source.pooling)  # (n, D)
        if source.is_joint:
            x = self.dense(x, 'head')  # (n, C)
            if find_method(source.method).head == 'softmax':
                x = self.node('Softmax', x, axis=-1)
        if source.is_joint and not raw:
            classes = len(self.weights['head/bias'])
            name, shape = 'scores', ['n', classes] if classes > 2 else ['n']
            x = x if classes > 2 else self.node('Gather', x, np.array(classes - 1), axis=1)
        elif not raw:
            norms = self.node('Max', self.node('ReduceL2', x, np.array([1])), np.float32(1e-12))
            name, shape = 'vectors', ['n', self.config['hidden_size']]
            x = self.node('Div', x, norms)
        self.node('Identity', x, output=name)
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

"""A BERT as an ONNX graph, written node by node from its weights.

It computes what `vectors.PooledVector` does, on padded rows: the last layer of the positions that
the pooling needs, and no attention to the padding at the end of a row.
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
IR_VERSION = 9  # of the same age
MOST_BYTES = 2**31 - 2**24  # of a protobuf message, with room for the nodes
GELUS = {'gelu_erf': 'none', 'gelu_tanh': 'tanh'}
MASKED = np.float32(-1e12)
LAST = np.array([-1])  # an axis


def write_graph(
    path: Path, weights: dict[str, np.ndarray], source: Source, raw: bool = False
) -> None:
    """Write token ids (n, L) int64, 0 where padded at the end → unit vectors or scores.

    The output is `vectors` (n, D), or of a joint method `scores`, as `load_scorer` gives them: (n,)
    or (n, C) for C > 2 classes. Above 2 GB the weights lie beside the file, in `<name>.data`.

    Args:
        path: of the file.
        weights: by Google's names; of a joint method also `head/kernel` and `head/bias`.
        source: what the model was made of.
        raw: write `outputs` instead, as the Keras model has them: vectors of any length (n, D), or
            all outputs of a joint method's head (n, C).

    Raises:
        UserError: the package onnx is not installed.
    """
    if onnx is None:
        raise UserError('an ONNX graph needs the package onnx: pip install onnx')
    graph = _Graph(weights, read_config(source.bert_dir))
    inputs = [helper.make_tensor_value_info('token_ids', TensorProto.INT64, ['n', 'L'])]
    outputs = [graph.result(source, raw)]
    nodes = helper.make_graph(graph.nodes, 'cosent_tf', inputs, outputs, graph.constants)
    opset = helper.make_opsetid('', OPSET)
    model = helper.make_model(nodes, opset_imports=[opset], ir_version=IR_VERSION)
    is_large = sum(len(constant.raw_data) for constant in graph.constants) > MOST_BYTES
    onnx.save_model(
        model, path, save_as_external_data=is_large, location=f'{path.name}.data' * is_large or None
    )


class _Graph:
    """Nodes and constants; every method adds some, and returns the name of their result.

    Those that end the graph return the declaration of its output.
    """

    def __init__(self, weights: dict[str, np.ndarray], config: dict) -> None:
        self.weights = weights
        self.config = config
        self.nodes = []
        self.constants = []

    def node(self, kind: str, *inputs: str | np.ndarray, output: str = '', **attributes) -> str:
        """Add one; arrays become constants."""
        names = [name if isinstance(name, str) else self.constant(name) for name in inputs]
        output = output or f'{kind}_{len(self.nodes)}'
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def constant(self, value: np.ndarray) -> str:
        name = f'constant_{len(self.constants)}'
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def dense(self, x: str, name: str, scale: float = 1.0) -> str:
        """x·kernel + bias; both are scaled."""
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
        shape = self.node('Shape', 'token_ids')
        self.length = self.node('Gather', shape, np.array(1))
        places = self.node('Range', np.array(0), self.length, np.array(1))  # (L,)
        is_zero = self.node('Equal', 'token_ids', np.array(0))
        last = self.node('Where', is_zero, np.array(0), places)  # (n, L)
        last = self.node('ReduceMax', last, np.array([1]))  # (n, 1)
        return self.node('LessOrEqual', places, last)

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
        """One layer, (n, L, D), or (n, 1, D) of the first position only."""
        heads = self.config['num_attention_heads']
        size = self.config['hidden_size'] // heads
        kept = self.node('Slice', x, *(np.array([i]) for i in (0, 1, 1))) if only_first else x
        attention = f'{scope}/attention'
        query = self.dense(kept, f'{attention}/self/query', size**-0.5)
        split = np.array([0, 0, heads, size])
        query, key, value = (
            self.node('Transpose', self.node('Reshape', part, split), perm=perm)
            for part, perm in (
                (query, (0, 2, 1, 3)),
                (self.dense(x, f'{attention}/self/key'), (0, 2, 3, 1)),
                (self.dense(x, f'{attention}/self/value'), (0, 2, 1, 3)),
            )
        )
        scores = self.node('Add', self.node('MatMul', query, key), bias)  # (n, heads, L, L)
        mixed = self.node('MatMul', self.node('Softmax', scores, axis=-1), value)
        mixed = self.node('Transpose', mixed, perm=(0, 2, 1, 3))
        mixed = self.node('Reshape', mixed, np.array([0, 0, heads * size]))
        mixed = self.dense(mixed, f'{attention}/output/dense')
        x = self.layer_norm(self.node('Add', kept, mixed), f'{attention}/output')
        inner = self.activation(self.dense(x, f'{scope}/intermediate/dense'))
        return self.layer_norm(
            self.node('Add', x, self.dense(inner, f'{scope}/output/dense')), f'{scope}/output'
        )

    def head(self, vectors: str, softmax: bool) -> str:
        """What a joint method's head gives, (n, C)."""
        outputs = self.dense(vectors, 'head')
        return self.node('Softmax', outputs, axis=-1) if softmax else outputs

    def result(self, source: Source, raw: bool) -> 'onnx.ValueInfoProto':
        """Everything, from token ids to the output; return its declaration."""
        outputs = self.pooled(source.pooling)  # (n, D)
        if source.is_joint:
            outputs = self.head(
                outputs, softmax=find_method(source.method).head == 'softmax'
            )  # (n, C)
        if raw:
            return self.output('outputs', ['n', 'C'], 'Identity', outputs)
        return self.scores(outputs) if source.is_joint else self.unit(outputs)

    def unit(self, vectors: str) -> 'onnx.ValueInfoProto':
        """Vectors of length 1."""
        norms = self.node('ReduceL2', vectors, np.array([1]))
        norms = self.node('Max', norms, np.float32(1e-12))
        return self.output('vectors', ['n', self.config['hidden_size']], 'Div', vectors, norms)

    def scores(self, outputs: str) -> 'onnx.ValueInfoProto':
        """What a joint method decides on."""
        classes = len(self.weights['head/bias'])
        if classes > 2:
            return self.output('scores', ['n', classes], 'Identity', outputs)
        return self.output('scores', ['n'], 'Gather', outputs, np.array(classes - 1), axis=1)

    def output(
        self, name: str, shape: list, kind: str, *inputs: str | np.ndarray, **attributes
    ) -> 'onnx.ValueInfoProto':
        """Add the node of the graph's output; return its declaration."""
        self.node(kind, *inputs, output=name, **attributes)
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

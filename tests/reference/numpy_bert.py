"""BERT in NumPy and float64, from the equations of the papers alone.

Vaswani et al. 2017, "Attention Is All You Need" (sections 3.1 to 3.3); Devlin et al. 2018, "BERT";
Ba et al. 2016, "Layer Normalization"; Hendrycks and Gimpel 2016, "Gaussian Error Linear Units".

Every sentence is computed alone, from its real tokens only. So padding, and with it every trick of
masking, does not exist here: what an encoder returns for a padded batch must be the same.
"""

import numpy as np
from scipy.special import erf


def bert_cls(weights, config, token_ids, segment_ids, mask):
    """Return the [CLS] vectors of the last layer, (n, D); arguments as for `bert_hidden`."""
    return bert_hidden(weights, config, token_ids, segment_ids, mask)[:, 0]


def bert_pooled(weights, config, token_ids, segment_ids, mask, activation=np.tanh):
    """Return what the pooler makes of the [CLS] vectors, (n, D): activation(W·[CLS] + b).

    Devlin et al. have tanh there; SimBERT, an embedding trained through the layer, nothing.
    """
    cls = bert_cls(weights, config, token_ids, segment_ids, mask)
    weights = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    return activation(_linear(weights, 'bert/pooler/dense', cls))


def bert_hidden(weights, config, token_ids, segment_ids, mask):
    """Return the last layer's vector of every token, (n, T, D), and 0 in place of padding.

    Args:
        weights: arrays by Google's names.
        config: Google's configuration.
        token_ids, segment_ids: integers, (n, T).
        mask: (n, T), true where there is a token, false where there is padding.
    """
    weights = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    mask = np.asarray(mask, bool)
    hidden = np.zeros((*mask.shape, config['hidden_size']))
    for row, real in enumerate(mask):
        tokens, segments = np.asarray(token_ids[row])[real], np.asarray(segment_ids[row])[real]
        hidden[row, real] = _sentence(weights, config, tokens, segments, np.flatnonzero(real))
    return hidden


def _sentence(weights, config, tokens, segments, positions):
    """One sentence, (T,) each -> (T, D)."""
    x = (
        weights['bert/embeddings/word_embeddings'][tokens]
        + weights['bert/embeddings/token_type_embeddings'][segments]
        + weights['bert/embeddings/position_embeddings'][positions]
    )
    epsilon = config.get('layer_norm_eps', 1e-12)  # Google's
    activation = ACTIVATIONS[config['hidden_act']]
    x = _layer_norm(weights, 'bert/embeddings/LayerNorm', x, epsilon)
    for index in range(config['num_hidden_layers']):
        layer = f'bert/encoder/layer_{index}'
        attended = _attention(weights, f'{layer}/attention', x, config['num_attention_heads'])
        x = _layer_norm(weights, f'{layer}/attention/output/LayerNorm', x + attended, epsilon)
        inner = activation(_linear(weights, f'{layer}/intermediate/dense', x))
        outer = _linear(weights, f'{layer}/output/dense', inner)
        x = _layer_norm(weights, f'{layer}/output/LayerNorm', x + outer, epsilon)
    return x


def _attention(weights, scope, x, heads):
    """MultiHead = Concat(head_1, …, head_h) W_O, head = softmax(Q K^T / sqrt(d_k)) V."""
    query, key, value = (
        np.split(_linear(weights, f'{scope}/self/{name}', x), heads, axis=1)
        for name in ('query', 'key', 'value')
    )  # `heads` arrays (T, d_k) each
    attended = [
        _softmax(q @ k.T / np.sqrt(q.shape[1])) @ v
        for q, k, v in zip(query, key, value, strict=True)
    ]
    return _linear(weights, f'{scope}/output/dense', np.concatenate(attended, axis=1))


def _linear(weights, scope, x):
    return x @ weights[f'{scope}/kernel'] + weights[f'{scope}/bias']


def _layer_norm(weights, scope, x, epsilon):
    centred = x - x.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon)
    return centred / deviation * weights[f'{scope}/gamma'] + weights[f'{scope}/beta']


def _gelu(x):
    """x·Φ(x), Φ the normal distribution function."""
    return x * (1 + erf(x / np.sqrt(2))) / 2


def _gelu_new(x):
    """The approximation of the paper, with tanh."""
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


def _softmax(x):
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


ACTIVATIONS = {'gelu': _gelu, 'gelu_new': _gelu_new, 'relu': lambda x: np.maximum(x, 0)}

"""The experiment stated a second time, as plainly as the articles do: no speed, no package code.

bert4keras's own transformer on the whole padded batch, every pair of examples compared, its own
Adam, and the published threshold searches.
"""

import numpy as np
from scipy.optimize import minimize

from cosent_tf.bert.compat import K, PlainAdam, Tokenizer, build_transformer_model, keras
from cosent_tf.bert.pretrained import named_weights

SIAMESE = ('cosent', 'sbert')


def published_threshold(method, labels, scores):
    """The threshold of a method as its article finds it on valid."""
    if method == 'interact_cosent':

        def loss(t):
            return -np.mean((np.tanh(scores) > np.tanh(t)) == labels)

        return minimize(loss, 1, method='Powell').x.item()

    def loss(t):
        return -np.mean((scores > np.tanh(t)) == labels)

    return np.tanh(minimize(loss, 1, method='Powell').x.item())


def train(method, bert_dir, pairs, head, batch_size, maxlen, lr, seed):
    """Train for one epoch without dropout.

    Args:
        pairs: (text1, text2, label), read from the file.
        head: initial kernel and bias of the dense layer, or nothing.

    Returns:
        The losses of the steps, and the weights by Google's names and `head/kernel`, `head/bias`.
    """
    bert = build_transformer_model(
        str(bert_dir / 'bert_config.json'),
        str(bert_dir / 'bert_model.ckpt'),
        return_keras_model=False,
        dropout_rate=0.0,
        attention_dropout_rate=0.0,
    )
    cls = keras.layers.Lambda(lambda x: x[:, 0])(bert.model.output)
    model = keras.Model(bert.model.inputs, HEADS[method](cls))
    if head:
        model.layers[-1].set_weights(head)
    model.compile(loss=LOSSES[method], optimizer=PlainAdam(lr))
    tokenizer = Tokenizer(str(bert_dir / 'vocab.txt'), do_lower_case=True)
    np.random.seed(seed)
    order = np.random.permutation(len(pairs))
    losses = []
    for start in range(0, len(order), batch_size):
        rows, labels = [], []
        for text1, text2, label in (pairs[i] for i in order[start : start + batch_size]):
            inputs = [(text1,), (text2,)] if method in SIAMESE else [(text1, text2)]
            rows += [tokenizer.encode(*texts, maxlen=maxlen)[0] for texts in inputs]
            labels += [[label]] * len(inputs)
        longest = max(map(len, rows))
        token_ids = np.array([row + [0] * (longest - len(row)) for row in rows])
        batch = [token_ids, np.zeros_like(token_ids)]
        losses.append(float(model.train_on_batch(batch, np.array(labels))))
    weights = named_weights(bert)  # variables by name
    weights |= zip(
        ('head/kernel', 'head/bias'), model.layers[-1].weights[: len(head)], strict=False
    )
    return losses, {name: weight.numpy() for name, weight in weights.items()}


def pairwise_loss(labels, scores):
    """log(1 + Σ exp(s_i − s_j)) over label_i < label_j, all B² differences, the others masked."""
    differences = scores[:, None] - scores[None, :]  # (B, B)
    counts = K.cast(labels[:, None] < labels[None, :], 'float32')
    masked = K.reshape(differences - (1 - counts) * 1e12, [-1])
    return K.logsumexp(K.concatenate([[0.0], masked], axis=0), axis=0)


def cosent_loss(y_true, y_pred):
    unit = y_pred / K.sqrt(K.sum(y_pred**2, axis=1, keepdims=True))
    return pairwise_loss(y_true[::2, 0], 20 * K.sum(unit[::2] * unit[1::2], axis=1))


def score_loss(y_true, y_pred):
    return pairwise_loss(y_true[:, 0], y_pred[:, 0])


def siamese_cross_entropy(y_true, y_pred):
    return K.mean(keras.losses.sparse_categorical_crossentropy(y_true[::2], y_pred))


def joint_cross_entropy(y_true, y_pred):
    return K.mean(keras.losses.sparse_categorical_crossentropy(y_true, y_pred))


def features(vectors):
    u, v = vectors[::2], vectors[1::2]
    return K.concatenate([u, v, K.abs(u - v)], axis=-1)


def softmax(inputs):
    return keras.layers.Dense(2, activation='softmax')(inputs)


HEADS = {
    'cosent': lambda cls: cls,
    'sbert': lambda cls: softmax(keras.layers.Lambda(features)(cls)),
    'interact': softmax,
    'interact_cosent': lambda cls: keras.layers.Dense(1)(cls),
}
LOSSES = {
    'cosent': cosent_loss,
    'sbert': siamese_cross_entropy,
    'interact': joint_cross_entropy,
    'interact_cosent': score_loss,
}

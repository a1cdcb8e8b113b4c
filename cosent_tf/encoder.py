"""[CLS] vectors from a BERT, without work on padding: in training, in scoring, for your own use."""

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cosent_tf.backend import Tokenizer, keras, tf
from cosent_tf.checkpoints import read_weights
from cosent_tf.data import TokenRows, encode_texts
from cosent_tf.pretrained import ClsBERT, load_bert, load_tokenizer, named_weights

TOKENS_A_BATCH = 4096  # when scoring: bounds memory, and is enough to fill the processor


class ClsVector(keras.layers.Layer):
    """The [CLS] vectors of token rows, without encoding most of their padding.

    The rows of a batch are sorted by length and encoded in groups, each cut to its own longest
    row. The vectors are those of the whole padded batch, up to float32 rounding.

    Input: token ids (n, L) int32, 0 where padded. Segment ids are all 0, as in every method of the
    article. Output: (n, D) float32.
    """

    def __init__(self, bert: ClsBERT, groups: int = 4, **kwargs):
        super().__init__(**kwargs)
        self.bert = bert.model
        self.named_weights = named_weights(bert)
        self.groups = groups

    def call(self, token_ids, training=None):
        if self.groups == 1:
            return self._encode(token_ids, training)
        lengths = tf.math.count_nonzero(token_ids, axis=1, dtype=tf.int32)  # (n,)
        order = tf.argsort(lengths, direction='DESCENDING')
        bounds = tf.shape(token_ids)[0] * tf.range(self.groups + 1) // self.groups
        vectors = []
        for group in range(self.groups):
            rows = order[bounds[group] : bounds[group + 1]]
            longest = tf.reduce_max(tf.concat([tf.gather(lengths, rows), [1]], axis=0))
            ids = tf.gather(token_ids, rows)[:, :longest]
            vectors.append(self._encode(ids, training))
        return tf.gather(tf.concat(vectors, axis=0), tf.argsort(order))

    def _encode(self, token_ids, training):
        hidden = self.bert([token_ids, tf.zeros_like(token_ids)], training=training)  # (n, 1, D)
        return tf.cast(hidden[:, 0], tf.float32)


class RowEncoder:
    """Applies a model to many token rows of different length, fast.

    Longest rows first, so that rows of a batch are alike in length and a batch that does not fit
    into memory fails at once; every batch holds about the same number of tokens.
    """

    def __init__(self, model: keras.Model):
        self._width = model.output_shape[-1]
        signature = [tf.TensorSpec((None, None), tf.int32)]
        self._step = tf.function(lambda token_ids: model(token_ids, training=False), signature)

    def __call__(self, rows: TokenRows) -> np.ndarray:
        """Return the model's outputs, (n, D) float32, in the order of `rows`."""
        order = np.argsort(-rows.lengths, kind='stable')
        outputs = np.zeros((len(rows), self._width), np.float32)
        start = 0
        with tqdm(total=len(rows), desc='encoding', delay=2, leave=False, disable=None) as bar:
            while start < len(rows):
                count = max(1, TOKENS_A_BATCH // int(rows.lengths[order[start]]))
                batch = order[start : start + count]
                outputs[batch] = self._step(rows.padded(batch)).numpy()
                bar.update(len(batch))
                start += count
        return outputs


class SentenceEncoder:
    """Sentences to vectors."""

    def __init__(self, bert: ClsBERT, tokenizer: Tokenizer, maxlen: int):
        token_ids = keras.Input((None,), dtype='int32')
        self.encode_rows = RowEncoder(keras.Model(token_ids, ClsVector(bert)(token_ids)))
        self.tokenizer = tokenizer
        self.maxlen = maxlen

    def encode(self, texts: list[str], normalize: bool = True) -> np.ndarray:
        """Return the vectors of texts, in their order, each distinct text encoded once.

        Args:
            texts: any strings, also empty ones; over `maxlen` tokens they are cut.
            normalize: scale every vector to unit length.

        Returns:
            (n, D) float32.
        """
        encoded = encode_texts(self.tokenizer, texts, self.maxlen)
        vectors = self.encode_rows(encoded.rows)
        if normalize:
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors[encoded.index]


def load_encoder(run_or_bert_dir: str | Path) -> SentenceEncoder:
    """Load the encoder of a finished run (its best epoch), or a pretrained one.

    Args:
        run_or_bert_dir: `runs/{task}.{model}.{method}.seed{n}`, or a folder with a BERT.

    Raises:
        UserError: neither of the two, or a broken file.
    """
    folder = Path(run_or_bert_dir)
    if not (folder / 'config.json').is_file():
        return SentenceEncoder(load_bert(folder, 64), load_tokenizer(folder), 64)
    arguments = json.loads((folder / 'config.json').read_text('utf-8'))['arguments']
    bert = load_bert(arguments['bert_dir'], arguments['maxlen'])
    read_weights(folder / 'best.weights.h5', named_weights(bert))
    return SentenceEncoder(bert, load_tokenizer(arguments['bert_dir']), arguments['maxlen'])

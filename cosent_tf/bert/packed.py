"""A BERT on packed tokens: those of all rows one after another, without padding in between.

All of a BERT except attention treats every token separately, so it needs no rows. Attention gets
rows in groups, each padded to its own longest row, and returns packed tokens. The layers, and so
the weights, are bert4keras's; only the way through them differs.
"""

from itertools import pairwise

from cosent_tf.bert.compat import Dropout, keras, tf
from cosent_tf.bert.pretrained import PooledBERT

ATTENTION_GROUPS = 2  # groups of rows of similar length

# tokens, (t, D), and the rows that they are from, in groups
Packed = tuple[tf.Tensor, list['PaddedHeads']]


def split_rows(sizes: tf.Tensor, groups: int) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Return the first row and the end of each of `groups` groups, of about equal total size.

    `sizes`, (n,), are those of the rows; groups may be empty.
    """
    shares = tf.reduce_sum(sizes) * tf.range(1, groups) // groups
    ends = tf.searchsorted(tf.cumsum(sizes), shares) + 1  # after the row that reaches the share
    return list(pairwise(tf.unstack(tf.concat([[0], ends, [tf.size(sizes)]], axis=0))))


class PackedBERT:
    """The layers of a BERT, applied to packed tokens, to make one vector per row."""

    def __init__(self, bert: PooledBERT) -> None:
        self.layers = bert.layers
        self.depth = bert.num_hidden_layers
        self.heads = bert.num_attention_heads
        self.pooling = bert.pooling
        self.attention_dropout = Dropout(bert.attention_dropout_rate)

    def __call__(self, token_ids: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return the vector of each row by the pooling that `bert` was built with, (n, D) float32.

        Args:
            token_ids: (n, L) int32, longest rows first, padded at the end.
            lengths: (n,) int32, without the padding.
        """
        places = tf.where(tf.sequence_mask(lengths, tf.shape(token_ids)[1]))  # (T, 2), T tokens
        hidden = self._embed(tf.gather_nd(token_ids, places), places[:, 1])  # (T, D)
        parts = [lengths[start:end] for start, end in split_rows(lengths, ATTENTION_GROUPS)]
        rows = [PaddedHeads(part, self.heads) for part in parts]
        for number in range(self.depth - 1):
            hidden = self._transform(number, (hidden, rows), (hidden, rows))
        if self.pooling == 'mean':
            hidden = self._transform(self.depth - 1, (hidden, rows), (hidden, rows))
            return tf.math.segment_mean(tf.cast(hidden, tf.float32), places[:, 0])
        cls = tf.gather(hidden, tf.cumsum(lengths, exclusive=True))  # (n, D)
        alone = [PaddedHeads(tf.ones_like(part), self.heads) for part in parts]
        vectors = self._transform(self.depth - 1, (cls, alone), (hidden, rows))
        pooler = self.layers.get('Pooler-Dense')
        return tf.cast(pooler(vectors) if pooler else vectors, tf.float32)

    def _embed(self, tokens: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """Return the first layer's input, (T,) → (T, D); all segment ids are 0."""
        token = self.layers['Embedding-Token'](tokens[None])[0]
        segment = self.layers['Embedding-Segment'](tf.constant([[0]]))[0]
        position = tf.gather(self.layers['Embedding-Position'].embeddings, positions)
        embedded = self.layers['Embedding-Token-Segment']([token, segment]) + position
        return self._drop('Embedding', self.layers['Embedding-Norm'](embedded))

    def _transform(self, number: int, queries: Packed, seen: Packed) -> tf.Tensor:
        """Apply layer `number`, from 0, to tokens that see all tokens of their rows, → (t, D)."""
        (inputs, query_rows), (hidden, rows) = queries, seen
        attention = self.layers[f'Transformer-{number}-MultiHeadSelfAttention']
        query = attention.q_dense(inputs) / attention.key_size**0.5
        key, value = attention.k_dense(hidden), attention.v_dense(hidden)
        attended = self._attend((query, query_rows), (key, rows), (value, rows))
        hidden = self._add(attention, inputs, attention.o_dense(attended))
        feed_forward = self.layers[f'Transformer-{number}-FeedForward']
        return self._add(feed_forward, hidden, feed_forward(hidden))

    def _attend(self, query: Packed, key: Packed, value: Packed) -> tf.Tensor:
        """Return the values weighted by the softmax of query · key, (t, heads·d)."""
        query_rows, rows = query[1], key[1]
        parts = (tf.split(x, [group.tokens for group in rows]) for x, rows in (query, key, value))
        outputs = []
        for asking, seen, q, k, v in zip(query_rows, rows, *parts, strict=True):
            scores = tf.matmul(asking.pad(q), seen.pad(k), transpose_b=True)  # (n, heads, l, L)
            nowhere = tf.where(seen.inside, tf.zeros((), scores.dtype), scores.dtype.min)
            weights = self.attention_dropout(tf.nn.softmax(scores + nowhere[:, None, None]))
            outputs.append(asking.pack(tf.matmul(weights, seen.pad(v))))
        return tf.concat(outputs, axis=0)

    def _add(self, layer: keras.layers.Layer, inputs: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Apply what follows a layer: dropout, the residual connection, layer norm."""
        added = self.layers[f'{layer.name}-Add']([inputs, self._drop(layer.name, outputs)])
        return self.layers[f'{layer.name}-Norm'](added)

    def _drop(self, name: str, inputs: tf.Tensor) -> tf.Tensor:
        dropout = self.layers.get(f'{name}-Dropout')  # bert4keras has none for a rate of 0
        return dropout(inputs) if dropout else inputs


class PaddedHeads:
    """A group of rows: packed tokens to the padded attention heads of the rows, and back."""

    def __init__(self, lengths: tf.Tensor, heads: int) -> None:
        self.inside = tf.sequence_mask(lengths)  # (n, L)
        self.tokens = tf.reduce_sum(lengths)
        rows, longest = tf.unstack(tf.shape(self.inside, tf.int64))
        self.shape = (rows, heads, longest)
        self.size = tf.reduce_prod(self.shape)
        row, column = tf.unstack(tf.where(self.inside)[:, :, None], axis=1)  # (t, 1) each
        head = tf.range(heads, dtype=tf.int64)
        self.places = ((row * heads + head) * longest + column)[:, :, None]  # (t, heads, 1)

    def pad(self, tokens: tf.Tensor) -> tf.Tensor:
        """Return the heads, 0 for padding: (t, heads·d) → (n, heads, L, d)."""
        parts = tf.reshape(tokens, (-1, self.shape[1], tokens.shape[-1] // self.shape[1]))
        flat = tf.scatter_nd(self.places, parts, tf.stack([self.size, parts.shape[-1]]))
        return tf.reshape(flat, tf.stack([*self.shape, parts.shape[-1]]))

    def pack(self, heads: tf.Tensor) -> tf.Tensor:
        """Return the packed tokens: (n, heads, L, d) → (t, heads·d)."""
        width = heads.shape[-1]
        tokens = tf.gather_nd(tf.reshape(heads, (-1, width)), self.places)  # (t, heads, d)
        return tf.reshape(tokens, (-1, self.shape[1] * width))

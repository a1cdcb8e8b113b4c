"""A BERT on packed tokens: those of all rows one after the other, and no padding between them.

All of a BERT but attention treats every token by itself, so it needs no rows. Attention gets them
in groups, each padded to its own longest row, and gives packed tokens back. The layers, and so the
weights, are bert4keras's; only the way through them is another.
"""

from itertools import pairwise

from cosent_tf.bert.compat import Dropout, keras, tf
from cosent_tf.bert.pretrained import PooledBERT

ATTENTION_GROUPS = 2  # of rows, by length


def split_rows(sizes: tf.Tensor, groups: int) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Return where to split rows of these sizes, (n,), into groups of about one size.

    Returns:
        The first row of each group and the one after its last, scalars. Groups may be empty.
    """
    shares = tf.reduce_sum(sizes) * tf.range(1, groups) // groups
    ends = tf.searchsorted(tf.cumsum(sizes), shares) + 1  # after the row that reaches the share
    return list(pairwise(tf.unstack(tf.concat([[0], ends, [tf.size(sizes)]], axis=0))))


class PackedBERT:
    """The way of packed tokens through the layers of a BERT, to one vector for each row.

    Args:
        bert: what `load_bert` returns.
    """

    def __init__(self, bert: PooledBERT) -> None:
        self.layers = bert.layers
        self.depth = bert.num_hidden_layers
        self.heads = bert.num_attention_heads
        self.pooling = bert.pooling
        self.attention_dropout = Dropout(bert.attention_dropout_rate)

    def __call__(self, token_ids: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Return the vector of each row by the pooling that `bert` was built with.

        Args:
            token_ids: (n, L) int32, longest rows first, padded at the end.
            lengths: (n,) int32, without the padding.

        Returns:
            (n, D) float32.
        """
        places = tf.where(tf.sequence_mask(lengths, tf.shape(token_ids)[1]))  # (T, 2), T tokens
        hidden = self._embed(tf.gather_nd(token_ids, places), places[:, 1])  # (T, D)
        parts = [lengths[start:end] for start, end in split_rows(lengths, ATTENTION_GROUPS)]
        rows = [PaddedHeads(part, self.heads) for part in parts]
        for number in range(self.depth - 1):
            hidden = self._transform(number, hidden, rows, hidden, rows)
        if self.pooling == 'mean':
            hidden = self._transform(self.depth - 1, hidden, rows, hidden, rows)
            return tf.math.segment_mean(tf.cast(hidden, tf.float32), places[:, 0])
        cls = tf.gather(hidden, tf.cumsum(lengths, exclusive=True))  # (n, D)
        alone = [PaddedHeads(tf.ones_like(part), self.heads) for part in parts]
        vectors = self._transform(self.depth - 1, cls, alone, hidden, rows)
        pooler = self.layers.get('Pooler-Dense')
        return tf.cast(pooler(vectors) if pooler else vectors, tf.float32)

    def _embed(self, tokens: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        """Return what the first layer gets of tokens, (T,) → (T, D); their segments are 0."""
        token = self.layers['Embedding-Token'](tokens[None])[0]
        segment = self.layers['Embedding-Segment'](tf.constant([[0]]))[0]
        position = tf.gather(self.layers['Embedding-Position'].embeddings, positions)
        embedded = self.layers['Embedding-Token-Segment']([token, segment]) + position
        return self._drop('Embedding', self.layers['Embedding-Norm'](embedded))

    def _transform(
        self,
        number: int,
        queries: tf.Tensor,
        query_rows: list['PaddedHeads'],
        hidden: tf.Tensor,
        rows: list['PaddedHeads'],
    ) -> tf.Tensor:
        """Apply one layer to the tokens that ask, which see all tokens of their rows.

        Args:
            number: of the layer, from 0.
            queries: (t, D).
            query_rows: the rows of these tokens.
            hidden: all tokens, (T, D).
            rows: their rows.

        Returns:
            (t, D).
        """
        attention = self.layers[f'Transformer-{number}-MultiHeadSelfAttention']
        query = attention.q_dense(queries) / attention.key_size**0.5
        key, value = attention.k_dense(hidden), attention.v_dense(hidden)
        seen = attend(query, query_rows, key, value, rows, self.attention_dropout)
        queries = self._add(attention, queries, attention.o_dense(seen))
        feed_forward = self.layers[f'Transformer-{number}-FeedForward']
        return self._add(feed_forward, queries, feed_forward(queries))

    def _add(self, layer: keras.layers.Layer, inputs: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Apply what comes after a layer: dropout, the residual connection, layer norm."""
        added = self.layers[f'{layer.name}-Add']([inputs, self._drop(layer.name, outputs)])
        return self.layers[f'{layer.name}-Norm'](added)

    def _drop(self, name: str, inputs: tf.Tensor) -> tf.Tensor:
        dropout = self.layers.get(f'{name}-Dropout')  # bert4keras makes none for a rate of 0
        return dropout(inputs) if dropout else inputs


class PaddedHeads:
    """A group of rows, to go from packed tokens to the padded heads of the rows and back.

    Args:
        lengths: of the rows, (n,).
        heads: of attention.
    """

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
        """Return what all heads get, 0 for padding: (t, heads·d) → (n, heads, L, d)."""
        parts = tf.reshape(tokens, (-1, self.shape[1], tokens.shape[-1] // self.shape[1]))
        flat = tf.scatter_nd(self.places, parts, tf.stack([self.size, parts.shape[-1]]))
        return tf.reshape(flat, tf.stack([*self.shape, parts.shape[-1]]))

    def pack(self, heads: tf.Tensor) -> tf.Tensor:
        """Return the tokens without padding: (n, heads, L, d) → (t, heads·d)."""
        width = heads.shape[-1]
        tokens = tf.gather_nd(tf.reshape(heads, (-1, width)), self.places)  # (t, heads, d)
        return tf.reshape(tokens, (-1, self.shape[1] * width))


def attend(
    query: tf.Tensor,
    query_rows: list[PaddedHeads],
    key: tf.Tensor,
    value: tf.Tensor,
    rows: list[PaddedHeads],
    dropout: Dropout,
) -> tf.Tensor:
    """Return the values that tokens see in their rows, weighted by the softmax of query · key.

    Args:
        query: of the tokens that ask, (t, heads·d), scaled.
        query_rows: their rows, in groups.
        key: of all tokens, (T, heads·d).
        value: of all tokens, (T, heads·d).
        rows: their rows, in the same groups.
        dropout: of the weights.

    Returns:
        (t, heads·d).
    """
    queries = tf.split(query, [group.tokens for group in query_rows])
    keys, values = (tf.split(of, [group.tokens for group in rows]) for of in (key, value))
    outputs = []
    for asking, seen, q, k, v in zip(query_rows, rows, queries, keys, values, strict=True):
        scores = tf.matmul(asking.pad(q), seen.pad(k), transpose_b=True)  # (n, heads, l, L)
        nowhere = tf.where(seen.inside, tf.zeros((), scores.dtype), scores.dtype.min)
        weights = dropout(tf.nn.softmax(scores + nowhere[:, None, None]))
        outputs.append(asking.pack(tf.matmul(weights, seen.pad(v))))
    return tf.concat(outputs, axis=0)

"""The exact gradient of a large batch's loss in the memory of a small one.

The CoSENT loss compares all pairs of a batch, so that adding up gradients of smaller batches would
train by another loss. Instead the rows are encoded in chunks, keeping the outputs alone; the loss
of all of them gives the gradient of each output; and every chunk is encoded once more, with the
same dropout masks, to bring it to the weights: a forward pass more, for the memory of one chunk.

Reference: GradCache, Gao et al., arXiv 2101.06983.
"""

from collections.abc import Callable

from cosent_tf.bert.compat import keras, tf

Apply = Callable[[tf.Tensor], tf.Tensor]  # the number of a chunk → its outputs, (m, D)


def apply_in_chunks(
    model: keras.Model, inputs: tf.Tensor, rows: int, chunks: tf.Tensor
) -> tf.Tensor:
    """Return `model(inputs, training=True)`, computed and differentiated chunk by chunk.

    Args:
        model: gives each chunk's outputs, (m, D) float32, from the chunk alone.
        inputs: token ids (n, L).
        rows: of a chunk; the last ones may have fewer or none.
        chunks: how many, a scalar. All replicas need the same number: each chunk advances the
            generator of the dropout masks, whose state they share.
    """
    generator = tf.random.get_global_generator()

    def apply(chunk: tf.Tensor) -> tf.Tensor:
        return model(inputs[chunk * rows : (chunk + 1) * rows], training=True)

    @tf.custom_gradient
    def apply_all(_: tf.Tensor) -> tuple:
        state = generator.state.read_value()
        outputs = _outputs(apply, chunks, model.output_shape[-1])

        def gradient(d_outputs: tf.Tensor, variables: list) -> tuple[None, list[tf.Tensor]]:
            # not `assign`: it would wait for the other replicas, which have states of their own
            tf.raw_ops.AssignVariableOp(resource=generator.state.handle, value=state)
            return None, _gradients(apply, chunks, d_outputs, variables)

        return outputs, gradient

    return apply_all(inputs)


def _outputs(apply: Apply, chunks: tf.Tensor, width: int) -> tf.Tensor:
    """Return the outputs of all chunks, (sum of m, D); a TensorArray holds different m."""
    outputs = tf.TensorArray(tf.float32, chunks, infer_shape=False, element_shape=(None, width))

    def step(chunk: tf.Tensor, outputs: tf.TensorArray) -> tuple:
        return chunk + 1, outputs.write(chunk, apply(chunk))

    loop = (lambda chunk, _: chunk < chunks, step, (0, outputs))
    return tf.while_loop(*loop, parallel_iterations=1)[1].concat()


def _gradients(
    apply: Apply, chunks: tf.Tensor, d_outputs: tf.Tensor, variables: list
) -> list[tf.Tensor]:
    """Return the sum over all chunks of the variables' gradients."""

    def step(chunk: tf.Tensor, start: tf.Tensor, *totals: tf.Tensor) -> tuple:
        with tf.GradientTape() as tape:
            outputs = apply(chunk)
        end = start + tf.shape(outputs)[0]
        gradients = tape.gradient(outputs, variables, d_outputs[start:end])
        added = [a + tf.convert_to_tensor(b) for a, b in zip(totals, gradients, strict=True)]
        return chunk + 1, end, *added

    loop = (lambda chunk, *_: chunk < chunks, step, (0, 0, *map(tf.zeros_like, variables)))
    return list(tf.while_loop(*loop, parallel_iterations=1)[2:])

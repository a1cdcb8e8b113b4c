"""The exact gradient of a large batch's loss in the memory of a small one.

The CoSENT loss compares all pairs of a batch, so gradients accumulated over smaller batches belong
to another loss. Instead, all rows are encoded in chunks of which only the outputs are kept; the
loss gives the gradient of each output; each chunk is then encoded again, with the same dropout
masks, and backpropagated: one more forward pass, for the memory of one chunk. This is GradCache
(Gao et al., arXiv 2101.06983).
"""

from collections.abc import Callable

from cosent_tf.bert.compat import keras, tf

Apply = Callable[[tf.Tensor], tf.Tensor]  # the number of a chunk → its outputs, (m, D)


def apply_in_chunks(
    model: keras.Model, inputs: tf.Tensor, rows: int, chunks: tf.Tensor
) -> tf.Tensor:
    """Return `model(inputs, training=True)`, computed and differentiated chunk by chunk.

    Args:
        model: gives (m, D) float32 for a chunk, independently of other rows.
        inputs: token ids (n, L).
        rows: rows per chunk; the last chunks may have fewer or none.
        chunks: number of chunks, the same on all replicas: each advances the generator of dropout.
    """
    generator = tf.random.get_global_generator()

    def apply(chunk: tf.Tensor) -> tf.Tensor:
        return model(inputs[chunk * rows : (chunk + 1) * rows], training=True)

    @tf.custom_gradient
    def apply_all(_: tf.Tensor) -> tuple:
        state = generator.state.read_value()
        outputs = _outputs(apply, chunks, model.output_shape[-1])

        def gradient(d_outputs: tf.Tensor, variables: list) -> tuple[None, list[tf.Tensor]]:
            # not `assign`, which would wait for the other replicas: each has a state of its own
            tf.raw_ops.AssignVariableOp(resource=generator.state.handle, value=state)
            return None, _gradients(apply, chunks, d_outputs, variables)

        return outputs, gradient

    return apply_all(inputs)


def _outputs(apply: Apply, chunks: tf.Tensor, width: int) -> tf.Tensor:
    """Return the outputs of all chunks, (sum of m, D); m may differ in a TensorArray."""
    outputs = tf.TensorArray(tf.float32, chunks, infer_shape=False, element_shape=(None, width))

    def step(chunk: tf.Tensor, outputs: tf.TensorArray) -> tuple:
        return chunk + 1, outputs.write(chunk, apply(chunk))

    loop = (lambda chunk, _: chunk < chunks, step, (0, outputs))
    return tf.while_loop(*loop, parallel_iterations=1)[1].concat()


def _gradients(
    apply: Apply, chunks: tf.Tensor, d_outputs: tf.Tensor, variables: list
) -> list[tf.Tensor]:
    """Return the gradients of the variables, summed over all chunks."""

    def step(chunk: tf.Tensor, start: tf.Tensor, *totals: tf.Tensor) -> tuple:
        with tf.GradientTape() as tape:
            outputs = apply(chunk)
        end = start + tf.shape(outputs)[0]
        gradients = tape.gradient(outputs, variables, d_outputs[start:end])
        added = [a + tf.convert_to_tensor(b) for a, b in zip(totals, gradients, strict=True)]
        return chunk + 1, end, *added

    loop = (lambda chunk, *_: chunk < chunks, step, (0, 0, *map(tf.zeros_like, variables)))
    return list(tf.while_loop(*loop, parallel_iterations=1)[2:])

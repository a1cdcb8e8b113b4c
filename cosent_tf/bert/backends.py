"""What a loaded model computes with: TensorFlow, or OpenVINO, on the CPU alone, in fp32 alone."""

import itertools
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cosent_tf.bert.compat import keras
from cosent_tf.bert.fork import check_process
from cosent_tf.bert.rows import RowEncoder, encoding_bar, row_batches
from cosent_tf.bert.sources import Source
from cosent_tf.bert.weights import weight_arrays
from cosent_tf.data import TokenRows
from cosent_tf.errors import UserError

BACKENDS = ('tensorflow', 'openvino')
OPENVINO_TOKENS = 1024  # a batch; several are computed side by side


def make_row_encoder(
    model: keras.Model, source: Source, precision: str, backend: str
) -> Callable[[TokenRows], np.ndarray]:
    """Return what applies a model to rows, as `RowEncoder` does.

    Args:
        model: token ids (n, L) → vectors (n, D), or outputs (n, C), made to compute in `precision`.
        source: what it was made of.
        precision: 'fp32', 'bf16' or 'fp16'.
        backend: 'tensorflow' or 'openvino'.

    Raises:
        UserError: OpenVINO or onnx is not installed, or the precision is not fp32.
        ValueError: another backend.
    """
    if backend not in BACKENDS:
        raise ValueError(f'backend must be {" or ".join(BACKENDS)}, not {backend!r}')
    if backend == 'tensorflow':
        return RowEncoder(model)
    if precision != 'fp32':
        raise UserError(f'backend openvino computes in fp32, not in {precision}; tensorflow does')
    return OpenVINOEncoder(model, source)


class OpenVINOEncoder:
    """Applies a model by OpenVINO; equal to `RowEncoder` up to float32 rounding.

    The model goes over as the graph of `onnx_graph`.
    """

    def __init__(self, model: keras.Model, source: Source) -> None:
        try:
            import openvino  # an extra of the package
        except ImportError as error:
            raise UserError('backend openvino: pip install openvino onnx') from error
        from cosent_tf.bert.onnx_graph import write_graph  # nor is onnx imported unless asked for

        options = {
            'INFERENCE_PRECISION_HINT': 'f32',  # else bf16, where the processor has it
            'PERFORMANCE_HINT': 'THROUGHPUT',  # batches side by side, not one on all cores
            'ENABLE_MMAP': False,  # the file is gone at once
        }
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / 'model.onnx'
                write_graph(path, weight_arrays(model), source, raw=True)
                self._compiled = openvino.Core().compile_model(path, 'CPU', options)
        except OSError as error:
            raise UserError(f'{tempfile.gettempdir()}: no room for the model: {error}') from error
        self._parallel = self._compiled.get_property('OPTIMAL_NUMBER_OF_INFER_REQUESTS')
        self._width = model.output_shape[-1]
        # threads whose first calls meet would wait for each other: openvino initialises itself then
        self(TokenRows([[0]]))

    def __call__(self, rows: TokenRows) -> np.ndarray:
        """Return the model's outputs, (n, D) float32, in the order of `rows`."""
        check_process()
        outputs = np.zeros((len(rows), self._width), np.float32)
        batches = row_batches(rows.lengths, OPENVINO_TOKENS)
        requests = [self._compiled.create_infer_request() for _ in batches[: self._parallel]]
        running = deque()
        with encoding_bar(len(rows)) as bar:

            def finish() -> None:
                request, numbers = running.popleft()
                request.wait()
                outputs[numbers] = request.get_output_tensor().data
                bar.update(len(numbers))

            for request, numbers in zip(itertools.cycle(requests), batches, strict=False):
                if len(running) == self._parallel:
                    finish()  # this request
                request.start_async([rows.padded(numbers).astype(np.int64)])
                running.append((request, numbers))
            while running:
                finish()
        return outputs

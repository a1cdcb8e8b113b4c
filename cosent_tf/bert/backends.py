"""What a loaded model computes with: TensorFlow, or OpenVINO, which is faster on a CPU."""

import tempfile
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from cosent_tf.bert.compat import keras
from cosent_tf.bert.formats import read_config
from cosent_tf.bert.rows import RowEncoder, encoding_bar, row_batches
from cosent_tf.bert.sources import Source
from cosent_tf.bert.weights import weight_arrays
from cosent_tf.data import TokenRows
from cosent_tf.errors import UserError

BACKENDS = ('tensorflow', 'openvino')
OPENVINO_PRECISIONS = {'fp32': 'f32', 'bf16': 'bf16'}
OPENVINO_TOKENS = 1024  # a batch, of which each core has one


def make_row_encoder(
    model: keras.Model, source: Source, precision: str, backend: str
) -> Callable[[TokenRows], np.ndarray]:
    """Return what applies a model to rows, as `RowEncoder` does.

    Args:
        model: token ids (n, L) → (n, D), made to compute in `precision`.
        source: what it was made of.
        precision: 'fp32', 'bf16' or 'fp16'.
        backend: 'tensorflow' or 'openvino'.

    Raises:
        UserError: OpenVINO or onnx is not installed, or the precision cannot be had of it.
        ValueError: another backend.
    """
    if backend not in BACKENDS:
        raise ValueError(f'backend must be {" or ".join(BACKENDS)}, not {backend!r}')
    if backend == 'openvino':
        return OpenVINOEncoder(model, source, precision)
    return RowEncoder(model)


class OpenVINOEncoder:
    """Applies a model by OpenVINO, on the CPU alone; equal to `RowEncoder` up to rounding.

    The model goes over as the graph of `onnx_graph`.
    """

    def __init__(self, model: keras.Model, source: Source, precision: str) -> None:
        try:
            import openvino  # an extra of the package
        except ImportError as error:
            raise UserError('backend openvino: pip install openvino onnx') from error
        from cosent_tf.bert.onnx_graph import write_graph  # nor is onnx imported unless asked for

        core = openvino.Core()
        _check_precision(precision, core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES'))
        options = {
            'INFERENCE_PRECISION_HINT': OPENVINO_PRECISIONS[precision],
            'PERFORMANCE_HINT': 'THROUGHPUT',  # a batch on each core, not one on all
            'ENABLE_MMAP': False,  # the file is gone at once
        }
        with tempfile.TemporaryDirectory() as folder:
            path, config = Path(folder) / 'model.onnx', read_config(source.bert_dir)
            weights = weight_arrays(model)
            write_graph(path, weights, config, source.pooling, source.method, raw=True)
            compiled = core.compile_model(path, 'CPU', options)
        self._parallel = compiled.get_property('OPTIMAL_NUMBER_OF_INFER_REQUESTS')
        self._idle = SimpleQueue()  # of requests, kept: a new one costs a fifth of the speed
        for _ in range(self._parallel):
            self._idle.put(compiled.create_infer_request())
        self._width = model.output_shape[-1]

    def __call__(self, rows: TokenRows) -> np.ndarray:
        """Return the model's outputs, (n, D) float32, in the order of `rows`."""
        outputs = np.zeros((len(rows), self._width), np.float32)

        def encode(numbers: np.ndarray) -> int:
            token_ids, request = rows.padded(numbers).astype(np.int64), self._idle.get()
            try:
                outputs[numbers] = request.infer([token_ids])[0]
            finally:
                self._idle.put(request)
            return len(numbers)

        # not OpenVINO's AsyncInferQueue, whose callbacks can wait for the GIL forever
        with ThreadPool(self._parallel) as pool, encoding_bar(len(rows)) as bar:
            for count in pool.imap(encode, row_batches(rows.lengths, OPENVINO_TOKENS)):
                bar.update(count)
        return outputs


def _check_precision(precision: str, capabilities: list[str]) -> None:
    """Refuse what OpenVINO would silently compute in another precision."""
    if precision not in OPENVINO_PRECISIONS:
        raise UserError(f'backend openvino computes in fp32 or bf16, not in {precision}')
    if precision == 'bf16' and 'BF16' not in capabilities:
        raise UserError('backend openvino: this processor does not compute in bf16; fp32 is left')

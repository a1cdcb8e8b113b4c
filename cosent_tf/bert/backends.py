"""What a loaded model computes in and with: a precision, and TensorFlow or OpenVINO."""

import itertools
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cosent_tf.bert.compat import keras
from cosent_tf.bert.rows import RowEncoder, encoding_bar, row_batches
from cosent_tf.bert.sources import Source
from cosent_tf.bert.weights import weight_arrays
from cosent_tf.data import TokenRows
from cosent_tf.errors import UserError
from cosent_tf.process import check_process

# of the layers; weights and vectors are float32 in all of them
POLICIES = {'fp32': 'float32', 'bf16': 'mixed_bfloat16', 'fp16': 'mixed_float16'}
BACKENDS = ('tensorflow', 'openvino')
OPENVINO_HINTS = {'fp32': 'f32', 'bf16': 'bf16'}  # unasked, it takes bf16 where the CPU has it
OPENVINO_TOKENS = 1024  # per batch; several batches are computed in parallel


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Build layers that compute in one of `POLICIES`, whatever the policy of the process is."""
    policy = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(policy)


def check_backend(backend: str, precision: str) -> None:
    """Check, before anything is loaded, that a backend is installed and computes in a precision.

    Raises:
        UserError: OpenVINO or onnx is not installed, or does not compute in `precision` here.
        ValueError: unknown backend or precision.
    """
    if backend not in BACKENDS:
        raise ValueError(f'backend must be {" or ".join(BACKENDS)}, not {backend!r}')
    if precision not in POLICIES:
        raise ValueError(f'precision must be {", ".join(POLICIES)}, not {precision!r}')
    if backend == 'tensorflow':
        return
    try:
        import onnx  # noqa: F401 (optional dependencies)
        import openvino
    except ImportError as error:
        raise UserError('backend openvino: pip install openvino onnx') from error
    if precision not in OPENVINO_HINTS:
        raise UserError('backend openvino computes in fp32 or bf16; tensorflow in fp16, too')
    found = openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES')
    if precision.upper() not in found:
        raise UserError(f'backend openvino: this processor has no {precision}: use fp32')


def make_row_encoder(
    model: keras.Model, source: Source, precision: str, backend: str
) -> Callable[[TokenRows], np.ndarray]:
    """Return a function that applies a model to rows; see `RowEncoder` and `check_backend`.

    The model, token ids (n, L) → (n, D), was built from `source` to compute in `precision`.
    """
    if backend == 'openvino':
        return OpenVINOEncoder(model, source, precision)
    return RowEncoder(model)


class OpenVINOEncoder:
    """Applies a model with OpenVINO, on the CPU; equals `RowEncoder` up to rounding."""

    def __init__(self, model: keras.Model, source: Source, precision: str) -> None:
        import openvino  # optional dependencies: see check_backend

        from cosent_tf.bert.onnx_graph import write_graph

        options = {
            'INFERENCE_PRECISION_HINT': OPENVINO_HINTS[precision],
            'PERFORMANCE_HINT': 'THROUGHPUT',  # batches in parallel, not one on all cores
            'ENABLE_MMAP': False,  # the file is deleted right away
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
        # OpenVINO initialises itself in the first call: two threads in theirs would deadlock
        self(TokenRows([[0]]))

    def __call__(self, rows: TokenRows) -> np.ndarray:
        """Return the model's outputs, (n, D) float32, in the order of `rows`."""
        check_process()
        outputs = np.zeros((len(rows), self._width), np.float32)
        batches = row_batches(rows.lengths, OPENVINO_TOKENS)
        # not openvino.AsyncInferQueue: its callbacks need the GIL, which this thread holds where it
        # frees the model and waits for theirs to end
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

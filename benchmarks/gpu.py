"""One GPU, BERT-base: which way of training is the fastest there, in under 8 minutes.

    python -m benchmarks.gpu

CoSENT at batch 32 and 256, with padding encoded too (--keep_padding) and without, in fp32, bf16 and
fp16, with and without --jit (which always pads to multiples of 32). Sentences are random tokens, 5
to 64 of them, about as spread as those of BQ. Tokens are the real ones, padding does not count; %
of peak is the share of what large matrix products of the same precision reach (useful FLOP as in
train_throughput). Memory is the peak of the case. Cases that do not fit into memory, or for which
no time is left, are blank.
"""

import itertools
import tempfile
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.common import report, timed
from benchmarks.subjects import DROPOUT_RATE, LEARNING_RATE, training
from cosent_tf.bert.backends import POLICIES
from cosent_tf.bert.compat import Adam, device_name, keras, tf
from cosent_tf.bert.pretrained import load_bert
from cosent_tf.bert.settings import SPECIAL_TOKENS
from cosent_tf.bert.vectors import PooledVector
from cosent_tf.cli import exit_on_error, make_parser
from cosent_tf.data import Batches, Tokenized, TokenRows
from cosent_tf.demo.task import BERT, write_bert
from cosent_tf.errors import RunError
from cosent_tf.losses import cosent_loss
from cosent_tf.training import Model
from cosent_tools.table.plan import forward_flop

SIZES = {
    'vocab_size': 21128,
    'hidden_size': 768,
    'intermediate_size': 3072,
    'num_attention_heads': 12,
    'num_hidden_layers': 12,
}
CASES = [(32, 256), (True, False), POLICIES, (False, True)]  # batch, padding, precision, jit
COLUMNS = ('batch', 'padding', 'precision', 'jit', 'tokens/s', '% of peak', 'memory (GB)')
MAXLEN = 64
STEPS = 8  # a turn; the first turn is compiled, and not counted
MATRIX = 8192
SECONDS = 400  # after which no further case begins


def main():
    make_parser(__doc__).parse_args()
    if not tf.config.list_physical_devices('GPU'):
        raise RunError('TensorFlow sees no GPU here, and this measures nothing else')
    deadline = time.perf_counter() + SECONDS
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        tokens = [f'token{number}' for number in range(len(SPECIAL_TOKENS), SIZES['vocab_size'])]
        write_bert(Path(folder), [*SPECIAL_TOKENS, *tokens], BERT | SIZES)
        peaks = {precision: peak(precision) for precision in POLICIES}
        for case in tqdm(list(itertools.product(*CASES)), 'cases', leave=False, disable=None):
            batch, padding, precision, jit = case
            figures = [None] * 3
            if time.perf_counter() < deadline:
                figures = measure(folder, *case, peaks[precision])
            shown = batch, str(padding), precision, str(jit), *figures
            rows.append(dict(zip(COLUMNS, shown, strict=True)))
    title = f'Training CoSENT, BERT-base, {STEPS} steps a case, on {device_name()}'
    report('gpu', title, rows, SIZES | {'maxlen': MAXLEN, 'peak FLOP/s': peaks})


def measure(
    folder: str, batch_size: int, padding: bool, precision: str, jit: bool, peak: float
) -> list[float | None]:
    """Return tokens/s, % of peak and GB of one case."""
    keras.backend.clear_session()
    reset_memory()
    try:
        model = build(folder, padding, precision, jit)
        batches = make_batches(batch_size)
        turn = training(model, batches)
        turn()
        seconds = turn()
    except tf.errors.ResourceExhaustedError:
        return [None] * 3
    lengths = batches.encoded.rows.lengths
    share = 3 * forward_flop(SIZES, lengths) / seconds / peak
    return [lengths.sum() / seconds, 100 * share, memory() / 1e9]


def build(folder: str, padding: bool, precision: str, jit: bool) -> keras.Model:
    """Build the model of train_cosent.py with its flags."""
    keras.mixed_precision.set_global_policy(POLICIES[precision])
    bert = load_bert(folder, MAXLEN, DROPOUT_RATE)
    token_ids = keras.Input((None,), dtype='int32')
    model = Model(token_ids, PooledVector(bert, padding, jit)(token_ids))
    model.compile(loss=cosent_loss, optimizer=Adam(LEARNING_RATE))
    return model


def make_batches(batch_size: int) -> Batches:
    """Make batches of random sentences."""
    random = np.random.RandomState(0)
    pairs = STEPS * batch_size
    lengths = random.randint(5, MAXLEN + 1, 2 * pairs)
    rows = [random.randint(len(SPECIAL_TOKENS), SIZES['vocab_size'], n) for n in lengths]
    index = np.arange(2 * pairs).reshape(-1, 2)
    return Batches(Tokenized(TokenRows(rows), index), np.arange(pairs) % 2, batch_size, seed=0)


def peak(precision: str) -> float:
    """Return the FLOP/s of large matrix products."""
    dtype = {'fp32': tf.float32, 'bf16': tf.bfloat16, 'fp16': tf.float16}[precision]
    matrix = tf.cast(tf.random.normal((MATRIX, MATRIX)), dtype)
    product = tf.function(lambda: tf.reduce_sum(matrix @ matrix))
    turn = timed(lambda: product().numpy())
    return 2 * MATRIX**3 / min(turn() for _ in range(4))


def reset_memory() -> None:
    tf.config.experimental.reset_memory_stats('GPU:0')


def memory() -> float:
    """Return the most bytes in use since `reset_memory`."""
    return tf.config.experimental.get_memory_info('GPU:0')['peak']


if __name__ == '__main__':
    exit_on_error(main)

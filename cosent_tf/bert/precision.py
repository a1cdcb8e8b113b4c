"""The precisions that layers compute in. Weights and vectors are float32 under all of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from cosent_tf.bert.compat import keras

POLICIES = {'fp32': 'float32', 'bf16': 'mixed_bfloat16', 'fp16': 'mixed_float16'}


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Make layers that compute in a precision, also in a process whose policy is another.

    Args:
        precision: 'fp32', 'bf16' or 'fp16'.

    Raises:
        ValueError: it is none of these.
    """
    if precision not in POLICIES:
        raise ValueError(f'precision must be {", ".join(POLICIES)}, not {precision!r}')
    policy = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(POLICIES[precision])
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(policy)

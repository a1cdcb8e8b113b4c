"""What a run costs, before it is started: steps, tokens, floating-point operations, memory, disk.

Tokens, and what follows from them, are estimates: lengths are those of some of the pairs.
"""

from argparse import Namespace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cosent_tf.bert.sources import find_weights, is_joint
from cosent_tf.data import SPLITS, Split, read_split, split_path, tokenize_pairs, tokenize_sentences

SAMPLE = 2000  # training pairs whose lengths are measured
SCORE = 22  # bytes of a label and a score in a prediction file
FLOAT = 4  # bytes


class Cost(NamedTuple):
    """What a run costs; None stands for what is not known before data and encoder are there."""

    pairs: int  # an epoch
    steps: int  # of all epochs
    tokens: float | None = None  # of all epochs' training
    flop: float | None = None  # of the same
    gpu: float | None = None  # bytes, of the longest rows encoded at once; 0 on the CPU
    weights: int | None = None  # bytes of best.weights.h5
    predictions: int | None = None  # bytes of both files

    def kept(self, keep_weights: str) -> int:
        """Bytes on disk of the finished run, with its best weights or none."""
        return self.predictions + (self.weights if keep_weights == 'best' else 0)

    @property
    def in_progress(self) -> int:
        """Bytes on disk until the run is finished, beside what it leaves.

        The state is the weights and two moments of each; what is written anew stands beside what
        it replaces.
        """
        return 2 * (3 * self.weights + self.weights)


def count_steps(pairs: int, args: Namespace) -> int:
    """Return the steps of all epochs."""
    return args.epochs * -(-pairs // args.batch_size)


def count_pairs(args: Namespace) -> int:
    """Return the training pairs of a task whose files are there."""
    return len(_read_split(split_path(args.data_dir, args.task, 'train')).pairs)


def estimate_cost(args: Namespace) -> Cost:
    """Estimate what a run will cost.

    Args:
        args: of a training script, as `cli.parse_args` returns them.

    Raises:
        UserError: data or encoder are broken, or do not fit the flags; weights are not read.
    """
    from cosent_tf.bert.formats import read_config  # not at the top: TensorFlow
    from cosent_tf.bert.pretrained import check_sizes

    bert_dir = Path(args.bert_dir)
    config = read_config(bert_dir)
    check_sizes(bert_dir, config, args.maxlen)
    find_weights(bert_dir)
    splits = {name: _read_split(split_path(args.data_dir, args.task, name)) for name in SPLITS}
    pairs = len(splits['train'].pairs)
    lengths = _lengths(splits['train'].path, args.bert_dir, args.maxlen, is_joint(args.method))
    repeats = args.epochs * pairs / len(lengths)  # of the sample
    weights = FLOAT * count_weights(config)
    at_once = args.micro_batch or args.batch_size
    longest = np.full(at_once * lengths.shape[1], lengths.max())
    gpu = 4 * weights + activations(config, longest, args.precision != 'fp32')
    return Cost(
        pairs,
        count_steps(pairs, args),
        tokens=repeats * lengths.sum(),
        flop=repeats * 3 * forward_flop(config, lengths.reshape(-1)),
        gpu=0 if args.device == 'cpu' else gpu,
        weights=weights,
        predictions=sum(_written(splits[name]) for name in ('valid', 'test')),
    )


def count_weights(config: dict) -> int:
    """Return the number of weights of a BERT without pooler."""
    hidden, inner = config['hidden_size'], config['intermediate_size']
    embedded = config['vocab_size'] + config['max_position_embeddings'] + config['type_vocab_size']
    attention = 4 * (hidden * hidden + hidden)
    feed_forward = 2 * hidden * inner + inner + hidden
    layer = attention + feed_forward + 2 * 2 * hidden
    return embedded * hidden + 2 * hidden + config['num_hidden_layers'] * layer


def forward_flop(config: dict, lengths: np.ndarray) -> float:
    """Return the floating-point operations that the [CLS] vectors of rows of these lengths need.

    Args:
        config: of a BERT.
        lengths: tokens, (n,).
    """
    hidden, inner = config['hidden_size'], config['intermediate_size']
    lengths = lengths.astype(np.float64)
    rows, tokens, squares = lengths.size, lengths.sum(), np.square(lengths).sum()
    feed_forward = 2 * 2 * hidden * inner  # a token
    projection = 2 * hidden * hidden  # a token, for each of query, key, value and output
    layer = tokens * (4 * projection + feed_forward) + squares * 4 * hidden
    last = tokens * (2 * projection + 4 * hidden) + rows * (2 * projection + feed_forward)
    return (config['num_hidden_layers'] - 1) * layer + last


def activations(config: dict, lengths: np.ndarray, half: bool) -> float:
    """Return the bytes that the backward pass of rows of these lengths keeps.

    Korthikanti et al. 2022 (arXiv 2205.05198), section 4.1, count 34 h + 5 a L bytes a token and
    layer in half precision: hidden size h, a heads, L tokens a row; about twice that in float32.

    Args:
        config: of a BERT.
        lengths: tokens, (n,).
        half: bf16 or fp16.
    """
    hidden, heads = config['hidden_size'], config['num_attention_heads']
    layer = 34 * hidden * lengths.sum() + 5 * heads * np.square(lengths).sum()
    return float((1 if half else 2) * config['num_hidden_layers'] * layer)


@lru_cache
def _read_split(path: Path) -> Split:
    return read_split(path)


@lru_cache
def _lengths(path: Path, bert_dir: str, maxlen: int, joint: bool) -> np.ndarray:
    """Return the tokens of each input of some training pairs, (n, 2), or (n, 1) of joint ones."""
    from cosent_tf.bert.pretrained import load_tokenizer

    pairs = _read_split(path).pairs
    if len(pairs) > SAMPLE:
        chosen = np.random.RandomState(0).choice(len(pairs), SAMPLE, replace=False)
        pairs = [pairs[i] for i in chosen]
    tokenize = tokenize_pairs if joint else tokenize_sentences
    rows, index = tokenize(load_tokenizer(bert_dir), pairs, maxlen)
    return rows.lengths[index].reshape(len(pairs), -1)


def _written(split: Split) -> int:
    """Return the bytes of a file of predictions."""
    return sum(len(f'{text1}{text2}'.encode()) + SCORE for text1, text2, _ in split.pairs)

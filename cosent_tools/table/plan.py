"""The cost of a run before it starts: steps, tokens, floating-point operations, memory, disk.

Tokens, and what depends on them, are estimates from a sample of the pairs or, for published tasks
whose files are not here yet, from the mean length of public pairs.
"""

from argparse import Namespace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cosent_tf.bert.sources import find_weights
from cosent_tf.data import SPLITS, Split, read_split, split_path, tokenize_pairs, tokenize_sentences
from cosent_tf.methods import find_method
from cosent_tf.places import MODELS
from cosent_tf.published import PAIRS
from cosent_tools.report.published_figures import ENCODER
from cosent_tools.report.render import Section
from cosent_tools.runs import RunName

# Mean tokens per sentence, including [CLS] and [SEP], over the public valid and test files (STS-B:
# train). LCQMC's were not at hand; its questions are assumed to be as short as ATEC's.
TOKENS = {'ATEC': 15.4, 'BQ': 13.6, 'LCQMC': 15.4, 'PAWSX': 38.4, 'STS-B': 20.8}
# The configuration of both published encoders.
BASE = {**ENCODER, 'max_position_embeddings': 512, 'type_vocab_size': 2}
SAMPLE = 2000  # training pairs whose lengths are measured
SCORE = 22  # bytes of a label and a score in a prediction file
FLOAT = 4  # bytes


class Cost(NamedTuple):
    """The cost of a run; None is unknown before data and encoder are there."""

    pairs: int  # per epoch
    steps: int  # of all epochs
    tokens: float | None = None  # of all epochs' training
    flop: float | None = None  # of the same
    gpu: float | None = None  # bytes, of the longest rows encoded at once; 0 on the CPU
    weights: int | None = None  # bytes of best.weights.h5
    predictions: int | None = None  # bytes of both files
    sizes: str = 'counted'  # or 'published', of files that are not here yet

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
    return len(_read_split(split_path(args.data_dir, args.task, 'train'), True).pairs)


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
    paths = {name: split_path(args.data_dir, args.task, name) for name in SPLITS}
    splits = {name: _read_split(path, name != 'test') for name, path in paths.items()}
    pairs = len(splits['train'].pairs)
    lengths = _lengths(
        splits['train'].path, args.bert_dir, args.maxlen, find_method(args.method).is_joint
    )
    repeats = args.epochs * pairs / len(lengths)  # of the sample
    at_once = args.micro_batch or args.batch_size
    longest = np.full(at_once * lengths.shape[1], lengths.max())
    return Cost(
        pairs,
        count_steps(pairs, args),
        tokens=repeats * lengths.sum(),
        flop=repeats * 3 * forward_flop(config, lengths.reshape(-1)),
        gpu=_gpu(config, longest, args),
        weights=FLOAT * count_weights(config),
        predictions=sum(_written(splits[name]) for name in ('valid', 'test')),
    )


def expect_cost(args: Namespace, pairs: int | None) -> Cost:
    """Estimate what a run will cost whose encoder, or whose published task, is not there yet.

    Args:
        args: of a training script; without `bert_dir`, the encoder is not there.
        pairs: of train, None of a published task that is not there.
    """
    from cosent_tf.bert.formats import read_config  # not at the top: TensorFlow

    sizes = 'counted' if pairs else 'published'
    pairs = pairs or PAIRS[args.task][0]
    if args.task not in PAIRS or not (args.bert_dir or args.model in MODELS):
        return Cost(pairs, count_steps(pairs, args), sizes=sizes)  # nothing to go by
    config = read_config(Path(args.bert_dir)) if args.bert_dir else BASE
    sentence = TOKENS[args.task]
    inputs = [2 * sentence - 1] if find_method(args.method).is_joint else [sentence, sentence]
    lengths = np.minimum(np.tile(inputs, args.epochs * pairs), args.maxlen)
    longest = np.full((args.micro_batch or args.batch_size) * len(inputs), args.maxlen)
    text = 3 * 2 * (sentence - 2)  # bytes of a pair, three per character
    return Cost(
        pairs,
        count_steps(pairs, args),
        tokens=lengths.sum(),
        flop=3 * forward_flop(config, lengths),
        gpu=_gpu(config, longest, args),
        weights=FLOAT * count_weights(config),
        predictions=round(sum(PAIRS[args.task][1:]) * (text + SCORE)),
        sizes='published',
    )


def plan_section(costs: dict[RunName, Cost], keep_weights: str, fetched: list[str]) -> Section:
    """Show what is to be run, and what is fetched first."""
    columns = ['run', 'sizes', 'pairs', 'steps', 'tokens (M)', 'TFLOP', 'disk (MB)']
    rows, total = [], np.zeros(4)
    for name, cost in costs.items():
        figures = ['?'] * 3
        if cost.flop is not None:
            numbers = cost.tokens / 1e6, cost.flop / 1e12, cost.kept(keep_weights) / 1e6
            figures = [f'{number:,.1f}' for number in numbers]
            total[1:] += numbers
        total[0] += cost.steps
        rows.append([str(name), cost.sizes, f'{cost.pairs:,}', f'{cost.steps:,}', *figures])
    notes = [
        'pairs: per epoch; all other columns: over all epochs. Tokens and TFLOP of training are '
        'estimates.'
    ]
    if any(cost.sizes == 'published' for cost in costs.values()):
        tokens = ', '.join(f'{task} {mean}' for task, mean in TOKENS.items())
        notes.append(
            'published: not all files are here yet; estimated from the published numbers of pairs, '
            f'the mean tokens per sentence ({tokens}; '
            "LCQMC's are assumed) and BERT-base."
        )
    known = [cost for cost in costs.values() if cost.flop is not None]
    if known and len(known) == len(costs):
        numbers = (f'{number:,.1f}' for number in total[1:])
        rows.append(['all', '', '', f'{total[0]:,.0f}', *numbers])
        more = max(cost.in_progress for cost in known) / 1e6
        notes.append(f'While a run is in progress, up to {more:,.1f} MB more disk space.')
    elif costs:
        notes.append('?: unknown until encoder and data are there.')
    title = f'{len(costs)} {"run" if len(costs) == 1 else "runs"} to go'
    return Section(title, columns, rows, notes + fetched, text_columns=2)


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
    feed_forward = 2 * 2 * hidden * inner  # per token
    projection = 2 * hidden * hidden  # per token, for each of query, key, value and output
    layer = tokens * (4 * projection + feed_forward) + squares * 4 * hidden
    last = tokens * (2 * projection + 4 * hidden) + rows * (2 * projection + feed_forward)
    return (config['num_hidden_layers'] - 1) * layer + last


def activations(config: dict, lengths: np.ndarray, half: bool) -> float:
    """Return the bytes that the backward pass of rows of these lengths keeps.

    Korthikanti et al. 2022 (arXiv 2205.05198), section 4.1, count 34 h + 5 a L bytes per token and
    layer in half precision: hidden size h, a heads, rows of L tokens; about twice that in float32.

    Args:
        config: of a BERT.
        lengths: tokens, (n,).
        half: bf16 or fp16.
    """
    hidden, heads = config['hidden_size'], config['num_attention_heads']
    layer = 34 * hidden * lengths.sum() + 5 * heads * np.square(lengths).sum()
    return float((1 if half else 2) * config['num_hidden_layers'] * layer)


def _gpu(config: dict, longest: np.ndarray, args: Namespace) -> float:
    """Return the bytes on a GPU of weights, gradients, moments and the longest rows at once."""
    if args.device == 'cpu':
        return 0
    weights = FLOAT * count_weights(config)
    return 4 * weights + activations(config, longest, args.precision != 'fp32')


@lru_cache
def _read_split(path: Path, needs_labels: bool) -> Split:
    return read_split(path, needs_labels)


@lru_cache
def _lengths(path: Path, bert_dir: str, maxlen: int, joint: bool) -> np.ndarray:
    """Return the tokens of each input of some training pairs, (n, 2), or (n, 1) of joint ones."""
    from cosent_tf.bert.pretrained import load_tokenizer

    pairs = _read_split(path, True).pairs
    if len(pairs) > SAMPLE:
        chosen = np.random.RandomState(0).choice(len(pairs), SAMPLE, replace=False)
        pairs = [pairs[i] for i in chosen]
    tokenize = tokenize_pairs if joint else tokenize_sentences
    rows, index = tokenize(load_tokenizer(bert_dir), pairs, maxlen)
    return rows.lengths[index].reshape(len(pairs), -1)


def _written(split: Split) -> int:
    """Return the bytes of a file of predictions."""
    return sum(len(f'{text1}{text2}'.encode()) + SCORE for text1, text2, _ in split.pairs)

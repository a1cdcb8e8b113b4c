"""The workload of a benchmark from its flags: pairs of a task, and a BERT made on the spot."""

import argparse
import itertools
from pathlib import Path

from benchmarks.workload import Workload
from cosent_tf import configure_process

configure_process()  # memory, threads, float32; before TensorFlow is imported

from cosent_tf.bert.settings import SPECIAL_TOKENS
from cosent_tf.cli import make_parser, positive
from cosent_tf.data import Pair, read_pairs, split_path
from cosent_tf.demo.task import BERT, demo_pairs, write_bert
from cosent_tf.errors import UserError

HEADS = 12


def workload_parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser of the flags that fix data, BERT and batches.

    Args:
        doc: the benchmark's docstring, shown above the flags.
    """
    parser = make_parser(doc)
    add = parser.add_argument
    add('--data_dir', help='the folder of the tasks (default: the demo, made on the spot)')
    add('--task', default='DEMO', help='a task of data_dir')
    add('--vocab', help="a BERT's vocab.txt (default: the characters of the data)")
    add('--bert', default='4x312', help='layers x units of the BERT (default: 4x312)')
    add('--batch_size', type=positive(int), default=32, help='pairs per step (default: 32)')
    add('--maxlen', type=positive(int), default=64, help='tokens per sentence (default: 64)')
    add('--rounds', type=positive(int), default=5, help='turns per subject (default: 5)')
    return parser


def settings(args: argparse.Namespace, work: Workload) -> dict:
    """Return what a result depends on: sizes, no paths."""
    sizes = {name: getattr(args, name) for name in ('bert', 'batch_size', 'maxlen', 'rounds')}
    counts = {'pairs_trained': len(work.train), 'pairs_scored': len(work.test)}
    return {'task': args.task, 'vocabulary': work.config['vocab_size'], **sizes, **counts}


def make_workload(
    args: argparse.Namespace, folder: str, train_pairs: int = 0, test_pairs: int = 0
) -> Workload:
    """Read the pairs, and write an untrained BERT to a folder.

    Args:
        args: the flags of `workload_parser`.
        folder: an empty one for the BERT.
        train_pairs: how many to keep, repeated where the task has fewer; 0 is all.
        test_pairs: likewise.
    """
    pairs = _read_pairs(args)
    vocab = _read_vocab(args.vocab) if args.vocab else _characters(pairs)
    write_bert(Path(folder), vocab, _bert_sizes(args))
    train = _take(pairs['train'], train_pairs)
    test = _take(pairs['test'], test_pairs)
    return Workload(folder, train, test, args.batch_size, args.maxlen)


def _take(pairs: list[Pair], count: int) -> list[Pair]:
    return list(itertools.islice(itertools.cycle(pairs), count or len(pairs)))


def _read_pairs(args: argparse.Namespace) -> dict[str, list[Pair]]:
    if not args.data_dir:
        return demo_pairs()
    return {
        split: read_pairs(split_path(args.data_dir, args.task, split))[0]
        for split in ('train', 'test')
    }


def _read_vocab(path: str) -> list[str]:
    try:
        return Path(path).read_text('utf-8').removesuffix('\n').split('\n')
    except OSError as error:
        raise UserError(f'--vocab {path}: cannot be read: {error.strerror}') from error


def _characters(pairs: dict[str, list[Pair]]) -> list[str]:
    texts = (text for split in pairs.values() for pair in split for text in pair[:2])
    return [*SPECIAL_TOKENS, *sorted(set(''.join(texts).lower()))]


def _bert_sizes(args: argparse.Namespace) -> dict:
    try:
        layers, units = map(int, args.bert.split('x'))
    except ValueError:
        raise UserError(f'--bert {args.bert}: must be layers x units, such as 12x768') from None
    return BERT | {
        'hidden_size': units,
        'intermediate_size': 4 * units,
        'max_position_embeddings': max(512, args.maxlen),
        'num_attention_heads': HEADS,
        'num_hidden_layers': layers,
    }

"""The workload of a benchmark from its flags: pairs of a task, and a BERT made on the spot."""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np

from benchmarks.workload import SEED, Workload
from cosent_tf.backend import build_transformer_model, tf
from cosent_tf.cli import positive
from cosent_tf.data import Pair, read_pairs, split_path
from cosent_tf.demo import demo_pairs
from cosent_tf.pretrained import SPECIAL_TOKENS, ClsBERT, named_weights

SIZES = ('layers', 'hidden', 'heads', 'inner', 'batch_size', 'maxlen', 'rounds')
STD = 0.1  # of the weights: enough for sentences to differ in their vectors


def workload_parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser of the flags that fix data, BERT and batches.

    Args:
        doc: the benchmark's docstring, shown above the flags.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add('--data_dir', help='the folder of the tasks (default: the demo, made on the spot)')
    add('--task', default='DEMO', help='a task of data_dir')
    add('--vocab', help="a BERT's vocab.txt (default: the characters of the data)")
    add('--layers', type=positive(int), default=4, help='of the BERT (default: 4)')
    add('--hidden', type=positive(int), default=312, help='its width (default: 312)')
    add('--heads', type=positive(int), default=12, help='attention heads (default: 12)')
    add('--inner', type=positive(int), default=1248, help='feed-forward width (default: 1248)')
    add('--batch_size', type=positive(int), default=32, help='pairs a step (default: 32)')
    add('--maxlen', type=positive(int), default=64, help='tokens a sentence (default: 64)')
    add('--rounds', type=positive(int), default=5, help='turns a subject (default: 5)')
    return parser


def settings(args: argparse.Namespace, work: Workload) -> dict:
    """Return what a result depends on: sizes, no paths."""
    sizes = {name: getattr(args, name) for name in SIZES}
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
    _write_bert(Path(folder), vocab, args)
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
    return Path(path).read_text('utf-8').removesuffix('\n').split('\n')


def _characters(pairs: dict[str, list[Pair]]) -> list[str]:
    texts = (text for split in pairs.values() for pair in split for text in pair[:2])
    return [*SPECIAL_TOKENS, *sorted(set(''.join(texts).lower()))]


def _write_bert(folder: Path, vocab: list[str], args: argparse.Namespace) -> None:
    """Write bert_config.json, vocab.txt and bert_model.ckpt.*, the weights random."""
    config = {
        'attention_probs_dropout_prob': 0.1,
        'hidden_act': 'gelu',
        'hidden_dropout_prob': 0.1,
        'hidden_size': args.hidden,
        'initializer_range': 0.02,
        'intermediate_size': args.inner,
        'max_position_embeddings': max(512, args.maxlen),
        'num_attention_heads': args.heads,
        'num_hidden_layers': args.layers,
        'type_vocab_size': 2,
        'vocab_size': len(vocab),
    }
    (folder / 'bert_config.json').write_text(json.dumps(config), 'utf-8')
    (folder / 'vocab.txt').write_text('\n'.join(vocab) + '\n', 'utf-8')
    bert = build_transformer_model(
        str(folder / 'bert_config.json'), model=ClsBERT, return_keras_model=False
    )
    random = np.random.default_rng(SEED)
    values = {  # gammas around 1, all others around 0
        name: random.normal(name.endswith('gamma'), STD, weight.shape).astype(np.float32)
        for name, weight in named_weights(bert).items()
    }
    _save_checkpoint(folder / 'bert_model.ckpt', values)


def _save_checkpoint(path: Path, values: dict) -> None:
    """Write a checkpoint as TensorFlow 1 did, in a graph and session of its own."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        variables = [v1.get_variable(name, initializer=value) for name, value in values.items()]
        session.run(v1.global_variables_initializer())
        v1.train.Saver(variables).save(session, str(path), write_meta_graph=False)

r"""Vectors of texts, or scores or labels of pairs, from a trained or pretrained encoder.

    python encode.py --run runs/BQ.bert.cosent.seed42 --input texts.txt --output vectors.npy
    python encode.py --run runs/BQ.bert.cosent.seed42 --input pairs.tsv --output scores.txt \
                     --format pairs

vectors: one text per line → a float32 array of unit vectors, (lines, D), in the same order.
pairs: one `text1 \t text2` per line → one score per line, which the run's threshold applies to. An
Interact run with C > 2 classes gives C probabilities per line, separated by tabs.
labels: one `text1 \t text2` per line → the label that the run decides on, by its own threshold, or
by its own class weights if there are more than two classes.

Input is UTF-8, optionally gzipped (.gz). It is read twice and never held in memory as a whole, so
the memory needed does not depend on the number of lines. --shard 2/8 takes the second of eight
parts of the lines, of equal size as far as possible; the outputs of all parts, concatenated, are
the output for the whole file.
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from cosent_tf import configure_process

configure_process()  # memory, threads, float32; before TensorFlow is imported

import numpy as np
from tqdm import tqdm

from cosent_tf.bert.backends import BACKENDS, POLICIES
from cosent_tf.bert.scoring import load_scorer
from cosent_tf.bert.vectors import load_encoder
from cosent_tf.cli import add_source_flags, exit_on_error, make_parser
from cosent_tf.decisions import Rule
from cosent_tf.errors import UserError
from cosent_tf.files import write_atomic
from cosent_tf.readers import iter_lines, tell_quotes
from cosent_tf.run.folder import METRICS_FILE, read_metrics

CHUNK = 10_000  # lines encoded together: duplicates once, similar lengths in one batch


def main():
    args = parse_args()
    read, writer = FORMATS[args.format]
    part = Part(read, args.input, *args.shard)
    how = {name: getattr(args, name) for name in ('pooling', 'maxlen', 'precision', 'backend')}
    write_atomic(args.output, lambda path: writer(path, part, args.run, **how))
    print(f'{args.output}: {args.format} of {len(part):,} lines', file=sys.stderr)


class Part:
    """This process's share of the lines of a file, in chunks."""

    def __init__(self, read: Callable[[Path], Iterator], path: Path, number: int, parts: int):
        total = sum(1 for _ in read(path))
        self.first, self.end = (total * i // parts for i in (number - 1, number))
        self.read, self.path = read, path

    def __len__(self) -> int:
        return self.end - self.first

    def __iter__(self) -> Iterator[list]:
        """Yield lists of up to CHUNK lines, with a progress bar on a terminal."""
        lines, done = itertools.islice(self.read(self.path), self.first, self.end), 0
        with tqdm(total=len(self), unit=' lines', disable=None) as bar:
            while chunk := list(itertools.islice(lines, CHUNK)):
                yield chunk
                done += len(chunk)
                bar.update(len(chunk))
        if done != len(self):
            raise UserError(f'{self.path}: not the same when read again; use a file, not a pipe')


def write_vectors(output: Path, texts: Part, run: str, **how) -> None:
    """Write the vectors of texts as .npy, (lines, D) float32."""
    encoder = load_encoder(run, **how)
    width = encoder.encode([]).shape[1]
    with output.open('wb') as file:
        header = {'descr': '<f4', 'fortran_order': False, 'shape': (len(texts), width)}
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in texts:
            file.write(encoder.encode(chunk).astype('<f4').tobytes())


def write_scores(output: Path, pairs: Part, run: str, **how) -> None:
    """Write the scores of pairs as text, with all digits."""
    score = load_scorer(run, **how)
    with output.open('w', encoding='ascii') as file:
        for chunk in pairs:
            for row in score(chunk).reshape(len(chunk), -1).tolist():
                file.write('\t'.join(map(repr, row)) + '\n')


def write_labels(output: Path, pairs: Part, run: str, **how) -> None:
    """Write the labels of pairs, by the run's own decision rule, as text."""
    rule, score = read_rule(Path(run)), load_scorer(run, **how)
    with output.open('w', encoding='ascii') as file:
        for chunk in pairs:
            file.writelines(f'{label}\n' for label in rule.predict(score(chunk)).tolist())


def read_rule(run: Path) -> Rule:
    """Return the decision rule of a finished run, from its metrics.json."""
    metrics = read_metrics(run)
    if not metrics:
        raise UserError(f'{run}: no {METRICS_FILE}: only a finished run has a threshold')
    threshold, weights = metrics.get('threshold'), metrics.get('class_weights')
    if threshold is None and weights is None:
        raise UserError(f'{run}: trained on graded labels, so it has scores but no threshold')
    try:
        if weights is not None:
            return Rule(class_weights=tuple(map(float, weights)))
        return Rule(threshold=float(threshold))
    except (TypeError, ValueError) as error:
        raise UserError(f'{run / METRICS_FILE}: not the decision rule of a run: {error}') from error


def text_pairs(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a file; any other line is an error, as every line must get a score."""
    rows = (line.split('\t') for line in iter_lines(path))
    for number, fields in tell_quotes(path, enumerate(rows, 1)):
        if len(fields) != 2:
            raise UserError(f'{path}:{number}: {len(fields)} fields, not text1 <tab> text2')
        yield fields[0], fields[1]


def shard(text: str) -> tuple[int, int]:
    """Parse a part such as 2/8, the second of eight."""
    try:
        number, parts = map(int, text.split('/'))
    except ValueError:
        number, parts = 0, 0
    if not 1 <= number <= parts:
        raise argparse.ArgumentTypeError(f'must be 1/n to n/n, not {text}')
    return number, parts


FORMATS = {  # how lines are read, and what is written for them
    'vectors': (iter_lines, write_vectors),
    'pairs': (text_pairs, write_scores),
    'labels': (text_pairs, write_labels),
}


def parse_args():
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('--run', required=True, help='a run, a folder with a BERT, or hf:NAME[@REVISION]')
    add_source_flags(add)
    add('--input', type=Path, required=True, help='texts or pairs, one per line')
    add('--output', type=Path, required=True, help='file to write; an existing one is replaced')
    add('--format', choices=list(FORMATS), default='vectors', help='default: vectors')
    text = 'encode only the i-th of n parts of the lines'
    add('--shard', type=shard, default=(1, 1), metavar='i/n', help=text)
    text = 'precision to compute in, whatever the run was trained in (default: fp32)'
    add('--precision', choices=list(POLICIES), default='fp32', help=text)
    text = 'library to compute with; openvino: CPU, faster for small BERTs (default: tensorflow)'
    add('--backend', choices=BACKENDS, default='tensorflow', help=text)
    return parser.parse_args()


if __name__ == '__main__':
    exit_on_error(main)

r"""Vectors of texts, or scores of pairs, from a trained or pretrained encoder.

    python encode.py --run runs/BQ.bert.cosent.seed42 --input texts.txt --output vectors.npy
    python encode.py --run runs/BQ.bert.cosent.seed42 --input pairs.tsv --output scores.txt \
                     --format pairs

vectors: a text a line → a float32 array of the texts' unit vectors, (lines, D), in their order.
pairs: `text1 \t text2` a line → a score a line, the one that the run's threshold belongs to. An
Interact run of C > 2 classes gives C probabilities a line, tab-separated.

Input is UTF-8, also gzipped (.gz). It is read twice, and never held as a whole: the memory needed
does not depend on the number of lines.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cosent_tf.bert.scoring import load_scorer
from cosent_tf.bert.vectors import load_encoder
from cosent_tf.cli import exit_on_error, make_parser
from cosent_tf.errors import UserError
from cosent_tf.readers import iter_lines
from cosent_tf.run.files import write_atomic

CHUNK = 10_000  # lines encoded together: equal ones once, like lengths side by side


def main():
    args = parse_args()
    writer = write_vectors if args.format == 'vectors' else write_scores
    write_atomic(args.output, lambda path: writer(path, args.run, args.input))


def write_vectors(output: Path, run: str, texts: Path) -> None:
    """Write the vectors of a file of texts as .npy, (lines, D) float32."""
    encoder = load_encoder(run)
    lines = sum(1 for _ in iter_lines(texts))
    width = encoder.encode([]).shape[1]
    with output.open('wb') as file:
        header = {'descr': '<f4', 'fortran_order': False, 'shape': (lines, width)}
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in chunks(iter_lines(texts), lines, texts):
            file.write(encoder.encode(chunk).astype('<f4').tobytes())


def write_scores(output: Path, run: str, pairs: Path) -> None:
    """Write the scores of a file of pairs as text, with all their digits."""
    score = load_scorer(run)
    lines = sum(1 for _ in iter_pairs(pairs))
    with output.open('w', encoding='ascii') as file:
        for chunk in chunks(iter_pairs(pairs), lines, pairs):
            for row in score(chunk).reshape(len(chunk), -1).tolist():
                file.write('\t'.join(map(repr, row)) + '\n')


def iter_pairs(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a file; a line that is none is an error, as every line gets a score."""
    for number, line in enumerate(iter_lines(path), 1):
        fields = line.split('\t')
        if len(fields) != 2:
            raise UserError(f'{path}:{number}: {len(fields)} fields, must be text1 <tab> text2')
        yield fields[0], fields[1]


def chunks(items: Iterator, total: int, path: Path) -> Iterator[list]:
    """Yield lists of up to CHUNK items of a file, with a progress bar on a terminal."""
    done = 0
    with tqdm(total=total, unit=' lines', disable=None) as bar:
        while chunk := list(itertools.islice(items, CHUNK)):
            yield chunk
            done += len(chunk)
            bar.update(len(chunk))
    if done != total:
        raise UserError(f'{path}: {total} lines, but {done} when read again; no pipe, please')


def parse_args():
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('--run', required=True, help='a run, a folder with a BERT, or hf:NAME')
    add('--input', type=Path, required=True, help='texts or pairs, one a line')
    add('--output', type=Path, required=True, help='the file to write, replaced if it is there')
    add('--format', choices=['vectors', 'pairs'], default='vectors', help='default: vectors')
    return parser.parse_args()


if __name__ == '__main__':
    exit_on_error(main)

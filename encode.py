r"""Vectors of texts, or scores or labels of pairs, from a trained or pretrained encoder.

    python encode.py --run runs/BQ.bert.cosent.seed42 --input texts.txt --output vectors.npy
    python encode.py --run runs/BQ.bert.cosent.seed42 --input pairs.tsv --output scores.txt \
                     --format pairs

vectors: a text a line → a float32 array of the texts' unit vectors, (lines, D), in their order.
pairs: `text1 \t text2` a line → a score a line, the one that the run's threshold belongs to. An
Interact run of C > 2 classes gives C probabilities a line, tab-separated.
labels: `text1 \t text2` a line → the label that the run decides on, by its own threshold, or by its
own weights of several classes.

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
from cosent_tf.decisions import Rule
from cosent_tf.errors import UserError
from cosent_tf.readers import iter_lines
from cosent_tf.run.files import write_atomic
from cosent_tf.run.folder import METRICS_FILE, read_metrics

CHUNK = 10_000  # lines encoded together: equal ones once, like lengths side by side


def main():
    args = parse_args()
    writer = WRITERS[args.format]
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
    with output.open('w', encoding='ascii') as file:
        for scores in score_chunks(run, pairs):
            for row in scores.reshape(len(scores), -1).tolist():
                file.write('\t'.join(map(repr, row)) + '\n')


def write_labels(output: Path, run: str, pairs: Path) -> None:
    """Write the labels that a run decides on for a file of pairs, as text."""
    rule = read_rule(Path(run))
    with output.open('w', encoding='ascii') as file:
        for scores in score_chunks(run, pairs):
            file.writelines(f'{label}\n' for label in rule.predict(scores).tolist())


def read_rule(run: Path) -> Rule:
    """Return how a finished run decides, from its metrics.json."""
    metrics = read_metrics(run)
    if not metrics:
        raise UserError(f'{run}: no {METRICS_FILE}: only a finished run has a threshold')
    threshold, weights = metrics.get('threshold'), metrics.get('class_weights')
    if threshold is None and weights is None:
        raise UserError(f'{run}: trained on grades, without a threshold: there are only scores')
    try:
        if weights is not None:
            return Rule(class_weights=tuple(map(float, weights)))
        return Rule(threshold=float(threshold))
    except (TypeError, ValueError) as error:
        raise UserError(f'{run / METRICS_FILE}: not the rule of a run: {error}') from error


def score_chunks(run: str, pairs: Path) -> Iterator[np.ndarray]:
    """Yield the scores of a file of pairs, (CHUNK,) or (CHUNK, C), the last ones fewer."""
    score = load_scorer(run)
    lines = sum(1 for _ in iter_pairs(pairs))
    for chunk in chunks(iter_pairs(pairs), lines, pairs):
        yield score(chunk)


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


WRITERS = {'vectors': write_vectors, 'pairs': write_scores, 'labels': write_labels}


def parse_args():
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('--run', required=True, help='a run, a folder with a BERT, or hf:NAME')
    add('--input', type=Path, required=True, help='texts or pairs, one a line')
    add('--output', type=Path, required=True, help='the file to write, replaced if it is there')
    add('--format', choices=list(WRITERS), default='vectors', help='default: vectors')
    return parser.parse_args()


if __name__ == '__main__':
    exit_on_error(main)

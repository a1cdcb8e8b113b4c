"""The same work with sentence-transformers, with the plain way and with this project, alternating.

    make bench-peers
    python -m benchmarks.peers [--data_dir DIR --task BQ --vocab FILE] [--bert 12x768]
                               [--precisions fp32 bf16]

Training: CoSENT on the same pairs in the same batches, a BERT of the same size, dropout 0.1 and
Adam; sentence-transformers as its documentation has it (SentenceTransformerTrainer, CoSENTLoss).
Scoring: from the texts of the test split to cosines; ours with TensorFlow and with OpenVINO;
sentence-transformers by `encode`, with its backends torch and OpenVINO; the plain way, in fp32
only, by a `predict` call for each 64 rows. sentence-transformers' third backend, ONNX, is not
among them: optimum-onnx 0.1.0, which it needs, asks for an older transformers than
sentence-transformers 6.2 does. Ratios are to the fastest of ours.

Every subject is a process of its own, on the CPU, with as many threads as its library takes by
itself. It has a first turn that is not counted, then its turns with the others. Memory is the most
that the process held.
"""

import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks.common import alternate, ratio, report
from benchmarks.prepare import make_workload, settings, workload_parser
from benchmarks.turns import GLIBC_AS_IT_COMES, Worker
from benchmarks.workload import Workload
from cosent_tf.cli import exit_on_error, positive
from cosent_tf.errors import UserError

PEER = 'sentence-transformers'
OURS = {'train': ['tensorflow'], 'score': ['tensorflow', 'openvino']}
THEIRS = {'train': ['torch'], 'score': ['torch', 'openvino']}
PRECISIONS = ('fp32', 'bf16')
# Threads as TensorFlow takes them, memory as glibc does: not as we set them.
AS_IT_COMES = {'TF_NUM_INTRAOP_THREADS': '0', **GLIBC_AS_IT_COMES}


def main():
    parser = workload_parser(__doc__)
    add = parser.add_argument
    add('--steps', type=positive(int), default=50, help='training steps per turn (default: 50)')
    add('--pairs', type=positive(int), default=0, help='test pairs to score (default: all)')
    add('--precisions', nargs='+', choices=PRECISIONS, default=['fp32'], help='default: fp32')
    add('--peers_python', default='.venv-rivals/bin/python', help='where the peers are installed')
    args = parser.parse_args()
    if not Path(args.peers_python).is_file():
        raise UserError(f'{args.peers_python} not found; make bench-peers installs the peers')
    spawn = multiprocessing.get_context('spawn')
    with tempfile.TemporaryDirectory() as folder:
        # in a process of its own, which takes the memory of writing a BERT with it
        with ProcessPoolExecutor(1, spawn) as pool:
            counts = args.steps * args.batch_size, args.pairs
            work = pool.submit(make_workload, args, folder, *counts).result()
        training, memory, _ = measure('train', args, work)
        rows = speeds('train, pairs/s', len(work.train), training, memory)
        scoring, memory, versions = measure('score', args, work)
        rows += speeds('score, sentences/s', 2 * len(work.test), scoring, memory)
        title = f'{args.task}, BERT {args.bert}; {PEER} {versions[PEER]}, torch {versions["torch"]}'
        seconds = {
            job: {' '.join(subject): values for subject, values in turns.items()}
            for job, turns in {'training': training, 'scoring': scoring}.items()
        }
        report('peers', title, rows, settings(args, work), peers=versions, seconds=seconds)


def measure(
    job: str, args, work: Workload
) -> tuple[dict[tuple, list[float]], dict[tuple, float], dict[str, str]]:
    """Let all subjects of one precision, then of the other, train or score in turns.

    Not all at once: a BERT-base in training takes 4 to 6 GB.

    Returns:
        The seconds of every turn and the GB held, by name and precision, and the versions of the
        peers' libraries.
    """
    path = Path(work.bert_dir) / 'workload.json'
    work.save(path)
    seconds, memory = {}, {}
    for precision in args.precisions:
        with ExitStack() as stack:
            workers = {
                (name, precision): stack.enter_context(closing(worker))
                for name, worker in start_workers(job, precision, str(path), args.peers_python)
            }
            turns = {subject: worker.turn for subject, worker in workers.items()}
            seconds |= alternate(turns, args.rounds)
            memory |= {subject: worker.memory for subject, worker in workers.items()}
            versions = workers[f'{PEER}, torch', precision].versions
    return seconds, memory, versions


def start_workers(
    job: str, precision: str, path: str, peers_python: str
) -> Iterator[tuple[str, Worker]]:
    """Start the process of each subject; yield names and processes."""
    ours = sys.executable, 'benchmarks.tensorflow_worker'
    theirs = peers_python, 'benchmarks.sentence_transformers_worker'
    for backend in OURS[job]:
        yield f'ours, {backend}', Worker(*ours, f'{job}-{backend}', precision, path)
    for backend in THEIRS[job]:
        yield f'{PEER}, {backend}', Worker(*theirs, f'{job}-{backend}', precision, path)
    if precision == 'fp32':
        plain = Worker(*ours, f'{job}-plain', precision, path, **AS_IT_COMES)
        yield 'plain bert4keras', plain


def speeds(
    work: str,
    count: int,
    seconds: dict[tuple, list[float]],
    memory: dict[tuple, float],
) -> list[dict]:
    """Make table rows of the seconds that each subject took for so many pairs or sentences.

    The ratio is to the speed of our fastest backend in the same precision.
    """
    return [
        {
            'work': work,
            'precision': precision,
            'with': name,
            'speed': count / statistics.median(values),
            'ours is faster': ratio(fastest(seconds, precision), values),
            'memory (GB)': memory[name, precision],
        }
        for (name, precision), values in seconds.items()
    ]


def fastest(seconds: dict[tuple, list[float]], precision: str) -> list[float]:
    """Return the seconds of our fastest backend in a precision."""
    ours = [
        turns
        for (name, measured), turns in seconds.items()
        if 'ours' in name and measured == precision
    ]
    return min(ours, key=statistics.median)


if __name__ == '__main__':
    exit_on_error(main)

"""The article's theory as an experiment: what vectors can do, and why they still fall behind.

    python limits.py --interact runs/PAWSX.bert.interact.seed42 \\
                     --vectors runs/PAWSX.bert.cosent.seed42
                     [--sentences 128] [--format text|markdown|json] [--plot FILE.png]

kexue.fm/archives/8860 argues that vectors can do almost all that interaction does, and that they
fall behind where language is adversarial, because a cosine is continuous. This script measures each
step of the argument on two finished runs of a task with labels 0 and 1:

1. whether a similarity matrix is a matrix of inner products, and what it takes to make it one
2. the number of dimensions that needs, compared with 8·ln n (archives/8706)
3. continuity against adversity: AUC by overlap, and edits that change the meaning of a sentence
4. vectors can be fitted, but they overfit: loss and accuracy by epoch
5. the triangle inequality, which vectors cannot break and interaction can
6. the price of both

Interact scores all ordered pairs of the sentences, 16,384 for 128 sentences. Its score is the
probability of class 1. The unbounded score of Interact with the CoSENT loss is mapped to one by
sigmoid(score − threshold), which keeps the order and the decisions.
"""

from pathlib import Path

import cosent_tf  # first: it reports what is not installed

# isort: split
from cosent_tf.cli import exit_on_error, make_parser, positive, this_command
from cosent_tools.limits.edits import edit_all
from cosent_tools.limits.measures import (
    measure_dimensions,
    measure_edits,
    measure_overlap,
    measure_products,
    measure_similarity,
    measure_triangles,
    simulate_many,
)
from cosent_tools.limits.plot import save_limits_plot
from cosent_tools.limits.presentation import limits_json, limits_sections
from cosent_tools.limits.scoring import score_by_interact, score_by_vectors, show
from cosent_tools.limits.theory import enough_dimensions
from cosent_tools.limits.trained import check_same_pairs, choose_sentences, open_run
from cosent_tools.report.render import as_markdown, as_text, hint


def main():
    args = parse_args()
    cosent_tf.configure_process()
    interact, vectors = open_run(args.interact, joint=True), open_run(args.vectors, joint=False)
    check_same_pairs(interact, vectors)
    texts = choose_sentences(interact, args.sentences)
    chains = edit_all(texts)
    by_interact = score_by_interact(interact, texts, chains)
    by_vectors, unit = score_by_vectors(vectors, texts, chains)  # (n, D)
    scores = {'interact': by_interact, 'vectors': by_vectors}
    show('reducing dimensions, and simulating many sentences …')

    # 1. a similarity matrix is a matrix of inner products
    matrix, represented = measure_similarity(by_interact)
    report = {
        'interact': str(interact.name),
        'vectors': str(vectors.name),
        'thresholds': {name: by.threshold for name, by in scores.items()},
        'sentences': len(texts),
        'matrix': matrix,
        # 2. how many dimensions that needs
        'dimensions': {
            'enough': enough_dimensions(len(texts)),
            'interact': measure_dimensions(by_interact, represented),
            'vectors': measure_dimensions(by_vectors, unit),
            'simulated': simulate_many(matrix['margin']),
        },
        # 3. continuity against adversity
        'overlap': measure_overlap(interact, vectors),
        'edits': {name: measure_edits(by, chains) for name, by in scores.items()},
        # 4. vectors can be fitted to it, but they overfit
        'history': {'interact': interact.history, 'vectors': vectors.history},
        # 5. the triangle
        'triangles': {name: measure_triangles(by) for name, by in scores.items()},
        # 6. the price
        'price': {
            'pairs_per_second': by_interact.per_second,
            'sentences_per_second': by_vectors.per_second,
            'products_per_second': measure_products(unit.shape[1]),
        },
    }
    if args.format == 'json':
        print(limits_json(report), end='')
    else:
        as_format = {'text': as_text, 'markdown': as_markdown}[args.format]
        print(as_format(limits_sections(report)), end='')
    if args.plot:
        save_limits_plot(args.plot, report)
    else:
        hint(f'\nTo draw it as a picture: {this_command()} --plot limits.png')


def parse_args():
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('--interact', type=Path, required=True, metavar='RUN', help='finished run of Interact')
    add(
        '--vectors',
        type=Path,
        required=True,
        metavar='RUN',
        help='finished run of CoSENT or Sentence-BERT',
    )
    add(
        '--sentences',
        type=positive(int),
        default=128,
        help='number of valid sentences (default: 128)',
    )
    add('--format', choices=['text', 'markdown', 'json'], default='text', help='default: text')
    add('--plot', type=Path, metavar='FILE.png', help='also draw the report as a picture')
    args = parser.parse_args()
    if args.sentences < 3:
        parser.error(f'--sentences {args.sentences}: a triangle needs at least 3')
    if args.plot and args.plot.suffix != '.png':
        parser.error(f'--plot {args.plot}: the name must end in .png')
    return args


if __name__ == '__main__':
    exit_on_error(main)

"""The original scripts beside ours: the same data, order and initial weights, step by step.

    git clone https://github.com/bojone/CoSENT ../CoSENT
    python compare_original.py --original ../CoSENT --task DEMO
    python compare_original.py --original ../CoSENT --task BQ [--steps 200] [--methods cosent sbert]
                               [--keep_padding] [--repeat]
    python compare_original.py --original ../CoSENT --task BQ --dropout_rate 0.1 --seeds 3

Each script in the checkout's `accuracy/` runs unchanged, in a process of its own. The repairs that
it needs to run on today's libraries are made around it, and listed in the report. Our script gets
the settings of the original.

Without dropout, the losses of `--steps` steps are compared, and the scores of 1,000 pairs each of
valid (before and after training) and test. With `--dropout_rate`, whole epochs are trained, and the
test accuracies are compared as in eval_accuracy.py, accounting for seeds and test pairs.

The report is printed and written to `--runs_dir` as {task}.md, {task}.tsv, {task}.losses.tsv and
{task}.png. The runs of both sides are there too; `eval_accuracy.py --runs_dir` reads them.
"""

import signal
import tempfile
from pathlib import Path

from cosent_tf import configure_process
from cosent_tf.cli import exit_on_error, fraction, make_parser, positive
from cosent_tf.data import read_task
from cosent_tf.errors import UserError
from cosent_tf.files import write_text
from cosent_tf.methods import METHODS
from cosent_tf.places import find_data, find_encoder
from cosent_tf.screen import outlive_screen
from cosent_tools.original import report, sides
from cosent_tools.original.inputs import (
    SCORED,
    check_labels,
    google_bert,
    plan_steps,
    script_task,
    write_pairs,
)
from cosent_tools.original.picture import save_picture
from cosent_tools.original.script import NotFound, own_settings
from cosent_tools.report.render import as_markdown, as_text
from cosent_tools.runs import RunName

SEED = 42  # the first of --seeds
STEPS = 200
DEMO_METHODS = ['cosent', 'interact']  # one of each kind, in less than two minutes on two cores


def main():
    args = parse_args()
    outlive_screen()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the training process, too
    try:  # before anything runs
        settings = {
            method: own_settings(args.original, method, script_task(args.task))
            for method in args.methods
        }
    except NotFound as error:
        raise UserError(str(error)) from error
    find_data(args)
    configure_process()  # TensorFlow makes the tiny BERT of DEMO, and converts others
    find_encoder(args)
    splits = read_task(args.data_dir, args.task)
    check_labels(splits)
    trained, found = [], {}
    with tempfile.TemporaryDirectory() as work:
        paths = google_bert(Path(args.bert_dir), Path(work) / 'bert')
        for method in args.methods:
            data_dir = Path(work) / method
            changed, kept = prepare(args, settings[method], splits, data_dir)
            values = settings[method] | changed | paths
            for seed in range(SEED, SEED + args.seeds):
                sides_of_seed, found[method] = train(args, method, seed, values, data_dir, kept)
                trained += sides_of_seed
    show(args, trained, found)


def prepare(args, settings, splits, data_dir):
    """Write the pairs that both sides read; return the settings to change, and the pairs."""
    changed = {'maxlen': args.maxlen, 'epochs': args.epochs}
    counts = dict.fromkeys(splits)
    if not args.dropout_rate:
        pairs = len(splits['train'].pairs)
        changed['epochs'], first = plan_steps(args.steps, settings['batch_size'], pairs)
        counts = {'train': first, 'valid': SCORED, 'test': SCORED}
    kept = write_pairs(data_dir, args.task, splits, counts)
    return {name: value for name, value in changed.items() if value}, kept


def train(args, method, seed, values, data_dir, kept):
    """Train all sides of one method and seed; return them, and the settings and repairs."""
    work = data_dir / 'work'
    work.mkdir(exist_ok=True)
    values = values | {'data_path': f'{data_dir}/'}

    def original(side):
        name = RunName(args.task, side, method, seed)
        return sides.train_original(args, name, work, values, kept)

    first, found = original(sides.ORIGINAL)
    settings = {name: values[name] for name in ('maxlen', 'batch_size', 'epochs')}
    settings['lr'] = found['lr']
    trained = [first]
    for side in [sides.OURS, sides.PADDED] if args.keep_padding else [sides.OURS]:
        name = RunName(args.task, side, method, seed)
        trained.append(sides.train_ours(args, name, data_dir, settings))
    if args.repeat:
        trained.append(original(sides.AGAIN)[0])
    return trained, found | {'settings': settings}


def show(args, trained, found):
    """Print the report and write it."""
    by_step = not args.dropout_rate
    sections = report.step_sections(trained) if by_step else []
    if not by_step:
        sections.append(report.accuracy_section(trained, args.runs_dir))
    sections += [report.run_section(trained), report.cost_section(trained)]
    sections[-1].notes.extend(notes(args, found))
    path = args.runs_dir / args.task
    write_text(f'{path}.md', as_markdown(sections))
    write_text(f'{path}.tsv', report.figures_tsv(trained))
    write_text(f'{path}.losses.tsv', report.losses_tsv(trained))
    save_picture(Path(f'{path}.png'), trained, by_step)
    print('\n' + as_text(sections), end='')
    print(f'\nwritten to {path}.md, {path}.tsv, {path}.losses.tsv and {path}.png')


def notes(args, found):
    """Return what was compared, and the repairs that the original needed to run."""
    commit = sides.revision(args.original)
    *_, last = found.values()  # the repairs are the same for all
    settings = [
        ', '.join([method, *(f'{name} {value}' for name, value in each['settings'].items())])
        for method, each in found.items()
    ]
    return [
        f'Original: {args.original}, commit {commit or "unknown"}. Encoder: {args.bert_dir}.',
        f'Same on both sides: {"; ".join(settings)}; dropout {args.dropout_rate}; the pairs and '
        'their order; the initial weights of the head; float32 without TF32.',
        *(f'Repair around the original: {repair}.' for repair in last['repairs']),
    ]


def parse_args():
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('--original', type=Path, required=True, help='a checkout of bojone/CoSENT')
    add('--task', required=True, help='ATEC, BQ, LCQMC, PAWSX, DEMO, or a folder of --data_dir')
    default = ' '.join(DEMO_METHODS)
    add('--methods', nargs='+', choices=METHODS, help=f'default: all; for DEMO: {default}')
    add('--steps', type=positive(int), help=f'training steps without dropout (default: {STEPS})')
    add(
        '--dropout_rate',
        type=fraction,
        default=0.0,
        help='dropout, attention included (default: 0)',
    )
    add(
        '--seeds',
        type=positive(int),
        help=f'with dropout: number of seeds, from {SEED} on (default: 1)',
    )
    add('--epochs', type=positive(int), help="with dropout: epochs (default: the original's)")
    add('--lr', type=positive(float), help="learning rate (default: the original's)")
    add('--maxlen', type=positive(int), help="tokens per input (default: the original's)")
    add('--keep_padding', action='store_true', help='also run ours with --keep_padding')
    add(
        '--repeat',
        action='store_true',
        help='also rerun the original on one thread, to show its rounding',
    )
    add('--model', default='bert', help='bert (default), roberta, or a name for --bert_dir')
    add('--bert_dir', help='folder of the pretrained encoder, or hf:NAME')
    add('--data_dir', help='folder of the tasks')
    add('--runs_dir', type=Path, default='runs/original', help='default: runs/original')
    parser.set_defaults(resume=False)  # places.py reads it
    args = parser.parse_args()
    if args.dropout_rate and args.steps:
        parser.error('--steps compares losses, which dropout makes random')
    if not args.dropout_rate and (args.seeds or args.epochs):
        parser.error('--seeds and --epochs are for whole trainings, with --dropout_rate')
    args.steps, args.seeds = args.steps or STEPS, args.seeds or 1
    args.methods = args.methods or (DEMO_METHODS if args.task == 'DEMO' else list(METHODS))
    args.method = args.methods[0]  # messages name it
    args.original, args.runs_dir = args.original.resolve(), args.runs_dir.absolute()
    return args


if __name__ == '__main__':
    exit_on_error(main)

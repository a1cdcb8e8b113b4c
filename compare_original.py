"""The original scripts beside ours: the same data, order and initial weights, step by step.

    git clone https://github.com/bojone/CoSENT ../CoSENT
    python compare_original.py --original ../CoSENT --task DEMO
    python compare_original.py --original ../CoSENT --task BQ [--steps 200] [--methods cosent sbert]
                               [--keep_padding] [--repeat]
    python compare_original.py --original ../CoSENT --task BQ --dropout_rate 0.1 --seeds 3

Each script of the checkout's `accuracy/` runs as it stands, in a process of its own; what today's
libraries need around it is repaired there, and named in the report. Ours runs with its settings.

Without dropout the losses of `--steps` steps are compared, with the scores of 1,000 pairs of valid
before and after, and of test. With `--dropout_rate` whole epochs are trained, and test accuracies
are compared as eval_accuracy.py does, with the noise of seeds and test pairs.

The report is printed and written to `--runs_dir`, as {task}.md, {task}.tsv, {task}.losses.tsv and
{task}.png, beside the runs of both, which `eval_accuracy.py --runs_dir` reads too.
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


def main():
    args = parse_args()
    outlive_screen()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops what is in training as well
    try:  # before anything runs
        settings = {
            method: own_settings(args.original, method, script_task(args.task))
            for method in args.methods
        }
    except NotFound as error:
        raise UserError(str(error)) from error
    find_data(args)
    configure_process()  # the tiny BERT of DEMO, and one to be converted, are made by TensorFlow
    find_encoder(args)
    splits = read_task(args.data_dir, args.task)
    check_labels(splits)
    trained, told = [], {}
    with tempfile.TemporaryDirectory() as work:
        paths = google_bert(Path(args.bert_dir), Path(work) / 'bert')
        for method in args.methods:
            data_dir = Path(work) / method
            changed, kept = prepare(args, settings[method], splits, data_dir)
            values = settings[method] | changed | paths
            for seed in range(SEED, SEED + args.seeds):
                of_seed, told[method] = train(args, method, seed, values, data_dir, kept)
                trained += of_seed
    show(args, trained, told)


def prepare(args, settings, splits, data_dir):
    """Write the pairs that both sides read; return what the script does not set so, and them."""
    changed = {'maxlen': args.maxlen, 'epochs': args.epochs}
    counts = dict.fromkeys(splits)
    if not args.dropout_rate:
        pairs = len(splits['train'].pairs)
        changed['epochs'], first = plan_steps(args.steps, settings['batch_size'], pairs)
        counts = {'train': first, 'valid': SCORED, 'test': SCORED}
    kept = write_pairs(data_dir, args.task, splits, counts)
    return {name: value for name, value in changed.items() if value}, kept


def train(args, method, seed, values, data_dir, kept):
    """All sides of one method and seed; and what the original's process has told."""
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
    for side in [sides.OURS, *[sides.PADDED] * args.keep_padding]:
        name = RunName(args.task, side, method, seed)
        trained.append(sides.train_ours(args, name, data_dir, settings))
    if args.repeat:
        trained.append(original(sides.AGAIN)[0])
    return trained, found | {'settings': settings}


def show(args, trained, told):
    """Print the report and write it."""
    by_step = not args.dropout_rate
    sections = report.step_sections(trained) if by_step else []
    if not by_step:
        sections.append(report.accuracy_section(trained, args.runs_dir))
    sections += [report.run_section(trained), report.cost_section(trained)]
    sections[-1].notes.extend(notes(args, told))
    path = args.runs_dir / args.task
    write_text(f'{path}.md', as_markdown(sections))
    write_text(f'{path}.tsv', report.figures_tsv(trained))
    write_text(f'{path}.losses.tsv', report.losses_tsv(trained))
    save_picture(Path(f'{path}.png'), trained, by_step)
    print('\n' + as_text(sections), end='')
    print(f'\nwritten: {path}.md, {path}.tsv, {path}.losses.tsv, {path}.png')


def notes(args, told):
    """What was compared, and what the original needed to run."""
    commit = sides.revision(args.original)
    *_, found = told.values()  # the repairs are the same for all
    settings = [
        ', '.join([method, *(f'{name} {value}' for name, value in of_method['settings'].items())])
        for method, of_method in told.items()
    ]
    return [
        f'Original: {args.original}, commit {commit or "not known"}. Encoder: {args.bert_dir}.',
        f'Set alike: {"; ".join(settings)}; dropout {args.dropout_rate}; the pairs, their order, '
        'the initial weights of the head; float32 without TF32.',
        *(f'Repaired around the original: {repair}.' for repair in found['repairs']),
    ]


def parse_args():
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('--original', type=Path, required=True, help='a checkout of bojone/CoSENT')
    add('--task', required=True, help='ATEC, BQ, LCQMC, PAWSX, DEMO, or a name in data_dir')
    add('--methods', nargs='+', default=list(METHODS), choices=METHODS, help='default: all')
    add('--steps', type=positive(int), help=f'without dropout (default: {STEPS})')
    add('--dropout_rate', type=fraction, default=0.0, help='hidden and attention (default: 0)')
    add('--seeds', type=positive(int), help=f'with dropout: how many, from {SEED} on (default: 1)')
    add('--epochs', type=positive(int), help="with dropout (default: the original's)")
    add('--lr', type=positive(float), help="default: the original's")
    add('--maxlen', type=positive(int), help="tokens an input (default: the original's)")
    add('--keep_padding', action='store_true', help='ours with --keep_padding, too')
    add('--repeat', action='store_true', help='the original once more, on one thread: its rounding')
    add('--model', default='bert', help='bert (default), roberta, or a name for --bert_dir')
    add('--bert_dir', help="the pretrained encoder's folder, or hf:NAME")
    add('--data_dir', help='the folder of the tasks')
    add('--runs_dir', type=Path, default='runs/original', help='default: runs/original')
    parser.set_defaults(resume=False)  # what places.py asks of every script that trains
    args = parser.parse_args()
    if args.dropout_rate and args.steps:
        parser.error('--steps compares losses, which dropout makes random')
    if not args.dropout_rate and (args.seeds or args.epochs):
        parser.error('--seeds and --epochs are for whole trainings: with --dropout_rate')
    args.steps, args.seeds = args.steps or STEPS, args.seeds or 1
    args.method = args.methods[0]  # that messages name
    args.original, args.runs_dir = args.original.resolve(), args.runs_dir.absolute()
    return args


if __name__ == '__main__':
    exit_on_error(main)

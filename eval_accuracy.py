"""Test accuracy, F1 or Spearman of every run, beside the published figures. No model is loaded.

    python eval_accuracy.py [--runs_dir runs] [--metric accuracy|f1|spearman]
                            [--search powell|exact] [--by overlap] [--details]
                            [--format text|markdown|json] [--plot FILE.png]
                            [--html FILE.html]

A run is a folder `{runs_dir}/{task}.{model}.{method}.seed{n}` with predictions.valid.tsv and
predictions.test.tsv, written by the training scripts or by any other program. As in the article,
the decision threshold of each run is fitted on valid and applied to test; Spearman's correlation
needs none. Runs that cannot be evaluated are left out and named, and the exit code is then 1.

The report also has 95 % intervals, comparisons of the methods over seeds and test pairs, and
oddities of the data. `--by overlap` splits the accuracy by how many characters the two sentences
share. `--html` writes a page to explore the errors: movable thresholds, and the pairs themselves.
"""

from pathlib import Path

from cosent_tf.cli import exit_on_error, make_parser, this_command
from cosent_tf.errors import RunError, UserError
from cosent_tools.report import render
from cosent_tools.report.evaluation import count_oddities, evaluate
from cosent_tools.report.html import save_html
from cosent_tools.report.plots import save_plot
from cosent_tools.report.sections import build_sections, published_section
from cosent_tools.runs import list_runs


def main():
    args = parse_args()
    runs, unfinished = list_runs(args.runs_dir)
    if (args.plot or args.html) and not runs:
        raise UserError(f'{args.runs_dir}: no finished runs, so there is nothing to show')
    results, left_out = evaluate(runs, args.metric, args.search)
    oddities = count_oddities(runs, results)
    notes = [f'{folder.name}: unfinished, left out.' for folder in unfinished]
    notes += [f'Left out: {reason}.' for reason in left_out.values()]

    if args.format == 'json':
        rest = {
            'unfinished': [folder.name for folder in unfinished],
            'left_out': left_out,
            'audit': oddities,
        }
        how = (args.metric, args.search, args.by == 'overlap')
        print(render.as_json(results, *how, rest), end='')
    if args.format != 'json' or args.html:
        sections = make_sections(args, results, oddities, notes)
    if args.format != 'json':
        as_format = {'text': render.as_text, 'markdown': render.as_markdown}[args.format]
        print(as_format(sections), end='')
    if args.plot and results:
        save_plot(args.plot, results, args.metric)
    if args.html and results:
        save_html(args.html, results, sections)
        render.hint(f'\nTo explore the errors, open {args.html} in a browser.')
    elif results and args.metric != 'spearman':
        render.hint(f'\nTo explore the errors pair by pair: {this_command()} --html report.html')
    if left_out:
        raise RunError(f'{len(left_out)} of {len(runs)} runs left out: {"; ".join(left_out)}')


def make_sections(args, results, oddities, notes):
    """Return the report, which ends with the notes; without results it is the published table."""
    if results:
        how = (args.metric, args.search, args.by == 'overlap', args.details)
        sections = build_sections(results, *how, oddities)
    else:
        sections = [published_section(args.runs_dir, args.metric)]
    sections[-1].notes.extend(notes)
    return sections


def parse_args():
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('--runs_dir', type=Path, help='folder of the runs (default: runs)')
    metrics = ['accuracy', 'f1', 'spearman']
    add('--metric', choices=metrics, default='accuracy', help='default: accuracy')
    add(
        '--search',
        choices=['powell', 'exact'],
        help='threshold search (default: powell, as published; exact for --metric f1)',
    )
    add('--format', choices=['text', 'markdown', 'json'], default='text', help='default: text')
    add(
        '--plot',
        type=Path,
        metavar='FILE.png',
        help='also draw the table and the scores as a picture',
    )
    add('--html', type=Path, metavar='FILE.html', help='also write a page to explore the errors')
    add('--by', choices=['overlap'], help='also split test accuracy by character overlap')
    add(
        '--details',
        action='store_true',
        help='also show precision, recall, average precision and ROC AUC',
    )
    args = parser.parse_args()
    if args.runs_dir and not args.runs_dir.exists():
        raise UserError(f'{args.runs_dir}: no such folder; the training scripts create it')
    args.runs_dir = args.runs_dir or Path('runs')
    if args.metric == 'f1' and args.search == 'powell':
        parser.error(
            '--search powell is published for accuracy only; use --search exact with --metric f1'
        )
    if args.metric == 'spearman' and (args.search or args.by or args.html):
        flag = '--search' if args.search else '--by overlap' if args.by else '--html'
        parser.error(f'{flag}: --metric spearman has no threshold and no decisions')
    if args.plot and args.plot.suffix != '.png':
        parser.error(f'--plot {args.plot}: the name must end in .png')
    if args.html and args.html.suffix != '.html':
        parser.error(f'--html {args.html}: the name must end in .html')
    args.search = args.search or {'accuracy': 'powell', 'f1': 'exact'}.get(args.metric)
    return args


if __name__ == '__main__':
    exit_on_error(main)

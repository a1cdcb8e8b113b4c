"""Test accuracy or Spearman of every run, beside the published table. Reads no model.

    python eval_accuracy.py [--runs_dir runs] [--metric accuracy|f1|spearman]
                            [--search powell|exact] [--by overlap] [--details]
                            [--without placeholders]
                            [--format text|markdown|json] [--plot FILE.png]
                            [--html FILE.html]

A run is a folder `{runs_dir}/{task}.{model}.{method}.seed{n}` with predictions.valid.tsv and
predictions.test.tsv: written by the training scripts, or by any program that makes these two files.
For each run the decision threshold is fitted on valid and applied to test, as in the article;
Spearman's correlation needs none. A run that cannot be evaluated is left out and named, with exit
code 1 in the end.
Besides: 95 % intervals; whether methods differ, with the noise of all seeds and of the test pairs;
what is odd in the data; with `--by overlap` the accuracy by how many characters the two sentences
share. `--html` writes a page to look at the errors: thresholds to move, and the pairs themselves.
"""

from pathlib import Path

from cosent_tf.cli import exit_on_error, hint, make_parser, this_command
from cosent_tf.errors import RunError, UserError
from cosent_tf.run.folder import list_runs
from cosent_tools.report import render
from cosent_tools.report.checks import cost_section
from cosent_tools.report.details import placeholder_costs
from cosent_tools.report.evaluation import count_oddities, evaluate
from cosent_tools.report.html import save_html
from cosent_tools.report.plots import save_plot
from cosent_tools.report.sections import build_sections, published_section


def main():
    args = parse_args()
    runs, unfinished = list_runs(args.runs_dir)
    if (args.plot or args.html) and not runs:
        raise UserError(f'{args.runs_dir}: no finished runs, so there is nothing to show')
    how = (args.metric, args.search)
    results, left_out = evaluate(runs, *how, without_placeholders=bool(args.without))
    costs = placeholder_costs(evaluate(runs, *how)[0], results) if args.without else None
    oddities = count_oddities(runs, results)

    if args.format == 'json':
        rest = {
            'unfinished': [folder.name for folder in unfinished],
            'left_out': left_out,
            'audit': oddities,
            'placeholder_costs': costs and [cost._asdict() for cost in costs],
        }
        print(render.as_json(results, *how, args.by == 'overlap', rest), end='')
    if args.format != 'json' or args.html:
        notes = [f'{folder.name}: unfinished, left out.' for folder in unfinished]
        notes += [f'Left out: {reason}' for reason in left_out.values()]
        sections = make_sections(args, results, oddities, costs, notes)
    if args.format != 'json':
        as_format = {'text': render.as_text, 'markdown': render.as_markdown}[args.format]
        print(as_format(sections), end='')
    if args.plot and results:
        save_plot(args.plot, results, args.metric)
    if args.html and results:
        save_html(args.html, results, sections)
        hint(f'\nThe errors, in a browser: {args.html}')
    elif results and args.metric != 'spearman':
        hint(f'\nThe errors, pair by pair: {this_command()} --html report.html')
    if left_out:
        raise RunError(f'{len(left_out)} of {len(runs)} runs left out: {"; ".join(left_out)}')


def make_sections(args, results, oddities, costs, notes):
    """The report, and at its end the notes; without results the published table."""
    if not results:
        sections = [published_section(args.runs_dir, args.metric)]
    else:
        how = (args.metric, args.search, args.by == 'overlap', args.details)
        sections = build_sections(results, *how, oddities)
        if costs:
            sections.append(cost_section(costs, args.metric))
        elif costs is not None:
            notes = [
                'No run has a placeholder on test: --without placeholders costs nothing.',
                *notes,
            ]
    sections[-1].notes.extend(notes)
    return sections


def parse_args():
    parser = make_parser(__doc__)
    add = parser.add_argument
    add('--runs_dir', type=Path, help='the folder of the runs (default: runs)')
    metrics = ['accuracy', 'f1', 'spearman']
    add('--metric', choices=metrics, default='accuracy', help='default: accuracy')
    add(
        '--search',
        choices=['powell', 'exact'],
        help='of the threshold; default: powell as published, exact for --metric f1',
    )
    add('--format', choices=['text', 'markdown', 'json'], default='text', help='default: text')
    add('--plot', type=Path, metavar='FILE.png', help='also draw the table and the scores')
    add('--html', type=Path, metavar='FILE.html', help='also write a page to look at the errors')
    add('--by', choices=['overlap'], help='also split test accuracy by character overlap')
    add('--details', action='store_true', help='also precision, recall, average precision, ROC AUC')
    add(
        '--without',
        choices=['placeholders'],
        help='leave out pairs with a placeholder for a sentence, and show what they cost',
    )
    args = parser.parse_args()
    if args.runs_dir and not args.runs_dir.exists():
        raise UserError(f'{args.runs_dir}: no such folder; the training scripts make it')
    args.runs_dir = args.runs_dir or Path('runs')
    if args.metric == 'f1' and args.search == 'powell':
        parser.error('--search powell is published for accuracy only; use exact with --metric f1')
    if args.metric == 'spearman' and (args.search or args.by or args.html):
        flag = '--search' if args.search else '--by overlap' if args.by else '--html'
        parser.error(f'{flag}: --metric spearman has no threshold, and so no decisions')
    if args.plot and args.plot.suffix != '.png':
        parser.error(f'--plot {args.plot}: the name must end in .png')
    if args.html and args.html.suffix != '.html':
        parser.error(f'--html {args.html}: the name must end in .html')
    args.search = args.search or {'accuracy': 'powell', 'f1': 'exact'}.get(args.metric)
    return args


if __name__ == '__main__':
    exit_on_error(main)

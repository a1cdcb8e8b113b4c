"""The command line that the training scripts share, and how a script ends.

TensorFlow-free, for download.py, eval_accuracy.py and train_table.py.
"""

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from cosent_tf.bert.settings import POOLINGS
from cosent_tf.bert.sources import bert_folder, is_joint, model_name
from cosent_tf.data import SPLITS, split_path
from cosent_tf.errors import UserError
from cosent_tf.files import SUMS_FILE
from cosent_tf.published import PAIRS
from cosent_tf.run.config import with_revision
from cosent_tf.run.folder import run_name
from cosent_tf.screen import Screen

# model: (environment variable, default folder), which download.py fills
MODELS = {
    'bert': ('COSENT_BERT_DIR', 'pretrained/chinese_L-12_H-768_A-12'),
    'roberta': ('COSENT_ROBERTA_DIR', 'pretrained/chinese_roberta_wwm_ext_L-12_H-768_A-12'),
}
DATA_DIR = 'data/senteval_cn'
DEMO_DATA_DIR, DEMO_BERT_DIR = 'data/demo', 'pretrained/demo'


def make_parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser without flags, which shows a script's docstring as it is."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def parse_args(
    doc: str, method: str, epochs: int, batch_size: int, lr: float, maxlen: int, maxlen_pawsx: int
) -> argparse.Namespace:
    """Parse the flags of a training script, and check that the files are there.

    Args:
        doc: the script's docstring, shown above the flags.
        method: the method's name in the run folder.
        epochs: of training. This and what follows are the published settings, used where no flag
            says otherwise, nor DEMO, which has a length and, for its tiny BERT, a rate of its own.
        batch_size: pairs a step.
        lr: learning rate.
        maxlen: tokens an input.
        maxlen_pawsx: the same for PAWSX.

    Returns:
        All arguments, with `method`.

    Raises:
        UserError: flags that exclude each other, or missing files.
    """
    parser = training_parser(doc)
    parser.epilog = (
        f'published: {epochs} epochs, {batch_size} pairs a step, learning rate {lr}, '
        f'{maxlen} tokens an input, {maxlen_pawsx} for PAWSX'
    )
    args = parser.parse_args()
    fill_in(args, method, epochs, batch_size, lr, maxlen, maxlen_pawsx)
    find_data(args)
    find_encoder(args)
    return args


def fill_in(
    args: argparse.Namespace,
    method: str,
    epochs: int,
    batch_size: int,
    lr: float,
    maxlen: int,
    maxlen_pawsx: int,
) -> None:
    """Set what no flag has set; see `parse_args`."""
    if args.resume and args.overwrite:
        raise UserError('--resume and --overwrite exclude each other')
    args.method = method
    args.model = args.model or (model_name(args.bert_dir) if args.bert_dir else 'bert')
    run_name(args.task, args.model, method, args.seed)  # refuses names that no folder can have
    sentences = 2 if is_joint(method) else 1  # an input
    defaults = {'epochs': epochs, 'batch_size': batch_size, 'lr': lr}
    defaults['maxlen'] = maxlen_pawsx if args.task == 'PAWSX' else maxlen
    if args.task == 'DEMO':
        from cosent_tf.demo.task import LR, MAXLEN

        defaults['maxlen'] = MAXLEN * sentences
        if has_demo_bert(args):
            defaults['lr'] = LR
    for name, default in defaults.items():
        setattr(args, name, getattr(args, name) or default)
    if args.micro_batch and args.micro_batch >= args.batch_size:
        args.micro_batch = None  # all pairs at a time, as without
    if args.maxlen < 1 + 2 * sentences:
        raise UserError(f'--maxlen {args.maxlen} leaves no room for a token of each sentence')


def training_parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser of the flags that every training script has."""
    parser = make_parser(doc)
    add = parser.add_argument
    add('--task', required=True, help='ATEC, BQ, LCQMC, PAWSX, STS-B, DEMO, or a name in data_dir')
    add('--model', help='bert, roberta, or a name for --bert_dir (default: its own, or else bert)')
    add('--bert_dir', help="the pretrained encoder's folder, or hf:NAME[@REVISION]")
    add('--data_dir', help=f'the folder of the tasks (default: {DATA_DIR})')
    add('--runs_dir', default='runs', help='where the run folder is made (default: runs)')
    add('--epochs', type=positive(int), help='default: as published')
    add('--batch_size', type=positive(int), help='pairs a step (default: as published)')
    add(
        '--micro_batch',
        type=positive(int),
        metavar='N',
        help='encode N pairs at a time on each device: same loss, less memory, slower (default: '
        'all)',
    )
    add('--lr', type=positive(float), help='learning rate (default: as published)')
    add('--maxlen', type=positive(int), help='tokens an input (default: as published)')
    add('--dropout_rate', type=fraction, default=0.1, help='hidden and attention (default: 0.1)')
    add('--seed', type=seed, default=42, help='of initialisation, order and dropout (default: 42)')
    add(
        '--select',
        choices=('accuracy', 'spearman'),
        default='accuracy',
        help='what of valid the kept epoch has the best of; graded labels: always spearman '
        '(default: accuracy)',
    )
    add('--pooling', choices=POOLINGS, default='cls', help='[CLS] (default, as published) or mean')
    add('--precision', choices=('fp32', 'bf16', 'fp16'), default='fp32', help='default: fp32')
    add('--device', choices=('auto', 'cpu'), default='auto', help='default: a GPU if there is one')
    add(
        '--strategy',
        choices=('one', 'mirrored', 'multiworker'),
        default='one',
        help='one device (default), all GPUs of this machine, or the machines of TF_CONFIG',
    )
    add('--jit', action='store_true', help='compile the encoder of training steps with XLA')
    add('--keep_padding', action='store_true', help='encode padding too: slower, same result')
    add('--resume', action='store_true', help='go on if the run was interrupted; else start it')
    add('--overwrite', action='store_true', help='start anew, even over a finished run')
    return parser


def data_folder(given: str | None) -> str:
    """Return the folder of the tasks: the given one, the environment's, or the default."""
    return given or os.environ.get('COSENT_DATA_DIR', DATA_DIR)


def has_own_data(folder: str) -> bool:
    """Return whether a folder of tasks holds somebody's files, into which nothing is fetched.

    Other than the default folder, one that is empty, and those that download.py has filled.
    """
    path = Path(folder)
    if path.resolve() == Path(DATA_DIR).resolve() or (path / SUMS_FILE).exists():
        return False
    return path.is_dir() and any(path.iterdir())


def encoder_folder(model: str) -> str:
    """Return the folder of a model, the environment's or the default, or its name on the Hub."""
    variable, default = MODELS.get(model, ('', f'pretrained/{model}'))
    return os.environ.get(variable, default)


def positive(number: type) -> Callable[[str], float]:
    """Return an argparse type for numbers above 0."""

    def parse(text: str) -> float:
        value = number(text)
        if not 0 < value < float('inf'):
            raise ValueError
        return value

    parse.__name__ = f'positive {number.__name__}'
    return parse


def fraction(text: str) -> float:
    """Parse a number in [0, 1)."""
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f'must be in [0, 1), not {text}')
    return value


def seed(text: str) -> int:
    """Parse a seed of numpy's generator."""
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f'must be in [0, 2**32), not {text}')
    return value


def has_demo_bert(args: argparse.Namespace) -> bool:
    """Tell whether a run starts from the tiny BERT of DEMO, made on the spot."""
    return args.task == 'DEMO' and args.model == 'bert' and not args.bert_dir


def find_data(args: argparse.Namespace) -> None:
    """Set the folder of the data, and make those of DEMO.

    Raises:
        UserError: they are not there.
    """
    if args.task == 'DEMO' and not args.data_dir:
        from cosent_tf.demo.task import make_demo_data

        make_demo_data(DEMO_DATA_DIR)
        args.data_dir = DEMO_DATA_DIR
    folder = data_folder(args.data_dir)
    for split in SPLITS:
        path = split_path(folder, args.task, split)
        if not path.is_file():
            known = '' if args.task in PAIRS else f' (known tasks: {", ".join(PAIRS)}, DEMO)'
            fetched = ''
            if args.task in PAIRS:
                fetched = _fetched_by('data', args)
                if has_own_data(folder):
                    fetched = f'python download.py --only data --data_dir {DATA_DIR} fetches them '
                    fetched += 'elsewhere; '
            raise UserError(
                f'{path.absolute()} not found: task {args.task!r}{known} needs its train, valid '
                f'and test files there (.data, .tsv, .csv or .jsonl, also .gz); {fetched}'
                f'without any download: python train_{args.method}.py --task DEMO'
            )
    args.data_dir = folder


def find_encoder(args: argparse.Namespace) -> None:
    """Set the folder of the encoder, and make that of DEMO.

    Raises:
        UserError: it is not there.
    """
    if has_demo_bert(args):
        from cosent_tf.demo.task import make_demo_bert

        make_demo_bert(DEMO_BERT_DIR)
        args.bert_dir = DEMO_BERT_DIR
    folder = args.bert_dir or encoder_folder(args.model)
    if args.resume:
        folder = with_revision(folder, args)
    folder = bert_folder(folder).absolute()  # so that the run can be used from anywhere
    if not folder.is_dir():
        fetched = _fetched_by(args.model, args) if args.model in MODELS else ''
        raise UserError(
            f'{folder} not found: model {args.model!r} needs bert_config.json, vocab.txt and '
            f'bert_model.ckpt.* there, or config.json, vocab.txt and model.safetensors; {fetched}'
            f'without any download: python train_{args.method}.py --task DEMO'
        )
    args.bert_dir = str(folder)


def download_command(names: list[str], args: argparse.Namespace) -> list[str]:
    """Return the command that puts what is named where a run with these arguments looks for it."""
    command = ['download.py', '--only', *names]
    for name in names:
        if folder := args.data_dir if name == 'data' else args.bert_dir:
            command += [f'--{name}_dir', folder]
    return command


def _fetched_by(name: str, args: argparse.Namespace) -> str:
    return f'python {shlex.join(download_command([name], args))} fetches them; '


def exit_on_error(main: Callable[[], None]) -> None:
    """Run a script: a UserError becomes one line on stderr and its exit code.

    Where standard output is closed (`| head -1`) the script ends quietly, with exit code 1, unless
    it has called `outlive_screen`; where it cannot be written otherwise, with one line.
    """
    screen, errors = Screen(sys.stdout, is_needed=True), Screen(sys.stderr, is_needed=False)
    with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(errors):
        try:
            try:
                main()
            except UserError as error:
                print_error(error)
                sys.exit(error.exit_code)
            except KeyboardInterrupt:
                sys.exit(f'{Path(sys.argv[0]).name}: interrupted')
            finally:
                screen.flush()
        except OSError as error:
            if error is not screen.error:
                raise
            if not isinstance(error, BrokenPipeError):
                print_error(UserError(f'standard output: cannot be written: {error.strerror}'))
            sys.exit(1)


def print_error(error: UserError) -> None:
    """Print an error on stderr, as one line whatever values from files are in it."""
    print(f'{Path(sys.argv[0]).name}: error: {" ".join(str(error).splitlines())}', file=sys.stderr)

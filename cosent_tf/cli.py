"""The command line that the training scripts share, and how a script ends."""

import argparse
import contextlib
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from cosent_tf.bert.settings import POOLINGS
from cosent_tf.bert.sources import model_name
from cosent_tf.errors import UserError, print_error
from cosent_tf.methods import find_method
from cosent_tf.places import DATA_DIR, find_data, find_encoder, has_demo_bert
from cosent_tf.run.folder import run_name
from cosent_tf.screen import Screen


def make_parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser without flags, whose help shows a script's docstring unchanged."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


@dataclass(frozen=True)
class Settings:
    """The published settings of a training script: the defaults of its flags."""

    epochs: int
    batch_size: int  # pairs per step
    lr: float
    maxlen: int  # tokens per input
    maxlen_pawsx: int


def parse_args(doc: str, method: str, settings: Settings) -> argparse.Namespace:
    """Parse the flags of a training script; UserError if they conflict, or if files are missing.

    The settings are the defaults. DEMO has its own maxlen, and a learning rate for its tiny BERT.
    """
    parser = training_parser(doc)
    parser.epilog = (
        f'published: {settings.epochs} epochs, {settings.batch_size} pairs per step, learning '
        f'rate {settings.lr}, {settings.maxlen} tokens per input, {settings.maxlen_pawsx} for PAWSX'
    )
    args = parser.parse_args()
    fill_in(args, method, settings)
    find_data(args)
    find_encoder(args)
    return args


def fill_in(args: argparse.Namespace, method: str, settings: Settings) -> None:
    """Set every argument that no flag has set; see `parse_args`."""
    if args.resume and args.overwrite:
        raise UserError('--resume and --overwrite exclude each other')
    args.method = method
    args.model = args.model or (model_name(args.bert_dir) if args.bert_dir else 'bert')
    run_name(args.task, args.model, method, args.seed)  # refuses names that no folder can have
    sentences = 2 if find_method(method).is_joint else 1  # per input
    defaults = asdict(settings)
    maxlen_pawsx = defaults.pop('maxlen_pawsx')
    if args.task == 'PAWSX':
        defaults['maxlen'] = maxlen_pawsx
    if args.task == 'DEMO':
        from cosent_tf.demo.task import LR, MAXLEN

        defaults['maxlen'] = MAXLEN * sentences
        if has_demo_bert(args):
            defaults['lr'] = LR
    for name, default in defaults.items():
        setattr(args, name, getattr(args, name) or default)
    if args.micro_batch and args.micro_batch >= args.batch_size:
        args.micro_batch = None  # the whole batch at once
    if args.maxlen < 1 + 2 * sentences:
        raise UserError(f'--maxlen {args.maxlen} leaves no room for a token of each sentence')


def training_parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser of the flags that every training script has."""
    parser = make_parser(doc)
    add = parser.add_argument
    add('--task', required=True, help='ATEC, BQ, LCQMC, PAWSX, STS-B, DEMO, or a task in data_dir')
    add('--model', help='bert, roberta or your own name (default: from --bert_dir, else bert)')
    add('--bert_dir', help='folder of the pretrained encoder, or hf:NAME[@REVISION]')
    add('--data_dir', help=f'folder of the tasks (default: {DATA_DIR})')
    add('--runs_dir', default='runs', help='folder of all runs (default: runs)')
    add('--epochs', type=positive(int), help='number of epochs (default: as published)')
    add('--batch_size', type=positive(int), help='pairs per step (default: as published)')
    text = 'encode N pairs at a time per device: same loss, less memory, slower (default: all)'
    add('--micro_batch', type=positive(int), metavar='N', help=text)
    add('--lr', type=positive(float), help='learning rate (default: as published)')
    add('--maxlen', type=positive(int), help='maximum tokens per input (default: as published)')
    text = 'dropout of hidden states and attention weights (default: 0.1)'
    add('--dropout_rate', type=fraction, default=0.1, help=text)
    text = 'seed for initialisation, example order and dropout (default: 42)'
    add('--seed', type=seed, default=42, help=text)
    text = 'validation metric that picks the checkpoint to keep (default: accuracy; graded labels: '
    add('--select', choices=('accuracy', 'spearman'), default='accuracy', help=f'{text}spearman)')
    text = '[CLS] vector (default, as published), mean, pooler, or pooler without tanh (SimBERT)'
    add('--pooling', choices=POOLINGS, default='cls', help=text)
    text = 'floating-point format to train in (default: fp32)'
    add('--precision', choices=('fp32', 'bf16', 'fp16'), default='fp32', help=text)
    text = 'auto: a GPU if there is one, else the CPU (default: auto)'
    add('--device', choices=('auto', 'cpu'), default='auto', help=text)
    text = 'one device (default), all GPUs of this machine, or the machines of TF_CONFIG'
    add('--strategy', choices=('one', 'mirrored', 'multiworker'), default='one', help=text)
    add('--jit', action='store_true', help='compile the encoder with XLA for training')
    add('--keep_padding', action='store_true', help='encode padding, too: slower, same result')
    add('--resume', action='store_true', help='continue an interrupted run, or start a new one')
    add('--overwrite', action='store_true', help='start over, even if the run is finished')
    return parser


def add_source_flags(add: Callable) -> None:
    """Add the flags that say how to use an encoder that is not a run."""
    text = "for encoders other than runs (default: the folder's own setting, else cls); SimBERT: "
    add('--pooling', choices=POOLINGS, help=f'{text}pooler_linear, SimCSE: pooler')
    add('--maxlen', type=positive(int), help='maximum tokens per text, likewise (default: 64)')


def positive(number: type) -> Callable[[str], float]:
    """Return an argparse type for numbers above 0."""

    def parse(text: str) -> float:
        value = number(text)
        if not 0 < value < float('inf'):
            raise ValueError
        return value

    parse.__name__ = f'positive {number.__name__}'
    return parse


def below(end: float, number: type) -> Callable[[str], float]:
    """Return an argparse type for numbers in [0, end)."""

    def parse(text: str) -> float:
        value = number(text)
        if not 0 <= value < end:
            raise argparse.ArgumentTypeError(f'must be in [0, {end}), not {text}')
        return value

    parse.__name__ = number.__name__
    return parse


fraction, seed = below(1, float), below(2**32, int)


def this_command(*without: str) -> str:
    """Return the command that started this script, without some of its flags."""
    return f'python {shlex.join(word for word in sys.argv if word not in without)}'


def exit_on_error(main: Callable[[], None]) -> None:
    """Run a script: a UserError becomes one line on stderr and its exit code.

    A closed standard output (`| head -1`) ends the script silently, with exit code 1, unless it has
    called `outlive_screen`; any other failure to write there ends it with one line.
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
                print_error(f'standard output: cannot be written: {error.strerror}')
            sys.exit(1)

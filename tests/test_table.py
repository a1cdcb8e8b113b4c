"""The whole table, with training scripts that take no time."""

import functools
import shutil
import signal
import subprocess
import sys
import time

import pytest

import train_table
from cosent_tf.cli import exit_on_error
from cosent_tf.methods import METHODS, Method
from cosent_tf.predictions import write_predictions
from cosent_tools.report.evaluation import evaluate
from cosent_tools.report.render import as_text
from cosent_tools.report.sections import build_sections
from cosent_tools.runs import RunName, list_runs
from tests.helpers import ROOT, exit_code, toy_lines, write_lines
from tests.scripts import DOWNLOAD, SCRIPT


@pytest.fixture
def home(tmp_path, small_bert, monkeypatch):
    """A folder with train_table.py beside stand-ins of the other scripts; the working directory."""
    shutil.copy(ROOT / 'train_table.py', tmp_path)
    for script in ('train_cosent.py', 'train_interact.py'):
        (tmp_path / script).write_text(SCRIPT)
    (tmp_path / 'eval_accuracy.py').write_text('print("the report")')
    (tmp_path / 'download.py').write_text(DOWNLOAD)
    for task in ('BAD', 'SLOW', 'TOY', 'BQ'):
        folder = tmp_path / ('elsewhere' if task == 'BQ' else 'data/senteval_cn') / task
        for split in ('train', 'valid', 'test'):
            write_lines(folder / f'{task}.{split}.data', toy_lines(40, seed=0))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    monkeypatch.setenv('COSENT_BERT_DIR', str(small_bert))
    return tmp_path


@pytest.fixture
def call(monkeypatch, capfd):
    """Call train_table.py in this process; return its exit code, stdout and stderr."""
    stop = signal.getsignal(signal.SIGTERM)

    def call(*flags):
        monkeypatch.setattr(sys, 'argv', ['train_table.py', *flags])
        monkeypatch.setenv('HF_HUB_OFFLINE', '0')  # a dry run sets it
        return exit_code(exit_on_error, train_table.main), *capfd.readouterr()

    yield call
    signal.signal(signal.SIGTERM, stop)


@pytest.fixture
def table(home, call, monkeypatch):
    """Call train_table.py beside the stand-ins."""
    monkeypatch.setattr(train_table, 'HERE', home)
    monkeypatch.setattr(train_table, 'script_settings', train_table.script_settings.__wrapped__)
    return functools.partial(call, '--models', 'bert')


@pytest.fixture
def start(home):
    """Start train_table.py beside the stand-ins as a process of its own."""

    def start(*flags):
        command = [sys.executable, 'train_table.py', '--models', 'bert', *flags]
        pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
        return subprocess.Popen(command, cwd=home, text=True, **pipes)

    return start


def started(out):
    """The lines that name a run of the table, or another script."""
    return [line for line in out.splitlines() if line.startswith(('[', 'download', 'the report'))]


def test_what_is_not_finished_is_run_and_failures_are_named(table, tmp_path):
    """Guards a table that stops at the first failure, trains a finished run again, or ends mute."""
    flags = ['--tasks', 'BAD', 'BQ', '--methods', 'cosent', 'interact', '--', '--epochs', '1']
    code, out, err = table(*flags)
    assert started(out) == [
        'download.py --only data',
        '[1/4] BAD.bert.cosent.seed42: started, 3 steps, runs left: 3',
        '[2/4] BAD.bert.interact.seed42: started, 3 steps, runs left: 2',
        '[3/4] BQ.bert.cosent.seed42: started, 3 steps, runs left: 1',
        '[4/4] BQ.bert.interact.seed42: started, 3 steps, runs left: 0',
        'the report',
    ]
    assert code == 1
    assert 'the next command' not in out  # of each training: the table goes on by itself
    assert '2 of 4 runs failed: BAD.bert.cosent.seed42, BAD.bert.interact.seed42' in err
    passed = (tmp_path / 'runs' / 'BQ.bert.cosent.seed42' / 'config.json').read_text()
    assert '"--resume", "--epochs", "1"]' in passed

    _, out, _ = table(*flags)
    assert '[1/4] BAD.bert.cosent.seed42: started' in out
    assert '[3/4] BQ.bert.cosent.seed42: finished, skipped' in out and 'download' not in out


def test_a_dry_run_shows_the_plan_and_does_nothing(table, tmp_path):
    """Guards the look before days of training: steps with the flags given, published pairs."""
    methods = ['--methods', 'cosent', 'interact']
    flags = ['--tasks', 'TOY', 'BQ', *methods, '--dry_run', '--', '--batch_size', '8']
    code, out, err = table(*flags)
    assert code == 0, err
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if 'seed42' in line}
    counted = ['counted', '40', '10']
    assert [rows[f'TOY.bert.{method}.seed42'][:3] for method in methods[1:]] == 2 * [counted]
    # 2 epochs of 200,000 sentences of 13.6 tokens, of 100,000 inputs of 26.2 for the joint model
    assert rows['BQ.bert.cosent.seed42'][:4] == ['published', '100,000', '25,000', '5.4']
    assert rows['BQ.bert.interact.seed42'][:4] == ['published', '100,000', '25,000', '5.2']
    assert '?' not in [part for row in rows.values() for part in row]
    told = ' '.join(out.split())
    assert "LCQMC's are assumed" in told and 'First: python download.py --only data' in out
    assert 'data: about 16 MB, from https://github.com/shibing624/text2vec/' in told
    assert not (tmp_path / 'runs').exists() and not (tmp_path / 'data/senteval_cn/BQ').exists()


def test_a_dry_run_of_a_task_of_ones_own_needs_no_encoder(start):
    """Guards the plan on a machine that has one's data, and nothing downloaded yet."""
    process = start('--tasks', 'TOY', '--methods', 'cosent', '--models', 'roberta', '--dry_run')
    out, err = process.communicate()
    assert process.returncode == 0, err
    [row] = [line.split() for line in out.splitlines() if 'seed42' in line]
    assert row[1:] == ['counted', '40', '6', '?', '?', '?']
    assert 'First: python download.py --only roberta' in out
    # 101.7 million weights: 12 layers of 7.09 million, and 21,642 rows of 768
    told = 'roberta: size not known; its weights take 407 MB, from hf:hfl/chinese-roberta-wwm-ext'
    assert told in ' '.join(out.split())


def test_nothing_is_fetched_into_a_folder_of_ones_own(table, tmp_path, monkeypatch):
    """A task that is missing in COSENT_DATA_DIR is not downloaded into it, nor planned beside the
    tasks that are there."""
    own = tmp_path / 'own'
    shutil.copytree(tmp_path / 'data/senteval_cn/TOY', own / 'TOY')
    flags = ['--tasks', 'TOY', 'BQ', '--methods', 'cosent', '--dry_run']
    monkeypatch.setenv('COSENT_DATA_DIR', str(own))
    _, out, err = table(*flags)
    assert out == '' and f'{own}/BQ/BQ.train.data not found' in err
    assert 'download.py --only data --data_dir data/senteval_cn fetches them there' in err
    monkeypatch.setenv('COSENT_DATA_DIR', str(tmp_path / 'empty'))
    assert table(*flags)[1] == ''  # TOY is not there, and BQ alone could be fetched
    flags.remove('TOY')
    assert 'First: python download.py --only data\n' in table(*flags)[1]


def test_a_finished_run_of_other_settings_is_named(table, tmp_path):
    """A trial of one epoch does not stand in the table for good: it is told, and how to go on."""
    flags = ['--tasks', 'TOY', '--methods', 'cosent', 'interact']
    assert table(*flags, '--', '--epochs', '1')[0] == 0
    shutil.rmtree(tmp_path / 'runs' / 'TOY.bert.interact.seed42')
    code, out, err = table(*flags)
    assert code == 2 and started(out) == []
    assert 'TOY.bert.cosent.seed42: the run was started with --epochs 1, now 2; ' in err
    assert '--overwrite retrains such runs, another --runs_dir keeps them' in err
    _, out, _ = table(*flags, '--overwrite')
    assert [line.partition(', ')[0] for line in started(out)] == [
        '[1/2] TOY.bert.cosent.seed42: started',
        '[2/2] TOY.bert.interact.seed42: started',
        'the report',
    ]
    assert table(*flags, '--overwrite')[1].count('finished, skipped') == 2


def test_weights_are_not_kept_if_not_wanted(table, tmp_path):
    """Guards a disk that 32 encoders would fill."""
    flags = ['--tasks', 'TOY', '--methods', 'cosent', 'interact', '--seeds', '1', '2']
    _, out, err = table(*flags, '--keep_weights', 'none')
    assert err == ''
    assert len(list((tmp_path / 'runs').glob('*/metrics.json'))) == 4
    assert not list((tmp_path / 'runs').glob('*/best.weights.h5'))
    assert 'interact.seed1: started, 6 steps, runs left: 2, about 0:03:' in out


@pytest.mark.parametrize(
    'flags',
    [
        ['--tasks', 'TOY', '--', '--lr', 'x'],
        ['--tasks', 'TOY', '--', '--maxlen', '65'],
        ['--tasks', 'TOY', 'NONE'],
        ['--tasks', 'NONE', '--models', 'roberta'],
    ],
    ids=' '.join,
)
def test_nothing_starts_if_a_run_cannot(flags, table, tmp_path):
    """Guards flags and tasks that would be found out after the runs before, or in each of them."""
    code, out, err = table('--methods', 'cosent', 'interact', *flags)
    assert code == 2 and err.splitlines()[-1].startswith('train_table.py: error: ')
    assert not (tmp_path / 'runs').exists() and not started(out)


def test_a_stopped_table_stops_its_run_and_resumes_it(start, tmp_path):
    """Guards two trainings at once: one left behind by a stopped table, one of the next."""
    flags = ['--tasks', 'SLOW', '--methods', 'cosent']
    folder = tmp_path / 'runs' / 'SLOW.bert.cosent.seed42'
    for what, stop in (('started', signal.SIGINT), ('resumed', signal.SIGTERM)):
        process = start(*flags)
        while not (folder / 'running').exists() and process.poll() is None:
            time.sleep(0.05)
        (folder / 'running').unlink()
        process.send_signal(stop)
        out, err = process.communicate(timeout=20)  # ends only when nobody holds the pipe
        assert f'[1/1] SLOW.bert.cosent.seed42: {what}, ' in out
        assert process.returncode == 1 and err.endswith('stopped; the same command resumes\n')


def test_flags_of_the_table_are_not_passed_on(table):
    """Guards runs that land in another folder than the one looked for."""
    code, _, err = table('--tasks', 'BQ', '--', '--seed=1')
    assert code == 2 and '--seed after --' in err


def test_a_method_of_ones_own_is_a_script_and_a_row(call, tmp_path, monkeypatch):
    """A copied script with a constant more and a computed rate is planned, and has its report."""
    script = (ROOT / 'train_cosent.py').read_text('utf-8').replace('lr=2e-5', 'lr=2 * 1e-5')
    script = script.replace('SETTINGS =', 'WARMUP = 0.1\nSETTINGS =').replace("'cosent'", "'mine'")
    (tmp_path / 'train_mine.py').write_text(script, 'utf-8')
    monkeypatch.setitem(METHODS, 'mine', Method('mine', '{}+Mine'))
    monkeypatch.setattr(train_table, 'HERE', tmp_path)
    monkeypatch.chdir(tmp_path)
    _, out, _ = call('--tasks', 'BQ', '--methods', 'mine', '--dry_run')
    assert 'BQ.bert.mine.seed42' in out
    settings = train_table.settings_of(RunName('BQ', 'bert', 'mine', 1), ['--task', 'BQ'])
    assert (settings.lr, settings.maxlen, settings.method) == (2e-5, 64, 'mine')

    for split, scores in (('valid', [0.9, 0.1]), ('test', [0.8, 0.2])):
        path = tmp_path / f'runs/BQ.bert.mine.seed42/predictions.{split}.tsv'
        write_predictions(path, [1, 0], scores, [('甲', '乙'), ('丙', '丁')])
    results, _ = evaluate(list_runs(tmp_path / 'runs')[0], 'accuracy', 'powell')
    assert 'BERT+Mine' in as_text(build_sections(results, 'accuracy', 'powell', False, False, {}))

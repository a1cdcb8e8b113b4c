"""A tiny BERT and a tiny task, made once for all tests."""

import gc
import importlib.util
import os
import runpy
import sys

import pytest
from huggingface_hub import constants

os.environ.setdefault('CUDA_VISIBLE_DEVICES', '-1')  # the CPU, and no word about a GPU

import download
from cosent_tf import configure_process
from cosent_tf.cli import exit_on_error
from cosent_tf.data import SPLITS, split_path
from cosent_tools.download import fetch
from cosent_tools.report import published_figures
from tests.downloads import BERT, DATA, GOOGLE, PAIRS, senteval_cn
from tests.helpers import BROWSER, ROOT, command, exit_code, toy_flags, toy_lines, write_lines
from tests.hosts import ROBERTA, WEIGHTS, serving
from tests.reference.checkpoints import TINY_CONFIG, write_google_bert

collect_ignore = []
if importlib.util.find_spec('transformers') is None:
    collect_ignore.append('peers')  # make test-peers
if BROWSER is None:
    collect_ignore.append('browser')  # make test-browser
if os.environ['CUDA_VISIBLE_DEVICES'] == '-1':
    collect_ignore.append('gpu')  # make test-gpu


def pytest_configure(config):
    """Have TensorFlow set up before a test imports it; with -m fast, let nothing import it."""
    if 'fast' in config.option.markexpr:
        sys.modules['tensorflow'] = None
    elif not config.getoption('numprocesses', None):  # else the workers run the tests
        configure_process()


def pytest_ignore_collect(collection_path, config):
    """Leave out what imports TensorFlow already when it is collected."""
    if 'fast' in config.option.markexpr and collection_path.suffix == '.py':
        return 'pytest.mark.fast' not in collection_path.read_text('utf-8') or None
    return None


@pytest.fixture(autouse=True)
def float32():
    """A test with --precision leaves the next one its own: Keras has one policy a process."""
    yield
    if 'tf_keras' in sys.modules:
        from cosent_tf.bert.compat import keras

        keras.mixed_precision.set_global_policy('float32')


@pytest.fixture(scope='session')
def tensorflow():
    """What a test asks for that needs TensorFlow, so that -m fast skips it."""
    pytest.importorskip('tensorflow', exc_type=ImportError)


@pytest.fixture(scope='session')
def bert_dir(tensorflow, tmp_path_factory):
    folder = tmp_path_factory.mktemp('bert')
    write_google_bert(folder)
    return folder


@pytest.fixture(scope='session')
def small_bert(tensorflow, tmp_path_factory):
    """A BERT of one layer, which TensorFlow traces in half the time."""
    folder = tmp_path_factory.mktemp('small_bert')
    write_google_bert(folder, TINY_CONFIG | {'num_hidden_layers': 1})
    return folder


@pytest.fixture(scope='session')
def data_dir(tmp_path_factory):
    """The task TOY: pairs that share most of their characters are similar."""
    folder = tmp_path_factory.mktemp('data')
    for number, (split, pairs) in enumerate(zip(SPLITS, (70, 24, 24), strict=True)):
        write_lines(split_path(folder, 'TOY', split), toy_lines(pairs, seed=number))
    return folder


@pytest.fixture
def short(small_bert, data_dir, tmp_path):
    """The flags of a run below tmp_path that takes a few seconds."""
    return toy_flags(small_bert, data_dir, runs_dir=tmp_path)


@pytest.fixture
def run(tensorflow, monkeypatch, capsys):
    """Run a method's script in this process; return its exit code and what it wrote on stderr."""
    from cosent_tf.bert.compat import keras

    def run(method, flags, *more):
        keras.backend.clear_session()
        gc.collect()  # a run that failed in this process holds its folder until it is freed
        arguments = command(method, flags, *more)
        monkeypatch.setattr(sys, 'argv', arguments)
        code = exit_code(runpy.run_path, str(ROOT / arguments[0]), run_name='__main__')
        return code, capsys.readouterr().err

    return run


@pytest.fixture
def head(tensorflow, monkeypatch):
    """The initial kernel and bias of the head of the model that a script trains, once it does."""
    from cosent_tf import training
    from cosent_tf.bert.weights import model_weights

    weights, fit = [], training.fit

    def spied(model, *more):
        weights.extend(w.numpy() for n, w in model_weights(model).items() if n.startswith('head/'))
        fit(model, *more)

    monkeypatch.setattr(training, 'fit', spied)
    return weights


@pytest.fixture
def evaluate(monkeypatch, capsys):
    """Run eval_accuracy.py in this process; return its exit code, stdout and stderr."""

    def evaluate(*flags):
        monkeypatch.setattr(sys, 'argv', ['eval_accuracy.py', *map(str, flags)])
        code = exit_code(runpy.run_path, str(ROOT / 'eval_accuracy.py'), run_name='__main__')
        return code, *capsys.readouterr()

    return evaluate


@pytest.fixture
def forty_pairs(monkeypatch):
    """The published splits of valid and test are as large as those of tests.predictions."""
    monkeypatch.setattr(
        published_figures, 'PAIRS', dict.fromkeys(published_figures.PAIRS, (100, 40, 40))
    )


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A host that is the Hugging Face Hub to this process, with one model; in a folder for it."""
    with serving() as host:
        files = {file: file.encode() for file in ('config.json', 'pytorch_model.bin', 'vocab.txt')}
        host.add_model(ROBERTA, files | {'tf_model.h5': WEIGHTS})
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(constants, 'ENDPOINT', host.url)
        template = host.url + '/{repo_id}/resolve/{revision}/{filename}'
        monkeypatch.setattr(constants, 'HUGGINGFACE_CO_URL_TEMPLATE', template)
        monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'cache'))
        monkeypatch.setenv('NO_PROXY', '*')
        yield host


@pytest.fixture
def host(hub, monkeypatch):
    """Everything published, on one host, for all clients of this process."""
    hub.add_archive(DATA, senteval_cn())
    hub.add_archive(BERT, {f'chinese_L-12/{file}': GOOGLE[file] for file in GOOGLE})
    monkeypatch.setattr(download, 'PAIRS', PAIRS)
    monkeypatch.setattr(fetch, 'RETRY', fetch.RETRY.new(backoff_factor=0))
    monkeypatch.setenv('COSENT_MIRROR', hub.url)
    for variable in ('COSENT_DATA_DIR', 'COSENT_BERT_DIR', 'COSENT_ROBERTA_DIR'):
        monkeypatch.delenv(variable, raising=False)
    return hub


@pytest.fixture
def call_download(host, monkeypatch, capsys):
    """Run download.py; return its exit code and what it printed on stdout and stderr."""

    def call_download(*flags):
        monkeypatch.setattr(sys, 'argv', ['download.py', *flags])
        return exit_code(exit_on_error, download.main), *capsys.readouterr()

    return call_download

"""From an empty folder to the table: download, training, report, killed on the way."""

import os
import signal
import subprocess
import sys
import time

import pytest

from cosent_tf.data import SPLITS
from cosent_tf.methods import METHODS
from cosent_tf.published import SPEARMAN_TASKS, TASKS
from tests.downloads import BERT, DATA
from tests.helpers import ROOT, toy_lines
from tests.hosts import ROBERTA, serving
from tests.reference.checkpoints import TINY_CONFIG, write_google_bert
from tests.reference.hf_checkpoints import HF_CONFIG, write_hf_bert

ONE_LAYER = {'num_hidden_layers': 1}
KILLS = 2  # of the whole command, before it may end


@pytest.fixture
def host(tmp_path):
    """All that download.py fetches, small."""
    files = {
        f'senteval_cn/{task}/{task}.{split}.data': '\n'.join(toy_lines(48, seed=number)) + '\n'
        for task in SPEARMAN_TASKS
        for number, split in enumerate(SPLITS)
    }
    bert, roberta = tmp_path / 'google', tmp_path / 'hf'
    write_google_bert(bert, TINY_CONFIG | ONE_LAYER)
    write_hf_bert(roberta, 'tf_model.h5', HF_CONFIG | ONE_LAYER)
    with serving() as host:
        host.add_archive(DATA, files)
        inside = {f'chinese/{file.name}': file.read_bytes() for file in bert.iterdir()}
        host.add_archive(BERT, inside)
        host.add_model(ROBERTA, {file.name: file.read_bytes() for file in roberta.iterdir()})
        yield host


@pytest.mark.weekly
def test_from_nothing_to_the_table(host, tmp_path):
    """`make table` from an empty folder ends with the report, however often it is stopped."""
    home = tmp_path / 'home'
    home.mkdir()
    unset = {'COSENT_DATA_DIR', 'COSENT_BERT_DIR', 'COSENT_ROBERTA_DIR'}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {'COSENT_MIRROR': host.url, 'HF_ENDPOINT': host.url, 'NO_PROXY': '*'}
    passed = ['--epochs', '2', '--maxlen', '40', '--device', 'cpu']
    command = [sys.executable, ROOT / 'train_table.py', '--', *passed]

    def start(**pipes):
        return subprocess.Popen(
            command, cwd=home, env=environment, start_new_session=True, text=True, **pipes
        )

    for kill in range(KILLS):
        process = start(stdout=subprocess.DEVNULL)
        finished = list(home.glob('runs/*/metrics.json'))
        while process.poll() is None and not (
            list(home.glob('runs/*/state.h5'))
            and (kill == 0 or len(list(home.glob('runs/*/metrics.json'))) > len(finished))
        ):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

    out, err = start(stdout=subprocess.PIPE, stderr=subprocess.PIPE).communicate()
    assert 'error' not in err
    assert ': resumed' in out and 'download' not in out
    runs = sorted(
        folder.name for folder in home.glob('runs/*') if (folder / 'metrics.json').exists()
    )
    assert runs == sorted(
        f'{task}.{model}.{method}.seed42'
        for task in TASKS
        for model in ('bert', 'roberta')
        for method in METHODS
    )
    table = out[out.index('Test accuracy') :]
    assert 'publ. 83.24' in table and 'not run' not in table

"""What train_table.py works out before the first run starts: cost, memory, disk."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

import train_table
from cosent_tf.bert.formats import read_config
from cosent_tf.bert.pretrained import build_bert, named_weights
from cosent_tf.demo.task import make_demo_data
from cosent_tf.errors import UserError
from cosent_tf.places import find_data, find_encoder
from cosent_tools.runs import RunName
from cosent_tools.table.plan import Cost, count_weights, estimate_cost
from tests.helpers import ROOT


def test_a_fresh_clone_shows_the_whole_plan(tmp_path):
    """Before anything is fetched, a user sees what the 32 runs take: no figure is "?"."""
    done = subprocess.run(
        [sys.executable, ROOT / 'train_table.py', '--dry_run'],
        cwd=tmp_path,
        env={'PATH': os.environ['PATH'], 'TF_CPP_MIN_LOG_LEVEL': '3'},
        capture_output=True,
        text=True,
    )
    rows = [line.split() for line in done.stdout.splitlines() if 'seed42' in line]
    assert len(rows) == 32 and not [row for row in rows if '?' in row]
    [total] = [line.split() for line in done.stdout.splitlines() if line.startswith('all ')]
    # 32 files of 407 MB and a little for the predictions; LCQMC has the most tokens
    assert 32 * 407 < float(total[-1].replace(',', '')) < 32 * 415
    tokens = {row[0].partition('.')[0]: float(row[4]) for row in rows if 'bert.cosent' in row[0]}
    assert tokens == {'ATEC': 9.6, 'BQ': 13.6, 'LCQMC': 36.8, 'PAWSX': 19.0}
    for address in ('senteval_cn.zip', 'chinese_L-12_H-768_A-12.zip', 'hfl/chinese-roberta-wwm'):
        assert address in done.stdout


def test_no_room_is_told_before_the_first_run(tmp_path, monkeypatch, capsys):
    """Guards a disk that is full, or a GPU out of memory, after days."""
    monkeypatch.setattr('shutil.disk_usage', lambda _: SimpleNamespace(free=1e9))
    nvidia_smi = tmp_path / 'nvidia-smi'
    nvidia_smi.write_text('#!/bin/sh\necho 1000\necho 2000\n')
    nvidia_smi.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=os.pathsep)
    args = SimpleNamespace(runs_dir=tmp_path / 'runs', keep_weights='best')
    cost = Cost(1, 1, 1, 1, gpu=2e9, weights=100_000_000, predictions=1)
    train_table.check_room({'BQ': cost}, args)
    assert capsys.readouterr().err.startswith('GPU memory: 1.0 GB free, BQ may need 2.0 GB; ')
    with pytest.raises(train_table.RunError, match='needed'):
        train_table.check_room(dict.fromkeys('abc', cost), args)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    """Guards the reader of the error: a place for the runs, or for DEMO, that is a file."""
    (tmp_path / 'file').write_text('')
    cost = Cost(1, 1, 1, 1, gpu=1, weights=1, predictions=1)
    args = SimpleNamespace(runs_dir=tmp_path / 'file' / 'runs', keep_weights='best')
    for act in (
        lambda: train_table.check_room({'BQ': cost}, args),
        lambda: make_demo_data(tmp_path / 'file'),
    ):
        with pytest.raises(train_table.RunError, match=r'file.*: cannot be written: '):
            act()


def test_the_command_that_fetches_can_be_pasted(tmp_path):
    """Guards a folder with a space in its name, which would become two words."""
    flags = ['--task', 'BQ', '--data_dir', 'my data', '--bert_dir', str(tmp_path)]
    with pytest.raises(UserError, match="--only data --data_dir 'my data' fetches them"):
        find_data(train_table.settings_of(RunName('BQ', 'bert', 'cosent', 42), flags))


def test_the_memory_of_a_plan_is_that_of_a_step(small_bert, data_dir):
    """Guards a warning of a GPU too small for what --micro_batch or the CPU will do."""
    memory = []
    for more in ([], ['--micro_batch', '4'], ['--device', 'cpu']):
        flags = ['--task', 'TOY', '--bert_dir', str(small_bert), '--data_dir', str(data_dir), *more]
        settings = train_table.settings_of(RunName('TOY', 'bert', 'cosent', 42), flags)
        find_data(settings)
        find_encoder(settings)
        memory.append(estimate_cost(settings).gpu)
    assert memory[0] > memory[1] > memory[2] == 0


def test_the_weights_of_a_plan_are_those_of_the_model(small_bert):
    """Guards a plan whose disk and memory are those of another model."""
    weights = named_weights(build_bert(small_bert, maxlen=8)).values()
    assert count_weights(read_config(small_bert)) == sum(w.shape.num_elements() for w in weights)

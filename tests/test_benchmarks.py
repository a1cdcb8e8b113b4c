"""The benchmarks on a tiny case: that they still run, and what they write."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from cosent_tf.cli import exit_on_error
from tests.helpers import ROOT, exit_code

pytestmark = pytest.mark.weekly

TINY = '--task TOY --layers 1 --hidden 24 --inner 48 --batch_size 16 --maxlen 40 --data_dir {}'

# The file that each command writes.
COMMANDS = {
    'train_throughput': f'train_throughput --steps 2 {TINY}',
    'train_scaling': f'train_throughput --scaling 20 40 {TINY}',
    'eval_throughput': f'eval_throughput {TINY}',
    'input_pipeline': f'input_pipeline {TINY}',
    'allocator': f'allocator --steps 2 {TINY}',
    'micro_batch': f'micro_batch --batch_sizes 16 --micro_batch 8 --most_whole 8 {TINY}',
    'loss_scaling': 'loss_scaling --pairs 4096',  # more than fits into memory freed before
    'threshold_search': 'threshold_search --pairs 100',
}


@pytest.mark.parametrize('name', COMMANDS)
def test_a_benchmark_measures_and_writes(name, data_dir, tmp_path, monkeypatch):
    """Guards the commands of docs/speed.md against a change of what they call."""
    arguments = [*COMMANDS[name].format(data_dir).split(), '--rounds', '1']
    monkeypatch.setattr(sys, 'argv', arguments)
    monkeypatch.setattr('benchmarks.train_throughput.MATRIX', 64)
    monkeypatch.setenv('PYTHONPATH', str(ROOT))  # of workers
    monkeypatch.chdir(tmp_path)
    importlib.import_module(f'benchmarks.{arguments[0]}').main()
    result = json.loads(Path(f'build/benchmarks/{name}.json').read_text('utf-8'))
    assert result['machine']['cores'] >= 1 and result['settings']
    for row in result['rows']:
        assert all(value > 0 for value in row.values() if isinstance(value, float))


def test_the_coverage_of_intervals_is_measured(tmp_path, monkeypatch):
    """Guards the table of docs/comparison.md: shares of draws, in percent."""
    monkeypatch.setattr(sys, 'argv', 'coverage --seeds 3 --sds 0.3 --draws 20'.split())
    monkeypatch.chdir(tmp_path)
    importlib.import_module('benchmarks.coverage').main()
    [row] = json.loads(Path('build/benchmarks/coverage.json').read_text('utf-8'))['rows']
    assert row['seeds'] == 3 and 50 < row['training %'] <= 100
    assert 70 <= row['accuracy %'] <= 100 and 30 <= row['bootstrap %'] <= 100


@pytest.mark.parametrize('module', ['peers', 'tensorflow_worker'])
def test_what_needs_the_peers_can_be_imported(module):
    """Guards `make bench-peers`, whose peers are not installed for the tests."""
    importlib.import_module(f'benchmarks.{module}')


def test_the_gpu_benchmark_measures_every_case(tmp_path, monkeypatch, capsys):
    """Guards the one measurement on a GPU, whose machine may be there for minutes only."""
    from benchmarks import gpu

    monkeypatch.setattr(sys, 'argv', ['gpu.py'])
    monkeypatch.chdir(tmp_path)
    assert exit_code(exit_on_error, gpu.main) == 1
    assert 'TensorFlow sees no GPU here' in capsys.readouterr().err

    sizes = {'vocab_size': 50, 'hidden_size': 24, 'intermediate_size': 48}
    monkeypatch.setattr(gpu, 'SIZES', {**gpu.SIZES, **sizes, 'num_hidden_layers': 1})
    monkeypatch.setattr(gpu, 'CASES', [(4,), (True, False), ('fp32', 'bf16'), (False,)])
    monkeypatch.setattr(gpu, 'MATRIX', 64)
    monkeypatch.setattr(gpu.tf.config, 'list_physical_devices', lambda _: ['a GPU'])
    monkeypatch.setattr(gpu, 'reset_memory', lambda: None)
    monkeypatch.setattr(gpu, 'memory', lambda: 2e9)
    gpu.main()
    rows = json.loads(Path('build/benchmarks/gpu.json').read_text('utf-8'))['rows']
    assert len(rows) == 4
    assert all(
        row['batch'] == 4 and row['tokens/s'] > 0 and row['memory (GB)'] == 2 for row in rows
    )

"""The benchmarks on a tiny case: that they still run, and what they write."""

import importlib
import json
import sys
from pathlib import Path

import pytest

TINY = '--task TOY --layers 1 --hidden 24 --inner 48 --batch_size 16 --maxlen 40 --data_dir {}'

# The file that each command writes.
COMMANDS = {
    'train_throughput': f'train_throughput --steps 2 {TINY}',
    'train_scaling': f'train_throughput --scaling 20 40 {TINY}',
    'eval_throughput': f'eval_throughput {TINY}',
    'input_pipeline': f'input_pipeline {TINY}',
    'micro_batch': f'micro_batch --batch_sizes 16 --micro_batch 8 --most_whole 8 {TINY}',
    'loss_scaling': 'loss_scaling --pairs 32 --width 8',
    'threshold_search': 'threshold_search --pairs 100',
}


@pytest.mark.parametrize('name', COMMANDS)
def test_a_benchmark_measures_and_writes(name, data_dir, tmp_path, monkeypatch):
    """Guards the commands of docs/speed.md against a change of what they call."""
    arguments = [*COMMANDS[name].format(data_dir).split(), '--rounds', '1']
    monkeypatch.setattr(sys, 'argv', arguments)
    monkeypatch.setattr('benchmarks.train_throughput.MATRIX', 64)
    monkeypatch.chdir(tmp_path)
    importlib.import_module(f'benchmarks.{arguments[0]}').main()
    result = json.loads(Path(f'build/benchmarks/{name}.json').read_text('utf-8'))
    assert result['machine']['cores'] >= 1 and result['settings']
    for row in result['rows']:
        assert all(value > 0 for value in row.values() if isinstance(value, float))


@pytest.mark.parametrize('module', ['peers', 'tensorflow_worker'])
def test_what_needs_the_peers_can_be_imported(module):
    """Guards `make bench-peers`, whose peers are not installed for the tests."""
    importlib.import_module(f'benchmarks.{module}')

"""The benchmarks on a tiny case: that they still run, and what they write."""

import importlib
import json
import sys
from pathlib import Path

import pytest

TINY = '--layers 1 --hidden 24 --inner 48 --batch_size 16 --maxlen 40 --rounds 1'
COMMANDS = {
    'train_throughput': f'{TINY} --steps 2',
    'train_scaling': f'{TINY} --scaling 20 40',
    'eval_throughput': TINY,
    'input_pipeline': TINY,
    'loss_scaling': '--pairs 32 --width 8 --rounds 1',
    'threshold_search': '--pairs 100 --rounds 1',
}
MODULES = {'train_scaling': 'train_throughput'}


@pytest.mark.parametrize('name', COMMANDS)
def test_a_benchmark_measures_and_writes(name, data_dir, tmp_path, monkeypatch):
    """Guards the commands of the README's speed section against a change of what they call."""
    module = MODULES.get(name, name)
    flags = COMMANDS[name].split()
    if TINY in COMMANDS[name]:
        flags += ['--data_dir', str(data_dir), '--task', 'TOY']
    monkeypatch.setattr(sys, 'argv', [f'{module}.py', *flags])
    monkeypatch.setattr('benchmarks.train_throughput.MATRIX', 64)
    monkeypatch.chdir(tmp_path)
    importlib.import_module(f'benchmarks.{module}').main()
    result = json.loads(Path(f'build/benchmarks/{name}.json').read_text('utf-8'))
    assert result['machine']['cores'] >= 1 and result['settings']
    for row in result['rows']:
        assert all(value > 0 for value in row.values() if isinstance(value, float))


@pytest.mark.parametrize('module', ['peers', 'tensorflow_worker'])
def test_what_needs_the_peers_can_be_imported(module):
    """Guards `make bench-peers`, whose peers are not installed for the tests."""
    importlib.import_module(f'benchmarks.{module}')

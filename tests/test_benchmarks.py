"""The benchmarks run on a tiny case, and write their results."""

import importlib
import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

from cosent_tf.cli import exit_on_error
from tests.helpers import ROOT, exit_code

TINY = '--task TOY --bert 1x24 --batch_size 16 --maxlen 40 --data_dir {}'

# The file that each command writes.
COMMANDS = {
    'train_throughput': f'train_throughput --steps 2 {TINY}',
    'micro_batch': f'micro_batch --batch_sizes 16 --micro_batch 8 --most_whole 8 {TINY}',
}


@pytest.mark.fast
def test_a_measurement_is_not_lost_for_a_library_that_is_not_there(tmp_path, monkeypatch):
    """What has been measured is written, where openvino, which is optional, is not installed."""
    from benchmarks import common

    monkeypatch.setattr(common, 'LIBRARIES', ('numpy', 'a-library-of-no-name'))
    monkeypatch.chdir(tmp_path)
    common.report('name', 'title', [{'pairs/s': 3.0}], {'rounds': 1})
    result = json.loads(Path('build/benchmarks/name.json').read_text('utf-8'))
    assert result['machine']['a-library-of-no-name'] == 'not installed'
    assert result['machine']['numpy'] == metadata.version('numpy')
    assert result['rows'] == [{'pairs/s': 3.0}]


@pytest.mark.weekly
@pytest.mark.parametrize('name', COMMANDS)
def test_a_benchmark_measures_and_writes(name, data_dir, tmp_path, monkeypatch):
    """Each benchmark runs and writes its machine, settings and positive rates."""
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


@pytest.mark.weekly
def test_the_coverage_of_intervals_is_measured(tmp_path, monkeypatch):
    """benchmarks.coverage prints a row with the share of covering intervals in percent."""
    monkeypatch.setattr(sys, 'argv', 'coverage --seeds 3 --sds 0.3 --draws 20'.split())
    monkeypatch.chdir(tmp_path)
    importlib.import_module('benchmarks.coverage').main()
    [row] = json.loads(Path('build/benchmarks/coverage.json').read_text('utf-8'))['rows']
    assert row['seeds'] == 3 and 50 < row['training %'] <= 100
    assert 70 <= row['accuracy %'] <= 100 and 30 <= row['bootstrap %'] <= 100


@pytest.mark.weekly
@pytest.mark.parametrize('module', ['peers', 'tensorflow_worker'])
def test_what_needs_the_peers_can_be_imported(module):
    """The modules of `make bench-peers` import without the peers installed."""
    importlib.import_module(f'benchmarks.{module}')


@pytest.mark.weekly
def test_the_gpu_benchmark_measures_every_case(tmp_path, monkeypatch, capsys):
    """The GPU benchmark writes a row for each case, and without a GPU is an error."""
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

"""hf:NAME through huggingface_hub, with a cache and without a network: make test-peers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reference.hf_checkpoints import write_hf_bert

ROOT = Path(__file__).parent.parent.parent
COMMIT = '0123456789abcdef0123456789abcdef01234567'
SHOW = (
    'import sys; from cosent_tf import cli, sources;'
    'cli.exit_on_error(lambda: print(sources.find_source(sys.argv[1]).bert_dir))'
)


def find(name, home):
    """Run in a process of its own, as the hub's settings are read when it is imported."""
    nowhere = {'HF_HOME': str(home), 'HF_ENDPOINT': 'http://127.0.0.1:9', 'NO_PROXY': '*'}
    command = [sys.executable, '-c', SHOW, name]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | nowhere, capture_output=True, text=True
    )


@pytest.mark.parametrize('file', ['model.safetensors', 'tf_model.h5', 'pytorch_model.bin'])
def test_a_cached_model_is_used_without_a_network(file, tmp_path):
    """Guards clusters without network: what was downloaded before is found, in any format."""
    cache = tmp_path / 'hub' / 'models--bert-base-chinese'
    write_hf_bert(cache / 'snapshots' / COMMIT, file)
    (cache / 'refs').mkdir()
    (cache / 'refs' / 'main').write_text(COMMIT)
    done = find('hf:bert-base-chinese', tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f'{cache}/snapshots/{COMMIT}\n'


@pytest.mark.parametrize('name', ['bert-base-chinese', 'no such name'])
def test_without_a_network_the_way_by_hand_is_told(name, tmp_path):
    """Guards the first command of a new user on such a machine: one line, with what to fetch."""
    done = find(f'hf:{name}', tmp_path)
    assert done.returncode == 2 and done.stderr.count('\n') == 1, done.stderr
    assert re.search(r'cannot be downloaded .*by hand: put config.json, vocab.txt', done.stderr)
    assert f'https://huggingface.co/{name}' in done.stderr

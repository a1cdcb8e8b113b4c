"""hf:NAME through huggingface_hub, with a cache and without a network: make test-peers."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.utils import filter_repo_objects

from cosent_tf.bert.settings import TokenizerSettings, read_tokenizer_settings
from cosent_tf.bert.sources import find_source
from tests.reference.hf_checkpoints import write_hf_bert

ROOT = Path(__file__).parent.parent.parent
COMMIT = '0123456789abcdef0123456789abcdef01234567'
SHOW = (
    'import sys; from cosent_tf import cli; from cosent_tf.bert import sources;'
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
    """Without a network, hf:NAME finds what transformers has downloaded, in any format."""
    cache = tmp_path / 'hub' / 'models--bert-base-chinese'
    write_hf_bert(cache / 'snapshots' / COMMIT, file)
    (cache / 'refs').mkdir()
    (cache / 'refs' / 'main').write_text(COMMIT)
    done = find('hf:bert-base-chinese', tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f'{cache}/snapshots/{COMMIT}\n'


@pytest.mark.parametrize('name', ['bert-base-chinese', 'no such name'])
def test_without_a_network_the_way_by_hand_is_told(name, tmp_path):
    """Without a network and cache, hf:NAME is a one-line error with what to fetch."""
    done = find(f'hf:{name}', tmp_path)
    assert done.returncode == 2 and done.stderr.count('\n') == 1, done.stderr
    assert re.search(r'cannot be downloaded .*by hand: put config.json, vocab.txt', done.stderr)
    assert f'https://huggingface.co/{name}' in done.stderr


def test_what_is_downloaded_says_how_to_use_it(tmp_path, monkeypatch):
    """hf:NAME also downloads the files with pooling and lower-casing."""
    hub, folder = tmp_path / 'hub', tmp_path / 'folder'
    write_hf_bert(hub, 'model.safetensors')
    kinds = ('Transformer', 'Pooling')
    files = {
        'modules.json': [
            {'path': f'1_{kind}' * i, 'type': f'sentence_transformers.models.{kind}'}
            for i, kind in enumerate(kinds)
        ],
        '1_Pooling/config.json': {'pooling_mode': 'mean'},
        'tokenizer_config.json': {'do_lower_case': False, 'model_max_length': 50},
    }
    for name, content in files.items():
        (hub / name).parent.mkdir(exist_ok=True)
        (hub / name).write_text(json.dumps(content), encoding='utf-8')

    def download(_, revision, allow_patterns):
        names = [path.relative_to(hub).as_posix() for path in hub.rglob('*') if path.is_file()]
        for name in filter_repo_objects(names, allow_patterns=allow_patterns):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(hub / name, folder / name)
        return folder

    monkeypatch.setattr(huggingface_hub, 'snapshot_download', download)
    source = find_source('hf:someone/encoder')
    assert (source.pooling, source.maxlen) == ('mean', 50)
    assert read_tokenizer_settings(source.bert_dir) == TokenizerSettings(False, False, True)

"""hf:NAME against a host on loopback that plays the Hugging Face Hub."""

import json

import pytest
from huggingface_hub import constants

from cosent_tf.bert.sources import bert_folder, encoder_name, hub_name
from cosent_tf.errors import UserError
from cosent_tools.download import fetch
from tests.helpers import read_json, toy_flags
from tests.hosts import COMMIT, HALF, ROBERTA, WEIGHTS
from tests.reference.hf_checkpoints import HF_CONFIG, write_hf_bert

pytestmark = pytest.mark.fast

FILES = dict.fromkeys(('config.json', 'vocab.txt', 'model.safetensors'), b'{}')


def test_a_model_of_the_hub_is_fetched_once(hub):
    """hf:NAME fetches one kind of weights, and without a network finds them again."""
    folder = bert_folder(f'hf:{ROBERTA}')
    assert {path.name for path in folder.iterdir()} == {'config.json', 'vocab.txt', 'tf_model.h5'}
    assert (folder / 'tf_model.h5').read_bytes() == WEIGHTS
    assert hub.ranges(hub.cdn()) == [None]
    hub.stop()
    assert bert_folder(f'hf:{ROBERTA}') == folder


def test_weights_in_parts_are_fetched_with_all_their_parts(hub):
    """hf:NAME of a model in several files brings the index and every part, nothing else."""
    parts = {f'model-0000{i}-of-00002.safetensors': bytes([i]) for i in (1, 2)}
    index = json.dumps({'weight_map': {str(i): name for i, name in enumerate(parts)}}).encode()
    files = FILES | parts | {'model.safetensors.index.json': index, 'flax_model.msgpack': b'{}'}
    del files['model.safetensors']
    hub.add_model('a/b', files)
    folder = bert_folder('hf:a/b')
    assert {path.name for path in folder.iterdir()} == files.keys() - {'flax_model.msgpack'}


def test_a_revision_of_the_hub_is_the_one_asked_for(hub):
    """hf:NAME@REVISION is that branch, tag or commit, whatever main is; its commit is known."""
    older = f'{1:040x}'
    hub.add_model('a/b', FILES | {'config.json': b'old'}, older, 'v1')
    hub.add_model('a/b', FILES)
    for name in ('hf:a/b@v1', f'hf:a/b@{older}'):
        folder = bert_folder(name)
        assert (folder / 'config.json').read_bytes() == b'old'
        assert hub_name(folder) == f'hf:a/b@{older}'
    folder = bert_folder('hf:a/b')
    assert (folder / 'config.json').read_bytes() == b'{}'
    assert hub_name(folder) == f'hf:a/b@{COMMIT}' and encoder_name(folder) == 'a/b'
    with pytest.raises(UserError, match='a/b@v2 cannot be downloaded'):
        bert_folder('hf:a/b@v2')


def test_a_run_goes_on_when_main_has_moved(hub, run, tmp_path, data_dir):
    """--resume takes the revision that the run was started from, and config.json names it."""
    write_hf_bert(tmp_path / 'bert', 'model.safetensors', HF_CONFIG | {'num_hidden_layers': 1})
    files = {path.name: path.read_bytes() for path in (tmp_path / 'bert').iterdir()}
    hub.add_model('a/b', files)
    flags = toy_flags('hf:a/b', data_dir, runs_dir='runs', epochs=1)
    assert run('cosent', flags)[0] == 0
    config = tmp_path / 'runs/TOY.bert.cosent.seed42/config.json'
    assert read_json(config)['hub'] == f'hf:a/b@{COMMIT}'
    hub.add_model('a/b', files | {'vocab.txt': b'another'}, f'{1:040x}')
    assert run('cosent', flags, '--resume')[0] == 0
    code, message = run('cosent', flags | {'bert_dir': 'hf:a/b@main'}, '--resume')
    assert code == 2 and f'snapshots/{COMMIT}, now ' in message


def test_a_model_of_the_hub_goes_on_after_a_cut(hub, monkeypatch):
    """hf:NAME continues after a broken connection."""
    monkeypatch.setattr('huggingface_hub.file_download.time.sleep', lambda _: None)
    monkeypatch.setattr(constants, 'DOWNLOAD_CHUNK_SIZE', fetch.CHUNK)
    hub.at_byte[hub.cdn()] = (HALF, lambda _: None)
    folder = bert_folder(f'hf:{ROBERTA}')
    assert (folder / 'tf_model.h5').read_bytes() == WEIGHTS
    assert hub.ranges(hub.cdn()) == [None, f'bytes={HALF}-']


HUB_FAILURES = {
    'no such model': lambda hub: hub.json.clear(),
    'no such file': lambda hub: hub.statuses.update({hub.cdn(): 404}),
    'out of order': lambda hub: hub.statuses.update({hub.cdn(): 500}),
    'wrong size': lambda hub: hub.files.update({hub.cdn(): WEIGHTS[:-1]}),
    'cut for ever': lambda hub: hub.cut_for_ever(hub.cdn()),
    'nobody there': lambda hub: hub.stop(),
}


@pytest.mark.parametrize('case', HUB_FAILURES)
def test_a_model_that_cannot_be_had_is_one_line(case, hub, monkeypatch):
    """A failure of the Hub is a one-line error."""
    monkeypatch.setattr('huggingface_hub.file_download.time.sleep', lambda _: None)
    HUB_FAILURES[case](hub)
    with pytest.raises(UserError, match=r'cannot be downloaded .*by hand: put config') as error:
        bert_folder(f'hf:{ROBERTA}')
    assert '\n' not in str(error.value)

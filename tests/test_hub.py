"""hf:NAME against a host on loopback that plays the Hugging Face Hub."""

import json

import pytest
from huggingface_hub import constants

from cosent_tf.bert.sources import bert_folder
from cosent_tf.errors import UserError
from cosent_tools.download import fetch
from tests.hosts import HALF, ROBERTA, WEIGHTS


def test_a_model_of_the_hub_is_fetched_once(hub):
    """Guards hf:NAME: the weights there are, and none of the second kind; then from the cache."""
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
    files = dict.fromkeys(('config.json', 'vocab.txt', 'flax_model.msgpack'), b'{}')
    files |= parts | {'model.safetensors.index.json': index}
    hub.add_model('a/b', files)
    folder = bert_folder('hf:a/b')
    assert {path.name for path in folder.iterdir()} == files.keys() - {'flax_model.msgpack'}


def test_a_model_of_the_hub_goes_on_after_a_cut(hub, monkeypatch):
    """Guards hf:NAME over a bad line."""
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
    """Guards hf:NAME against a traceback of its client."""
    monkeypatch.setattr('huggingface_hub.file_download.time.sleep', lambda _: None)
    HUB_FAILURES[case](hub)
    with pytest.raises(UserError, match=r'cannot be downloaded .*by hand: put config') as error:
        bert_folder(f'hf:{ROBERTA}')
    assert '\n' not in str(error.value)

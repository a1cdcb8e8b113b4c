"""The training scripts wrongly used: one clear line that says what to do."""

import os
import re
import shutil
import sys

import pytest

import train_table
from cosent_tf.bert.compat import tf
from cosent_tf.errors import UserError
from tests.helpers import change_json


def test_a_gpu_that_tensorflow_does_not_see_is_an_error(short, run, tmp_path, monkeypatch):
    """A GPU that TensorFlow does not see is an error, except with --device cpu."""
    nvidia_smi = tmp_path / 'bin' / 'nvidia-smi'
    nvidia_smi.parent.mkdir()
    nvidia_smi.touch(mode=0o755)
    monkeypatch.setenv('PATH', str(nvidia_smi.parent), prepend=os.pathsep)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES')
    code, message = run('cosent', short)
    assert code == 2 and message.count('\n') == 1
    assert "pip install 'tensorflow[and-cuda]==" in message and '--device cpu' in message
    called = []
    monkeypatch.setattr(tf.config, 'set_visible_devices', lambda *devices: called.append(devices))
    monkeypatch.setattr('cosent_tf.distribution.use_strategy', lambda _: sys.exit('goes on'))
    assert run('cosent', short, '--device', 'cpu') == ('goes on', '')
    assert called == [([], 'GPU')]


@pytest.mark.parametrize(
    ('flags', 'model'),
    [
        ([], 'bert'),
        (['--model', 'roberta'], 'roberta'),
        (['--bert_dir', 'models/e5-small.zh/'], 'e5-small-zh'),
        (['--bert_dir', 'hf:hfl/chinese-macbert-base'], 'chinese-macbert-base'),
        (['--bert_dir', 'hf:bert-base-chinese@main'], 'bert'),
        (['--bert_dir', 'x/chinese_roberta_wwm_ext_L-12_H-768_A-12'], 'roberta'),
        (['--bert_dir', 'models/e5', '--model', 'mine'], 'mine'),
    ],
)
def test_a_run_is_named_after_its_encoder(flags, model):
    """Another encoder is not reported as "BERT" because --model was left out."""
    name = train_table.RunName('BQ', 'bert', 'cosent', 42)
    assert train_table.settings_of(name, ['--task', 'BQ', *flags]).model == model


def test_a_folder_without_a_usable_name_asks_for_one():
    """A folder whose name no run can have is an error before anything is read."""
    name = train_table.RunName('BQ', 'bert', 'cosent', 42)
    with pytest.raises(UserError, match='--model NAME'):
        train_table.settings_of(name, ['--task', 'BQ', '--bert_dir', '模型'])


WRONG_FLAGS = {
    'no such task': ({'task': 'BQQ'}, r'BQQ.train.data not found: .*ATEC, BQ, LCQMC.*--task DEMO'),
    'no such encoder': ({'bert_dir': 'nowhere'}, 'nowhere not found: .*bert_config.json'),
    'maxlen beyond the positions': ({'maxlen': '65'}, '64 positions'),
    'task that is no name': ({'task': '../x'}, 'no name for a run'),
}


@pytest.mark.parametrize('case', WRONG_FLAGS)
def test_wrong_usage_is_one_clear_line(case, short, run):
    """A wrong flag or missing file is one line: what was looked for, and how to get it."""
    change, expected = WRONG_FLAGS[case]
    code, message = run('cosent', short | change)
    assert code == 2 and message.count('\n') == 1
    assert re.search(expected, message), message


CONFIG = 'bert_config.json'
BROKEN_BERTS = {
    'config of another size': (
        lambda f: change_json(f / CONFIG, hidden_size=64),
        'word_embeddings',
    ),
    'config with more layers': (
        lambda f: change_json(f / CONFIG, num_hidden_layers=2),
        'layer_1',
    ),
    'other vocabulary': (lambda f: change_json(f / CONFIG, vocab_size=7), 'vocab_size'),
    'no JSON': (lambda f: (f / CONFIG).write_text('{'), r'bert_config.json:1'),
    'no config': (lambda f: (f / CONFIG).unlink(), 'bert_config.json: cannot be read'),
    'no weights': (lambda f: (f / 'bert_model.ckpt.index').unlink(), 'bert_model.ckpt'),
    'cut weights': (
        lambda f: (f / 'bert_model.ckpt.data-00000-of-00001').write_bytes(b'x' * 100),
        'bert_model.ckpt',
    ),
    'no vocabulary of a BERT': (lambda f: (f / 'vocab.txt').write_text('a\n'), 'vocab'),
}


@pytest.mark.parametrize('case', BROKEN_BERTS)
def test_a_broken_encoder_is_one_clear_line(case, short, run, small_bert, tmp_path):
    """A BERT of mismatched files is a one-line error that names the weight or file."""
    breaks, expected = BROKEN_BERTS[case]
    folder = shutil.copytree(small_bert, tmp_path / 'broken')
    breaks(folder)
    code, message = run('cosent', short | {'bert_dir': str(folder)})
    assert code == 2 and message.count('\n') == 1 and expected in message

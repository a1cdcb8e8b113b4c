"""How tokens become a vector: by setting or by default; the poolers of SimBERT and SimCSE."""

import itertools
import sys

import h5py
import numpy as np
import pytest
from safetensors.numpy import load_file

import encode
import export
from cosent_tf import load_encoder, load_scorer
from cosent_tf.bert.compat import tf
from cosent_tf.bert.pretrained import load_bert
from cosent_tf.bert.vectors import PooledVector
from cosent_tf.data import tokenize_texts
from cosent_tf.errors import UserError
from cosent_tf.predictions import read_predictions
from cosent_tf.training import EndOfEpoch
from tests.handmade import CONFIG, TEXTS, write_run
from tests.helpers import assert_close, change_json, losses
from tests.reference.checkpoints import TINY_CONFIG, write_google_bert
from tests.reference.hf_checkpoints import HF_CONFIG, write_hf_bert
from tests.reference.numpy_bert import bert_cls, bert_pooled

TOLERANCE = 1e-4  # float32 rounding through a layer or two, with weights ten times the usual ones
POOLERS = {'pooler': np.tanh, 'pooler_linear': lambda x: x}
ONE_LAYER = TINY_CONFIG | {'num_hidden_layers': 1}
IDS = np.array([[2, *range(20, 40), 3], [2, 30, 3] + 19 * [0]], np.int32)


def pooled(weights, pooling='pooler', ids=IDS, config=HF_CONFIG):
    return bert_pooled(weights, config, ids, 0 * ids, ids > 0, POOLERS[pooling])


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


FORMATS = {
    'Google': lambda folder: write_google_bert(folder, pooler=True),
    'Hugging Face': lambda folder: write_hf_bert(folder, 'model.safetensors'),
    # a BertForPreTraining, whose names all begin with `bert.`
    'Hugging Face, 2019': lambda folder: write_hf_bert(folder, 'model.safetensors', legacy=True),
    'Keras': lambda folder: write_hf_bert(folder, 'tf_model.h5'),
}


@pytest.mark.parametrize('pooling', POOLERS)
@pytest.mark.parametrize('file', FORMATS)
def test_the_pooler_is_that_of_every_format(file, pooling, tmp_path):
    """SimBERT's and SimCSE's vectors are those of the equations: dense, and tanh or nothing."""
    weights = FORMATS[file](tmp_path)
    bert = load_bert(tmp_path, maxlen=64, pooling=pooling)
    expected = pooled(weights, pooling)
    assert_close(bert.model([IDS, 0 * IDS]).numpy(), expected, TOLERANCE)
    assert np.abs(expected - bert_cls(weights, HF_CONFIG, IDS, 0 * IDS, IDS > 0)).max() > 0.5


@pytest.mark.parametrize('options', [{}, {'keep_padding': True}, {'jit': True}])
def test_the_pooler_is_behind_every_way_of_encoding(options, tmp_path):
    """Packed, padded or compiled: the same vectors, and the pooler gets its gradient."""
    weights = write_google_bert(tmp_path, ONE_LAYER, pooler=True)
    layer = PooledVector(load_bert(tmp_path, maxlen=64, pooling='pooler'), **options)
    with tf.GradientTape() as tape:
        vectors = layer(tf.constant(IDS), training=True)
    kernel = layer.named_weights['bert/pooler/dense/kernel']
    assert_close(vectors.numpy(), pooled(weights, config=CONFIG), TOLERANCE)
    assert np.abs(tape.gradient(vectors, kernel)).max() > 0.1


@pytest.mark.parametrize('backend', ['tensorflow', 'openvino'])
@pytest.mark.parametrize('pooling', POOLERS)
def test_pooling_and_maxlen_of_a_folder_can_be_said(pooling, backend, tmp_path):
    """encode and the scorer take what is said, on both backends, whatever the folder says."""
    if backend == 'openvino':
        pytest.importorskip('openvino')
    write_hf_bert(tmp_path, 'model.safetensors', CONFIG)
    (tmp_path / 'modules.json').write_text('[]')  # which is an error where it is asked
    how = {'pooling': pooling, 'maxlen': 7, 'backend': backend}
    encoder = load_encoder(tmp_path, **how)
    rows, index = tokenize_texts(encoder.tokenizer, TEXTS, 7)
    ids = rows.padded(np.arange(len(rows)))
    assert ids.shape[1] == 7
    weights = write_hf_bert(tmp_path / 'same', 'model.safetensors', CONFIG)
    expected = pooled(weights, pooling, ids, CONFIG)[index]
    assert_close(encoder.encode(TEXTS, normalize=False), expected, TOLERANCE)
    expected = unit(expected)
    pairs = [*itertools.pairwise(TEXTS)]
    cosines = (expected[:-1] * expected[1:]).sum(axis=1)
    assert_close(load_scorer(tmp_path, **how)(pairs), cosines, TOLERANCE)


ASSUMED = {  # what is said → what is told
    (): 'assuming [CLS] pooling and 64 tokens per text, as there is no modules.json;',
    ('pooling',): 'assuming 64 tokens per text, as',
    ('maxlen',): 'assuming [CLS] pooling, as',
    ('pooling', 'maxlen'): None,
}


@pytest.mark.parametrize('said', ASSUMED)
def test_what_is_assumed_is_told_once(said, small_bert, tmp_path, capsys):
    """m3e or e5 copied without modules.json has [CLS] vectors no more without a word."""
    folder = tmp_path / 'encoder'
    folder.symlink_to(small_bert)
    how = {name: value for name, value in {'pooling': 'mean', 'maxlen': 16}.items() if name in said}
    load_scorer(folder, **how)
    load_encoder(folder, **how)
    told = capsys.readouterr().err
    if ASSUMED[said] is None:
        assert told == ''
    else:
        assert told.startswith(f'{folder}: {ASSUMED[said]}') and told.count('\n') == 1
        assert '--pooling and --maxlen (in Python pooling= and maxlen=)' in told


def test_a_folder_that_says_how_it_is_used_is_quiet(tmp_path, capsys):
    """A folder of sentence-transformers has a pooler beside the mean it uses: nothing is lost."""
    write_hf_bert(tmp_path, 'model.safetensors', CONFIG)
    kinds = ('Transformer', 'Pooling')
    paths = ('', '1_Pooling')
    modules = ', '.join(
        f'{{"path": "{path}", "type": "sentence_transformers.models.{kind}"}}'
        for path, kind in zip(paths, kinds, strict=True)
    )
    (tmp_path / 'modules.json').write_text(f'[{modules}]')
    (tmp_path / '1_Pooling').mkdir()
    (tmp_path / '1_Pooling' / 'config.json').write_text('{"pooling_mode_mean_tokens": true}')
    assert load_encoder(tmp_path).pooling == 'mean'
    assert capsys.readouterr().err == ''


def test_a_pooler_that_is_not_used_is_told_once(tmp_path, capsys):
    """SimBERT's pooler is dropped no more without a word, in training or in use."""
    write_google_bert(tmp_path, ONE_LAYER, pooler=True)
    for _ in range(2):
        load_bert(tmp_path, maxlen=8)
    told = capsys.readouterr().err
    assert told.startswith(f'{tmp_path}: it has a pooler, which is not used; --pooling pooler')
    assert told.count('\n') == 1
    load_bert(tmp_path, maxlen=8, pooling='pooler')
    assert capsys.readouterr().err == ''


def test_wrong_poolings_are_refused_in_one_line(small_bert, tmp_path):
    """A checkpoint without pooler, a run that has its own pooling, and a word that is none."""
    with pytest.raises(UserError, match=r'bert/pooler/dense/\w+ is missing, but the pooling asks'):
        load_encoder(small_bert, 'pooler')
    with pytest.raises(UserError, match="one of cls, mean, pooler, pooler_linear, not 'max'"):
        load_encoder(small_bert, 'max')
    with pytest.raises(UserError, match='maxlen must be an integer of at least 3, not 2'):
        load_encoder(small_bert, maxlen=2)
    for case in ('cosent', 'interact'):
        write_run(tmp_path / case, small_bert, case)
        for how in ({'pooling': 'cls'}, {'maxlen': 40}):
            with pytest.raises(UserError, match='a run keeps the pooling and maxlen') as error:
                load_scorer(tmp_path / case, **how)
            assert '\n' not in str(error.value)
    change_json(
        tmp_path / 'cosent' / 'config.json',
        arguments={'bert_dir': str(small_bert), 'maxlen': 40, 'method': 'cosent', 'pooling': 'max'},
    )
    with pytest.raises(UserError, match="not the arguments of a run: pooling is 'max'"):
        load_scorer(tmp_path / 'cosent')


def call(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['script', *map(str, arguments)])
    script.main()


def test_the_scripts_take_pooling_and_maxlen(tmp_path, monkeypatch):
    """encode.py and export.py make the vectors of SimBERT from its folder."""
    weights = write_hf_bert(tmp_path / 'bert', 'model.safetensors', CONFIG)
    how = ('--pooling', 'pooler_linear', '--maxlen', 9)
    texts, output = tmp_path / 'texts.txt', tmp_path / 'vectors.npy'
    texts.write_text(''.join(f'{text}\n' for text in TEXTS), encoding='utf-8')
    call(
        encode, monkeypatch, '--run', tmp_path / 'bert', '--input', texts, '--output', output, *how
    )
    encoder = load_encoder(tmp_path / 'bert', 'pooler_linear', 9)
    np.testing.assert_array_equal(np.load(output), encoder.encode(TEXTS))
    folder = tmp_path / 'savedmodel'
    call(export, monkeypatch, tmp_path / 'bert', '--to', 'savedmodel', '--output', folder, *how)
    serve = tf.saved_model.load(str(folder)).signatures['serving_default']
    expected = unit(pooled(weights, 'pooler_linear', config=CONFIG))
    assert_close(serve(token_ids=tf.constant(IDS))['vectors'], expected, TOLERANCE)


def test_an_hf_export_keeps_the_pooler(tmp_path, monkeypatch, capsys):
    """The exported folder's BertModel has the pooler, and load_encoder with pooling= uses it."""
    weights = write_hf_bert(tmp_path / 'bert', 'model.safetensors', CONFIG)
    write_run(tmp_path / 'run', tmp_path / 'bert', weights=weights, pooling='pooler')
    folder = tmp_path / 'hf'
    call(export, monkeypatch, tmp_path / 'run', '--to', 'hf', '--output', folder)
    tensors, dense = (load_file(folder / f'{p}model.safetensors') for p in ('', '2_Dense/'))
    kernel = weights['bert/pooler/dense/kernel'].T
    np.testing.assert_array_equal(tensors['pooler.dense.weight'], kernel)
    np.testing.assert_array_equal(dense['linear.weight'], kernel)
    with pytest.raises(
        UserError, match=r'Dense, .*are supported; --pooling \(in Python pooling=\) uses'
    ):
        load_encoder(folder)
    vectors = [load_encoder(tmp_path / 'run'), load_encoder(folder, 'pooler')]
    np.testing.assert_array_equal(*(encoder.encode(TEXTS) for encoder in vectors))
    write_run(tmp_path / 'joint', tmp_path / 'bert', 'interact', pooling='pooler')
    with pytest.raises(UserError, match='has no --pooling pooler; --to onnx'):
        call(export, monkeypatch, tmp_path / 'joint', '--to', 'hf', '--output', tmp_path / 'x')


@pytest.mark.parametrize('method', ['cosent', 'interact'])
def test_a_run_trains_its_pooler_and_keeps_it(method, data_dir, short, run, tmp_path, monkeypatch):
    """It is in best.weights.h5 and state.h5: scores are the run's own, and --resume goes on."""
    before = write_google_bert(tmp_path / 'bert', ONE_LAYER, pooler=True)
    flags = short | {'bert_dir': str(tmp_path / 'bert'), 'epochs': '2', 'pooling': 'pooler'}
    name = f'TOY.bert.{method}.seed42'
    folders = [tmp_path / 'whole' / name, tmp_path / 'stopped' / name]
    for folder in folders:
        with monkeypatch.context() as patch:
            if folder is folders[1]:
                patch.setattr(EndOfEpoch, 'on_train_batch_end', interrupted(EndOfEpoch))
            code, _ = run(method, flags | {'runs_dir': str(folder.parent)}, '--keep_padding')
            assert code == (folder is folders[1])
    kernel = 'bert/pooler/dense/kernel'
    with h5py.File(folders[1] / 'state.h5', 'r') as state:
        assert np.abs(state[kernel][()] - before[kernel]).max() > 1e-3
    flags |= {'runs_dir': str(folders[1].parent)}
    assert run(method, flags, '--keep_padding', '--resume') == (0, '')
    assert losses(folders[1]) == losses(folders[0])
    for folder in folders:
        scored = read_predictions(folder / 'predictions.test.tsv')
        assert_close(load_scorer(folder)(scored.texts), scored.scores, TOLERANCE)


def interrupted(callback):
    """Ctrl-C in the second epoch."""
    original = callback.on_train_batch_end

    def on_train_batch_end(self, batch, logs=None):
        original(self, batch, logs)
        if self.run.state.epoch == 1:
            raise KeyboardInterrupt

    return on_train_batch_end

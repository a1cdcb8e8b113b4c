"""export.py: SavedModel and Hugging Face folders that give the vectors and scores of a run.

The runs are made by hand: their scores and vectors must be those of the NumPy BERT.
"""

import json
import os
import stat

import numpy as np
import pytest
from huggingface_hub import ModelCard
from safetensors.numpy import load_file, save_file

import export
from cosent_tf.bert.compat import tf
from cosent_tf.bert.pretrained import load_bert
from cosent_tf.bert.sources import find_source
from cosent_tf.bert.vectors import load_encoder
from cosent_tf.errors import UserError
from cosent_tf.files import write_atomic
from cosent_tools.export.cards import model_card
from tests.handmade import CONFIG, TOLERANCE, WEIGHTS, call, unit, write_bert_dir, write_run
from tests.helpers import assert_close
from tests.reference.hf_checkpoints import pytorch_tensors
from tests.reference.numpy_bert import bert_hidden


@pytest.fixture
def bert_dir(tmp_path):
    return write_bert_dir(tmp_path / 'bert')


@pytest.fixture
def folder(bert_dir, tmp_path):
    """A run of CoSENT."""
    write_run(tmp_path / 'run', bert_dir)
    return tmp_path / 'run'


def test_exports_give_the_same_vectors(bert_dir, tmp_path, monkeypatch):
    """Both exports give the run's vectors, in batches and alone, and its encoder settings."""
    settings = {'do_lower_case': False, 'strip_accents': True, 'tokenize_chinese_chars': False}
    (bert_dir / 'tokenizer_config.json').write_text(json.dumps(settings), encoding='utf-8')
    folder = tmp_path / 'run'
    write_run(folder, bert_dir, pooling='mean')
    for to in ('savedmodel', 'hf'):
        call(export, monkeypatch, folder, to=to, output=tmp_path / 'to' / to)
    serve = tf.saved_model.load(str(tmp_path / 'to' / 'savedmodel')).signatures['serving_default']
    ids = np.array([[2, *range(20, 40), 3], [2, 30, 3] + 19 * [0]], np.int32)
    hidden = bert_hidden(WEIGHTS, CONFIG, ids, 0 * ids, ids > 0)
    expected = unit(hidden.sum(axis=1))  # as long as the mean
    for rows in (slice(0, 2), slice(1, 2)):
        vectors = serve(token_ids=tf.constant(ids[rows]))['vectors']
        assert_close(vectors, expected[rows], TOLERANCE)
    with pytest.raises(tf.errors.InvalidArgumentError, match='at most 64 tokens'):
        serve(token_ids=tf.fill((1, 65), 7))

    modes = [path.stat().st_mode for path in (tmp_path / 'to').rglob('*') if path.is_file()]
    assert len(set(modes)) == 1, list(map(oct, modes))
    tensors = load_file(tmp_path / 'to' / 'hf' / 'model.safetensors')
    wanted = {k: v for k, v in pytorch_tensors(WEIGHTS).items() if not k.startswith('pooler')}
    assert tensors.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(tensors[name], value)
    exported, run = load_encoder(tmp_path / 'to' / 'hf'), load_encoder(folder)
    for name in ('pooling', 'maxlen'):
        assert getattr(exported, name) == getattr(run, name)
    assert exported.tokenizer.settings == run.tokenizer.settings == (False, True, False)
    bert = load_bert(tmp_path / 'to' / 'hf', maxlen=40)  # it is a folder for --bert_dir as well
    assert_close(bert.model([ids, 0 * ids])[:, 0], hidden[:, 0], TOLERANCE)


@pytest.mark.parametrize(
    'case', ['interact', pytest.param('interact_cosent', marks=pytest.mark.weekly)]
)
def test_a_joint_savedmodel_gives_the_scores_of_the_run(case, bert_dir, tmp_path, monkeypatch):
    """The SavedModel of a joint run gives the scores that its threshold belongs to."""
    head = write_run(tmp_path / 'run', bert_dir, case)
    call(export, monkeypatch, tmp_path / 'run', to='savedmodel', output=tmp_path / 'x')
    serve = tf.saved_model.load(str(tmp_path / 'x')).signatures['serving_default']
    ids = np.array([[2, *range(20, 40), 3], [2, 30, 3, 31, 3] + 17 * [0]], np.int32)
    vectors = bert_hidden(WEIGHTS, CONFIG, ids, 0 * ids, ids > 0)[:, 0]
    outputs = vectors @ head['head/kernel'] + head['head/bias']
    difference = outputs[:, -1] - outputs[:, 0]  # of the two classes
    expected = outputs[:, 0] if case == 'interact_cosent' else 1 / (1 + np.exp(-difference))
    scores = serve(token_ids=tf.constant(ids))['scores']
    assert_close(scores, expected, TOLERANCE)


def test_a_joint_model_with_mean_pooling_is_no_hf_folder(bert_dir, tmp_path, monkeypatch):
    """--to hf refuses a run with mean pooling, which the classifier cannot represent."""
    write_run(tmp_path / 'run', bert_dir, 'interact', pooling='mean')
    with pytest.raises(UserError, match='has no --pooling mean; --to onnx'):
        call(export, monkeypatch, tmp_path / 'run', to='hf', output=tmp_path / 'x')
    assert not (tmp_path / 'x').exists()


def test_a_model_card_says_what_the_model_is(bert_dir, tmp_path):
    """A model card has data, method, threshold, metrics and how to load the model.

    Its header is the Hub's, so that the Hub shows the figures as well.
    """
    run = tmp_path / 'run'
    write_run(run, bert_dir, 'interact', task='BQ', epochs=5)
    metrics = {'threshold': 0.4321, 'valid_accuracy': 0.81, 'test_accuracy': 0.7654}
    card = model_card(find_source(run), 'hf')
    assert 'not finished' in card
    (run / 'metrics.json').write_text(json.dumps(metrics), encoding='utf-8')
    card = model_card(find_source(run), 'hf')
    for said in (
        'Data: BQ',
        'Method: Interact',
        'epochs 5',
        'score > 0.4321',
        '| test | 0.7654 | – |',
    ):
        assert said in card
    header = ModelCard(card).data
    assert (header.library_name, header.pipeline_tag) == ('transformers', 'text-classification')
    shown = [
        (result.dataset_name, result.dataset_split, result.metric_type, result.metric_value)
        for result in header.eval_results
    ]
    assert shown == [('BQ', 'valid', 'accuracy', 0.81), ('BQ', 'test', 'accuracy', 0.7654)]
    for said in ('ForSequenceClassification', 'Segment ids are all 0', 'softmax', 'Licence'):
        assert said in card
    assert 'SentenceTransformer(' in model_card(find_source(bert_dir), 'hf')
    for folder in (tmp_path, tmp_path / 'models--OWNER--NAME'):
        (folder / 'snapshots').mkdir(parents=True)
    other = bert_dir.rename(tmp_path / 'snapshots' / 'epoch3')
    assert '# epoch3\n' in model_card(find_source(other), 'onnx')
    hub = other.rename(tmp_path / 'models--OWNER--NAME' / 'snapshots' / 'a94a8fe5')
    assert '# OWNER/NAME\n' in model_card(find_source(hub), 'onnx')
    write_run(tmp_path / 'other', hub)
    assert 'Encoder: OWNER/NAME, cls' in model_card(find_source(tmp_path / 'other'), 'savedmodel')


def test_what_is_written_has_the_mode_of_the_umask(tmp_path):
    """Weights that colleagues may read like any other file, although safetensors makes 0600."""
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / 'x.safetensors', lambda path: save_file(WEIGHTS, path))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / 'x.safetensors').stat().st_mode) == 0o640
    assert load_file(tmp_path / 'x.safetensors').keys() == WEIGHTS.keys()


def test_an_export_replaces_nothing(folder, tmp_path, monkeypatch):
    """An export into an existing folder is refused."""
    with pytest.raises(UserError, match='already exists'):
        call(export, monkeypatch, folder, to='hf', output=tmp_path)

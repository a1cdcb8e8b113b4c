"""What a trained encoder is used by: encode.py, export.py, and what names a run.

The runs are made by hand: their scores and vectors must be those of the NumPy BERT.
"""

import gzip
import json
import os
import stat
import sys

import numpy as np
import pytest
from huggingface_hub import ModelCard
from safetensors.numpy import load_file, save_file

import encode
import export
from cosent_tf.bert.compat import keras, tf
from cosent_tf.bert.pretrained import load_bert
from cosent_tf.bert.scoring import load_scorer
from cosent_tf.bert.sources import find_source
from cosent_tf.bert.vectors import load_encoder
from cosent_tf.errors import UserError
from cosent_tf.files import write_atomic
from cosent_tools.export.cards import model_card
from tests.handmade import CONFIG, HEADS, PAIRS, TEXTS, WEIGHTS, write_bert_dir, write_run
from tests.helpers import assert_close
from tests.reference.checkpoints import tiny_vocab
from tests.reference.hf_checkpoints import pytorch_tensors
from tests.reference.numpy_bert import bert_hidden

TOLERANCE = 2e-5  # float32 rounding through a layer


@pytest.fixture
def bert_dir(tmp_path):
    return write_bert_dir(tmp_path / 'bert')


@pytest.fixture
def folder(bert_dir, tmp_path):
    """A run of CoSENT."""
    write_run(tmp_path / 'run', bert_dir)
    return tmp_path / 'run'


def reference(rows, pooling='cls'):
    """The vectors of rows of texts, "[CLS] a [SEP]" or "[CLS] a [SEP] b [SEP]", (n, D)."""
    tokens = [['[CLS]', *(token for text in row for token in [*text, '[SEP]'])] for row in rows]
    ids = np.zeros((len(tokens), max(map(len, tokens))), int)
    for row, pieces in zip(ids, tokens, strict=True):
        row[: len(pieces)] = [tiny_vocab().index(piece) for piece in pieces]
    hidden = bert_hidden(WEIGHTS, CONFIG, ids, 0 * ids, ids > 0)
    mean = hidden.sum(axis=1) / (ids > 0).sum(axis=1, keepdims=True)
    return hidden[:, 0] if pooling == 'cls' else mean


def reference_scores(case, head, pooling='cls'):
    """The scores of PAIRS by a run of a method with this head, (n,) or (n, C)."""
    if case == 'cosent':
        u, v = (unit(reference([[pair[side]] for pair in PAIRS])) for side in (0, 1))
        return (u * v).sum(axis=1)
    outputs = reference(PAIRS, pooling) @ head['head/kernel'] + head['head/bias']
    powers = np.exp(outputs)
    scores = outputs if case == 'interact_cosent' else powers / powers.sum(1, keepdims=True)
    return scores if case.endswith('classes') else scores[:, -1]


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def call(script, monkeypatch, **flags):
    arguments = [part for name, value in flags.items() for part in (f'--{name}', str(value))]
    run = [arguments.pop(1)] if script is export else []
    monkeypatch.setattr(sys, 'argv', ['script', *run, *arguments[len(run) :]])
    script.main()


def test_a_file_of_texts_becomes_vectors_in_its_order(folder, tmp_path, monkeypatch, capsys):
    """Row i of the array is of line i: chunks, repeated and empty lines; what was written is told.

    On stderr, as --output may be /dev/stdout.
    """
    monkeypatch.setattr(encode, 'CHUNK', 4)
    texts = tmp_path / 'texts.txt.gz'
    texts.write_bytes(gzip.compress(''.join(f'{text}\r\n' for text in TEXTS).encode()))
    call(encode, monkeypatch, run=folder, input=texts, output=tmp_path / 'out' / 'v.npy')
    out, err = capsys.readouterr()
    assert out == '' and err == f'{tmp_path}/out/v.npy: vectors of 10 lines\n'
    vectors = np.load(tmp_path / 'out' / 'v.npy')
    assert vectors.dtype == np.float32 and vectors.flags.c_contiguous
    assert_close(vectors, unit(reference([[text] for text in TEXTS])), TOLERANCE)


def test_the_parts_of_a_file_are_the_whole(folder, tmp_path, monkeypatch):
    """Guards lines that two machines encode, or none; also more parts than lines."""
    texts = tmp_path / 'texts.txt'
    texts.write_text(''.join(f'{text}\n' for text in TEXTS[:2]), encoding='utf-8')
    vectors = []
    for number in range(1, 4):
        output = tmp_path / f'{number}.npy'
        call(encode, monkeypatch, run=folder, input=texts, output=output, shard=f'{number}/3')
        vectors.append(np.load(output))
    assert [len(part) for part in vectors] == [0, 1, 1]
    expected = unit(reference([[text] for text in TEXTS[:2]]))
    assert_close(np.concatenate(vectors), expected, TOLERANCE)
    for wrong in ('0/3', '4/3', '3', '-1/-1', 'a/b'):
        with pytest.raises(SystemExit, match='2'):
            call(encode, monkeypatch, run=folder, input=texts, output=tmp_path, shard=wrong)


@pytest.mark.parametrize(
    ('case', 'pooling'), [*((case, 'cls') for case in HEADS), ('interact', 'mean')]
)
def test_a_file_of_pairs_becomes_scores(case, pooling, bert_dir, tmp_path, monkeypatch):
    """Guards the score that the run's threshold belongs to: of every method, in any precision."""
    monkeypatch.setattr(encode, 'CHUNK', 3)
    keras.mixed_precision.set_global_policy('mixed_bfloat16')  # which must not count
    more = {} if pooling == 'cls' else {'pooling': pooling}  # runs before there was a choice: cls
    head = write_run(tmp_path / 'run', bert_dir, case, **more)
    pairs, scores = tmp_path / 'pairs.tsv', tmp_path / 'scores.txt'
    pairs.write_text(''.join(f'{a}\t{b}\n' for a, b in PAIRS), encoding='utf-8')
    call(encode, monkeypatch, run=tmp_path / 'run', input=pairs, output=scores, format='pairs')
    assert_close(np.loadtxt(scores), reference_scores(case, head, pooling), TOLERANCE)


@pytest.mark.parametrize('method', ['cosent', 'interact'])
def test_pairs_are_scored_as_they_come(method, bert_dir, tmp_path):
    """Guards pairs that `read_pairs` gives, with their labels, and lists, as JSON gives."""
    write_run(tmp_path / 'run', bert_dir, method)
    score = load_scorer(tmp_path / 'run')
    labelled, lists = [(*pair, 1) for pair in PAIRS], [[*pair] for pair in PAIRS]
    for pairs in (labelled, lists):
        np.testing.assert_array_equal(score(pairs), score(PAIRS))


@pytest.mark.parametrize('method', ['cosent', pytest.param('interact', marks=pytest.mark.weekly)])
def test_scores_in_half_precision_are_near(method, bert_dir, tmp_path, monkeypatch):
    """Guards --precision bf16, which is asked for: otherwise, and loosely the same, scores."""
    write_run(tmp_path / 'run', bert_dir, method)
    pairs = tmp_path / 'pairs.tsv'
    pairs.write_text(''.join(f'{a}\t{b}\n' for a, b in PAIRS), encoding='utf-8')
    scores = {}
    for precision in ('fp32', 'bf16'):
        path = tmp_path / precision
        flags = {'format': 'pairs', 'precision': precision}
        call(encode, monkeypatch, run=tmp_path / 'run', input=pairs, output=path, **flags)
        scores[precision] = np.loadtxt(path)
    assert 0 < np.abs(scores['bf16'] - scores['fp32']).max() < 1e-2


RULES = {
    'cosent': {'threshold': 0.93},
    'interact of three classes': {'threshold': None, 'class_weights': [0.9, 0.2, 0.95]},
    'interact_cosent': {'threshold': 3.2},
}


@pytest.mark.parametrize('case', RULES)
def test_a_file_of_pairs_becomes_labels(case, bert_dir, tmp_path, monkeypatch):
    """Guards the decisions of a run: its own threshold or class weights, of every pair in order."""
    monkeypatch.setattr(encode, 'CHUNK', 3)
    head = write_run(tmp_path / 'run', bert_dir, case)
    pairs = tmp_path / 'pairs.tsv'
    pairs.write_text(''.join(f'{a}\t{b}\n' for a, b in PAIRS), encoding='utf-8')
    flags = {'run': tmp_path / 'run', 'input': pairs, 'format': 'labels'}
    with pytest.raises(UserError, match=r'no metrics.json: only a finished run'):
        call(encode, monkeypatch, output=tmp_path / 'labels', **flags)
    (tmp_path / 'run' / 'metrics.json').write_text('{"threshold": null, "class_weights": null}')
    with pytest.raises(UserError, match='trained on graded labels'):
        call(encode, monkeypatch, output=tmp_path / 'labels', **flags)
    (tmp_path / 'run' / 'metrics.json').write_text(json.dumps(RULES[case]))
    call(encode, monkeypatch, output=tmp_path / 'labels', **flags)
    scores = reference_scores(case, head)
    weights = RULES[case].get('class_weights')
    expected = (
        scores > RULES[case]['threshold'] if weights is None else (scores * weights).argmax(1)
    )
    found = np.loadtxt(tmp_path / 'labels', dtype=int)
    assert found.tolist() == expected.astype(int).tolist()
    assert len(set(found.tolist())) > 1, scores  # or nothing was tested


def test_exports_give_the_same_vectors(bert_dir, tmp_path, monkeypatch):
    """Guards both exports: padded batches and single rows, every weight, and the encoder's use."""
    settings = {'do_lower_case': False, 'strip_accents': True, 'tokenize_chinese_chars': False}
    (bert_dir / 'tokenizer_config.json').write_text(json.dumps(settings), encoding='utf-8')
    folder = tmp_path / 'run'
    write_run(folder, bert_dir, pooling='mean')
    for to in ('savedmodel', 'hf'):
        call(export, monkeypatch, run=folder, to=to, output=tmp_path / 'to' / to)
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


def test_a_model_card_says_what_the_model_is(bert_dir, tmp_path):
    """Guards a folder that is passed on: data, method, threshold, figures, how it is loaded.

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


def test_a_joint_model_with_mean_pooling_is_no_hf_folder(bert_dir, tmp_path, monkeypatch):
    """Guards an ElectraForSequenceClassification that would read [CLS] instead, and look right."""
    write_run(tmp_path / 'run', bert_dir, 'interact', pooling='mean')
    with pytest.raises(UserError, match='has no --pooling mean; --to onnx'):
        call(export, monkeypatch, run=tmp_path / 'run', to='hf', output=tmp_path / 'x')
    assert not (tmp_path / 'x').exists()


@pytest.mark.parametrize(
    'case', ['interact', pytest.param('interact_cosent', marks=pytest.mark.weekly)]
)
def test_a_joint_savedmodel_gives_the_scores_of_the_run(case, bert_dir, tmp_path, monkeypatch):
    """Guards the score that the run's threshold belongs to."""
    head = write_run(tmp_path / 'run', bert_dir, case)
    call(export, monkeypatch, run=tmp_path / 'run', to='savedmodel', output=tmp_path / 'x')
    serve = tf.saved_model.load(str(tmp_path / 'x')).signatures['serving_default']
    ids = np.array([[2, *range(20, 40), 3], [2, 30, 3, 31, 3] + 17 * [0]], np.int32)
    vectors = bert_hidden(WEIGHTS, CONFIG, ids, 0 * ids, ids > 0)[:, 0]
    outputs = vectors @ head['head/kernel'] + head['head/bias']
    difference = outputs[:, -1] - outputs[:, 0]  # of the two classes
    expected = outputs[:, 0] if case == 'interact_cosent' else 1 / (1 + np.exp(-difference))
    scores = serve(token_ids=tf.constant(ids))['scores']
    assert_close(scores, expected, TOLERANCE)


def break_run(folder, **change):
    path = folder / 'config.json'
    config = json.loads(path.read_text('utf-8'))
    config['arguments'].update(change)
    path.write_text(json.dumps(config), encoding='utf-8')


WRONG_RUNS = {
    'no folder': (lambda run: run.rename(run.with_name('x')), 'run not found: it must be a run'),
    'interact': (lambda run: break_run(run, method='interact'), 'has no sentence vectors'),
    'moved BERT': (
        lambda run: break_run(run, bert_dir='gone'),
        r'no longer at gone: .*"bert_dir" in .*config.json',
    ),
    'first epoch': (lambda run: (run / 'best.weights.h5').unlink(), 'has not finished an epoch'),
    'broken weights': (
        lambda run: (run / 'best.weights.h5').write_bytes(b'x'),
        'best.weights.h5: broken',
    ),
    'broken config': (lambda run: (run / 'config.json').write_text('{'), 'config.json:1: not JSON'),
}


@pytest.mark.parametrize('case', WRONG_RUNS)
def test_a_run_without_an_encoder_says_why(case, folder):
    """Guards the days after the training: runs moved, cleaned up, or of another method."""
    breaks, message = WRONG_RUNS[case]
    breaks(folder)
    with pytest.raises(UserError, match=message):
        load_encoder(folder)


def test_wrong_input_leaves_no_output(folder, tmp_path, monkeypatch):
    """Guards scores that would belong to other lines, and half a file that looks whole."""
    pairs = tmp_path / 'pairs.tsv'
    pairs.write_text('我\t你\n我\t你\t1\n', encoding='utf-8')
    with pytest.raises(UserError, match=r'pairs.tsv:2: 3 fields'):
        call(encode, monkeypatch, run=folder, input=pairs, output=tmp_path / 'x', format='pairs')
    assert {path.name for path in tmp_path.iterdir()} == {'bert', 'run', 'pairs.tsv'}


def test_an_export_replaces_nothing(folder, tmp_path, monkeypatch):
    """Guards whatever is in the folder already."""
    with pytest.raises(UserError, match='already exists'):
        call(export, monkeypatch, run=folder, to='hf', output=tmp_path)

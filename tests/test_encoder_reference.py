"""The encoder against a NumPy BERT of the papers' equations.

bert4keras on this TensorFlow is supported by nobody: that a checkpoint is read right, that every
layer computes what BERT computes, and that padding changes nothing is proved here. Every weight is
random and large, so no layer is near the identity and no bias near 0.
"""

import numpy as np
import pytest

from cosent_tf.bert.compat import build_transformer_model
from cosent_tf.bert.vectors import load_encoder
from tests.helpers import assert_close
from tests.reference.checkpoints import TINY_CONFIG, tiny_vocab, write_google_bert
from tests.reference.numpy_bert import bert_cls, bert_hidden

TOLERANCE = 2e-5  # float32 rounding through two layers
MAXLEN = 64  # of a pretrained encoder
VOCAB = tiny_vocab()

# texts in word pieces, short and long ones mixed, so that every batch is padded
PIECES = [
    ['花', '呗', '怎', '么', '还', '款', '？'],
    [],
    ['北', '京'] * 28,
    ['play', '##ing', '，', 'go', '##ed'],
    ['银', '行', '卡', '1', '##2', '##3', '日'],
    ['我'],
    ['手', '机', '号', '码'] * 8,
    ['我'],
    [*('今' * 30), *('明' * 30), '年', '月'],
]
TOO_LONG = [*('上' * 50), *('下' * 30)]


@pytest.fixture(scope='module')
def bert(tmp_path_factory):
    """A folder with a random checkpoint, and its weights."""
    folder = tmp_path_factory.mktemp('bert')
    return folder, write_google_bert(folder, seed=3)


@pytest.fixture(scope='module')
def encoder(bert):
    return load_encoder(bert[0])


def text_of(pieces):
    return ''.join(pieces).replace('##', '')


def reference_vectors(weights, rows):
    """[CLS] of "[CLS] pieces [SEP]" for rows of word pieces, with all segment ids 0."""
    rows = [['[CLS]', *pieces, '[SEP]'] for pieces in rows]
    token_ids = np.zeros((len(rows), max(map(len, rows))), int)
    for ids, row in zip(token_ids, rows, strict=True):
        ids[: len(row)] = [VOCAB.index(piece) for piece in row]
    return bert_cls(weights, TINY_CONFIG, token_ids, np.zeros_like(token_ids), token_ids > 0)


def test_cls_vectors_are_those_of_the_papers(bert, encoder):
    """Long, short, empty and repeated texts in one call: right numbers, in the order given."""
    vectors = encoder.encode([text_of(pieces) for pieces in PIECES], normalize=False)
    assert vectors.dtype == np.float32
    assert_close(vectors, reference_vectors(bert[1], PIECES), TOLERANCE)


def test_vectors_have_unit_length_unless_asked_otherwise(bert, encoder):
    """A dot product of what `encode` returns is the cosine that a threshold belongs to."""
    expected = reference_vectors(bert[1], PIECES)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    vectors = encoder.encode([text_of(pieces) for pieces in PIECES])
    assert_close(vectors, expected, TOLERANCE)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_a_long_text_is_cut_and_keeps_its_sep(bert, encoder):
    """Beyond maxlen the last tokens before [SEP] go; the texts beside it are not touched."""
    texts = [text_of(pieces) for pieces in (PIECES[0], TOO_LONG, PIECES[3])]
    kept = [PIECES[0], TOO_LONG[: MAXLEN - 2], PIECES[3]]
    vectors = encoder.encode(texts, normalize=False)
    assert_close(vectors, reference_vectors(bert[1], kept), TOLERANCE)


def test_case_does_not_matter(encoder):
    """The published models are uncased: the tokenizer lower-cases."""
    upper, lower = encoder.encode(['PLAYing，Go', 'playing，go'])
    np.testing.assert_array_equal(upper, lower)


@pytest.mark.filterwarnings('ignore:The initializer TruncatedNormal is unseeded')
def test_every_token_of_a_padded_batch_is_right(bert):
    """bert4keras's own model, with both segments in use: all vectors, not [CLS] alone."""
    folder, weights = bert
    rng = np.random.default_rng(0)
    lengths = np.array([64, 2, 17, 33, 63])
    mask = np.arange(64) < lengths[:, None]  # (5, 64)
    token_ids = rng.integers(1, len(VOCAB), mask.shape) * mask
    segment_ids = rng.integers(0, 2, mask.shape) * mask
    model = build_transformer_model(
        str(folder / 'bert_config.json'), str(folder / 'bert_model.ckpt')
    )
    hidden = model.predict([token_ids, segment_ids], verbose=0)  # (5, 64, D)
    expected = bert_hidden(weights, TINY_CONFIG, token_ids, segment_ids, mask)
    assert_close(hidden[mask], expected[mask], TOLERANCE)

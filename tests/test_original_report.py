"""The inputs and the report of compare_original.py, without a training."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from cosent_tf.errors import UserError
from cosent_tf.predictions import write_predictions
from cosent_tools.original.inputs import google_bert, plan_steps
from cosent_tools.original.report import accuracy_section, difference, step_sections
from cosent_tools.original.sides import Side
from cosent_tools.report.render import as_text
from cosent_tools.runs import RunName
from tests.reference.hf_checkpoints import write_hf_bert


@pytest.mark.parametrize(
    'steps, batch_size, pairs, epochs, kept',
    [
        (200, 32, 10000, 1, 6400),
        (200, 64, 10000, 2, 6400),  # 156 whole batches in an epoch: twice 100
        (200, 64, 2000, 7, 1856),  # 31 in an epoch: seven times 29
        (3, 16, 10, 3, 10),  # not one whole batch
    ],
)
def test_steps_are_epochs_of_equal_length(steps, batch_size, pairs, epochs, kept):
    """At least so many steps are made, of whole batches, however few pairs train has."""
    assert plan_steps(steps, batch_size, pairs) == (epochs, kept)


def side(model, seed=42, loss=(1.0, 2.0), scores=(0.5, 0.1), method='cosent'):
    name = RunName('TOY', model, method, seed)
    scores = np.array(scores)
    figures = (1, 0.3, 1.0, 1.0, 2.0, 4.0, 1000)
    return Side(name, np.array(loss), scores, scores, scores, *figures)


def test_the_largest_difference_is_shown_where_it_is():
    """The second of three steps is 0.25 off, 5 %; the third less, but 12.5 % of its loss."""
    original = side('original', loss=(1.0, 5.0, 1.0))
    other = side('ours', loss=(1.0, 4.75, 1.125), scores=(0.5, 0.125))
    apart = difference(original, other)
    assert apart[:3] == (0.25, 2, 0.125) and apart.test == pytest.approx(0.025)
    [section] = step_sections([original, other])
    assert section.rows[0][:6] == ['CoSENT', 'ours', '3', '2.5e-01', '2', '1.2e-01']


def test_accuracies_are_compared_with_the_noise_of_seeds(tmp_path):
    """Ours has 75 and 100 % of four pairs right, the original 50 and 75 %: 25 points."""
    labels, pairs = np.array([0, 1, 0, 1]), [('a', 'b')] * 4
    wrong = {('original', 1): 2, ('original', 2): 1, ('ours', 1): 1, ('ours', 2): 0}
    for (model, seed), count in wrong.items():
        folder = tmp_path / f'TOY.{model}.cosent.seed{seed}'
        write_predictions(folder / 'predictions.valid.tsv', labels, labels, pairs)
        scores = np.where(np.arange(4) < count, 1 - labels, labels)
        write_predictions(folder / 'predictions.test.tsv', labels, scores, pairs)
    section = accuracy_section([side(*name) for name in wrong], tmp_path)
    [row] = section.rows
    assert row[:3] == ['TOY cosent', 'ours − original', '2'] and row[3].startswith('+25.00 ±')
    assert '95 % confidence interval' in as_text([section])


def test_a_hugging_face_encoder_is_converted_with_every_weight(tmp_path):
    """The original reads Google's format alone; the checkpoint made for it has the same numbers."""
    from cosent_tf.bert.pretrained import load_bert, named_weights

    write_hf_bert(tmp_path / 'hf', 'model.safetensors')
    values = google_bert(tmp_path / 'hf', tmp_path / 'google')
    assert Path(values['config_path']).parent == tmp_path / 'google'
    before, after = (
        named_weights(load_bert(tmp_path / name, maxlen=8)) for name in ('hf', 'google')
    )
    assert before.keys() == after.keys()
    for name, weight in before.items():
        np.testing.assert_array_equal(weight.numpy(), after[name].numpy(), name)


def test_a_vocabulary_that_both_sides_would_number_differently_is_refused(small_bert, tmp_path):
    """A token that is there twice moves all numbers after it in the original, and none in ours."""
    folder = shutil.copytree(small_bert, tmp_path / 'bert')
    tokens = (folder / 'vocab.txt').read_text('utf-8').splitlines()
    tokens[-1] = tokens[7]
    (folder / 'vocab.txt').write_text('\n'.join(tokens) + '\n', 'utf-8')
    with pytest.raises(UserError, match=f'{tokens[7]!r} is there 2 times'):
        google_bert(folder, tmp_path / 'google')

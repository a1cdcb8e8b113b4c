"""Only like is set against like: what eval_accuracy.py compares with the published figures."""

import json

import pytest

import train_table
from cosent_tf.methods import METHODS
from cosent_tf.published import TASKS
from cosent_tf.run.folder import run_name
from cosent_tools.report.published_figures import published_settings
from cosent_tools.runs import RunName
from tests.predictions import add_run, as_published

pytestmark = pytest.mark.fast


def told(out):
    """The lines of a report that say what is not as published, unwrapped."""
    return ' '.join(out[out.index('\n†') : out.index('\nPublished runs')].split())


@pytest.mark.usefixtures('forty_pairs')
@pytest.mark.parametrize(
    ('change', 'difference'),
    [
        ({'train': 99}, 'train pairs 99, not 100'),
        ({'num_hidden_layers': 2}, 'layers 2, not 12'),
        ({'vocab_size': 30522}, 'vocabulary 30,522, not 21,128'),
        ({'epochs': 1}, 'epochs 1, not 5'),
        ({'batch_size': 64}, 'batch size 64, not 32'),
        ({'lr': 1e-3}, 'learning rate 0.001, not 2e-05'),
        ({'maxlen': 32}, 'maxlen 32, not 64'),
        ({'pooling': 'mean'}, 'pooling mean, not cls'),
        ({'dropout_rate': 0.0}, 'dropout rate 0.0, not 0.1'),
        ({'precision': 'bf16'}, 'precision bf16, not fp32'),
        ({'select': 'spearman'}, 'checkpoint chosen by spearman, not accuracy'),
    ],
)
def test_a_run_of_other_settings_has_no_difference(change, difference, evaluate, tmp_path):
    """Whatever a result depends on is named where it is not the published one, in every format."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=8)
    as_published(tmp_path, **change)
    _, out, _ = evaluate('--runs_dir', tmp_path)
    assert '80.00†' in out and 'publ. 83.24' in out and 'diff.' not in out
    assert told(out).startswith(f'† BQ BERT+CoSENT: {difference}.')
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'markdown')
    assert '80.00†<br>publ. 83.24 |' in out
    page = tmp_path / 'a.html'
    _, out, _ = evaluate('--runs_dir', tmp_path, '--format', 'json', '--html', page)
    [cell] = [cell for cell in json.loads(out)['table'] if cell['mean'] and cell['column'] == 'BQ']
    assert cell['difference'] is None and cell['unlike'] == [difference]
    assert '>publ. 83.24</span>' in page.read_text('utf-8')


@pytest.mark.usefixtures('forty_pairs')
def test_the_average_is_as_unlike_as_its_tasks(evaluate, tmp_path):
    """One task trained otherwise spoils the comparison of Avg, and of no other task."""
    for task in TASKS:
        add_run(tmp_path / 'a', run_name(task, 'bert', 'cosent', 1), wrong=8)
    as_published(tmp_path / 'a')
    _, out, _ = evaluate('--runs_dir', tmp_path / 'a')
    assert out.count('diff. ') == 5 and '†' not in out
    assert 'Encoders are compared with the published ones by name and sizes' in out
    (tmp_path / 'b').mkdir()
    (tmp_path / 'a/BQ.bert.cosent.seed1').rename(tmp_path / 'b/BQ.bert.cosent.seed1')
    as_published(tmp_path / 'b', epochs=1)
    (tmp_path / 'b/BQ.bert.cosent.seed1').rename(tmp_path / 'a/BQ.bert.cosent.seed1')
    _, out, _ = evaluate('--runs_dir', tmp_path / 'a')
    assert out.count('diff. ') == 3 and out.count('80.00†') == 2
    assert told(out).startswith('† BQ BERT+CoSENT: epochs 1, not 5. Encoders')


@pytest.mark.usefixtures('forty_pairs')
def test_predictions_without_settings_are_not_compared(evaluate, tmp_path):
    """Another program's predictions may be of any training: published figures stand beside them,
    and the reader is told why they are not subtracted."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=8)
    _, out, _ = evaluate('--runs_dir', tmp_path)
    assert '80.00†' in out and 'publ. 83.24' in out and 'diff.' not in out
    assert told(out).startswith('† BQ BERT+CoSENT: settings unknown: no config.json.')


def test_pairs_that_are_left_out_are_missing_from_the_comparison(evaluate, tmp_path, monkeypatch):
    """The published figures are of all pairs: those of a part of them are others."""
    monkeypatch.setattr('cosent_tools.report.published_figures.PAIRS', {'BQ': (100, 41, 41)})
    add_run(tmp_path, 'BQ.bert.cosent.seed1')
    as_published(tmp_path)
    _, out, _ = evaluate('--runs_dir', tmp_path)
    assert '† BQ BERT+CoSENT: valid pairs 40, not 41; test pairs 40, not 41.' in out


@pytest.mark.usefixtures('forty_pairs')
def test_seeds_of_one_row_that_were_trained_otherwise_are_named(evaluate, tmp_path):
    """A mean over seeds of which one had one epoch, or another checkpoint, is of unlike things."""
    for seed, change in ((1, {'epochs': 1}), (2, {}), (3, {'weights': 'cd34'})):
        folder = tmp_path / str(seed)
        add_run(folder, f'BQ.mine.cosent.seed{seed}', wrong=seed)
        as_published(folder, **change)
        (tmp_path / 'runs').mkdir(exist_ok=True)
        name = f'BQ.mine.cosent.seed{seed}'
        (folder / name).rename(tmp_path / 'runs' / name)
    _, out, _ = evaluate('--runs_dir', tmp_path / 'runs')
    assert '95.00 ±2.50†' in out
    assert told(out) == (
        '† BQ mine+CoSENT: seeds differ in epochs: 1 (seed 1), 5 (seed 2, 3); seeds differ in '
        'pretrained weights: ab12 (seed 1, 2), cd34 (seed 3).'
    )


@pytest.mark.usefixtures('tensorflow')
@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('method', METHODS)
def test_the_published_settings_are_those_of_the_scripts(task, method):
    """A script started without flags is compared with the published figure, whatever the method."""
    script = vars(train_table.settings_of(RunName(task, 'bert', method, 1), ['--task', task]))
    expected = published_settings(task, method, 'accuracy')
    named = expected.keys() & script.keys()
    assert {key: script[key] for key in named} == {key: expected[key] for key in named}
    assert named == {'epochs', 'batch_size', 'lr', 'maxlen', 'dropout_rate', 'pooling'} | {
        'precision',
        'select',
    }

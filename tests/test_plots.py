"""The picture of eval_accuracy.py: marks, intervals and scales."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from cosent_tools.report.significance import accuracy_interval
from tests.predictions import add_run, add_scores, as_published

pytestmark = pytest.mark.fast


@pytest.fixture
def draw(evaluate, tmp_path, monkeypatch):
    """Draw the runs of tmp_path; return the panels by title."""

    def draw(*flags):
        figures, save = [], Figure.savefig

        def keep(figure, *args, **kwargs):
            figures.append(figure)
            save(figure, *args, **kwargs)

        monkeypatch.setattr(Figure, 'savefig', keep)
        assert evaluate('--runs_dir', tmp_path, '--plot', tmp_path / 'a.png', *flags)[0] == 0
        return {axes.get_title(): axes for axes in figures[0].axes}

    return draw


def drawn(axes, label):
    """Return row → x of the marks that the legend calls so."""
    marks = [line.get_xydata()[0] for line in axes.lines if line.get_label() == label]
    return {y: pytest.approx(x) for x, y in marks}


def intervals(axes):
    """Return row → the two ends of the horizontal lines."""
    ends = [line.get_xydata() for line in axes.lines if len(line.get_xydata()) == 2]
    return {y: pytest.approx([low, high]) for (low, y), (high, end) in ends if y == end}


def test_accuracy_beside_spearman_has_its_interval_too(draw, tmp_path):
    """Accuracy of several classes on STS-B has a panel of its own, with its interval."""
    labels = np.arange(40) % 3
    add_scores(tmp_path, 'STS-B.bert.interact.seed1', labels, 0.8 * np.eye(3)[labels] + 0.1)
    panel = draw('--metric', 'spearman')['STS-B (accuracy)']
    assert intervals(panel) == {0: 100 * np.array(accuracy_interval(np.full(40, True)))}


@pytest.mark.usefixtures('forty_pairs')
def test_every_task_has_its_own_scale_and_every_method_its_interval(evaluate, draw, tmp_path):
    """A bar has the sd over seeds, or for one seed Wilson's interval; tasks have own scales."""
    for seed, wrong in ((1, 8), (2, 4)):
        add_run(tmp_path, f'BQ.bert.cosent.seed{seed}', wrong=wrong)
    add_run(tmp_path, 'BQ.bert.interact.seed1', wrong=1)
    add_run(tmp_path, 'MINE.bert.interact.seed1', wrong=20)
    as_published(tmp_path)
    panels = draw()
    bq, mine = panels['BQ'], panels['MINE']
    assert [text.get_text() for text in bq.get_yticklabels()] == ['BERT+CoSENT', 'BERT+Interact']
    assert drawn(bq, 'mean ± sd over seeds') == {0: 85}
    assert drawn(bq, 'one seed, 95 % interval') == {1: 97.5}
    assert drawn(bq, 'published') == {0: 83.24, 1: 83.88} and not drawn(mine, 'published')
    report = json.loads(evaluate('--runs_dir', tmp_path, '--format', 'json')[1])
    wilson = {run['run']: 100 * np.array(run['accuracy_interval']) for run in report['runs']}
    sd = 5 * np.sqrt(2)
    assert intervals(bq) == {0: [85 - sd, 85 + sd], 1: wilson['BQ.bert.interact.seed1']}
    assert intervals(mine) == {1: wilson['MINE.bert.interact.seed1']}
    # The accuracies are 85 and 97.5 there, 50 here; answering the same for all gives 50.
    assert bq.get_xlim()[0] < 50 < mine.get_xlim()[1] < 85 < 97.5 < bq.get_xlim()[1]


@pytest.mark.usefixtures('forty_pairs')
def test_a_published_figure_of_other_settings_looks_different(draw, tmp_path):
    """The picture does not invite to compare a run of one epoch with the published five."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1', wrong=8)
    as_published(tmp_path, epochs=1)
    bq = draw()['BQ']
    assert not drawn(bq, 'published')
    assert drawn(bq, 'published, other settings') == {0: 83.24}

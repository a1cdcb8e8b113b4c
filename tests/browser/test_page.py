"""The page of eval_accuracy.py --html in a real browser: make test-browser."""

import subprocess
import sys
from difflib import SequenceMatcher

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from cosent_tf.predictions import Predictions
from cosent_tools.report.evaluation import Result
from cosent_tools.report.html import save_html
from cosent_tools.report.overlap import character_overlap
from cosent_tools.report.render import Section
from cosent_tools.runs import RunName
from tests.helpers import BROWSER, ROOT
from tests.predictions import add_scores

pytestmark = pytest.mark.weekly

EVIL = '<script>window.hacked = 1</script>', '& <img src=x onerror="window.hacked = 1"></script>'
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 2, 200)
PAIRS = [EVIL] + [
    tuple(''.join(RANDOM.choice(list('甲乙丙丁戊𠮷'), 9)) for _ in '12') for _ in LABELS[1:]
]
SCORES = {  # of runs that are right more or less often, with ties
    name: np.round(weight * LABELS + RANDOM.normal(size=len(LABELS)), 1) + 0.1 + 0.2
    for name, weight in (
        ('cosent.seed1', 0.6),
        ('cosent.seed2', 0.6),
        ('sbert.seed1', 1),
        ('interact.seed1', 2),
    )
}

FEW = -SCORES['sbert.seed1'][:50]  # of another task, in a run of another seed


@pytest.fixture(scope='module')
def browser():
    with sync_playwright() as playwright:
        # No sandbox: as root, and in most containers, Chromium has none.
        browser = playwright.chromium.launch(executable_path=BROWSER, chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture(scope='module')
def faults():
    """What has gone wrong in any page, in this test."""
    return []


@pytest.fixture(autouse=True)
def no_faults(faults):
    faults.clear()
    yield
    assert faults == []


@pytest.fixture(scope='module')
def open_page(browser, faults):
    """Open a file, without network, and wait for its pairs."""

    def open_page(path, **settings):
        page = browser.new_context(offline=True, **settings).new_page()
        page.on('pageerror', lambda error: faults.append(str(error)))
        page.on('console', lambda message: faults.append(message.text))
        page.on('dialog', lambda dialog: faults.append(dialog.message))
        page.goto(path.as_uri())
        page.wait_for_selector('#pairs tbody tr')
        return page

    return open_page


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs')
    for name, scores in SCORES.items():
        add_scores(folder, f'BQ.bert.{name}', LABELS, scores, pairs=PAIRS)
    add_scores(folder, 'DEMO.bert.cosent.seed7', LABELS[:50], FEW, None, PAIRS[:50])
    command = [sys.executable, 'eval_accuracy.py', '--runs_dir', folder, '--html']
    subprocess.run([*command, folder / 'report.html'], cwd=ROOT, check=True, capture_output=True)
    return folder / 'report.html'


@pytest.fixture(scope='module')
def opened(report, open_page):
    return open_page(report, locale='en-US', viewport={'width': 1400, 'height': 900})


@pytest.fixture
def page(opened):
    """The page as if it had just been opened."""
    opened.click('#filters [type=reset]')
    opened.fill('#pairs input[type=search]', '')
    choose(opened, 'run', 'cosent.seed1')
    expect(opened.locator('#pairs .dt-info')).to_contain_text('of 200 pairs')
    return opened


def choose(page, field, name):
    page.select_option(f'#{field}', f'bert.{name}')


def shown(page, column=0):
    """The column of all rows that the table shows on its pages."""
    page.select_option('#pairs select', '100')
    cells = page.locator(f'#pairs tbody tr td:nth-child({column + 1})').all_inner_texts()
    return [int(cell) for cell in cells] if column == 0 else cells


def fitted(page, name):
    """The decisions of a run at the threshold the page calls fitted."""
    choose(page, 'run', name)
    page.click('#reset')
    return SCORES[name] > exact_threshold(page)


def exact_threshold(page):
    return float(page.get_attribute('#threshold', 'title'))


def test_moved_threshold_has_pythons_figures(page):
    """Guards what the page says of a threshold: from rounded or binned scores it would be off."""
    for name, scores in SCORES.items():
        choose(page, 'run', name)
        for threshold in (float(scores[3]), 0.5, -9.0):
            page.fill('#threshold', repr(threshold))
            predicted = scores > threshold
            measures = (accuracy_score, precision_score, recall_score, f1_score)
            expected = [measure(LABELS, predicted) for measure in measures]
            cells = page.locator('#measures tbody td:nth-child(2)').all_inner_texts()
            assert cells[:4] == [f'{100 * share:.2f}' for share in expected]
            (tn, fp), (fn, tp) = confusion_matrix(LABELS, predicted)
            assert cells[4:] == list(map(str, (tp, fp, fn, tn)))


def test_slider_moves_the_threshold_and_the_fitted_one_stays(page):
    """Guards the slider, and the mark to come back to."""
    before = page.input_value('#threshold')
    page.locator('#slider').press('End')
    assert float(page.input_value('#threshold')) > max(SCORES['cosent.seed1'])
    here, of_fitted = page.locator('[data-measure=accuracy] td').all_inner_texts()
    assert here == f'{100 * np.mean(LABELS == 0):.2f}' != of_fitted
    page.click('#reset')
    assert page.input_value('#threshold') == before
    assert page.locator('[data-measure=accuracy] td').all_inner_texts() == [of_fitted] * 2


def test_a_threshold_is_shown_with_four_decimals_and_used_with_all(page):
    """The box is as short as the scores of the pairs; what is typed into it stays as typed."""
    exact = exact_threshold(page)
    assert len(repr(exact)) > 12 and page.input_value('#threshold') == f'{exact:.4f}'
    page.fill('#threshold', '0.123456789')
    assert page.input_value('#threshold') == '0.123456789'
    page.click('#reset')
    assert exact_threshold(page) == exact and page.input_value('#threshold') == f'{exact:.4f}'


def test_the_page_opens_with_errors(report, open_page):
    """The pairs that the first run decides wrong, of every task; "clear" shows all pairs."""
    page = open_page(report, locale='en-US', viewport={'width': 1400, 'height': 900})
    wrong = np.flatnonzero(fitted(page, 'cosent.seed1') != LABELS) + 1
    assert shown(page) == wrong.tolist() != []
    page.select_option('#task', '1')
    wrong = np.flatnonzero((exact_threshold(page) < FEW) != LABELS[:50]) + 1
    assert shown(page) == wrong.tolist() != []
    page.click('#filters [type=reset]')
    expect(page.locator('#pairs .dt-info')).to_contain_text('of 50 pairs')
    page.select_option('#task', '0')
    expect(page.locator('#pairs .dt-info')).to_contain_text('of 200 pairs')


def test_pairs_are_filtered_by_who_is_wrong_and_who_is_right(page):
    """Guards the question the page is for: where is this method wrong and that one right?"""
    wrong = fitted(page, 'cosent.seed2') != LABELS
    right = fitted(page, 'interact.seed1') == LABELS
    overlap = character_overlap(PAIRS)
    choose(page, 'wrong', 'cosent.seed2')
    choose(page, 'right', 'interact.seed1')
    expected = wrong & right
    assert shown(page) == (np.flatnonzero(expected) + 1).tolist()
    page.select_option('#label', '1')
    page.fill('#overlap-low', '0.5')
    expected &= (LABELS == 1) & (np.round(overlap, 3) >= 0.5)
    assert shown(page) == (np.flatnonzero(expected) + 1).tolist() != []
    page.click('#filters [type=reset]')
    expect(page.locator('#pairs .dt-info')).to_have_text('Showing 1 to 100 of 200 pairs')


def test_pairs_are_sorted_by_the_distance_of_any_run(page):
    """Guards a distance that stays that of another run."""
    for name in ('cosent.seed1', 'interact.seed1'):
        fitted(page, name)
        distances = np.abs(SCORES[name] - exact_threshold(page))
        choose(page, 'distance', name)
        if name == 'cosent.seed1':
            page.get_by_role('columnheader', name='distance').click()
        column = page.locator('#pairs thead th').count() - 1
        expected = [f'{distance:.4f}' for distance in np.sort(distances)[:100]]
        assert shown(page, column) == expected


def test_markup_in_a_pair_is_text_and_is_found(page):
    """Guards against sentences that become part of the page, also while it is searched."""
    page.fill('#pairs input[type=search]', '<img src=x')
    assert shown(page) == [1]
    assert page.locator('#pairs tbody .sentences div').all_inner_texts() == list(EVIL)
    assert page.evaluate('window.hacked') is None


def test_differing_characters_are_marked(page):
    """Guards marks shifted by characters beyond 16 bits."""
    text1, text2 = next(pair for pair in PAIRS if '𠮷' in pair[0])
    steps = SequenceMatcher(None, text1, text2, autojunk=False).get_opcodes()
    expected = [text1[a:b] for kind, a, b, _, _ in steps if kind in ('replace', 'delete')]
    page.fill('#pairs input[type=search]', text1)
    assert page.locator('#pairs tbody div >> nth=0').locator('mark').all_inner_texts() == expected


def test_legend_has_the_areas_under_the_curves(page):
    """Guards curves over ties, or of other runs than the legend says."""
    legend = page.locator('#curves .legend').text_content()
    for label, name in (('BERT+CoSENT', 'cosent.seed1'), ('BERT+Interact', 'interact.seed1')):
        auc, average = (
            f'{100 * area(LABELS, SCORES[name]):.2f}'
            for area in (roc_auc_score, average_precision_score)
        )
        assert f'{label} (AUC {auc}, AP {average})' in legend


def test_charts_cannot_be_sent_anywhere(page):
    """Guards data that must not leave the machine: plotly.js has a button that uploads a chart."""
    titles = page.eval_on_selector_all(
        '.modebar-btn', 'buttons => buttons.map(b => b.dataset.title)'
    )
    assert 'Pan' in titles and not [title for title in titles if 'Share' in title]


def boxes(page, selector):
    """Left, top, right and bottom of what is visible of it."""
    return page.eval_on_selector_all(
        selector,
        """all => all.map(one => one.getBoundingClientRect()).filter(box => box.width)
           .map(box => [box.left, box.top, box.right, box.bottom])""",
    )


@pytest.mark.parametrize('width', [1400, 900, 420])
def test_nothing_covers_a_legend_or_what_it_explains(width, report, open_page):
    """Legends, curves and bars can be seen, also while the pointer brings the buttons up."""
    page = open_page(report, viewport={'width': width, 'height': 900})
    for chart in ('curves', 'overlap', 'histogram'):
        page.hover(f'#{chart} .nsewdrag >> nth=0')
        legends = boxes(page, f'#{chart} .legend')
        drawn = boxes(page, f'#{chart} .nsewdrag') + boxes(page, f'#{chart} .modebar-group')
        assert legends and drawn
        for left, top, right, bottom in legends:
            for x0, y0, x1, y1 in drawn:
                assert right <= x0 or x1 <= left or bottom <= y0 + 1 or y1 <= top, chart


def test_a_telephone_shows_every_score_and_says_where_columns_are_cut(report, open_page):
    """At 420 pixels all scores of a pair are on the screen, and a wide table says it has more."""
    page = open_page(report, locale='en-US', viewport={'width': 420, 'height': 800})
    rows = page.locator('#pairs tbody tr').all()
    cells = boxes(page, '#pairs tbody .right, #pairs tbody .wrong')
    assert len(cells) == 3 * len(rows)  # methods
    assert all(left >= 0 and right <= 420 for left, _, right, _ in cells)
    told = (
        page.locator('#pairs tbody tr >> nth=0')
        .locator('td')
        .evaluate_all('cells => cells.map(cell => getComputedStyle(cell, "::before").content)')
    )
    assert '"Sentence-BERT · seed 1 "' in told

    said = 'wide => getComputedStyle(wide, "::before").content'
    runs = page.locator('details', has=page.get_by_text('Every run (%)', exact=True))
    runs.locator('summary').click()
    table = runs.locator('.wide')
    expect(table).to_have_class('wide cut')
    assert table.evaluate(said) == '"more columns: scroll sideways →"'
    page.set_viewport_size({'width': 1400, 'height': 900})
    expect(table).to_have_class('wide')
    assert table.evaluate(said) == 'none'


def test_page_follows_the_task_and_speaks_two_languages(report, open_page):
    """Guards a second task, and a page that a Chinese reader can use at once, on a telephone."""
    page = open_page(report, locale='zh-CN', viewport={'width': 400, 'height': 800})
    assert page.inner_text('h1') == '结果与错误' and '准确率' in page.inner_text('#measures')
    page.select_option('#task', '1')
    assert '从 50 对中筛选' in page.inner_text('#pairs .dt-info')
    page.click('#language')
    assert page.inner_text('h1') == 'Results and errors' and 'accuracy' in page.inner_text(
        '#measures'
    )
    assert '50 total pairs' in page.inner_text('#pairs .dt-info')
    assert page.evaluate('document.documentElement.scrollWidth') == 400


def test_a_task_of_20000_pairs_and_8_runs_fits(tmp_path, open_page):
    """Guards the size of the page for all runs of the largest published task."""
    n, path = 20_000, tmp_path / 'report.html'
    texts = [
        tuple(''.join(RANDOM.choice(list('甲乙丙丁戊己庚辛'), 20)) for _ in '12') for _ in range(n)
    ]
    labels = RANDOM.integers(0, 2, n)
    results = [
        Result(
            RunName('ATEC', model, method, 1),
            Predictions(labels, scores := RANDOM.random(n), texts),
            'accuracy',
            valid=0.5,
            value=0.5,
            threshold=0.5,
            predicted=(scores > 0.5).astype(np.int64),
        )
        for model in ('bert', 'roberta')
        for method in ('cosent', 'sbert', 'interact', 'interact_cosent')
    ]
    save_html(path, results, [Section('Test accuracy', [''], [['a']], [])])
    assert path.stat().st_size < 25e6
    assert '20,000 total pairs' in open_page(path).inner_text('#pairs .dt-info')

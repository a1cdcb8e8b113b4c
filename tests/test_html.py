"""The page of eval_accuracy.py --html as a file; tests/browser opens it."""

import base64
import json
import re
import shutil
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from cosent_tools.report.html import differences
from tests.predictions import LABELS, PAIRS, add_run, add_scores, as_published

pytestmark = pytest.mark.fast

EVIL = '</script><script>alert("&amp;")</script><img src=x onerror=alert(1)>'


class Elements(HTMLParser):
    """What a browser makes elements of, with their attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.fixture
def page(tmp_path, evaluate):
    """Return the exit code, what is on stderr, and the page of the runs below tmp_path."""

    def page(*flags):
        path = tmp_path / 'report.html'
        code, _, err = evaluate('--runs_dir', tmp_path, '--html', path, *flags)
        return code, err, path.read_text('utf-8') if path.exists() else None

    return page


def page_data(text):
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_page_decides_as_python_does(tmp_path, page, evaluate):
    """Guards figures of the page that are not those of the report, from rounded scores or ties."""
    random = np.random.default_rng(0)
    scores = {seed: np.round(random.random(len(LABELS)), 1) + 0.1 + 0.2 for seed in (1, 2)}
    for seed in scores:
        add_scores(tmp_path, f'BQ.bert.cosent.seed{seed}', LABELS, scores[seed])
        test = tmp_path / f'BQ.bert.cosent.seed{seed}/predictions.test.tsv'
        test.write_text(test.read_text('utf-8').replace('\n1\t', '\n1.0\t'), 'utf-8')
    (task,) = page_data(page()[2])['tasks']
    assert task['texts'] == [list(pair) for pair in PAIRS]
    assert [run['first'] for run in task['runs']] == [True, False]
    report = json.loads(evaluate('--runs_dir', tmp_path, '--format', 'json')[1])
    labels = np.array(list(map(int, task['labels'])))
    for run, of_report in zip(task['runs'], report['runs'], strict=True):
        read = np.frombuffer(base64.b64decode(run['scores']), '<f8')
        np.testing.assert_array_equal(read, scores[run['seed']])
        assert np.mean((read > run['threshold']) == labels) == of_report['accuracy']


def test_page_is_whole_and_loads_nothing(tmp_path, page):
    """Guards a page that opens without network, also beside --format json; sentences are text."""
    for seed in (1, 2):
        add_run(tmp_path, f'BQ.bert.cosent.seed{seed}', pairs=[(EVIL, 'a'), *PAIRS[1:]])
    add_run(tmp_path, 'BQ.bert.cosent.seed3')  # is left out, and why is a note with a sentence
    code, err, text = page('--format', 'json')
    assert code == 1 and 'left out' in err
    assert page_data(text)['tasks'][0]['texts'][0] == [EVIL, 'a']
    elements = Elements(text).found
    assert [tag for tag, _ in elements].count('script') == 4 and text.endswith('</html>\n')
    assert not [values for tag, values in elements if 'src' in values or 'onerror' in values]
    assert {values['href'] for tag, values in elements if tag == 'link'} == {'data:,'}
    assert "default-src 'none'" in text


def test_runs_without_a_threshold_are_in_the_tables_only(tmp_path, page):
    """Guards several classes and grades: shown where they can be, and said so."""
    add_run(tmp_path, 'BQ.bert.cosent.seed1')
    add_run(tmp_path, 'STS-B.bert.cosent.seed1', labels=np.array([0, 1, 2, 5] * 10))
    add_scores(tmp_path, 'BQ.bert.other.seed1', LABELS, np.stack([1 - LABELS, LABELS], axis=1))
    _, _, text = page()
    data = page_data(text)
    assert [run['name'] for task in data['tasks'] for run in task['runs']] == [
        'BQ.bert.cosent.seed1'
    ]
    assert data['only_in_tables'] == ['STS-B.bert.cosent.seed1', 'BQ.bert.other.seed1']
    assert '<td>BERT+other</td>' in text and '>publ. 83.24</span>' in text


def test_differences_are_where_two_texts_differ():
    """Guards marks: of characters beyond 16 bits too, and the two sides belong together."""
    assert differences('从甲到乙', '到乙𠮷') == ([2, 2, 0, 0], [0, 2, 1, 0])
    assert differences('', '甲') == ([0, 0], [1, 0])


def test_what_keeps_the_page_from_being_written_is_said(tmp_path, page, evaluate, monkeypatch):
    """Guards one line, instead of a traceback or an empty page."""
    assert 'nothing to show' in page()[1]
    add_run(tmp_path, 'BQ.bert.cosent.seed1')
    assert 'no threshold' in page('--metric', 'spearman')[1]
    assert 'must end in .html' in evaluate('--runs_dir', tmp_path, '--html', 'report.txt')[2]
    monkeypatch.setitem(sys.modules, 'itables.options', None)
    code, err, text = page()
    assert code == 2 and text is None and 'pip install plotly itables' in err


class ChineseView(HTMLParser):
    """The texts of the tables that a reader of the Chinese view sees."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.classes = [], []
        self.feed(page[page.index('<details') : page.index('id="only-in-tables"')])

    def handle_starttag(self, tag, attributes):
        if tag != 'br':
            self.classes.append(dict(attributes).get('class'))

    def handle_endtag(self, tag):
        self.classes.pop()

    def handle_data(self, data):
        if 'en' not in self.classes:
            self.texts.append(data)


@pytest.mark.usefixtures('forty_pairs')
def test_no_english_sentence_is_left_in_the_chinese_view(tmp_path, page):
    """Tables with daggers, comparisons, collapsed, stalled, unlabelled and copied runs, and what is
    odd in the data: no two English words in a row are left of their titles, columns and notes."""
    for seed, wrong in enumerate((4, 3, 20), 1):
        add_run(tmp_path, f'BQ.bert.cosent.seed{seed}', wrong)
        add_run(tmp_path, f'BQ.bert.interact.seed{seed}', wrong=seed)
    as_published(tmp_path, runs='*.interact.*')
    as_published(tmp_path, runs='*.cosent.seed1')
    as_published(tmp_path, runs='*.cosent.seed2', epochs=1, weights='cd34', select='spearman')
    add_scores(tmp_path, 'BQ.bert.sbert.seed1', LABELS, np.where(LABELS > 0, 0.9999, 0.999))
    add_run(tmp_path, 'NS.bert.cosent.seed1', pairs=[('NS', '甲'), *PAIRS[1:]])
    add_scores(tmp_path, 'NLI.bert.cosent.seed1', LABELS, np.stack([1 - LABELS, LABELS], axis=1))
    add_run(tmp_path, 'AFQMC.bert.cosent.seed1')
    blank = tmp_path / 'AFQMC.bert.cosent.seed1' / 'predictions.test.tsv'
    blank.write_text(blank.read_text('utf-8').replace('\n1\t', '\n0\t'), 'utf-8')
    shutil.copytree(tmp_path / 'NS.bert.cosent.seed1', tmp_path / 'NS.bert.cosent.seed2')
    add_run(tmp_path, 'NS.bert.sbert.seed1', pairs=PAIRS)
    (tmp_path / 'BQ.bert.cosent.seed9').mkdir()
    _, _, text = page('--by', 'overlap', '--details')
    texts = ChineseView(text).texts
    words = r'\b[A-Za-z]{2,}[,;:]? [a-z]{2,}\b'  # but for names, and flags with their value
    names = ('BQ bert', 'NS bert')
    assert not [
        part
        for part in texts
        if re.search(words, re.sub(r'--\w+ \w+', '', part)) and part not in names
    ]
    for words in (
        '测试集准确率（%），阈值在验证集上求得：Powell 搜索（与文章相同）',
        '公布 83.24',
        '差别是真的吗？',
        '0.2 至 0.4',
        '† BQ BERT+CoSENT：训练轮数 1，而非 5；选模型的指标 spearman，而非 准确率；设置未知：',
        '各种子的训练轮数不同：5（种子 1）, 1（种子 2）；',
        '种子 3 的设置未知：没有 config.json。',
        'Holm：按 ',
        '占位符：以 NS 代替句子的句对',
        'Powell 搜索停在起点',
        '什么都没学到（测试集得分分不开两类，ROC AUC ',
        '不计入：',
    ):
        assert any(part.startswith(words) or words in part for part in texts), words

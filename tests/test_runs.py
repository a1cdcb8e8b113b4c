"""The run folder: a misread prediction file would give a wrong table that looks right."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosent_tf.errors import UserError
from cosent_tf.files import write_atomic, write_json, write_text
from cosent_tf.predictions import read_predictions, write_predictions
from cosent_tf.run.folder import TEST_FILE, VALID_FILE, run_name
from cosent_tools.runs import list_runs, parse_run_name

pytestmark = pytest.mark.fast

GOOD = 'label\tscore\ttext1\ttext2\n1\t0.5\t你好\t您好\n0\t-1e-3\t是\t否\n'
FUZZ = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def test_run_names_go_both_ways():
    assert run_name('STS-B', 'my_model', 'interact_cosent', 0) == (
        'STS-B.my_model.interact_cosent.seed0'
    )
    name = parse_run_name('BQ.bert.cosent.seed42')
    assert name == ('BQ', 'bert', 'cosent', 42) and str(name) == 'BQ.bert.cosent.seed42'


@pytest.mark.parametrize(
    'name',
    [
        'BQ.bert.cosent',
        'BQ.bert.cosent.seed',
        'BQ.bert.cosent.seed1.bak',
        'BQ.bert.cosent.seed01',
        'BQ.bert.x.cosent.seed1',
        '.bert.cosent.seed1',
        'BQ.bert.cosent.seed1\n',
        '../BQ.bert.cosent.seed1',
    ],
)
def test_other_folder_names_are_no_runs(name):
    assert parse_run_name(name) is None


def test_names_that_would_leave_the_runs_folder_are_refused():
    with pytest.raises(UserError, match='no name for a run'):
        run_name('../BQ', 'bert', 'cosent', 42)
    with pytest.raises(UserError, match='no name for a run'):
        run_name('BQ', 'bert', 'cosent', -1)


def test_scores_and_texts_come_back_exactly(tmp_path):
    """The threshold of training and evaluation must agree to the last bit, for any text."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=1000) * 10.0 ** rng.integers(-300, 300, 1000)
    pairs = [('a\x85\u2028\x1c b', ' 全角　 '), ('', '𠀀|"\\n\x00')] * 500
    for table in (scores, scores.reshape(250, 4)):
        n = len(table)
        labels = np.arange(n) % 4
        write_predictions(tmp_path / 'x.tsv', labels, table, pairs[:n])
        read = read_predictions(tmp_path / 'x.tsv')
        assert np.array_equal(read.scores, table) and np.array_equal(read.labels, labels)
        assert read.texts == pairs[:n]


def test_labels_come_back_exactly(tmp_path):
    """Graded labels are written with every digit, and classes as whole numbers."""
    labels = [1, 0.8, 3.25, 0.1 + 0.2, -1e-7]
    pairs = [('a', 'b')] * len(labels)
    write_predictions(tmp_path / 'x.tsv', labels, np.zeros(5), pairs)
    read = read_predictions(tmp_path / 'x.tsv')
    assert read.labels.dtype == np.float64 and read.labels.tolist() == labels
    written = [line.split('\t')[0] for line in (tmp_path / 'x.tsv').read_text().splitlines()[1:]]
    assert written == ['1', '0.8', '3.25', '0.30000000000000004', '-1e-07']
    write_predictions(tmp_path / 'x.tsv', [5, 0, 3, 4, 1], np.zeros(5), pairs)
    assert read_predictions(tmp_path / 'x.tsv').labels.dtype == np.int64


def test_pairs_without_labels_come_back_without(tmp_path):
    """The field of the label is empty, which other programs take for a missing number."""
    for label, scores in ((np.nan, np.array([0.5, -1.0])), (None, np.full((2, 3), 0.25))):
        write_predictions(tmp_path / 'x.tsv', [label] * 2, scores, [('a', 'b')] * 2)
        read = read_predictions(tmp_path / 'x.tsv')
        assert np.isnan(read.labels).all() and np.array_equal(read.scores, scores)
        lines = (tmp_path / 'x.tsv').read_text().splitlines()[1:]
        assert all(line.startswith('\t') for line in lines) and len(lines) == 2


def test_float32_scores_are_written_as_they_are(tmp_path):
    score = np.float32(0.1)
    write_predictions(tmp_path / 'x.tsv', [1], [score], [('a', 'b')])
    assert read_predictions(tmp_path / 'x.tsv').scores[0] == np.float64(score)


@pytest.mark.parametrize(
    ('labels', 'scores', 'pairs', 'message'),
    [
        ([1], [0.5], [('a\tb', 'c')], 'tab'),
        ([1], [0.5], [('a', 'c\r')], 'line end'),
        ([1], [np.nan], [('a', 'b')], 'NaN'),
        ([1, 0], [0.5], [('a', 'b')], 'do not fit'),
        ([1], [[0.5]], [('a', 'b')], 'C > 1'),
        (['1'], [0.5], [('a', 'b')], 'numbers'),
        ([np.nan, 1], [0.5, 0.5], [('a', 'b')] * 2, 'label is NaN'),
        ([], [], [], 'do not fit'),
        ([1], [0.5], [('a', '\ud800')], 'surrogates'),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, labels, scores, pairs, message):
    with pytest.raises(UserError, match=message):
        write_predictions(tmp_path / 'x.tsv', labels, scores, pairs)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (b'', ':1: the file is empty'),
        (GOOD[:-1].encode(), ':3: .*cut short'),
        (b'label\tscore\ttext1\ttext2\n', ':2: .*only a header'),
        (GOOD.replace('score', 'score_0').encode(), ':1: the header'),
        (GOOD.replace('text2', 'text').encode(), ':1: the header'),
        (GOOD.encode('gbk'), ':2: not UTF-8'),
        (GOOD.replace('\n', '\r\n').encode(), ':1: a carriage return'),
        (GOOD.replace('您好', '您\t好').encode(), ':2: 5 fields, the header has 4'),
        ((GOOD + '\n').encode(), ':4: 1 fields'),
        (GOOD.replace('\n0', '\n').encode(), ":3: '' is not a label"),
        (GOOD.replace('\n0', '\nnan').encode(), ":3: 'nan' is not a label"),
        (GOOD.replace('\n0', '\n1e999').encode(), ":3: '1e999' is not a finite label"),
        (GOOD.replace('\n0', '\n1_0').encode(), ":3: '1_0' is not a label"),
        (GOOD.replace('-1e-3', 'high').encode(), ":3: 'high' is not a score"),
        (GOOD.replace('0.5', 'nan').encode(), ":2: 'nan' is not a score"),
        (GOOD.replace('0.5', '-inf').encode(), ":2: '-inf' is not a score"),
        (GOOD.replace('0.5', '1e999').encode(), ":2: '1e999' is not a finite score"),
    ],
)
def test_damaged_files_are_named_with_their_line(tmp_path, data, message):
    path = tmp_path / 'x.tsv'
    path.write_bytes(data)
    with pytest.raises(UserError, match='x.tsv' + message):
        read_predictions(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r'x\.tsv: cannot be read: No such file'):
        read_predictions(tmp_path / 'x.tsv')


def read_or_refuse(path, data):
    """Reads `data`; whatever is read must be one pair a line after the header."""
    path.write_bytes(data)
    try:
        read = read_predictions(path)
    except UserError:
        return
    lines = data.count(b'\n') - 1
    assert len(read.labels) == len(read.scores) == len(read.texts) == lines > 0


@FUZZ
@given(data=st.binary() | st.lists(st.sampled_from(GOOD + '\x85\r')).map(''.join).map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path, data):
    read_or_refuse(tmp_path / 'x.tsv', data)


@FUZZ
@given(
    start=st.integers(0, len(GOOD.encode())),
    length=st.integers(0, 5),
    inserted=st.binary(max_size=3)
    | st.text('\t\n\r\x85\u2028\x1c_.e10 ', max_size=3).map(str.encode),
)
def test_any_mutated_file_is_read_or_refused(tmp_path, start, length, inserted):
    good = GOOD.encode()
    read_or_refuse(tmp_path / 'x.tsv', good[:start] + inserted + good[start + length :])


def make(folder, *files):
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_text('')


def test_list_runs_tells_finished_from_unfinished(tmp_path):
    """An interrupted training must not appear in the table, and must not vanish silently."""
    both = (VALID_FILE, TEST_FILE)
    make(tmp_path / 'BQ.bert.cosent.seed2', 'config.json', 'metrics.json', *both)
    make(tmp_path / 'BQ.bert.cosent.seed1', 'config.json', *both)
    make(tmp_path / 'BQ.other.dot.seed0', *both)
    make(tmp_path / 'BQ.other.dot.seed1', TEST_FILE)
    make(tmp_path / 'BQ.other.dot.seed2')
    make(tmp_path / 'notes', 'config.json', *both)
    (tmp_path / 'BQ.bert.sbert.seed1').write_text('a file')
    finished, unfinished = list_runs(tmp_path)
    assert [str(run.name) for run in finished] == ['BQ.bert.cosent.seed2', 'BQ.other.dot.seed0']
    assert [path.name for path in unfinished] == ['BQ.bert.cosent.seed1', 'BQ.other.dot.seed1']
    assert finished[0].folder == tmp_path / 'BQ.bert.cosent.seed2'
    assert list_runs(tmp_path / 'absent') == ([], [])
    with pytest.raises(UserError, match='cannot be listed'):
        list_runs(tmp_path / 'BQ.bert.sbert.seed1')


def test_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    """Half a metrics.json would make an unfinished run count as finished."""
    path = tmp_path / 'run' / 'metrics.json'
    write_text(path, 'old')

    def interrupted(temporary):
        temporary.write_text('half')
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, interrupted)
    assert path.read_text() == 'old' and list(path.parent.iterdir()) == [path]


def test_file_system_errors_are_told_in_one_line(tmp_path):
    def disk_full(temporary):
        temporary.write_text('half')
        raise OSError(28, 'No space left on device')

    with pytest.raises(UserError, match=r'a\.csv: cannot be written: No space left'):
        write_atomic(tmp_path / 'a.csv', disk_full)
    assert not list(tmp_path.iterdir())
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot be written'):
        write_text(tmp_path / 'file' / 'a.csv', 'text')


def test_json_takes_numpy_values(tmp_path):
    write_json(tmp_path / 'a.json', {'x': np.float32(0.5), 'n': np.int64(3), 'w': np.ones(2)})
    assert json.loads((tmp_path / 'a.json').read_text()) == {'x': 0.5, 'n': 3, 'w': [1, 1]}

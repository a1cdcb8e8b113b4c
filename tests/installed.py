"""Of the installed package: every module is imported, and the demo's BERT encodes.

    make test-package

runs this by the Python of an environment with nothing but the package and what it asks for.
"""

import importlib
import pkgutil
import sysconfig
import tempfile
from pathlib import Path

import numpy as np

import cosent_tf

assert Path(cosent_tf.__file__).is_relative_to(sysconfig.get_path('purelib')), cosent_tf.__file__
modules = [module.name for module in pkgutil.walk_packages(cosent_tf.__path__, 'cosent_tf.')]
for name in modules:
    importlib.import_module(name)
for name in cosent_tf.__all__:
    getattr(cosent_tf, name)

with tempfile.TemporaryDirectory() as folder:
    importlib.import_module('cosent_tf.demo.task').make_demo_bert(Path(folder) / 'bert')
    vectors = cosent_tf.load_encoder(Path(folder) / 'bert').encode(['花呗怎么还款', '怎么还花呗'])
assert vectors.shape[0] == 2 and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
print(f'{len(modules)} modules imported, {vectors.shape[0]} texts encoded: vectors of length 1')

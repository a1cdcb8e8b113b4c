"""Which way imports go, and the public names of the package."""

import ast

import pytest

import cosent_tf
from tests.helpers import ROOT, run_code

pytestmark = pytest.mark.fast

PACKAGE = ROOT / 'cosent_tf'
TOOLS = ROOT / 'cosent_tools'
SCRIPTS = {path.stem for path in ROOT.glob('*.py')}


def imports(folder):
    """Yield (file, module) for every import of the files in a folder."""
    for path in folder.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text('utf-8'))):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield path, node.module
                yield from ((path, f'{node.module}.{alias.name}') for alias in node.names)


def test_bert_does_not_know_run_and_nothing_imports_a_script():
    """`cosent_tf.bert` imports nothing of `cosent_tf.run`, and no tool imports a script."""
    assert not [found for found in imports(PACKAGE / 'bert') if 'cosent_tf.run' in found[1]]
    assert not [found for found in imports(TOOLS) if found[1].split('.')[0] in SCRIPTS]


def test_the_package_imports_neither_tools_nor_scripts():
    """`cosent_tf` alone is enough for training and for vectors: the wheel holds nothing else."""
    beside = {'cosent_tools', *SCRIPTS}
    assert not [found for found in imports(PACKAGE) if found[1].split('.')[0] in beside]


@pytest.mark.parametrize(
    'statement',
    [
        'from cosent_tools.report import plots, render, sections',
        'import eval_accuracy, download, train_table, compare_original',
        'import limits, cosent_tools.limits.theory',
        'from cosent_tf import configure_process, powell_threshold, read_pairs, read_predictions',
    ],
)
def test_what_needs_no_tensorflow_does_not_import_it(statement):
    """Evaluation, downloads, plans and the package itself import without TensorFlow."""
    code = f'import sys; {statement}; print([m for m in sys.modules if "tensorflow" in m])'
    done = run_code(code)
    assert done.stdout == '[]\n', done.stderr


@pytest.mark.usefixtures('tensorflow')
def test_the_package_has_its_public_names():
    """Every public name of cosent_tf can be imported and called."""
    for name in cosent_tf.__all__:
        assert callable(getattr(cosent_tf, name)), name
    with pytest.raises(AttributeError, match='no attribute'):
        cosent_tf.load_everything  # noqa: B018

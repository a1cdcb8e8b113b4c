"""The package: what `pip install .` of a checkout in use takes, and what it asks for."""

import itertools
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.fast

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """Of a checkout after training, a download and a benchmark; built without network."""
    checkout, dist = tmp_path_factory.mktemp('checkout'), tmp_path_factory.mktemp('dist')
    for name in ('pyproject.toml', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, checkout)
    for name in ('cosent_tf', 'cosent_tools', 'tests', 'benchmarks'):
        shutil.copytree(ROOT / name, checkout / name)
    for name in ('runs', 'data', 'pretrained', 'build'):
        (checkout / name / 'any').mkdir(parents=True)
        (checkout / name / 'any/of_it.py').touch()
    command = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-index']
    subprocess.run([*command, '--no-build-isolation', '-w', dist, checkout], check=True)
    return zipfile.Path(next(dist.glob('*.whl')))


def test_wheel_of_a_used_checkout_has_every_module_and_nothing_else(wheel):
    """The wheel holds all of the package, and nothing of runs/ or data/ beside it."""
    names = {
        name for name in wheel.root.namelist() if '.dist-info/' not in name and name[-1] != '/'
    }
    files = ROOT.glob('cosent_tf/**/*.py')
    assert names == {path.relative_to(ROOT).as_posix() for path in files}


def test_wheel_says_what_it_is_and_asks_for_nothing_that_pip_cannot_resolve(wheel):
    """The wheel has licence and README, and does not require bert4keras."""
    info = next(path for path in wheel.iterdir() if path.name.endswith('.dist-info'))
    metadata = PathDistribution(info).metadata
    assert metadata['Name'] == 'cosent_tf' and metadata['License-Expression'] == 'MIT'
    assert (info / 'licenses/LICENSE').read_text() == (ROOT / 'LICENSE').read_text()
    assert metadata.get_payload().strip().startswith('# cosent_tf')
    required = {Requirement(line).name for line in metadata.get_all('Requires-Dist')}
    assert 'tensorflow' in required and 'bert4keras' not in required


@pytest.mark.parametrize('file', ['requirements.txt', 'requirements-dev.txt'])
def test_what_make_installs_is_what_the_project_asks_for(file):
    """A dependency, or a new pin, is in both of requirements*.txt and pyproject.toml."""
    groups, package = PROJECT['dependency-groups'], PROJECT['project']
    asked = groups['dev']
    if file == 'requirements.txt':
        extras = itertools.chain(*package['optional-dependencies'].values())
        asked = [*package['dependencies'], *groups['tools'], *extras]
    ranges = {r.name: r.specifier for r in map(Requirement, asked)}
    lines = (ROOT / file).read_text(encoding='utf-8').splitlines()
    pins = dict(line.partition('#')[0].strip().split('==') for line in lines if '==' in line)
    assert set(pins) == set(ranges)
    for name, version in pins.items():
        assert version in ranges[name], f'{name}=={version} is not in {ranges[name]}'

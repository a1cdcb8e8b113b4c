"""What the benchmarks share: taking turns, the machine, the table and the JSON file."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from cosent_tf.files import write_json

OUTPUT = Path('build/benchmarks')
LIBRARIES = ('tensorflow', 'tf_keras', 'bert4keras', 'numpy', 'scipy', 'openvino')

Turn = Callable[[], float]  # does a fixed amount of work → seconds


def timed(function: Callable[[], object]) -> Turn:
    """Make a turn of a function."""

    def turn() -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return turn


def alternate(turns: dict[str, Turn], rounds: int) -> dict[str, list[float]]:
    """Measure A B C A B C …, so that whatever else the machine does falls on all alike.

    A first round, in which graphs are traced and memory is allocated, is not counted.

    Returns:
        The seconds of every turn, by name.
    """
    seconds = {name: [] for name in turns}
    for _ in tqdm(range(1 + rounds), 'rounds', leave=False, disable=None):
        for name, turn in turns.items():
            seconds[name].append(turn())
    return {name: values[1:] for name, values in seconds.items()}


def ratio(seconds: list[float], others: list[float]) -> float:
    """Return how many times as long the others take: the median over the rounds."""
    return statistics.median(b / a for a, b in zip(seconds, others, strict=True))


def machine() -> dict:
    """Describe what was measured on."""
    return {
        'cpu': _cpu_model(),
        'cores': os.cpu_count(),
        'os': f'{platform.system()} {platform.release().split("-")[0]} {platform.machine()}',
        'python': platform.python_version(),
        **versions(LIBRARIES),
    }


def versions(libraries: tuple[str, ...]) -> dict[str, str]:
    """Return the version of each library, or that it is not installed."""

    def version(name: str) -> str:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return 'not installed'

    return {name: version(name) for name in libraries}


def _cpu_model() -> str:
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text('utf-8').splitlines() if cpuinfo.exists() else []
    names = (line.split(':')[1].strip() for line in lines if line.startswith('model name'))
    return next(names, platform.processor())


def report(name: str, title: str, rows: list[dict], settings: dict, **more) -> None:
    """Print rows as a table, and write them to build/benchmarks/NAME.json.

    Args:
        name: of the file.
        title: what is measured, above the table.
        rows: one dict per row, all with the same keys: the columns.
        settings: the sizes measured with.
        more: what else belongs into the file.
    """
    table = Table(title=title, title_justify='left')
    for column in rows[0]:
        table.add_column(column, justify='left' if isinstance(rows[0][column], str) else 'right')
    for row in rows:
        table.add_row(*map(_format, row.values()))
    OUTPUT.mkdir(parents=True, exist_ok=True)
    path = OUTPUT / f'{name}.json'
    result = {'title': title, 'machine': machine(), 'settings': settings, 'rows': rows, **more}
    write_json(path, result)
    console = Console()
    console.print(table)
    console.print(f'{machine()["cpu"]}, {machine()["cores"]} cores; written to {path}')


def _format(value) -> str:
    if value is None:
        return ''
    if isinstance(value, float):
        return f'{value:,.0f}' if abs(value) >= 100 else f'{value:.3g}'
    return f'{value:,}' if isinstance(value, int) else value

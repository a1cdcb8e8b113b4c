"""Taking turns with subjects in processes of their own, which may have environments of their own.

A worker sends its versions as one line of JSON when it is ready. Then every line that it gets means
one turn, answered by a line with the seconds and the most memory that it ever held. At the end of
its input it ends.

Nothing but the standard library, so that it runs in any environment.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable

GLIBC_AS_IT_COMES = {'MALLOC_PERTURB_': '0'}  # its default, but set: so cosent_tf changes nothing


class Worker:
    """A subject in another process; `turn` lets it do its work once."""

    def __init__(self, python: str, module: str, *arguments: str, **environment: str):
        self._name = ' '.join((module, *arguments[:1]))
        self._process = subprocess.Popen(
            [python, '-m', module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # the CPU for all, and no progress bars
            env={**os.environ, 'CUDA_VISIBLE_DEVICES': '', 'TQDM_DISABLE': '1', **environment},
        )
        self.versions = self._read()
        self.memory = 0  # GB, the most so far

    def turn(self) -> float:
        """Return the seconds of one more turn."""
        self._process.stdin.write('\n')
        self._process.stdin.flush()
        seconds, self.memory = self._read()
        return seconds

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f'{self._name} ended with exit code {self._process.wait()}')
        return json.loads(line)


class Turns:
    """The worker's side. What else is printed goes to stderr."""

    def __init__(self, versions: dict[str, str]):
        self._answers = os.fdopen(os.dup(1), 'w')
        os.dup2(2, 1)
        self._write(versions)

    def wait(self) -> None:
        """Wait for the next turn, or end the process."""
        if not sys.stdin.readline():
            sys.exit()

    def answer(self, seconds: float) -> None:
        """Answer a turn."""
        self._write((seconds, peak_memory()))

    def serve(self, turn: Callable[[], float]) -> None:
        """Take turns until the process ends."""
        while True:
            self.wait()
            self.answer(turn())

    def _write(self, value) -> None:
        self._answers.write(json.dumps(value) + '\n')
        self._answers.flush()


def peak_memory() -> float:
    """Return the most GB that this process ever held, as Linux counts it."""
    # not resource's ru_maxrss, which is the parent's at first
    with open('/proc/self/status', encoding='ascii') as status:
        [line] = (line for line in status if line.startswith('VmHWM'))
    return int(line.split()[1]) * 1024 / 1e9

"""What all subjects of a comparison get: the same pairs, the same BERT, the same sizes.

The peers read it in an environment of their own, which has no TensorFlow.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cosent_tf.data import Pair

SEED = 42


class Workload(NamedTuple):
    """A turn of training is one epoch of `train`, a turn of scoring all of `test`."""

    bert_dir: str  # in Google's format, untrained
    train: list[Pair]
    test: list[Pair]
    batch_size: int  # pairs
    maxlen: int  # tokens per sentence

    @property
    def labels(self) -> np.ndarray:
        """The labels of `train`, (n,)."""
        return np.array([label for _, _, label in self.train])

    @property
    def config(self) -> dict:
        """The BERT's bert_config.json."""
        return json.loads((Path(self.bert_dir) / 'bert_config.json').read_text('utf-8'))

    def save(self, path: Path) -> None:
        """Write it for a worker."""
        path.write_text(json.dumps(self._asdict()), 'utf-8')

    @classmethod
    def load(cls, path: str) -> 'Workload':
        """Read what `save` wrote."""
        return cls(**json.loads(Path(path).read_text('utf-8')))

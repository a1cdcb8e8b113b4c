"""CoSENT, Sentence-BERT and Interact for Chinese sentence matching: the public names.

Each is imported on first use, so that those without TensorFlow do not wait for it.
"""

import importlib
import sys

from cosent_tf.errors import is_script, show_uncaught

if is_script():
    sys.excepthook = show_uncaught

_PUBLIC = {
    'configure_process': 'process',
    'load_encoder': 'bert.vectors',
    'load_scorer': 'bert.scoring',
    'cosent_loss': 'losses',
    'cosent_score_loss': 'losses',
    'powell_threshold': 'thresholds',
    'best_threshold': 'thresholds',
    'powell_class_weights': 'thresholds',
    'read_pairs': 'readers',
    'read_predictions': 'predictions',
    'write_predictions': 'predictions',
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(f'{__name__}.{_PUBLIC[name]}'), name)


def __dir__() -> list[str]:
    return __all__

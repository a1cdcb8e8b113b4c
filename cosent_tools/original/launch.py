"""One training in a process of its own: an original script, or one of ours.

    python -m cosent_tools.original.launch SPEC.json

Both run unchanged. Only Keras's `fit`, which both call, is wrapped: the dense head gets the same
initial weights, valid is scored before the first step, and time and memory are measured. For an
original script, libraries are repaired (`repair`) and set up (`set_surroundings`); cosent_tf is not
imported there.
"""

import functools
import importlib
import importlib.util
import json
import os
import resource
import runpy
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

from cosent_tools.original.script import read_script, with_values

REPAIRS = {
    'keras': 'bert4keras imports keras, which is Keras 3 today; it gets tf_keras instead '
    '(TF_KERAS=1, TF_USE_LEGACY_KERAS=1)',
    'optimizer': "bert4keras's Adam needs the old Optimizer; while it is imported, "
    'keras.optimizers.Optimizer is keras.optimizers.legacy.Optimizer',
    'distutils': 'bert4keras imports distutils.util.strtobool, which Python 3.12 removed; a '
    'function of that name is provided',
    'threshold': "scipy's minimize returns an array of one number, which '%.5f' no longer prints; "
    'the number itself is returned',
}


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text('utf-8'))
    found = {'original': run_original, 'ours': run_ours}[spec['side']](spec)
    unit = 1 if sys.platform == 'darwin' else 1024
    found['peak_bytes'] = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    Path(spec['result']).write_text(json.dumps(found), 'utf-8')


def run_ours(spec: dict) -> dict:
    """Run a training script of ours; its run folder has all other results."""
    from cosent_tf.bert.compat import keras

    found = {}

    def before(callbacks: list) -> list:
        score = next(callback.score for callback in callbacks if hasattr(callback, 'score'))
        found['before'] = score('valid').tolist()
        return callbacks

    watch_fit(keras, spec['seed'], before, found)
    sys.argv = [spec['script'], *spec['flags']]
    runpy.run_path(spec['script'], run_name='__main__')
    return found


def run_original(spec: dict) -> dict:
    """Run a script of the checkout and return its results; see `results`."""
    keras, repairs = repair()
    path, tree = read_script(Path(spec['checkout']), spec['method'])
    seen = types.SimpleNamespace(lr=None, searches=[], scores=[], losses=[])
    set_surroundings(spec, seen)
    found = {'repairs': repairs}
    script = {'__name__': '__main__', '__file__': str(path)}

    def before(callbacks: list) -> list:
        script['evaluator'].evaluate(script['valid_generator'])
        keras.utils.set_random_seed(spec['seed'])  # the order of examples, and dropout
        return [*callbacks, step_losses(keras, seen.losses)]

    watch_fit(keras, spec['seed'], before, found)
    os.chdir(spec['work'])  # where the script leaves its weights
    sys.argv = [str(path), spec['task']]
    exec(compile(with_values(tree, spec['values']), str(path), 'exec'), script)
    return found | results(script, seen)


def repair() -> tuple[types.ModuleType, list[str]]:
    """Make bert4keras, and with it the script, run on today's libraries.

    Returns:
        Keras, and the repairs, one line each.
    """
    os.environ |= {'TF_KERAS': '1', 'TF_USE_LEGACY_KERAS': '1'}
    repaired = ['keras', 'optimizer', 'threshold']
    if importlib.util.find_spec('distutils') is None:
        util = types.ModuleType('distutils.util')
        util.strtobool = lambda text: int(text.lower() in ('y', 'yes', 't', 'true', 'on', '1'))
        sys.modules |= {'distutils': types.ModuleType('distutils'), 'distutils.util': util}
        repaired.append('distutils')
    import tensorflow as tf

    sys.modules['keras'] = keras = tf.keras
    current = keras.optimizers.Optimizer
    keras.optimizers.Optimizer = keras.optimizers.legacy.Optimizer
    for name in ('backend', 'layers', 'models', 'optimizers', 'snippets', 'tokenizers'):
        importlib.import_module(f'bert4keras.{name}')
    keras.optimizers.Optimizer = current
    return keras, [REPAIRS[name] for name in repaired]


def set_surroundings(spec: dict, seen: types.SimpleNamespace) -> None:
    """Set dropout and learning rate from outside, and record scores and thresholds."""
    import bert4keras.models
    import bert4keras.optimizers
    import scipy.optimize
    import scipy.stats
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(False)  # float32 is float32, as ours
    rates = dict.fromkeys(('dropout_rate', 'attention_dropout_rate'), spec['dropout_rate'])
    build = bert4keras.models.build_transformer_model
    bert4keras.models.build_transformer_model = functools.partial(build, **rates)
    adam = bert4keras.optimizers.Adam
    init = adam.__init__

    def set_rate(self: object, learning_rate: float, **others: object) -> None:
        seen.lr = spec['lr'] or learning_rate
        init(self, seen.lr, **others)

    adam.__init__ = set_rate
    minimize, spearmanr = scipy.optimize.minimize, scipy.stats.spearmanr

    def minimize_number(*args: object, **options: object) -> object:
        result = minimize(*args, **options)
        result.x = result.x.reshape(-1)[0]
        seen.searches.append(-float(result.fun))
        return result

    def note_scores(labels: object, scores: object) -> object:
        seen.scores.append([float(score) for score in scores])
        return spearmanr(labels, scores)

    scipy.optimize.minimize, scipy.stats.spearmanr = minimize_number, note_scores


def watch_fit(
    keras: types.ModuleType, seed: int, before: Callable[[list], list], found: dict
) -> None:
    """Wrap `fit`: set the head, call `before` ahead of the training, and measure its time."""
    fit = keras.Model.fit

    def watched(model: object, *args: object, callbacks: list, **options: object) -> object:
        set_head(keras, model.layers[-1], seed)
        callbacks = before(callbacks)
        start = time.perf_counter()
        history = fit(model, *args, callbacks=callbacks, **options)
        found['fit_seconds'] = time.perf_counter() - start
        return history

    keras.Model.fit = watched


def set_head(keras: types.ModuleType, layer: object, seed: int) -> None:
    """Initialise a dense layer as Keras does (Glorot, uniform), by the seed."""
    import numpy as np

    if isinstance(layer, keras.layers.Dense):
        kernel, bias = layer.get_weights()
        limit = np.sqrt(6 / sum(kernel.shape))
        drawn = np.random.RandomState(seed).uniform(-limit, limit, kernel.shape)
        layer.set_weights([drawn, np.zeros_like(bias)])


def step_losses(keras: types.ModuleType, losses: list[float]) -> object:
    """Return a callback that records the loss of each step.

    Keras logs the mean of the epoch so far. It is reset at each step, since a loss computed from
    two such means would have their rounding error, about 1e-5 after hundreds of steps.
    """

    class StepLosses(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
            self.model.reset_metrics()

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            losses.append(float(logs['loss']))

    return StepLosses()


def results(script: dict, seen: types.SimpleNamespace) -> dict:
    """Return the scores, threshold, accuracies and losses of a script that has ended.

    It scored valid before the training and after each epoch, and test with the best checkpoint.
    """
    epochs = seen.searches[1:]
    best = epochs.index(max(epochs))
    return {
        'lr': seen.lr,
        'losses': seen.losses,
        'before': seen.scores[0],
        'valid': seen.scores[1 + best],
        'test': seen.scores[-1],
        'best_epoch': 1 + best,
        'threshold': float(script['evaluator'].best_threshold),
        'valid_accuracy': epochs[best],
        'test_accuracy': float(script['metrics'][1]),
    }


if __name__ == '__main__':
    main()

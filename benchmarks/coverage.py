"""How often the report's intervals hold the true difference of two methods, on simulated runs.

    python -m benchmarks.coverage [--draws 1000]

Each draw trains two methods with some seeds and tests them on 400 new pairs. The score of a pair is
±(d + a) / 2 by its label, with d of the method and a of the seed, and three normal terms: of the
pair, of method and pair, of run and pair. So the true accuracy, F1 and Spearman of a method are
known. The second method's seeds differ twice as much. Beside it: what plain resampling of seeds and
pairs with replacement covers (percentiles of 300 resamples, accuracy).
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from benchmarks.common import report
from cosent_tf.cli import make_parser, positive
from cosent_tf.predictions import Predictions
from cosent_tools.report.contributions import pair_contributions
from cosent_tools.report.evaluation import Result
from cosent_tools.report.significance import estimate, interval, training_share
from cosent_tools.runs import RunName

PAIR, METHOD, RUN = 0.6, 0.3, 0.4  # standard deviations of the scores' three terms
NOISE = PAIR**2 + METHOD**2 + RUN**2
MEASURES = ('accuracy', 'f1', 'spearman')


class Method(NamedTuple):
    """A simulated method."""

    d: float  # how far apart it draws the two classes, on average over seeds
    sd: float  # of that, over seeds

    def truth(self, measure: str) -> float:
        """Return the mean over seeds of a measure on infinitely many pairs."""
        if measure == 'spearman':  # by the area under the ROC curve
            area = ndtr(self.d / np.sqrt(2 * NOISE + self.sd**2))
            return float(np.sqrt(3) * (area - 0.5))
        return float(ndtr(self.d / 2 / np.sqrt(NOISE + self.sd**2 / 4)))  # F1 is the same here


def simulate(
    random: np.random.Generator, methods: tuple[Method, Method], seeds: int, pairs: int = 400
) -> list[list[Result]]:
    """Draw labels and pairs, and return the runs of each method on them."""
    labels = random.integers(0, 2, pairs)
    shared = random.normal(0, PAIR, pairs)
    arms = []
    for number, method in enumerate(methods):
        own = shared + random.normal(0, METHOD, pairs)
        distances = random.normal(method.d, method.sd, (seeds, 1))
        scores = distances * (labels - 0.5) + own + random.normal(0, RUN, (seeds, pairs))
        arms.append([_run(number, seed, labels, row) for seed, row in enumerate(scores)])
    return arms


def _run(number: int, seed: int, labels: np.ndarray, scores: np.ndarray) -> Result:
    name = RunName('SIMULATED', 'none', f'method{number}', seed)
    test = Predictions(labels, scores, [])
    predicted = (scores > 0).astype(int)
    return Result(name, test, 'accuracy', 0.0, 0.0, threshold=0.0, predicted=predicted)


def contributions(runs: list[Result], measure: str) -> np.ndarray:
    """Return what each pair contributes to a measure, (seeds, n)."""
    return np.stack([pair_contributions(replace(run, measure=measure)) for run in runs])


def bootstrap_interval(
    random: np.random.Generator, first: np.ndarray, second: np.ndarray, resamples: int = 300
) -> tuple[float, float]:
    """Resample seeds and pairs with replacement; return the 95 % percentile interval."""
    n = first.shape[1]
    drawn = random.integers(0, n, (resamples, n)) + n * np.arange(resamples)[:, None]
    weights = np.bincount(drawn.ravel(), minlength=n * resamples).reshape(resamples, n) / n
    means = []
    for values in (first, second):
        runs = weights @ values.T  # (resamples, seeds)
        means.append(np.take_along_axis(runs, random.integers(0, len(values), runs.shape), 1))
    low, high = np.quantile(means[0].mean(axis=1) - means[1].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def measure(seeds: int, sd: float, draws: int) -> dict:
    """Count how many intervals hold the truth, in percent."""
    random = np.random.default_rng(0)
    methods = (Method(1.5, sd), Method(1.3, 2 * sd))
    truths = {name: methods[0].truth(name) - methods[1].truth(name) for name in MEASURES}
    held, shares = dict.fromkeys((*MEASURES, 'bootstrap'), 0), []
    for _ in range(draws):
        arms = simulate(random, methods, seeds)
        for name in MEASURES:
            pair = [contributions(runs, name) for runs in arms]
            found = estimate(*pair)
            low, high, _ = interval(found)
            held[name] += low <= truths[name] <= high
            if name == 'accuracy':
                shares.append(training_share(found))
                low, high = bootstrap_interval(random, *pair)
                held['bootstrap'] += low <= truths[name] <= high
    row = {'seeds': seeds, 'training %': 100 * float(np.mean(shares))}
    return row | {f'{name} %': 100 * count / draws for name, count in held.items()}


def main():
    parser = make_parser(__doc__)
    parser.add_argument('--seeds', type=positive(int), nargs='+', default=[2, 3, 5, 10])
    parser.add_argument('--sds', type=float, nargs='+', default=[0.0, 0.1, 0.3])
    parser.add_argument('--draws', type=positive(int), default=1000)
    args = parser.parse_args()
    rows = [measure(seeds, sd, args.draws) for seeds in args.seeds for sd in args.sds]
    title = 'Intervals of 95 % that hold the true difference (%)'
    report('coverage', title, rows, {'draws': args.draws, 'pairs': 400})


if __name__ == '__main__':
    main()

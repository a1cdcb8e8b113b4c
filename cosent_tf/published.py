"""The published test accuracies, as data.

Main table: "CoSENT（二）：特征式匹配与交互式匹配有多大差距？", https://kexue.fm/archives/8860.
Interact with cross-entropy and with the CoSENT loss, a later article with the same protocol:
https://kexue.fm/archives/9341. Every figure is one run, no seed is given; the method that both
articles trained, Interact with cross-entropy, differs by up to 1.05 points between them.
"""

TASKS = ('ATEC', 'BQ', 'LCQMC', 'PAWSX')

_COLUMNS = (*TASKS, 'Avg')


def _row(*figures):
    return dict(zip(_COLUMNS, figures, strict=True))


# (model, method) -> {task or 'Avg': accuracy in percent}
PUBLISHED = {
    ('bert', 'cosent'): _row(85.81, 83.24, 86.67, 76.30, 83.00),
    ('bert', 'sbert'): _row(84.93, 82.46, 87.42, 65.33, 80.04),
    ('bert', 'interact'): _row(85.49, 83.88, 87.80, 81.30, 84.62),
    ('bert', 'interact_cosent'): _row(85.55, 83.73, 87.92, 81.85, 84.76),  # archives/9341
    ('roberta', 'cosent'): _row(85.93, 83.42, 87.63, 76.55, 83.38),
    ('roberta', 'sbert'): _row(85.34, 82.52, 88.14, 68.35, 81.09),
    ('roberta', 'interact'): _row(86.04, 83.62, 88.22, 83.33, 85.30),
    ('roberta', 'interact_cosent'): _row(86.06, 84.23, 88.14, 83.03, 85.37),  # archives/9341
}

# The second publication of Interact with cross-entropy (archives/9341), by model.
INTERACT_REPEATED = {
    'bert': _row(85.38, 83.57, 88.10, 81.45, 84.63),
    'roberta': _row(85.97, 84.67, 88.14, 82.85, 85.41),
}

# Share of the larger class in the test splits of senteval_cn, in percent, and their mean.
MAJORITY = _row(81.95, 50.00, 50.00, 55.30, 59.31)

# Pairs of senteval_cn: train, valid, test.
PAIRS = {
    'ATEC': (62477, 20000, 20000),
    'BQ': (100000, 10000, 10000),
    'LCQMC': (238766, 8802, 12500),
    'PAWSX': (49401, 2000, 2000),
    'STS-B': (5231, 1458, 1361),
}


def published_accuracy(task, model, method):
    """The published test accuracy in percent, or None; `task` may be 'Avg'."""
    return PUBLISHED.get((model, method), {}).get(task)

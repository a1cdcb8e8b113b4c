"""The published test accuracies and Spearman correlations, as data.

Accuracies: "CoSENT（二）：特征式匹配与交互式匹配有多大差距？", https://kexue.fm/archives/8860.
Spearman of CoSENT and Sentence-BERT, with the epoch of the best valid Spearman: "CoSENT（一）",
https://kexue.fm/archives/8847. Interact with cross-entropy and with the CoSENT loss, a later
article with the same protocol: https://kexue.fm/archives/9341. Every figure is one run, no seed is
given; the accuracy of the method that two articles trained, Interact with cross-entropy, differs
by up to 1.05 points between them.
"""

TASKS = ('ATEC', 'BQ', 'LCQMC', 'PAWSX')
SPEARMAN_TASKS = (*TASKS, 'STS-B')


def _row(*figures: float) -> dict[str, float]:
    """Name the figures of four tasks and Avg, or of five and Avg."""
    tasks = SPEARMAN_TASKS[: len(figures) - 1]
    return dict(zip((*tasks, 'Avg'), figures, strict=True))


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

# (model, method) -> {task or 'Avg': Spearman's correlation times 100}
PUBLISHED_SPEARMAN = {
    ('bert', 'cosent'): _row(49.74, 72.38, 78.69, 60.00, 80.14, 68.19),
    ('bert', 'sbert'): _row(46.36, 70.36, 78.72, 46.86, 66.41, 61.74),
    ('bert', 'interact'): _row(48.01, 71.96, 78.53, 68.59, 66.77),  # archives/9341
    ('bert', 'interact_cosent'): _row(48.09, 72.25, 78.70, 69.34, 67.10),  # archives/9341
    ('roberta', 'cosent'): _row(50.81, 71.45, 79.31, 61.56, 81.13, 68.85),
    ('roberta', 'sbert'): _row(48.29, 69.99, 79.22, 44.10, 72.42, 62.80),
    ('roberta', 'interact'): _row(49.70, 73.20, 79.13, 70.52, 68.14),  # archives/9341
    ('roberta', 'interact_cosent'): _row(49.82, 73.09, 78.78, 70.54, 68.06),  # archives/9341
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

# Of both published encoders, BERT base and RoBERTa-wwm-ext base for Chinese.
ENCODER = {
    'num_hidden_layers': 12,
    'hidden_size': 768,
    'intermediate_size': 3072,
    'num_attention_heads': 12,
    'vocab_size': 21128,
}


def published_settings(task: str, method: str, metric: str) -> dict[str, int | float | str]:
    """Return what a published figure was made with, under the names of config.json.

    What chose the epoch of Interact's Spearman is not known, so it is left out.
    """
    joint = method in ('interact', 'interact_cosent')
    settings = {
        **dict(zip(('train', 'valid', 'test'), PAIRS[task], strict=True)),
        **ENCODER,
        'epochs': 5,
        'batch_size': 64 if method == 'interact_cosent' else 32,
        'lr': 2e-5,
        'maxlen': (2 if joint else 1) * (128 if task == 'PAWSX' else 64),
        'dropout_rate': 0.1,
        'pooling': 'cls',
        'precision': 'fp32',
    }
    if metric == 'accuracy':
        settings |= {'select': 'accuracy', 'search': 'powell'}
    return settings if joint or metric == 'accuracy' else settings | {'select': 'spearman'}


def published_figure(metric: str, task: str, model: str, method: str) -> float | None:
    """Return the published test accuracy or Spearman times 100; `task` may be 'Avg'."""
    tables = {'accuracy': PUBLISHED, 'spearman': PUBLISHED_SPEARMAN}
    return tables.get(metric, {}).get((model, method), {}).get(task)


def table_tasks(metric: str) -> tuple[str, ...]:
    """Return the tasks of the published table of a metric."""
    return SPEARMAN_TASKS if metric == 'spearman' else TASKS


def averaged_tasks(metric: str, method: str) -> tuple[str, ...]:
    """Return the tasks of Avg: all of the table, but Interact was published without STS-B."""
    return TASKS if method in ('interact', 'interact_cosent') else table_tasks(metric)

"""The published test accuracies and Spearman correlations, by task, and what they were made with.

Accuracies: "CoSENT（二）：特征式匹配与交互式匹配有多大差距？", https://kexue.fm/archives/8860.
Spearman of CoSENT and Sentence-BERT, with the epoch of the best valid Spearman: "CoSENT（一）",
https://kexue.fm/archives/8847. Interact with cross-entropy and with the CoSENT loss, a later
article with the same protocol: https://kexue.fm/archives/9341. Every figure is one run, no seed is
given; the accuracy of the method that two articles trained, Interact with cross-entropy, differs
by up to 1.05 points between them.
"""

from cosent_tf.methods import METHODS, find_method
from cosent_tf.published import PAIRS, SPEARMAN_TASKS, TASKS

# Both published encoders: BERT base and RoBERTa-wwm-ext base for Chinese.
ENCODER = {
    'num_hidden_layers': 12,
    'hidden_size': 768,
    'intermediate_size': 3072,
    'num_attention_heads': 12,
    'vocab_size': 21128,
}


def _row(*figures: float) -> dict[str, float]:
    """Name the figures of four tasks and Avg, or of five and Avg."""
    tasks = SPEARMAN_TASKS[: len(figures) - 1]
    return dict(zip((*tasks, 'Avg'), figures, strict=True))


def _rows(metric: str) -> dict[tuple[str, str], dict[str, float]]:
    """Name the published figures of a metric: (model, method) → {task or 'Avg': figure}."""
    return {
        (model, name): _row(*figures)
        for number, model in enumerate(('bert', 'roberta'))
        for name, method in METHODS.items()
        for figures in getattr(method, metric)[number : number + 1]
    }


PUBLISHED = _rows('accuracy')  # in percent
PUBLISHED_SPEARMAN = _rows('spearman')  # times 100
PUBLISHED_AGAIN = _rows('repeated')  # accuracy in percent, by a later article

# Share of the larger class in the test splits of senteval_cn, in percent, and their mean.
MAJORITY = _row(81.95, 50.00, 50.00, 55.30, 59.31)


def published_settings(task: str, method: str, metric: str) -> dict[str, int | float | str]:
    """Return what a published figure was made with, under the names of config.json.

    What chose the epoch of Interact's Spearman is not known, so it is left out.
    """
    joint = METHODS[method].is_joint
    settings = {
        **dict(zip(('train', 'valid', 'test'), PAIRS[task], strict=True)),
        **ENCODER,
        'epochs': 5,
        'batch_size': METHODS[method].batch_size,
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
    return TASKS if find_method(method).is_joint else table_tasks(metric)

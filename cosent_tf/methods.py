"""The methods of the study, one row each: all that other code knows of them.

To add a method, add a row here and a script `train_NAME.py` (CONTRIBUTING.md).
"""

from dataclasses import dataclass

# Test figures with BERT, then with RoBERTa: ATEC, BQ, LCQMC, PAWSX, (STS-B,) Avg
Figures = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Method:
    """A method of scoring sentence pairs."""

    name: str  # in the names of run folders and of the script `train_NAME.py`
    label: str  # row name in the report; {} stands for the encoder
    description: str = ''  # Markdown, for model cards
    is_joint: bool = False  # both sentences are one input, so that neither has a vector
    head: str | None = None  # of a joint model: 'softmax' over classes, or 'linear' (one number)
    is_bounded: bool = True  # scores lie in [-1, 1], which decides how the threshold is searched
    batch_size: int = 32  # pairs per step of the published runs
    accuracy: Figures = ()  # in percent: archives/8860, or 9341 for interact_cosent
    spearman: Figures = ()  # times 100: archives/8847, or 9341 for joint methods
    repeated: Figures = ()  # accuracy according to a later article, archives/9341


_ROWS = (
    Method(
        'cosent',
        '{}+CoSENT',
        'CoSENT: each sentence by itself, log(1 + Σ exp(20·cosᵢ − 20·cosⱼ)) over all pairs of '
        'examples with labelᵢ < labelⱼ ([archives/8847](https://kexue.fm/archives/8847))',
        accuracy=((85.81, 83.24, 86.67, 76.30, 83.00), (85.93, 83.42, 87.63, 76.55, 83.38)),
        spearman=(
            (49.74, 72.38, 78.69, 60.00, 80.14, 68.19),
            (50.81, 71.45, 79.31, 61.56, 81.13, 68.85),
        ),
    ),
    Method(
        'sbert',
        'Sentence-{}',
        'Sentence-BERT: each sentence by itself, cross-entropy of softmax(dense([u, v, |u−v|]))',
        accuracy=((84.93, 82.46, 87.42, 65.33, 80.04), (85.34, 82.52, 88.14, 68.35, 81.09)),
        spearman=(
            (46.36, 70.36, 78.72, 46.86, 66.41, 61.74),
            (48.29, 69.99, 79.22, 44.10, 72.42, 62.80),
        ),
    ),
    Method(
        'interact',
        '{}+Interact',
        'Interact: both sentences as one input, cross-entropy',
        is_joint=True,
        head='softmax',
        accuracy=((85.49, 83.88, 87.80, 81.30, 84.62), (86.04, 83.62, 88.22, 83.33, 85.30)),
        spearman=((48.01, 71.96, 78.53, 68.59, 66.77), (49.70, 73.20, 79.13, 70.52, 68.14)),
        repeated=((85.38, 83.57, 88.10, 81.45, 84.63), (85.97, 84.67, 88.14, 82.85, 85.41)),
    ),
    Method(
        'interact_cosent',
        '{}+Interact (CoSENT loss)',
        'Interact with the CoSENT loss: both sentences as one input '
        '([archives/9341](https://kexue.fm/archives/9341))',
        is_joint=True,
        head='linear',
        is_bounded=False,
        batch_size=64,
        accuracy=((85.55, 83.73, 87.92, 81.85, 84.76), (86.06, 84.23, 88.14, 83.03, 85.37)),
        spearman=((48.09, 72.25, 78.70, 69.34, 67.10), (49.82, 73.09, 78.78, 70.54, 68.06)),
    ),
)
METHODS = {method.name: method for method in _ROWS}


def find_method(name: str) -> Method:
    """Return the method of this name; for an unknown name, one of another program."""
    return METHODS.get(name) or Method(name, f'{{}}+{name}')

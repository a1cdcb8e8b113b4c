"""The model card (README.md) of an exported folder, from what its run has written."""

from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from cosent_tf.bert.settings import read_if_there
from cosent_tf.bert.sources import CONFIG_FILE, Source, encoder_name
from cosent_tf.methods import find_method
from cosent_tf.run.folder import read_metrics

# FOLDER is where this lies, or its name on the Hub.
VECTORS_HF = """```python
from sentence_transformers import SentenceTransformer

vectors = SentenceTransformer('FOLDER').encode(['花呗怎么还款'])  # (1, D), unit length
```
"""
SCORES_HF = """```python
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained('FOLDER')
model = AutoModelForSequenceClassification.from_pretrained('FOLDER').eval()
texts1, texts2 = ['花呗怎么还款'], ['花呗如何还款']
inputs = tokenizer(texts1, texts2, padding=True, truncation=True, return_tensors='pt')
with torch.no_grad():
    logits = model(**inputs).logits
SCORES
```

**Segment ids are all 0**, those of the second sentence too, as in the article's experiment: this
tokenizer gives none, and none are to be added.

The encoder is a BERT. It goes by ELECTRA's classes, which have the same encoder, for their head: it
holds the linear one of this model exactly, as gelu(x) − gelu(−x) = x, where BERT's puts a tanh
before it.
"""
SCORES = {  # by the head
    'softmax': 'scores = logits.softmax(dim=1)  # of two classes, [:, 1] is the score of a pair',
    'linear': 'scores = logits[:, 0]  # numbers without bounds',
}
OTHER = """```python
LIBRARY
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file('FOLDER/tokenizer.json')
LOAD
rows = [row.ids for row in tokenizer.encode_batch(TEXTS)]
OUTPUT = RUN
```
"""
LIBRARIES = {'onnx': 'onnx', 'savedmodel': 'tensorflow'}
RUNTIMES = {
    'onnx': {
        'LIBRARY': 'from onnxruntime import InferenceSession',
        'LOAD': "model = InferenceSession('FOLDER/model.onnx')",
        'RUN': "model.run(None, {'token_ids': rows})[0]",
    },
    'savedmodel': {
        'LIBRARY': 'import tensorflow as tf',
        'LOAD': "model = tf.saved_model.load('FOLDER').signatures['serving_default']",
        'RUN': "model(token_ids=tf.constant(rows))['OUTPUT']",
    },
}
OUTPUTS = {  # by whether the model is joint
    False: {'TEXTS': "['花呗怎么还款', '花呗如何还款']", 'OUTPUT': 'vectors'},
    True: {'TEXTS': "[('花呗怎么还款', '花呗如何还款')]", 'OUTPUT': 'scores'},
}
METRICS = {'accuracy': 'accuracy', 'f1': 'f1', 'spearman': 'spearmanr'}  # here, on the Hub
COSINE = '\nA pair is scored by the cosine of its two vectors.\n'
LICENCE = """## Licence

Not known to the program that wrote this: it depends on the pretrained encoder and on the data.
Look both up before you publish, and add `license:` to the lines at the top.
"""


def model_card(source: Source, to: str) -> str:
    """Return a model card: data, method, threshold, scores, how to load, licence.

    Args:
        source: the run, or the BERT folder, that is exported.
        to: 'savedmodel', 'onnx' or 'hf'.

    Raises:
        UserError: the run's metrics.json is broken.
    """
    kind = 'text-classification' if source.is_joint else 'sentence-similarity'
    library, use = _use(source, to)
    name = source.run.resolve().name if source.run else encoder_name(source.bert_dir)
    results = _results(source.run, kind) if source.run else []
    header = ModelCardData(
        language='zh',
        library_name=library,
        pipeline_tag=kind,
        model_name=name if results else None,
        eval_results=results or None,
    )
    top = f'---\n{header.to_yaml()}\n---\n'
    origin = _origin(source.run) if source.run else ''
    origin += f'- Encoder: {encoder_name(source.bert_dir)}, {source.pooling} pooling\n'
    origin += f'- Input: at most {source.maxlen} tokens\n'
    figures = _figures(source.run) if source.run else ''
    parts = [top, f'# {name}\n', origin, figures, f'## Use\n\n{use}', LICENCE]
    return '\n'.join(filter(None, parts))


def _results(run: Path, kind: str) -> list[EvalResult]:
    """Return the figures of a run as the Hub shows them."""
    metrics, task = read_metrics(run), _arguments(run).get('task', 'not known')
    return [
        EvalResult(
            task_type=kind,
            dataset_type=task,
            dataset_name=task,
            dataset_split=split,
            metric_type=metric,
            metric_value=metrics[f'{split}_{name}'],
        )
        for split in ('valid', 'test')
        for name, metric in METRICS.items()
        if metrics.get(f'{split}_{name}') is not None
    ]


def _use(source: Source, to: str) -> tuple[str, str]:
    """Return the library that loads the folder, and how."""
    if to != 'hf':
        library, use = LIBRARIES[to], OTHER
        for name, code in (RUNTIMES[to] | OUTPUTS[source.is_joint]).items():
            use = use.replace(name, code)
    elif source.is_joint:
        library = 'transformers'
        use = SCORES_HF.replace('SCORES', SCORES[find_method(source.method).head])
    else:
        library, use = 'sentence-transformers', VECTORS_HF
    return library, use if source.is_joint else use + COSINE


def _arguments(run: Path) -> dict:
    return read_if_there(run / CONFIG_FILE)['arguments']


def _origin(run: Path) -> str:
    arguments = _arguments(run)
    settings = ('epochs', 'batch_size', 'lr', 'dropout_rate', 'seed', 'precision')
    training = ', '.join(f'{name} {arguments[name]}' for name in settings if name in arguments)
    return (
        f'- Data: {arguments.get("task", "not known")}\n'
        f'- Method: {find_method(arguments["method"]).description}\n'
        f'- Training: {training or "not known"}\n'
    )


def _figures(run: Path) -> str:
    metrics = read_metrics(run)
    if not metrics:
        return 'The run is not finished: there are no figures yet.\n'
    rule = ''
    if metrics.get('threshold') is not None:
        rule = (
            f'Threshold, fitted on valid: a pair matches if its score > {metrics["threshold"]} '
            '(`threshold.json`)\n\n'
        )
    elif metrics.get('class_weights') is not None:
        rule = (
            f'Class, fitted on valid: argmax(probabilities · {metrics["class_weights"]}) '
            '(`threshold.json`)\n\n'
        )
    rows = [f'| | {" | ".join(METRICS)} |\n|---|---|---|---|']
    for split in ('valid', 'test'):
        values = [metrics.get(f'{split}_{name}') for name in METRICS]
        cells = ('–' if value is None else f'{value:.4f}' for value in values)
        rows.append(f'| {split} | {" | ".join(cells)} |')
    return rule + '\n'.join(rows) + '\n'

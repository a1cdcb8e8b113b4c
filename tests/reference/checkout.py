"""Scripts that play a checkout of bojone/CoSENT: the same names and the same loop, written anew.

Of the two methods, one has a dense head and reads a pair as one input, one has neither.
"""

from pathlib import Path

SCRIPT = """
import sys
import numpy as np
import scipy.stats
from scipy.optimize import minimize
from bert4keras.backend import keras, K
from bert4keras.models import build_transformer_model
from bert4keras.optimizers import Adam
from bert4keras.snippets import DataGenerator, sequence_padding
from bert4keras.tokenizers import Tokenizer

task_name = sys.argv[1]
assert task_name in ('ATEC', 'BQ', 'LCQMC', 'PAWSX')
maxlen = 40 if task_name == 'PAWSX' else 30
batch_size = 16
epochs = 5
config_path = 'nowhere/bert_config.json'
checkpoint_path = 'nowhere/bert_model.ckpt'
dict_path = 'nowhere/vocab.txt'
data_path = 'nowhere/'
tokenizer = Tokenizer(dict_path, do_lower_case=True)


class Pairs(DataGenerator):
    def __iter__(self, random=False):
        rows, labels = [], []
        for is_last, (*texts, label) in self.sample(random):
            for inputs in GROUPS:
                rows.append(tokenizer.encode(*inputs, maxlen=maxlen)[0])
                labels.append([int(label)])
            if is_last or len(rows) == self.batch_size * len(GROUPS):
                token_ids = sequence_padding(rows)
                yield [token_ids, np.zeros_like(token_ids)], np.array(labels)
                rows, labels = [], []


def read(split):
    with open(f'{data_path}{task_name}/{task_name}.{split}.data', encoding='utf-8') as file:
        return [line.strip().split('\\t') for line in file]


train_generator, valid_generator, test_generator = (
    Pairs(read(split), batch_size) for split in ('train', 'valid', 'test')
)
bert = build_transformer_model(config_path, checkpoint_path)
vectors = keras.layers.Lambda(lambda x: x[:, 0])(bert.output)
MODEL


class Evaluator(keras.callbacks.Callback):
    best_accuracy = best_threshold = 0.0

    def on_epoch_end(self, epoch, logs=None):
        spearman, accuracy, threshold = self.evaluate(valid_generator)
        if accuracy > self.best_accuracy:
            self.best_accuracy, self.best_threshold = accuracy, threshold
            model.save_weights('best.weights')
        print('threshold %.5f' % threshold)

    def evaluate(self, data, threshold=None):
        labels, scores = [], []
        for inputs, batch_labels in data:
            labels.extend(batch_labels[:: len(GROUPS), 0])
            scores.extend(score(model.predict(inputs)))
        labels, scores = np.array(labels), np.array(scores)
        spearman = scipy.stats.spearmanr(labels, scores).correlation
        if threshold is None:
            search = minimize(
                lambda t: -np.mean((labels > 0.5) == (scores > np.tanh(t))), 1, method='Powell'
            )
            return spearman, -search.fun, np.tanh(search.x)
        return spearman, np.mean((labels > 0.5) == (scores > threshold)), threshold


if __name__ == '__main__':
    evaluator = Evaluator()
    model.fit_generator(
        train_generator.forfit(),
        steps_per_epoch=len(train_generator),
        epochs=epochs,
        callbacks=[evaluator],
    )
    model.load_weights('best.weights')
    metrics = evaluator.evaluate(test_generator, evaluator.best_threshold)[:2]
"""

COSENT = """
def loss(labels, vectors):
    labels = labels[::2, 0]
    unit = K.l2_normalize(vectors, axis=1)
    cosines = 20 * K.sum(unit[::2] * unit[1::2], axis=1)
    lower = K.cast(labels[:, None] < labels[None, :], 'float32')
    masked = K.reshape(cosines[:, None] - cosines[None, :] - (1 - lower) * 1e12, [-1])
    return K.logsumexp(K.concatenate([[0.0], masked], axis=0))


def score(vectors):
    unit = vectors / np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    return (unit[::2] * unit[1::2]).sum(axis=1)


model = keras.models.Model(bert.inputs, vectors)
model.compile(loss=loss, optimizer=Adam(1e-3))
"""

INTERACT = """
def score(probabilities):
    return probabilities[:, 1]


outputs = keras.layers.Dense(2, activation='softmax')(vectors)
model = keras.models.Model(bert.inputs, outputs)
model.compile(loss='sparse_categorical_crossentropy', optimizer=Adam(1e-3))
"""


def write_checkout(folder: Path) -> Path:
    """Write accuracy/cosent.py and accuracy/interact.py."""
    methods = {'cosent': (COSENT, '[[text] for text in texts]'), 'interact': (INTERACT, '[texts]')}
    (folder / 'accuracy').mkdir(parents=True)
    for method, (model, groups) in methods.items():
        script = SCRIPT.replace('MODEL', model).replace(
            'for inputs in GROUPS', f'for inputs in {groups}'
        )
        script = script.replace('len(GROUPS)', '2' if method == 'cosent' else '1')
        (folder / 'accuracy' / f'{method}.py').write_text(script, encoding='utf-8')
    return folder

"""The worker of `benchmarks.peers` for sentence-transformers, in its own environment.

    python -m benchmarks.sentence_transformers_worker JOB PRECISION WORKLOAD

JOB is train-torch, score-torch or score-openvino, PRECISION fp32 or bf16.

Training is what its documentation shows: SentenceTransformerTrainer with CoSENTLoss, with all its
defaults but these: the pairs in the order in which ours gets them, a constant learning rate, no
files, no progress; bf16 is the trainer's own (autocast). Scoring is `encode` of all sentences, with
its defaults, and their cosines; bf16 are weights of bfloat16 (torch), or OpenVINO's hint.
"""

import sys
import tempfile
import time
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
    util,
)
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer.losses import CoSENTLoss
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import BertConfig, BertModel, BertTokenizer, TrainerCallback

from benchmarks.turns import Turns
from benchmarks.workload import SEED, Workload

LIBRARIES = ('torch', 'sentence-transformers', 'transformers', 'accelerate', 'openvino')
# What each backend is given for a precision.
PRECISIONS = {
    'torch': {
        'fp32': {'dtype': torch.float32, 'add_pooling_layer': False},
        'bf16': {'dtype': torch.bfloat16, 'add_pooling_layer': False},
    },
    'openvino': {
        'fp32': {'ov_config': {'INFERENCE_PRECISION_HINT': 'f32'}},
        'bf16': {'ov_config': {'INFERENCE_PRECISION_HINT': 'bf16'}},
    },
}
EPOCHS = 1000  # the process is ended long before


class OurBatches(DefaultBatchSampler):
    """The pairs in the order of cosent_tf.data.Batches."""

    def __iter__(self):
        random = np.random.RandomState(SEED)
        for _ in range(self.epoch + 1):
            order = random.permutation(len(self.sampler))
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size].tolist()


class EpochTurns(TrainerCallback):
    """Makes an epoch a turn: waits before its first step, answers after its last."""

    def __init__(self, turns: Turns, steps: int):
        self.turns = turns
        self.steps = steps

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step % self.steps == 0:
            self.turns.wait()
            self.start = time.perf_counter()

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step % self.steps == 0:
            self.turns.answer(time.perf_counter() - self.start)


def make_model(work: Workload) -> SentenceTransformer:
    """Build a BERT of the same size, with random weights and [CLS] pooling."""
    config = BertConfig.from_json_file(Path(work.bert_dir) / 'bert_config.json')
    with tempfile.TemporaryDirectory() as folder:
        BertModel(config, add_pooling_layer=False).save_pretrained(folder)
        BertTokenizer(str(Path(work.bert_dir) / 'vocab.txt')).save_pretrained(folder)
        transformer = Transformer(
            folder, max_seq_length=work.maxlen, model_kwargs={'add_pooling_layer': False}
        )
    return SentenceTransformer(modules=[transformer, Pooling(config.hidden_size, 'cls')])


def train(work: Workload, precision: str, turns: Turns) -> None:
    """Train, an epoch a turn."""
    model = make_model(work)
    text1, text2, labels = zip(*work.train, strict=True)
    columns = {'text1': text1, 'text2': text2, 'label': [float(label) for label in labels]}
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=folder,
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=work.batch_size,
            learning_rate=2e-5,
            lr_scheduler_type='constant',
            batch_sampler=OurBatches,
            save_strategy='no',
            report_to='none',
            disable_tqdm=True,
            use_cpu=True,  # asked for with bf16
            bf16=precision == 'bf16',
            dataloader_pin_memory=False,  # for GPUs only
        )
        SentenceTransformerTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_dict(columns),
            loss=CoSENTLoss(model),
            callbacks=[EpochTurns(turns, -(-len(labels) // work.batch_size))],
        ).train()


def score(work: Workload, precision: str, turns: Turns, backend: str) -> None:
    """Encode the sentences of `test`, all of them a turn."""
    with tempfile.TemporaryDirectory() as folder:
        make_model(work).save(folder)
        options = PRECISIONS[backend][precision]
        model = SentenceTransformer(folder, backend=backend, model_kwargs=options)
    text1, text2, _ = zip(*work.test, strict=True)

    def turn() -> float:
        start = time.perf_counter()
        vectors = model.encode([*text1, *text2], show_progress_bar=False)
        util.pairwise_cos_sim(vectors[: len(text1)], vectors[len(text1) :])
        return time.perf_counter() - start

    turns.serve(turn)


JOBS = {
    'train-torch': train,
    'score-torch': partial(score, backend='torch'),
    'score-openvino': partial(score, backend='openvino'),
}

if __name__ == '__main__':
    _, job, precision, path = sys.argv
    turns = Turns({name: metadata.version(name) for name in LIBRARIES})
    JOBS[job](Workload.load(path), precision, turns)

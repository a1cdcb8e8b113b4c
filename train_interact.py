"""Interact: both sentences in one input, the model that sentence vectors are compared with.

    python train_interact.py --task BQ

Method: BERT reads "[CLS] a [SEP] b [SEP]", segment ids all 0. A dense layer on the [CLS] vector
gives class probabilities, trained by cross-entropy. A pair is scored by the probability of class 1.

Published test accuracy (%, kexue.fm/archives/8860); ours: python eval_accuracy.py

              ATEC    BQ      LCQMC   PAWSX   Avg
    BERT      85.49   83.88   87.80   81.30   84.62
    RoBERTa   86.04   83.62   88.22   83.33   85.30
"""

from cosent_tf import configure_process

configure_process()  # memory, threads, float32; before TensorFlow is imported

from cosent_tf.bert.compat import Adam, keras
from cosent_tf.bert.pretrained import load_bert, load_tokenizer
from cosent_tf.bert.rows import RowEncoder
from cosent_tf.bert.vectors import PooledVector
from cosent_tf.cli import Settings, exit_on_error, parse_args
from cosent_tf.data import Batches, class_count, read_task, tokenize_pairs
from cosent_tf.errors import UserError
from cosent_tf.losses import cross_entropy
from cosent_tf.run.start import start_run
from cosent_tf.training import Model, fit

# batch_size: pairs; maxlen: tokens per pair
SETTINGS = Settings(epochs=5, batch_size=32, lr=2e-5, maxlen=128, maxlen_pawsx=256)


def main():
    # flags, run folder
    args = parse_args(__doc__, 'interact', SETTINGS)
    run = start_run(args)

    # data: text1 \t text2 \t label per line
    splits = read_task(args.data_dir, args.task)
    classes = class_count(splits)
    if classes > 2 and args.select == 'spearman':
        raise UserError(f'--select spearman: {classes} classes have no single score to rank by')
    tokenizer = load_tokenizer(args.bert_dir)
    inputs = {
        name: tokenize_pairs(tokenizer, split.pairs, args.maxlen) for name, split in splits.items()
    }

    # batches: one row and one label per pair
    batches = Batches(inputs['train'], splits['train'].labels, args.batch_size, args.seed)

    # model
    bert = load_bert(args.bert_dir, args.maxlen, args.dropout_rate, args.pooling)
    token_ids = keras.Input((None,), dtype='int32')  # (B, L)
    vectors = PooledVector(bert, args.keep_padding, args.jit)(token_ids)  # (B, D)
    head = keras.layers.Dense(classes, activation='softmax', name='head', dtype='float32')
    outputs = head(vectors)  # (B, C)
    model = Model(token_ids, outputs)

    # loss
    model.compile(loss=cross_entropy, optimizer=Adam(args.lr))

    # score of a pair: the probability of class 1, or of all C > 2 classes
    encode = RowEncoder(keras.Model(token_ids, outputs))

    def score(name):
        rows, index = inputs[name]
        outputs = encode(rows)[index]  # (n, C)
        return outputs if outputs.shape[1] > 2 else outputs[:, -1]  # (n, C) or (n,)

    fit(model, batches, score, splits, run)


if __name__ == '__main__':
    exit_on_error(main)

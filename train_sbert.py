"""Sentence-BERT: a sentence encoder trained as a classifier, used by its cosine.

    python train_sbert.py --task BQ

Method: both sentences of a pair go through the same BERT separately; u, v are their [CLS] vectors.
The loss is the cross-entropy of softmax(dense([u, v, |u - v|])). A pair is scored by cos(u, v); the
dense layer serves training only.

Published test accuracy (%, kexue.fm/archives/8860); ours: python eval_accuracy.py

              ATEC    BQ      LCQMC   PAWSX   Avg
    BERT      84.93   82.46   87.42   65.33   80.04
    RoBERTa   85.34   82.52   88.14   68.35   81.09
"""

from cosent_tf import configure_process

configure_process()  # memory, threads, float32; before TensorFlow is imported

from cosent_tf.bert.compat import Adam, K, keras
from cosent_tf.bert.pretrained import load_bert, load_tokenizer
from cosent_tf.bert.rows import RowEncoder
from cosent_tf.bert.vectors import PooledVector
from cosent_tf.cli import Settings, exit_on_error, parse_args
from cosent_tf.data import Batches, class_count, read_task, tokenize_sentences
from cosent_tf.losses import cross_entropy
from cosent_tf.metrics import cosine_similarity
from cosent_tf.run.start import start_run
from cosent_tf.training import Model, fit

# batch_size: pairs; maxlen: tokens per sentence
SETTINGS = Settings(epochs=5, batch_size=32, lr=2e-5, maxlen=64, maxlen_pawsx=128)


def concatenate(vectors):
    """[u, v, |u - v|] of interleaved vectors: (2B, D) → (B, 3D)."""
    u, v = vectors[::2], vectors[1::2]
    return K.concatenate([u, v, K.abs(u - v)], axis=-1)


def main():
    # flags, run folder
    args = parse_args(__doc__, 'sbert', SETTINGS)
    run = start_run(args)

    # data: text1 \t text2 \t label per line
    splits = read_task(args.data_dir, args.task)
    classes = class_count(splits)
    tokenizer = load_tokenizer(args.bert_dir)
    inputs = {
        name: tokenize_sentences(tokenizer, split.pairs, args.maxlen)
        for name, split in splits.items()
    }

    # batches: rows a0 b0 a1 b1 …, the label of a pair repeated for both
    batches = Batches(inputs['train'], splits['train'].labels, args.batch_size, args.seed)

    # model
    bert = load_bert(args.bert_dir, args.maxlen, args.dropout_rate, args.pooling)
    token_ids = keras.Input((None,), dtype='int32')  # (2B, L)
    vectors = PooledVector(bert, args.keep_padding, args.jit)(token_ids)  # (2B, D)
    features = keras.layers.Lambda(concatenate, dtype='float32')(vectors)  # (B, 3D)
    head = keras.layers.Dense(classes, activation='softmax', name='head', dtype='float32')
    outputs = head(features)  # (B, C)
    model = Model(token_ids, outputs)

    # loss
    model.compile(loss=cross_entropy, optimizer=Adam(args.lr))

    # score of a pair: cos(u, v)
    encode = RowEncoder(keras.Model(token_ids, vectors))

    def score(name):
        rows, index = inputs[name]
        vectors = encode(rows)  # (distinct sentences, D)
        return cosine_similarity(vectors[index[:, 0]], vectors[index[:, 1]])  # (n,)

    fit(model, batches, score, splits, run)


if __name__ == '__main__':
    exit_on_error(main)

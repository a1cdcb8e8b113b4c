"""Interact with the CoSENT loss: both sentences in one input, trained to rank pairs.

    python train_interact_cosent.py --task BQ

Method: BERT reads "[CLS] a [SEP] b [SEP]", segment ids all 0. A dense layer on the [CLS] vector
gives one number, the score of the pair, trained by the CoSENT loss on the number itself.

Published test accuracy (%, kexue.fm/archives/9341); ours: python eval_accuracy.py

              ATEC    BQ      LCQMC   PAWSX   Avg
    BERT      85.55   83.73   87.92   81.85   84.76
    RoBERTa   86.06   84.23   88.14   83.03   85.37
"""

from cosent_tf import configure_process

configure_process()  # memory, threads, float32; before TensorFlow is imported

from cosent_tf.bert.compat import Adam, keras
from cosent_tf.bert.pretrained import load_bert, load_tokenizer
from cosent_tf.bert.rows import RowEncoder
from cosent_tf.bert.vectors import PooledVector
from cosent_tf.cli import Settings, exit_on_error, parse_args
from cosent_tf.data import Batches, read_task, tokenize_pairs
from cosent_tf.losses import cosent_score_loss
from cosent_tf.run.start import start_run
from cosent_tf.training import Model, fit

# batch_size: pairs; maxlen: tokens per pair
SETTINGS = Settings(epochs=5, batch_size=64, lr=2e-5, maxlen=128, maxlen_pawsx=256)


def main():
    # flags, run folder
    args = parse_args(__doc__, 'interact_cosent', SETTINGS)
    run = start_run(args)

    # data: text1 \t text2 \t label per line
    splits = read_task(args.data_dir, args.task)
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
    head = keras.layers.Dense(1, name='head', dtype='float32')
    outputs = head(vectors)  # (B, 1)
    model = Model(token_ids, outputs)

    # loss
    model.compile(loss=cosent_score_loss, optimizer=Adam(args.lr))

    # score of a pair: the number
    encode = RowEncoder(keras.Model(token_ids, outputs))

    def score(name):
        rows, index = inputs[name]
        return encode(rows)[index, 0]  # (n,)

    fit(model, batches, score, splits, run)


if __name__ == '__main__':
    exit_on_error(main)

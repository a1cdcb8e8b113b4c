"""The report's words in Chinese, for the page: titles, columns, and the notes below the tables.

Patterns match whole texts, and what they capture (names, figures) stays as it is.
"""

import re

_WORDS = {
    '±: standard deviation over seeds; *: best of its column.': '±：各种子的标准差；*：该列最好。',
    '±: standard deviation over seeds.': '±：各种子的标准差。',
    '*: best of its column.': '*：该列最好。',
    'Run': '训练',
    'Pairs': '句对',
    'Decision': '判定',
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
    'In two splits': '在两个集合中',
    'Contradictory': '标签矛盾',
    'Identical, 0': '相同却标 0',
    'Placeholders': '占位符',
    'Test in train': '测试句也在训练集',
    'Task and method': '任务与方法',
    'Pairs left out': '去掉的句对',
    'With them': '含占位符',
    'Without': '不含',
    'Every run (%)': '每次训练（%）',
    'Every run: Spearman (×100)': '每次训练：Spearman（×100）',
    'Every run on test, in detail (%)': '每次训练在测试集上的细节（%）',
    'No labels: runs that test does not measure (×100)': '测试集没有标签的训练（×100）',
    'Measure': '指标',
    'Labels of test are missing, or all the same, so nothing can be measured by them.': (
        '测试集没有标签，或全部相同，因此无法计算指标。'
    ),
    'The data: what is odd in them': '数据中的异常',
    'Is the difference real? (points, first minus second, means over all seeds)': (
        '差别是真的吗？（百分点，前者减后者，各种子的均值）'
    ),
    "Where Powell's search missed the optimum: accuracy on valid (%)": (
        'Powell 搜索没有找到最优之处：验证集准确率（%）'
    ),
}
_PATTERNS = [
    (r'Test (.*), thresholds fitted on valid: (.*)', r'测试集 \1，阈值在验证集上求得：\2'),
    (r'Test (accuracy|F1|Spearman) \((.*)\)', r'测试集 \1（\2）'),
    (
        r'(.*): test accuracy \(%\) by character overlap of the two sentences',
        r'\1：按两句字符重合度看测试集准确率（%）',
    ),
    (r'Without placeholders for a sentence, .*: test (.*)', r'去掉含占位符的句对：测试集 \1'),
    (r'([\d.]+) to ([\d.]+)', r'\1 至 \2'),
    (r'Avg: over the seeds .*', '平均：取各任务共有的种子（若有）。'),
    (
        r'Published runs not here yet: (\d+) of (\d+); (.*) lists them\.',
        r'公布的 \2 项结果中尚有 \1 项未运行，列出它们：\3',
    ),
    (r'publ\.: (.*), one run each\.', r'publ.：\1，每格一次训练。'),
    (
        r'publ\.: (.*), one run each; diff\..*',
        r'publ.：\1，每格一次训练；diff.：我们减公布值，百分点。',
    ),
    (r'† (.*?): (.*)', r'† \1，与公布的不同或彼此不同：\2'),
    (
        r'An encoder passes for the published one .*',
        '编码器按名字和尺寸视为公布的那个；权重的 SHA-256 见 --format json。',
    ),
    (r'Collapsed, all test scores alike: (.*)', r'什么都没学到，测试分数全部相同：\1'),
    (
        r'Collapsed, the test scores separate nothing, ROC AUC (.*)',
        r'什么都没学到，测试分数分不开两类，ROC AUC \1',
    ),
    (
        r'The search found nothing, not the model: .* finds more: (.*)',
        r'是搜索没有找到，而非模型没有学到；--search exact 能找到：\1',
    ),
    (r'All test pairs decided alike: (.*)', r'测试句对全部判为同一类：\1'),
    (r'Epoch kept by valid (.*), not (.*): (.*)', r'按验证集 \1 而非 \2 选轮：\3'),
    (
        r'All other runs: within (.*) points\. .*',
        r'其余训练相差不超过 \1 个点。用最优：--search exact。',
    ),
    (
        r"\[…\]: Wilson's 95 % interval\. .*",
        '[…]：Wilson 95 % 区间。F1 为类别 1 的，多类时为宏平均。',
    ),
    (
        r'Overlap: Dice coefficient .*',
        '重合度：两句字符多重集的 Dice 系数，不计顺序；各种子取平均。',
    ),
    (r'Of class 1; of several classes.*', '类别 1 的；多类时为各类平均。– 为无定义。'),
    (
        r'–: train is not known, .*',
        '–：训练集未知，只统计了预测文件中的句对。',
    ),
    (r'(.*) was published again in (.*?): (.*)', r'\1 在 \2 中又公布过一次：\3'),
    (r'(.*): unfinished, left out\.', r'\1：未完成，不计入。'),
    (r'Left out: (.*)', r'不计入：\1'),
]


def chinese(text: str) -> str | None:
    """Return a text of the report in Chinese, None if it is a name, a figure, or not translated."""
    if text in _WORDS:
        return _WORDS[text]
    for pattern, translated in _PATTERNS:
        if match := re.fullmatch(pattern, text, re.DOTALL):
            return match.expand(translated)
    return None

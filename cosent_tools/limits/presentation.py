"""The report of limits.py as sections (see report/render.py) or as JSON."""

from cosent_tf.files import to_json
from cosent_tools.limits.edits import NEGATED
from cosent_tools.limits.measures import MIN_PAIRS, RESAMPLES
from cosent_tools.limits.theory import DRAWS, Fit, first_enough
from cosent_tools.report.render import Section, percent

SIDES = {'interact': 'Interact', 'vectors': 'vectors'}
CORPUS = 1_000_000  # sentences to search


def limits_json(report: dict) -> str:
    """Return every number in full precision: shares are fractions of 1, null is none."""

    def plain(value: object) -> object:
        value = value._asdict() if hasattr(value, '_asdict') else value
        if isinstance(value, dict):
            return {name: plain(part) for name, part in value.items()}
        return [plain(part) for part in value] if isinstance(value, list) else value

    return to_json(plain(report))


def limits_sections(report: dict) -> list[Section]:
    """Return the report in the order of the article's argument."""
    return [
        _matrix_section(report),
        *(_dimensions_section(report, side) for side in SIDES),
        _simulation_section(report),
        _overlap_section(report),
        _edits_section(report),
        _history_section(report),
        _triangles_section(report),
        _price_section(report),
    ]


def _matrix_section(report: dict) -> Section:
    n, matrix = report['sentences'], report['matrix']
    values = matrix['eigenvalues']
    rows = [
        ['Asymmetry |S(x, y) − S(y, x)|: largest', f'{matrix["asymmetry_largest"]:.4f}'],
        ['Asymmetry: root mean square', f'{matrix["asymmetry_rms"]:.4f}'],
        ['Pairs similar in one order only (%)', percent(matrix['order_decides'])],
        ['Similar pairs (%)', percent(matrix['similar'])],
        ['A sentence with itself: smallest score', f'{matrix["diagonal_smallest"]:.4f}'],
        ['A sentence with itself: mean score', f'{matrix["diagonal_mean"]:.4f}'],
        ['Largest eigenvalue of (S + Sᵀ)/2', f'{values[0]:.4f}'],
        ['Smallest eigenvalue', f'{values[-1]:.4f}'],
        ['Negative eigenvalues', f'{sum(value < 0 for value in values)} of {n}'],
        ['Their share of all |eigenvalues| (%)', percent(matrix['negative_mass'])],
        ['Repair: c in BBᵀ = S + c·I', f'{matrix["shift"]:.4f}'],
    ]
    for name, fit in (('BBᵀ', matrix['inner_products']), ('cosines', matrix['cosines'])):
        rows += [
            [f'Error of {name}: largest', f'{fit.largest:.1e}'],
            [f'Error of {name}: root mean square', f'{fit.rms:.1e}'],
            [f'Decisions that differ with {name} (%)', percent(1 - fit.kept)],
        ]
    notes = [
        f'S: scores of {report["interact"]} for all ordered pairs of {n} valid sentences; '
        f'similar: above {report["thresholds"]["interact"]:.4f}.',
        'The article assumes that S is symmetric and positive semi-definite, so that S = BBᵀ and '
        'every sentence has a vector. Negative eigenvalues are no obstacle: set the diagonal of S '
        'to 1 and c to minus its smallest eigenvalue; then S + c·I = BBᵀ in at most n dimensions, '
        'with all the scores of S.',
        'The rows of B have length √(1 + c), and their cosines are S / (1 + c), a common factor of '
        f'{1 / (1 + matrix["shift"]):.3f}: the same order, the same decisions.',
    ]
    return Section('1. A similarity matrix as inner products', ['', 'S'], rows, notes)


def _dimensions_section(report: dict, side: str) -> Section:
    dimensions = report['dimensions']
    curve, enough = dimensions[side], dimensions['enough']
    names = {row['d']: str(row['d']) for row in curve} | {enough: f'{enough} = 8·ln n'}
    rows = [[names[row['d']], *_fit(row['best']), *_fit(row['random'])] for row in curve]
    notes = []
    for kind, what in (('best', 'The best dimensions'), ('random', 'Random dimensions')):
        kept, balanced = (
            first_enough(curve, kind, share) or f'more than {curve[-1]["d"]}'
            for share in ('kept', 'balanced')
        )
        notes.append(f'{what} needed to keep 99 % of the decisions: {kept}; balanced: {balanced}.')
    if side == 'interact':
        vectors = 'the B of Interact'
        notes.append(
            f'Best: nearest to S off its diagonal. Random: projections of B, mean of {DRAWS}. '
            'kept: unchanged decisions (%). balanced: mean of that share over similar and over '
            'other pairs; where few are similar, answering "no" to all keeps most decisions.'
        )
    else:
        vectors = f'the vectors of {report["vectors"]}'
    columns = ['d', *(f'{kind}\n{what}' for kind in ('best:', 'random:') for what in Fit._fields)]
    return Section(f'2. How many dimensions: {vectors}', columns, rows, notes)


def _fit(fit: Fit | None) -> list[str]:
    if fit is None:
        return ['–'] * len(Fit._fields)
    return [f'{fit.largest:.3f}', f'{fit.rms:.3f}', percent(fit.kept), percent(fit.balanced)]


def _simulation_section(report: dict) -> Section:
    threshold, margin = report['thresholds']['interact'], report['matrix']['margin']
    rows = [
        [f'{case.n:,}', str(case.d), f'{case.pairs:,}']
        + [f'{error:.3f}' for error in (case.rms, case.largest, case.largest_of_all)]
        + [f'{case.false_per_query:,.1f}']
        for case in report['dimensions']['simulated']
    ]
    notes = [
        'Simulated vectors instead of sentences: n orthonormal ones, the hardest case, projected '
        "to 8·ln n (archives/8706) and to the article's 768 dimensions; all true inner products "
        'are 0.',
        'rms, largest: errors over the sampled pairs; √(4·ln n / d): expected largest error over '
        'all pairs.',
        f'false per query: how many of n unrelated sentences score above {margin:.3f}, the '
        f'threshold for the cosines of the repaired S ({threshold:.3f} / (1 + c)). c is that of '
        f'{report["sentences"]} sentences; with more of them it can only grow.',
    ]
    columns = ['n', 'd', 'pairs', 'rms', 'largest', '√(4·ln n / d)', 'false per query']
    title = '2. How many dimensions: many sentences, simulated'
    return Section(title, columns, rows, notes, text_columns=0)


def _overlap_section(report: dict) -> Section:
    rows = [
        [row['overlap'], str(row['pairs']), str(row['positive'])]
        + [_interval(row[side]) for side in SIDES]
        for row in report['overlap']
    ]
    notes = [
        f'AUC ×100 on the valid pairs, with 95 % bootstrap confidence intervals ({RESAMPLES:,} '
        f'resamples of each class). 50 is chance; –: fewer than {MIN_PAIRS} pairs of a class. '
        'Overlap: as in eval_accuracy.py --by overlap.',
    ]
    columns = ['Overlap', 'Pairs', 'Label 1', *SIDES.values()]
    return Section('3. Continuity against adversity: by overlap', columns, rows, notes)


def _edits_section(report: dict) -> Section:
    rows = []
    for pair in zip(*(report['edits'][side] for side in SIDES), strict=True):
        kind, edits, sentences = pair[0][:3]
        rows.append(
            [kind, str(edits), str(sentences)]
            + [percent(change.change) for change in pair]
            + [percent(change.different) for change in pair]
        )
    notes = [
        'change: of the score, from a sentence with itself (0) to two of the '
        f'{report["sentences"]} sentences (100). different: edited sentences that are no longer '
        'similar to their original.',
        f'insert 不: before one of {NEGATED.strip("[]")}, else anywhere. swap two: different '
        'numbers or Latin words, else characters. exchange one: a character for another. Places '
        'are random.',
    ]
    columns = ['Edit', 'edits', 'sentences']
    columns += [
        f'{what} (%)\n{side}' for what in ('change', 'different') for side in SIDES.values()
    ]
    return Section('3. Continuity against adversity: by edits', columns, rows, notes)


def _history_section(report: dict) -> Section:
    histories = [{row.epoch: row for row in report['history'][side]} for side in SIDES]
    rows = []
    for epoch in sorted(histories[0] | histories[1]):
        row = [str(epoch)]
        for history in histories:
            found = history.get(epoch)
            row += [f'{found.loss:.4f}', percent(found.valid_accuracy)] if found else ['–', '–']
        rows.append(row)
    notes = [
        'The two losses are of different kinds: compare within a column only. A loss near 0 is '
        'fitted; it is overfitted if accuracy does not follow. Train longer to see more: --epochs '
        '20.'
    ]
    columns = ['Epoch']
    columns += [f'{side}\n{what}' for side in SIDES.values() for what in ('loss', 'valid (%)')]
    return Section('4. It can be fitted, but it overfits', columns, rows, notes)


def _triangles_section(report: dict) -> Section:
    rows = []
    for kind, what in (('all', 'all sentences'), ('edited', 'x, edited once, edited twice')):
        for side, name in SIDES.items():
            triples, broken, chains, broken_chains = report['triangles'][side][kind]
            row = [what, name]
            for part, whole in ((broken, triples), (broken_chains, chains)):
                row += [f'{whole:,}', percent(part / whole if whole else None)]
            rows.append(row)
    notes = [
        'broken: angle(A, C) > angle(A, B) + angle(B, C) if the scores are cosines of angles, '
        'which no vectors can do. chains: A, B, C where A and B, and B and C, are similar; up to '
        'three per triple.',
    ]
    columns = ['Triples', '', 'number', 'broken (%)', 'chains', 'broken (%)']
    return Section('5. The triangle', columns, rows, notes, text_columns=2)


def _price_section(report: dict) -> Section:
    price = report['price']
    pair, sentence, product = (
        1 / price[f'{what}_per_second'] for what in ('pairs', 'sentences', 'products')
    )
    thousand = 1000 * 999 // 2
    rows = [
        ['Measured: one pair, one sentence', _seconds(pair), _seconds(sentence)],
        ['Measured: one inner product', '–', _seconds(product)],
        [
            'Extrapolated: all pairs of 1,000 sentences',
            _seconds(thousand * pair),
            _seconds(1000 * sentence + thousand * product),
        ],
        [f'Extrapolated: {CORPUS:,} sentences, encoded once', '–', _seconds(CORPUS * sentence)],
        [
            f'Extrapolated: a query against {CORPUS:,} sentences',
            _seconds(CORPUS * pair),
            _seconds(sentence + CORPUS * product),
        ],
    ]
    notes = ['On this machine, with these two runs, for sentences as long as those of valid.']
    return Section('6. The price', ['', 'Interact', 'vectors'], rows, notes)


def _seconds(seconds: float) -> str:
    for unit, size in (('h', 3600), ('min', 60), ('s', 1), ('ms', 1e-3), ('µs', 1e-6)):
        if seconds >= size:
            return f'{seconds / size:.1f} {unit}'
    return f'{seconds / 1e-9:.1f} ns'


def _interval(auc: tuple[float, float, float] | None) -> str:
    if auc is None:
        return '–'
    value, low, high = (f'{100 * figure:.1f}' for figure in auc)
    return f'{value} [{low}, {high}]'

"""Names and sizes of the published tasks; the figures stand in `methods`."""

TASKS = ('ATEC', 'BQ', 'LCQMC', 'PAWSX')
SPEARMAN_TASKS = (*TASKS, 'STS-B')

# Pairs of senteval_cn: train, valid, test.
PAIRS = {
    'ATEC': (62477, 20000, 20000),
    'BQ': (100000, 10000, 10000),
    'LCQMC': (238766, 8802, 12500),
    'PAWSX': (49401, 2000, 2000),
    'STS-B': (5231, 1458, 1361),
}

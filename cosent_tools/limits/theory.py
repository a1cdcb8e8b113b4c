"""The article's theory of what vectors can and cannot do, as functions of arrays.

kexue.fm/archives/8860 argues in words: the similarities of n sentences are a matrix, which is BBᵀ
of some vectors; few dimensions suffice for them; but a cosine is continuous, and language is not.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, eigvalsh

ROUNDS = 100  # iterations of the best approximation
DRAWS = 20  # random projections per dimension
CHUNK = 8192  # simulated vectors held at once
ANGLE_TOLERANCE = 1e-6  # radians, for rounding: a triangle is broken only by more


class Matrix(NamedTuple):
    """Properties of a matrix of scores S; its spectrum is that of (S + Sᵀ)/2."""

    asymmetry_largest: float  # |S_ij − S_ji|
    asymmetry_rms: float
    order_decides: float  # share of pairs that are similar in one order only
    similar: float  # share of similar pairs
    diagonal_smallest: float
    diagonal_mean: float
    eigenvalues: list[float]  # largest first
    negative_mass: float  # Σ|λ| over λ < 0, of Σ|λ|


class Fit(NamedTuple):
    """How close inner products are to the similarities of all pairs of different sentences."""

    largest: float  # error
    rms: float
    kept: float  # share of unchanged decisions
    balanced: float  # its mean over similar and other pairs, as most pairs are not similar


class Simulated(NamedTuple):
    """Projections of n orthonormal vectors to d dimensions; each true inner product is 0."""

    n: int
    d: int
    pairs: int  # sampled
    rms: float  # of the inner products, which are the errors
    largest: float
    largest_of_all: float  # of all n(n−1)/2 pairs, expected
    false_per_query: float  # how many of n unrelated sentences score above the margin


class Triangles(NamedTuple):
    """How many triples A, B, C have angle(A, C) > angle(A, B) + angle(B, C)."""

    triples: int
    broken: int
    chains: int  # A, B, C where A and B, and B and C, are similar; up to three per triple
    broken_chains: int


def symmetric(scores: np.ndarray) -> np.ndarray:
    """Return (S + Sᵀ)/2 with the diagonal 1 of a cosine, as x is never compared with x."""
    similarity = (scores + scores.T) / 2
    np.fill_diagonal(similarity, 1)
    return similarity


def measure_matrix(scores: np.ndarray, threshold: float) -> Matrix:
    """Measure (n, n) scores of all ordered pairs (archives/8860: symmetric, semi-definite)."""
    above = np.triu_indices(len(scores), 1)
    first, second = scores[above], scores.T[above]
    gaps = np.abs(first - second)
    values = eigvalsh((scores + scores.T) / 2)
    return Matrix(
        float(gaps.max()),
        float(np.sqrt(np.mean(gaps**2))),
        float(np.mean((first > threshold) != (second > threshold))),
        float(np.mean((first + second) / 2 > threshold)),
        float(np.diag(scores).min()),
        float(np.diag(scores).mean()),
        values[::-1].tolist(),
        float(-values[values < 0].sum() / np.abs(values).sum()),
    )


def mean_of_pairs(scores: np.ndarray) -> float:
    """Return the mean of (n, n) scores off the diagonal."""
    return float(scores[~np.eye(len(scores), dtype=bool)].mean())


def represent(similarity: np.ndarray) -> tuple[float, np.ndarray]:
    """Return c and B with BBᵀ = S + c·I, c ≥ 0 minimal (archives/8860, repaired).

    Off the diagonal that is S itself, whether or not S is semi-definite. If the diagonal of S is 1,
    all rows of B have length √(1 + c), and their cosines are S / (1 + c), in the same order.

    Args:
        similarity: (n, n), symmetric.

    Returns:
        c = max(0, −λ_min), and B (n, n).
    """
    values, axes = eigh(similarity)
    shift = max(0.0, -float(values[0]))
    return shift, axes * np.sqrt(np.maximum(values + shift, 0))


def compare(similarity: np.ndarray, vectors: np.ndarray, threshold: float) -> Fit:
    """Compare the inner products of n vectors with (n, n) similarities, off the diagonal."""
    above = np.triu_indices(len(similarity), 1)
    wanted, got = similarity[above], (vectors @ vectors.T)[above]
    errors, similar = np.abs(got - wanted), wanted > threshold
    kept = (got > threshold) == similar
    balanced = np.mean([kept[side].mean() for side in (similar, ~similar) if side.any()])
    rms = np.sqrt(np.mean(errors**2))
    return Fit(float(errors.max()), float(rms), float(kept.mean()), float(balanced))


def enough_dimensions(n: int) -> int:
    """Return 8·ln n, the dimensions that n vectors need (archives/8706)."""
    return int(np.ceil(8 * np.log(n)))


def project(vectors: np.ndarray, d: int, random: np.random.Generator) -> np.ndarray:
    """Project (n, D) vectors to d random dimensions (Johnson and Lindenstrauss; archives/8706)."""
    return vectors @ random.normal(0, d**-0.5, (vectors.shape[1], d))


def reduce(vectors: np.ndarray, k: int, fewer: np.ndarray | None = None) -> np.ndarray:
    """Return n vectors of k dimensions with nearly the inner products of (n, D) vectors.

    Args:
        vectors: (n, D).
        k: at most n and D.
        fewer: a result with fewer dimensions; this one will be at least as close.
    """
    products = vectors @ vectors.T
    above = np.triu_indices(len(products), 1)
    starts = [np.diag(products)] + ([] if fewer is None else [np.sum(fewer**2, axis=1)])
    results = [_factors(products, k, diagonal) for diagonal in starts]
    return min(results, key=lambda result: np.sum((result @ result.T - products)[above] ** 2))


def _factors(products: np.ndarray, k: int, diagonal: np.ndarray) -> np.ndarray:
    """Return (n, k) vectors whose inner products are close to (n, n) ones off the diagonal.

    The largest k eigenvalues are best for a whole matrix. As the diagonal does not matter, it is
    repeatedly replaced by that of the result, as in principal factor analysis; the sum of the other
    squared errors never increases.
    """
    products, n = products.copy(), len(products)
    np.fill_diagonal(products, diagonal)
    for _ in range(ROUNDS):
        values, axes = eigh(products, subset_by_index=[n - k, n - 1])
        reduced = axes * np.sqrt(np.maximum(values, 0))
        np.fill_diagonal(products, np.sum(reduced**2, axis=1))
    return reduced


def dimension_curve(similarity: np.ndarray, vectors: np.ndarray, threshold: float) -> list[dict]:
    """Compare the similarities with vectors that represent them, reduced to fewer dimensions.

    Args:
        similarity: (n, n), which the decisions are made from.
        vectors: (n, D) with these inner products.
        threshold: decision threshold.

    Returns:
        For d = 1, 2, 4 … 1024, 8·ln n and the smaller of n and D: `d`, the Fit of the `best` d
        dimensions, None if there are fewer, and that of `random` ones, the mean of several draws.
    """
    n, whole = len(vectors), min(vectors.shape)
    random = np.random.default_rng(0)
    curve, reduced = [], None
    for d in sorted({2**i for i in range(11)} | {enough_dimensions(n), whole}):
        reduced = reduce(vectors, d, reduced) if d <= whole else None
        best = None if reduced is None else compare(similarity, reduced, threshold)
        draws = [compare(similarity, project(vectors, d, random), threshold) for _ in range(DRAWS)]
        curve.append({'d': d, 'best': best, 'random': Fit(*np.mean(draws, axis=0).tolist())})
    return curve


def first_enough(curve: list[dict], kind: str, share: str) -> int | None:
    """Return the d from which on 99 % of the decisions are kept, None if no d suffices."""
    rows = [row for row in curve if row[kind]]
    short = [i for i, row in enumerate(rows) if getattr(row[kind], share) < 0.99]
    after = short[-1] + 1 if short else 0
    return rows[after]['d'] if after < len(rows) else None


def simulate(n: int, d: int, margin: float, queries: int = 32) -> Simulated:
    """Project n orthonormal vectors to d dimensions, and compare some with all (archives/8706).

    A random projection maps them to the rows of a random matrix, here of ±1/√d, so the original
    vectors are not needed, and the rows are drawn chunk by chunk. The largest error of m pairs is
    about √(2·ln m / d), of all pairs √(4·ln n / d).

    Args:
        n: number of vectors.
        d: number of dimensions.
        margin: threshold above which a cosine is similar.
        queries: number of vectors that are compared with all n.
    """
    random = np.random.default_rng(0)

    def bits(count: int) -> np.ndarray:
        packed = random.integers(0, 256, (count, -(-d // 8)), np.uint8)
        return np.unpackbits(packed, axis=1, count=d).astype(np.float32)  # (count, d), 0 or 1

    queried = (2 * bits(queries).T - 1) / np.float32(d)  # (d, queries)
    squares, largest, false = 0.0, 0.0, 0
    for start in range(0, n, CHUNK):
        products = bits(min(CHUNK, n - start)) @ (2 * queried) - queried.sum(axis=0)
        squares += float(np.sum(products**2, dtype=np.float64))
        largest = max(largest, float(np.abs(products).max()))
        false += int(np.sum(products > margin))
    pairs = n * queries
    expected = float(np.sqrt(4 * np.log(n) / d))
    return Simulated(n, d, pairs, (squares / pairs) ** 0.5, largest, expected, false / queries)


def triangles(ab: np.ndarray, bc: np.ndarray, ac: np.ndarray, threshold: float) -> Triangles:
    """Count triangles that no vectors could form, for m triples with three scores each, (m,).

    Scores are taken as cosines of angles (a reader's question below archives/8860).
    """
    to_b, from_b, straight = (np.arccos(np.clip(scores, -1, 1)) for scores in (ab, bc, ac))
    broken = straight > to_b + from_b + ANGLE_TOLERANCE
    chains = np.minimum(ab, bc) > threshold
    counts = (broken.sum(), chains.sum(), (broken & chains).sum())
    return Triangles(len(ab), *map(int, counts))


def all_triangles(similarity: np.ndarray, threshold: float) -> Triangles:
    """Count over all triples of n sentences: each has three middles, and at most one is broken.

    Args:
        similarity: (n, n), symmetric.
        threshold: pairs above it are similar.
    """
    n = len(similarity)
    by_middle = []
    for b in range(n):
        a, c = np.delete(np.arange(n), b)[np.array(np.triu_indices(n - 1, 1))]
        sides = similarity[a, b], similarity[b, c], similarity[a, c]
        by_middle.append(triangles(*sides, threshold))
    counts = Triangles(*np.sum(by_middle, axis=0).tolist())
    return counts._replace(triples=counts.triples // 3)

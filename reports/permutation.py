"""Tests of whether models differ, from their scores over training seeds.

Seeds are not paired: under the null a seed of one model could as well be one of the other's. p is the share of all ways
to split the seeds of two models into two such groups whose means are as far apart as those of the models (E. J. G.
Pitman, "Significance tests which may be applied to samples from any populations", 1937), exact up to 10 + 10 seeds,
from random splits beyond. Of n + n seeds it is at least 2 / C(2n, n): 0.1 with three, 0.0079 with five.

Against the best, 27 such p would have to be below 0.05 / 27, which five seeds never are. There they are corrected by
the largest gap: all seeds of the models not farther from the best than this one are shuffled, and p is at least the
share of shuffles in which the best and the worst are as far apart; from the farthest model to the nearest, no p falls
below one before it (J. P. Romano, M. Wolf, "Exact and approximate stepdown methods for multiple hypothesis testing",
2005). The best is chosen anew in each shuffle. All pairs are corrected by S. Holm's method ("A simple sequentially
rejective multiple test procedure", 1979).
"""

from functools import cache
from itertools import combinations
from math import comb

import numpy as np

SPLITS = 200_000  # looked at: all there are up to 10 + 10 seeds
SHUFFLES = 9_999
AS_FAR = 1 - 1e-9  # for sums that rounding alone tells apart


def unpaired_p(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Two-sided p of each column's difference of means.  # (n, columns), (m, columns) -> (columns,)"""
    both = np.concatenate([ours, theirs])
    centred = both - both.mean(0)
    observed = np.abs(centred[: len(ours)].sum(0)) * AS_FAR
    ways = splits(len(ours), len(theirs))
    far = sum((np.abs(block @ centred) >= observed).sum(0) for block in np.array_split(ways, 1 + len(ways) // 10_000))
    return np.asarray(far / len(ways))


@cache
def splits(ours: int, theirs: int) -> np.ndarray:
    """Which of the values may be ours: all ways, or `SPLITS` at random, the first as it is.  # (ways, values)"""
    ways = min(SPLITS, comb(ours + theirs, ours))
    found = np.zeros((ways, ours + theirs))
    if ways < SPLITS:
        chosen = np.array(list(combinations(range(ours + theirs), ours)))
    else:
        rng = np.random.default_rng(0)
        chosen = rng.permuted(np.tile(np.arange(ours + theirs), (ways, 1)), axis=1)[:, :ours]
        chosen[0] = np.arange(ours)
    np.put_along_axis(found, chosen, 1, axis=1)
    return found


def least_p(seeds: int) -> float:
    """The least that `unpaired_p` can be with so many on either side."""
    return max(2 / comb(2 * seeds, seeds), 1 / SPLITS)


def against_best(values: np.ndarray) -> np.ndarray:
    """p of each row against the first, corrected; means fall from row to row.  # (models, seeds) -> (models - 1,)"""
    models, seeds = values.shape
    alone = unpaired_p(np.tile(values[:1].T, models - 1), values[1:].T)
    gaps = (values[0].mean() - values[1:].mean(1)) * AS_FAR
    rng, highest, found = np.random.default_rng(0), 0.0, np.empty(models - 1)
    for place in reversed(range(models - 1)):
        pool = np.tile(values[: place + 2].ravel(), (SHUFFLES, 1))
        means = rng.permuted(pool, axis=1).reshape(SHUFFLES, -1, seeds).mean(2)
        shuffled = (1 + (np.ptp(means, axis=1) >= gaps[place]).sum()) / (1 + SHUFFLES)
        found[place] = highest = max(highest, shuffled, alone[place])
    return found


def holm(p: np.ndarray) -> np.ndarray:
    """p-values corrected for there being so many, whatever they depend on."""
    order = np.argsort(p, kind="stable")
    corrected = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty(len(p))
    found[order] = corrected.clip(max=1)
    return found

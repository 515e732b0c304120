"""What is printed of several training seeds, and what is marked as best or as tied with it: decided here only.

Spread is over training seeds. The 95 % interval of a mean, or of a difference of two means, is Student's (Welch's for a
difference: B. L. Welch, "The generalization of 'Student's' problem when several different population variances are
involved", Biometrika 34, 1947) where a side has fewer than 20 seeds, and the percentile bootstrap from 20 on. The
bootstrap covers far too little with few seeds (T. Hesterberg, "What teachers should know about the bootstrap:
resampling in the undergraduate statistics curriculum", 2015, arXiv:1411.5279): it cannot reach beyond the smallest and
the largest value, which with three seeds makes it at most 0.41 times as wide as Student's.

Best (bold) is the best mean among the models, where there are two at least; the oracle is never ranked, and models that
complete real images are not among others that make whole ones. Tied with it
(underlined) is every model for which the interval of the difference from the best contains zero, each comparison by
itself; with fewer than two seeds on a side there is no interval and no tie. Diverged seeds never enter a mean.

'A beats B' is tested on paired differences by flipping the sign of each pair in every possible way (R. A. Fisher, "The
Design of Experiments", 1935, section 21), which assumes no distribution. Of many comparisons, each is held against the
highest of them all under the same flips (P. H. Westfall, S. S. Young, "Resampling-Based Multiple Testing", 1993). Of n
pairs there are 2^n flips, so that no p is below 2^(1-n), 0.25 with three seeds; times the number of comparisons, as in
Bonferroni's or Holm's correction, such p-values would hardly ever be small.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from reports.load import ORACLE, Column, Report

FEW = 20  # seeds below which the bootstrap is not trusted
RESAMPLES = 10_000
TAIL = 0.025

LEVEL = 2 * TAIL  # of a test
FLIPS = 2**16  # patterns of signs that a paired test looks at: all there are up to 16 pairs

BEST, TIED = "best", "tied"
WITHIN, BETTER, WORSE = "within", "better", "worse"


class Estimate(NamedTuple):
    """A mean, known from ``n`` values."""

    mean: float
    variance: float  # of the mean: the squared standard error
    n: int


class Entry(NamedTuple):
    """A row of a comparison: one column of the table for one model."""

    model: str
    metric: str
    label: str
    direction: str | None
    decimals: int
    percent: bool
    mean: float  # over the seeds that have a value; NaN where none has
    sd: float
    n: int
    low: float  # of the mean's 95 % interval
    high: float
    mark: str  # BEST, TIED or nothing
    seeds: int
    diverged: int
    given: str


def interval(values: np.ndarray, against: np.ndarray | None = None) -> tuple[float, float]:
    """The 95 % interval of the mean of ``values``, or of its excess over that of ``against``; NaN: too few seeds."""
    sides = [values] if against is None else [values, against]
    if min(len(side) for side in sides) < 2:
        return np.nan, np.nan
    if min(len(side) for side in sides) >= FEW:
        rng = np.random.default_rng(0)
        means = [rng.choice(side, (RESAMPLES, len(side))).mean(1) for side in sides]
        low, high = np.quantile(means[0] - (means[1] if len(means) > 1 else 0), [TAIL, 1 - TAIL])
        return float(low), float(high)
    return student(*(Estimate(side.mean(), side.var(ddof=1) / len(side), len(side)) for side in sides))


def student(value: Estimate, against: Estimate | None = None) -> tuple[float, float]:
    """The 95 % interval of a mean (Student's), or of its excess over another one (Welch's)."""
    sides = [value] if against is None else [value, against]
    centre = value.mean - sum(side.mean for side in sides[1:])
    variance = sum(side.variance for side in sides)
    if variance == 0:
        return float(centre), float(centre)
    freedom = variance**2 / sum(side.variance**2 / (side.n - 1) for side in sides)
    reach = stdtrit(freedom, 1 - TAIL) * np.sqrt(variance)
    return float(centre - reach), float(centre + reach)


def marks(values: dict[str, np.ndarray], direction: str | None) -> dict[str, str]:
    """BEST or TIED for the models that deserve it, from each model's values over seeds."""
    ranked = {model: seeds for model, seeds in values.items() if model != ORACLE and len(seeds)}
    if direction is None or len(ranked) < 2:
        return {}
    means = {model: seeds.mean() * (1 if direction == "higher" else -1) for model, seeds in ranked.items()}
    return best_and_tied(means, lambda model, top: interval(ranked[model], ranked[top]))


def best_and_tied(means: dict[str, float], excess: Callable[[str, str], tuple[float, float]]) -> dict[str, str]:
    """BEST for the highest of ``means``, TIED where the interval of the ``excess`` over it contains zero."""
    top = max(means, key=means.__getitem__)
    found = {}
    for model, mean in means.items():
        low, high = excess(model, top)
        if np.isclose(mean, means[top], rtol=1e-12, atol=0):
            found[model] = BEST
        elif low <= 0 <= high:
            found[model] = TIED
    return found


def verdict(ours: np.ndarray, published: Estimate, direction: str) -> str:
    """How our values over seeds stand to a published mean: within the 95 % interval of the difference, or not."""
    low, high = student(Estimate(ours.mean(), ours.var(ddof=1) / len(ours), len(ours)), published)
    if low <= 0 <= high:
        return WITHIN
    return BETTER if (low > 0) == (direction == "higher") else WORSE


def paired_p(differences: np.ndarray) -> np.ndarray:
    """Two-sided p of each column's mean, corrected for there being many; zeros where a pair is missing.

    Under the null a row, which is one pair of runs for every column, could as well have the other sign.
    """
    norms = np.sqrt((differences**2).sum(axis=0))
    scaled = differences / np.where(norms > 0, norms, 1)  # (n, columns)
    blocks = np.array_split(signs(len(differences)), 16)
    highest = np.concatenate([np.abs(block @ scaled).max(axis=1, initial=0) for block in blocks])  # (patterns,)
    return np.array([(highest >= own * (1 - 1e-9)).mean() for own in np.abs(scaled.sum(axis=0))])


@cache
def signs(n: int) -> np.ndarray:
    """Patterns of ``n`` signs, all or `FLIPS` at random, the first all plus.  # (patterns, n)"""
    if 2**n <= FLIPS:
        return 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    found = np.random.default_rng(0).choice([-1, 1], (FLIPS, n))
    found[0] = 1
    return found


def least_p(pairs: int) -> float:
    """The least that `paired_p` can be with so many."""
    return max(2.0 ** (1 - pairs), 1 / FLIPS)


def compare(report: Report) -> pd.DataFrame:
    """The comparison in tidy form: a row for every column of the table and every model, the oracle last.

    `model`, `seeds` and `diverged` (how many there are, how many of these diverged), what it was `given`, the facts of
    the column, then `mean`, `sd`, `n`, `low`, `high` and `mark`. A mean that cannot be had is NaN with n = 0.
    """
    counts = report.seeds.groupby("model").agg(
        seeds=("status", "size"),
        diverged=("status", lambda status: (status == "diverged").sum()),
        given=("given", lambda given: next(iter(given.dropna()), "")),
    )
    rows, out = [], unranked(report)
    for column in report.columns:
        scores = report.scores[report.scores.metric == column.name]
        values = {model: scores.value[scores.model == model].to_numpy() for model in (*report.models, ORACLE)}
        found = marks({model: seeds for model, seeds in values.items() if model not in out}, column.direction)
        rows += [row(model, column, seeds) | {"mark": found.get(model, "")} for model, seeds in values.items()]
    return (
        pd.DataFrame(rows)
        .merge(counts, left_on="model", right_index=True, how="left")
        .assign(benchmark=report.benchmark)
    )


def entries(comparison: pd.DataFrame) -> list[Entry]:
    """The rows of a comparison."""
    return [Entry(*row) for row in comparison[list(Entry._fields)].itertuples(index=False, name=None)]


def unranked(report: Report) -> set[str]:
    """The oracle, and models whose samples hold real pixels, unless all models are such."""
    completing = set(report.seeds.model[report.seeds.given == "image"])
    return {ORACLE} | (completing if completing < set(report.models) else set())


def row(model: str, column: Column, values: np.ndarray) -> dict[str, object]:
    low, high = interval(values)
    return {
        "model": model,
        "metric": column.name,
        **{key: getattr(column, key) for key in ("label", "direction", "decimals", "percent", "main")},
        "mean": values.mean() if len(values) else np.nan,
        "sd": values.std(ddof=1) if len(values) > 1 else np.nan,
        "n": len(values),
        "low": low,
        "high": high,
    }


def main_part(comparison: pd.DataFrame) -> pd.DataFrame:
    """The main table: the columns meant for it, less those that nobody has a value for."""
    return comparison[comparison.main & comparison.groupby("metric").n.transform("max").gt(0)]


def rule(seeds: int, diverged: str = "left out") -> str:
    """How the numbers of a table with ``seeds`` training seeds are to be read, and what became of ``diverged`` ones."""
    if seeds < 2:
        return "One training seed: no spread, and no tie is marked. Bold: best. The oracle is not ranked."
    way = "Welch's t"
    if seeds >= FEW:
        way = f"percentile bootstrap, {RESAMPLES:,} resamples; Welch's t where fewer than {FEW} seeds finished"
    return (
        f"Mean ± standard deviation over {seeds} training seeds, diverged ones {diverged}. Bold: best mean. "
        f"Underlined: not told apart from the best, the 95 % interval ({way}) of the difference contains 0. "
        f"The oracle is not ranked."
    )


def headline(comparison: pd.DataFrame) -> str:
    """Which model is best in most columns of a table, in words; of several such, the one with the most ties."""
    ranked = comparison[comparison.direction.isin(["higher", "lower"]) & (comparison.model != ORACLE)]
    total = ranked[ranked.mark != ""].metric.nunique()
    marked = ranked.assign(best=ranked.mark == BEST, tied=ranked.mark == TIED)
    counts = marked.groupby("model", sort=False)[["best", "tied"]].sum()
    if not total:
        return "No column to rank models by"
    best, tied = max(counts.itertuples(index=False, name=None))
    names = ", ".join(counts.index[(counts.best == best) & (counts.tied == tied)])
    return f"{names}: best in {best} of {total} columns" + f", tied with the best in {tied}" * bool(tied)

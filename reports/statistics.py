"""What is printed of several training seeds, what is tested, and what is marked as best or tied: decided here only.

Spread is over training seeds. The 95 % interval of a mean is Student's (of a difference from a published one, Welch's:
B. L. Welch, "The generalization of 'Student's' problem when several different population variances are involved",
Biometrika 34, 1947) with fewer than 20 seeds, and the percentile bootstrap from 20 on, which covers far too little with
few: of three seeds it is at most 0.41 times as wide as Student's (T. Hesterberg, "What teachers should know about the
bootstrap", 2015, arXiv:1411.5279).

How many seeds there are decides what is tested (`plan`). Three can never tell models apart, so that up to four nothing
is, and every seed is shown. A seed without a value, diverged or undefined, never enters a mean; a mean of fewer seeds
than there are says so and gets no mark.

Best (bold) is the best mean, where there are two models at least, among those whose worst seed is no worse than the
median model's worst seed: a collapsed model leads by one lucky seed. Tied with it (underlined) is a model that is near
it, by at most a tenth of the way from the best to the column's floor, and not told apart: with few seeds, its best seed
reaches the best model's worst; else by the comparison with the best of J. C. Hsu, "Simultaneous confidence intervals
for all distances from the 'best'", 1981, the one-sided test of C. W. Dunnett, "A multiple comparison procedure for
comparing several treatments with a control", 1955, with the best in the control's place. The oracle is never ranked,
and models that complete real images are not among others that make whole ones.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit
from scipy.stats import chi2

from reports.load import ORACLE, Column, Report
from reports.permutation import least_p

FEW = 20  # seeds below which the bootstrap is not trusted
RESAMPLES = 10_000
TAIL = 0.025
LEVEL = 2 * TAIL  # of a test
AGAINST_BEST, ALL_PAIRS = 5, 10  # training seeds from which models are tested so
MARGIN = 0.1  # of the way from the best to the floor, or where there is none of the best itself: farther is no tie

BEST, TIED = "best", "tied"
WITHIN, BETTER, WORSE = "within", "better", "worse"


class Plan(NamedTuple):
    """What is tested."""

    best: bool  # every model against the best one
    pairs: bool  # every model against every other


def plan(seeds: int, models: int = 2) -> Plan:
    """What is tested with so many training seeds of each of so many models: nothing that could never be told."""
    pairs = models * (models - 1) / 2
    return Plan(seeds >= AGAINST_BEST, seeds >= ALL_PAIRS and pairs * least_p(seeds) < LEVEL)


def fewest(report: Report) -> int:
    """The training seeds that every model has."""
    return int(report.seeds[report.seeds.model != ORACLE].groupby("model").size().min())


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
    each: str  # the values, seed by seed


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the mean of ``values``; NaN: too few seeds."""
    if len(values) < 2:
        return np.nan, np.nan
    if len(values) >= FEW:
        means = np.random.default_rng(0).choice(values, (RESAMPLES, len(values))).mean(1)
        low, high = np.quantile(means, [TAIL, 1 - TAIL])
        return float(low), float(high)
    return student(Estimate(values.mean(), values.var(ddof=1) / len(values), len(values)))


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


def marks(values: dict[str, np.ndarray], column: Column, floor: float | None = None) -> dict[str, str]:
    """BEST or TIED for the models that deserve it, from the values of those that have one for every seed."""
    ranked = {model: seeds for model, seeds in values.items() if model != ORACLE and len(seeds)}
    if column.direction is None or len(ranked) < 2:
        return {}
    sign = 1 if column.direction == "higher" else -1
    means = {model: seeds.mean() for model, seeds in ranked.items()}
    worst = {model: (sign * seeds).min() for model, seeds in ranked.items()}
    usual = np.median(list(worst.values()))
    steady = [model for model in ranked if worst[model] >= usual]
    top = max(steady, key=lambda model: sign * means[model])
    found = {model: BEST for model in steady if np.isclose(means[model], means[top], rtol=1e-12, atol=0)}
    near = close(means, top, scale(column, ranked.values(), floor), floor)
    near = {model for model in near if sign * means[model] < sign * means[top]} - set(found)
    return found | dict.fromkeys(near & untold(ranked, top, column), TIED)


def scale(
    column: Column, values: Iterable[np.ndarray], floor: float | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """What makes spreads alike: log where less is better and all are positive, arcsine of the root for shares."""
    every = np.concatenate([*values, [] if floor is None else [floor]])
    if column.direction == "lower" and every.min() > 0:
        return np.log
    if column.percent or (column.direction == "higher" and every.min() >= 0 and every.max() <= 1):
        return lambda share: np.arcsin(np.sqrt(np.clip(share, 0, 1)))
    return np.asarray


def close(
    means: dict[str, float], top: str, scaled: Callable[[np.ndarray], np.ndarray], floor: float | None
) -> set[str]:
    """The models whose mean is no farther from the best one than a tenth of the way from there to the floor."""
    if floor is None:
        return {model for model, mean in means.items() if abs(mean - means[top]) <= MARGIN * abs(means[top])}
    best, end = scaled(np.array([means[top], floor]))
    far = np.abs(scaled(np.array(list(means.values()))) - best)
    return {model for model, each in zip(means, far, strict=True) if each <= MARGIN * abs(best - end)}


def untold(ranked: dict[str, np.ndarray], top: str, column: Column) -> set[str]:
    """The models that are not told apart from the best one."""
    sign, scaled = (1 if column.direction == "higher" else -1), scale(column, ranked.values())
    seeds = min(map(len, ranked.values()))
    if not plan(seeds).best:
        reach = (sign * ranked[top]).min()
        return {model for model, found in ranked.items() if seeds > 1 and (sign * found).max() >= reach}
    others = [model for model in ranked if model != top]
    p = dunnett_p(sign * scaled(ranked[top]), [sign * scaled(ranked[model]) for model in others])
    return {model for model, each in zip(others, p, strict=True) if each >= LEVEL}


def dunnett_p(control: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """p of each of ``others`` having a lower mean than ``control``, corrected for there being so many."""
    sizes = np.array(list(map(len, others)))
    freedom = sizes.sum() + len(control) - len(others) - 1
    squares = sum(((side - side.mean()) ** 2).sum() for side in (control, *others))
    lead = control.mean() - np.array([side.mean() for side in others])
    if squares == 0:
        return np.where(lead > 0, 0.0, 1.0)
    t = lead / np.sqrt(squares / freedom * (1 / sizes + 1 / len(control)))  # of k others
    shared = np.sqrt(sizes / (sizes + len(control)))  # how much of each difference is the control's
    nodes, weights = np.polynomial.legendre.leggauss(64)
    s = np.sqrt(chi2.ppf((nodes + 1) / 2, freedom) / freedom)  # of 64 equally likely shares of the pooled deviation
    z, normal = np.polynomial.hermite_e.hermegauss(64)  # the control's own error
    reach = t[:, None, None, None] * s[:, None, None] + shared * z[:, None]  # (k, 64, 64, k)
    below = np.prod(ndtr(reach / np.sqrt(1 - shared**2)), axis=-1)
    return np.asarray(1 - below @ (normal / normal.sum()) @ (weights / 2))


def verdict(ours: np.ndarray, published: Estimate, direction: str) -> str:
    """How our values over seeds stand to a published mean: within the 95 % interval of the difference, or not."""
    low, high = student(Estimate(ours.mean(), ours.var(ddof=1) / len(ours), len(ours)), published)
    if low <= 0 <= high:
        return WITHIN
    return BETTER if (low > 0) == (direction == "higher") else WORSE


def compare(report: Report) -> pd.DataFrame:
    """The comparison in tidy form: a row for every column of the table and every model, the oracle last.

    `model`, `seeds` and `diverged` (how many there are, how many of these diverged), what it was `given`, the facts of
    the column, then `mean`, `sd`, `n`, `low`, `high`, `each` and `mark`. A mean that cannot be had is NaN with n = 0;
    one of fewer seeds than there are gets no mark.
    """
    counts = report.seeds.groupby("model").agg(
        seeds=("status", "size"),
        diverged=("status", lambda status: (status == "diverged").sum()),
        given=("given", lambda given: next(iter(given.dropna()), "")),
    )
    rows, out, nothing = [], unranked(report), np.array([])
    known = {key: found.to_numpy() for key, found in report.scores.groupby(["metric", "model"]).value}
    for column in report.columns:
        values = {model: known.get((column.name, model), nothing) for model in (*report.models, ORACLE)}
        whole = {m: found for m, found in values.items() if m not in out and len(found) == counts.seeds.get(m)}
        found = marks(whole, column, report.floors.get(column.name))
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
        "each": " ".join(f"{value:.6g}" for value in values),
    }


def main_part(comparison: pd.DataFrame) -> pd.DataFrame:
    """The main table: the columns meant for it, less those that nobody has a value for."""
    return comparison[comparison.main & comparison.groupby("metric").n.transform("max").gt(0)]


def rule(seeds: int, diverged: str = "left out", shown: str = "Mean ± standard deviation over") -> str:
    """How the numbers of a table with ``seeds`` training seeds are to be read, and what became of ``diverged`` ones;
    ``shown``: what of the seeds."""
    if seeds < 2:
        return "One training seed: no spread, no test, and no tie is marked. Bold: best. The oracle is not ranked."
    told = f"its best seed reaches the best model's worst (with fewer than {AGAINST_BEST} seeds nothing is tested)"
    if plan(seeds).best:
        told = f"not told apart from it at {100 * LEVEL:.0f} % for all models together (Hsu's comparison with the best)"
    return (
        f"{shown} {seeds} training seeds, diverged ones {diverged}; (n = 2 of 3): over the "
        "seeds that have a value; such a mean is never marked. Bold: the best mean among models whose worst seed is no "
        f"worse than the median model's worst seed. Underlined: within {100 * MARGIN:.0f} % of the way from the best "
        f"to the column's floor (where it has none, of the best itself), and {told}; on a scale of logarithms where "
        "less is better and all values are positive, of arcsines of roots for shares. The oracle is not ranked."
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
    return f"{names}: best in {best} of {total} columns" + f", near the best in {tied}" * bool(tied)

"""Models ranked over metrics and benchmarks.

A run is one training seed on one benchmark. Metrics have different units, so a run's score counts each ranked column
as the way from a floor (0) to real samples (1), cut to that range, and is the mean over columns: benchmarks weigh alike
however many columns they have. Over runs of several benchmarks, scores are summed up by their interquartile mean, with
intervals from a bootstrap that resamples the seeds of each benchmark, and shown whole as performance profiles: the
share of runs that score above tau. R. Agarwal, M. Schwarzer, P. S. Castro, A. Courville, M. G. Bellemare, "Deep
Reinforcement Learning at the Edge of the Statistical Precipice", 2021, arXiv:2108.13264, Section 4.
Departure: the bootstrap draws the same seeds for all models, since a seed means the same batches for each of them.
"""

from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import trim_mean

from reports.load import ORACLE, Column, Report
from reports.statistics import LEVEL, RESAMPLES, TAIL, best_and_tied, compare, least_p, paired_p, unranked

SCORE = Column(
    "score", "Score", "higher", 3,
    note="Mean over the ranked columns of the way from a floor (0) to real samples (1), cut to that range. The "
    "floor is zero where more is better, the worst model's mean where less is better; real samples are the oracle's "
    "mean, or the best model's where it has none. A run without a value, diverged or with nothing to judge, gets 0.",
)  # fmt: skip
PLACE = Column(
    "place", "Mean rank", "lower", 2,
    note="Place among the models with the same seed, mean over the ranked columns; equal values share their places and "
    "a run without a value is last.",
)  # fmt: skip
ENOUGH = next(runs for runs in range(1, 99) if least_p(runs) < LEVEL)  # paired runs without which no test can pass


class Duels(NamedTuple):
    """Every pair of models compared over the runs that both have."""

    excess: pd.DataFrame  # (model, other): how much the model's mean score is above the other's; NaN: they never meet
    p: pd.DataFrame  # (model, other): of the paired test, corrected for all the others
    pairs: int  # models compared, two by two
    runs: int  # of the pair that has the most

    @property
    def beats(self) -> pd.DataFrame:
        return (self.excess > 0) & (self.p < LEVEL)


class Summary(NamedTuple):
    """A model's scores over all its runs."""

    model: str
    runs: int
    iqm: float  # interquartile mean
    low: float  # of its 95 % interval
    high: float
    mark: str


def ranked(report: Report) -> tuple[Column, ...]:
    """The main columns with a direction that more than half of the models have a value in."""
    out = unranked(report)
    counts = report.scores[~report.scores.model.isin(out)].groupby("metric").model.nunique()
    half = len(set(report.models) - out) / 2
    return tuple(
        column for column in report.columns if column.main and column.direction and counts.get(column.name, 0) > half
    )


def runs(report: Report) -> pd.DataFrame:
    """What every run scores and its mean rank: model, seed, metric, value; diverged runs too."""
    columns = ranked(report)
    own = report.seeds[~report.seeds.model.isin(unranked(report))]
    wide = report.scores.pivot(index=["model", "seed"], columns="metric", values="value")
    wide = wide.reindex(pd.MultiIndex.from_frame(own[["model", "seed"]]), columns=[column.name for column in columns])
    real = report.scores[report.scores.model == ORACLE].groupby("metric").value.mean()
    ways, places = {}, {}
    for column in columns:
        ways[column.name] = way(wide[column.name], column, real.get(column.name))
        places[column.name] = wide.groupby("seed")[column.name].rank(
            ascending=column.direction == "lower", na_option="bottom"
        )
    found = {SCORE.name: pd.DataFrame(ways).mean(axis=1), PLACE.name: pd.DataFrame(places).mean(axis=1)}
    return pd.DataFrame(found).rename_axis(columns="metric").stack().reset_index().rename(columns={0: "value"})


def way(values: pd.Series, column: Column, real: float | None) -> pd.Series:
    """How far each run of a column has come from the floor to real samples; ``values`` has the index (model, seed)."""
    means = values.groupby("model").mean()
    floor = 0.0 if column.direction == "higher" else means.max()
    goal = real if real is not None else (means.max() if column.direction == "higher" else means.min())
    if goal == floor:
        return (values == goal).astype(float)
    sign = 1 if column.direction == "higher" else -1
    if sign * (goal - floor) < 0:  # every model is better than real samples: chance
        return (sign * (values - goal) >= 0).astype(float)
    return ((values - floor) / (goal - floor)).clip(0, 1).fillna(0)


def compared(report: Report) -> pd.DataFrame:
    """The runs of one benchmark as a comparison like `reports.statistics.compare`, the best score first."""
    comparison = compare(replace(report, columns=(SCORE, PLACE), scores=runs(report)))
    comparison = comparison[~comparison.model.isin(unranked(report))]
    order = comparison[comparison.metric == SCORE.name].sort_values("mean", ascending=False, kind="stable").model
    return comparison.sort_values(
        "model", key=lambda models: models.map({model: place for place, model in enumerate(order)}), kind="stable"
    )


def spread(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One metric of the runs as a matrix: (benchmark, seed) x model, NaN where a model is not on the benchmark."""
    return frame[frame.metric == metric].pivot(index=["benchmark", "seed"], columns="model", values="value")


def duel(scores: pd.DataFrame) -> Duels:
    """The paired tests of all models, from the matrix of scores."""
    pairs = {(a, b): scores[a] - scores[b] for a, b in combinations(scores.columns, 2)}
    pairs = {pair: excess for pair, excess in pairs.items() if excess.notna().any()}
    differences = pd.DataFrame(pairs)
    excess = pd.DataFrame(np.nan, index=scores.columns, columns=scores.columns)
    p = excess.copy()
    for (a, b), value in zip(pairs, paired_p(differences.fillna(0).to_numpy()), strict=True):
        mean = pairs[a, b].mean()
        excess.loc[a, b], excess.loc[b, a] = mean, -mean
        p.loc[a, b] = p.loc[b, a] = value
    return Duels(excess, p, differences.shape[1], int(differences.count().max()))


def summed_up(scores: pd.DataFrame) -> list[Summary]:
    """Every model of the matrix of scores, the best first."""
    strata = [stratum.to_numpy() for _, stratum in scores.groupby("benchmark")]  # of (seeds, models)
    rng = np.random.default_rng(0)
    draws = [rng.integers(len(stratum), size=(RESAMPLES, len(stratum))) for stratum in strata]
    means, resampled = {}, {}
    for place, model in enumerate(scores.columns):
        own = [(stratum[:, place], draw) for stratum, draw in zip(strata, draws, strict=True)]
        own = [(values, draw) for values, draw in own if not np.isnan(values).any()]
        means[model] = float(interquartile_mean(np.concatenate([values for values, _ in own])))
        resampled[model] = interquartile_mean(np.concatenate([values[draw] for values, draw in own], axis=1))
    found = best_and_tied(means, lambda model, top: bounds(resampled[model] - resampled[top]))
    return [
        Summary(model, int(scores[model].count()), mean, *bounds(resampled[model]), found.get(model, ""))
        for model, mean in sorted(means.items(), key=lambda item: -item[1])
    ]


def interquartile_mean(values: np.ndarray) -> np.ndarray:
    """The mean of the middle half, along the last axis."""
    return trim_mean(values, 0.25, axis=-1)


def bounds(resampled: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(resampled, [TAIL, 1 - TAIL])
    return float(low), float(high)


def rule(duels: Duels) -> str:
    """How 'A beats B' is decided, and whether so few runs can decide it."""
    said = (
        f"A model beats another (*) where its scores are higher and an exact sign-flip test, paired by run since the "
        f"same seed sees the same batches, gives p < {LEVEL:g} after correction for {duels.pairs} pairs (Westfall and "
        f"Young). With {duels.runs} paired runs no p is below {least_p(duels.runs):.2g}"
    )
    return said + (f": none can pass, which takes {ENOUGH} runs at least." if duels.runs < ENOUGH else ".")

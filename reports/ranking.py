"""Models ranked over metrics and benchmarks.

A run is one training seed on one benchmark. Metrics have different units, so a run's score counts each ranked column
as the way from its floor (0) to real samples (1), cut to that range, and is the mean over columns: benchmarks weigh
alike however many columns they have. Columns and floors are fixed in params.yaml, so that no score hangs on who else
competes. Models are ranked only beside models that ran the same benchmarks: for every set of benchmarks that some model
ran, those that ran all of it, by their runs on it.

R. Agarwal, M. Schwarzer, P. S. Castro, A. Courville, M. G. Bellemare, "Deep Reinforcement Learning at the Edge of the
Statistical Precipice", 2021, arXiv:2108.13264, Section 4: interquartile mean, optimality gap, probability of
improvement, performance profiles, and intervals of a bootstrap that resamples the seeds of each benchmark, of every
model by itself. Nothing is interpolated but the quantiles of the bootstrap: the interquartile mean leaves out whole
runs, a quarter of them rounded down at either end, and a profile is a step at every run.
Departure: profiles have no bands.
"""

from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import trim_mean

from reports.load import ORACLE, Column, Report
from reports.permutation import against_best, holm, unpaired_p
from reports.statistics import BEST, LEVEL, MARGIN, RESAMPLES, TAIL, TIED, compare, plan, unranked

SCORE = Column(
    "score", "Score", "higher", 3,
    note="Mean over the ranked columns of the way from the column's floor (0) to real samples (1), cut to that range. "
    "Floors are fixed, whoever competes. A run without a value, diverged or with nothing to judge, gets 0.",
)  # fmt: skip
PLACE = Column(
    "place", "Mean rank", "lower", 2,
    note="Place among the models with the same seed, mean over the ranked columns; equal values share their places and "
    "a run without a value is last. Unlike the score it hangs on who else competes, and nothing is ordered by it.",
)  # fmt: skip

Strata = list[np.ndarray]  # a model's scores: of each benchmark those of its seeds


class Duels(NamedTuple):
    """Every pair of models compared over their seeds."""

    excess: pd.DataFrame  # (model, other): how much the model's mean score is above the other's; NaN: itself
    p: pd.DataFrame  # (model, other): of the unpaired test, corrected for all the others

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
    gap: float  # optimality gap
    gap_low: float
    gap_high: float
    mark: str


class Improvement(NamedTuple):
    """How probable it is that a run of a model scores above one of another model on the same benchmark."""

    model: str
    other: str
    probability: float
    low: float  # of its 95 % interval
    high: float


def ranked(report: Report) -> tuple[Column, ...]:
    """The columns that the score counts: those named in params.yaml that have a floor and that real data have, too."""
    real = set(report.scores.metric[report.scores.model == ORACLE])
    names = set(report.ranked) & report.floors.keys() & real
    return tuple(column for column in report.columns if column.name in names and column.direction)


def floors(report: Report, columns: tuple[Column, ...]) -> str:
    """The floors in words."""
    return ", ".join(f"{column.label} {report.floors[column.name]:.4g}" for column in columns)


def runs(report: Report) -> pd.DataFrame:
    """What every run scores and its mean rank: model, seed, metric, value; diverged runs too."""
    columns = ranked(report)
    own = report.seeds[~report.seeds.model.isin(unranked(report))]
    wide = report.scores.pivot(index=["model", "seed"], columns="metric", values="value")
    wide = wide.reindex(pd.MultiIndex.from_frame(own[["model", "seed"]]), columns=[column.name for column in columns])
    real = report.scores[report.scores.model == ORACLE].groupby("metric").value.mean()
    ways, places = {}, {}
    for column in columns:
        ways[column.name] = way(wide[column.name], column, report.floors[column.name], real[column.name])
        places[column.name] = wide.groupby("seed")[column.name].rank(
            ascending=column.direction == "lower", na_option="bottom"
        )
    found = {SCORE.name: pd.DataFrame(ways).mean(axis=1), PLACE.name: pd.DataFrame(places).mean(axis=1)}
    return pd.DataFrame(found).rename_axis(columns="metric").stack().reset_index().rename(columns={0: "value"})


def way(values: pd.Series, column: Column, floor: float, real: float) -> pd.Series:
    """How far each run has come from the floor to real samples."""
    sign = 1 if column.direction == "higher" else -1
    if sign * (real - floor) <= 0:  # real samples are no better than the floor
        return (sign * (values - real) >= 0).astype(float)
    return ((values - floor) / (real - floor)).clip(0, 1).fillna(0)


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


def fields(scores: pd.DataFrame) -> dict[tuple[str, ...], pd.DataFrame]:
    """Who may be ranked beside whom: benchmarks, two or more -> the scores of all models that ran them all.

    The field with most runs comes first.
    """
    there = scores.groupby("benchmark", sort=False).count() > 0  # (benchmark, model)
    sets = dict.fromkeys(tuple(there.index[there[model]]) for model in there)
    on = {names: there.columns[there.loc[list(names)].all()] for names in sets}
    found = {names: scores.loc[scores.index.isin(names, level="benchmark"), on[names]] for names in sets}
    found = {names: field for names, field in found.items() if len(names) > 1 and field.shape[1] > 1}
    return dict(sorted(found.items(), key=lambda item: -item[1].size))


def duel(scores: pd.DataFrame) -> Duels:
    """The tests of all pairs of models, from the matrix of one benchmark's scores."""
    pairs = list(combinations(range(scores.shape[1]), 2))
    first, second = (scores.to_numpy()[:, list(side)] for side in zip(*pairs, strict=True))
    excess = pd.DataFrame(np.nan, index=scores.columns, columns=scores.columns)
    p = excess.copy()
    for (a, b), gap, value in zip(pairs, (first - second).mean(0), holm(unpaired_p(first, second)), strict=True):
        excess.iloc[a, b], excess.iloc[b, a] = gap, -gap
        p.iloc[a, b] = p.iloc[b, a] = value
    return Duels(excess, p)


def below_best(scores: pd.DataFrame) -> dict[str, float]:
    """p of every model against the first, from the matrix of one benchmark's scores, the best model first."""
    first, *others = map(str, scores.columns)
    return {first: np.nan} | dict(zip(others, against_best(scores.to_numpy().T), strict=True))


def strata(scores: pd.DataFrame, model: str) -> Strata:
    """A model's scores by benchmark."""
    return [stratum.to_numpy() for _, stratum in scores[model].dropna().groupby("benchmark", sort=False)]


def draws(model: str, values: Strata) -> Strata:
    """Which seeds each resample takes, of each benchmark: the same whoever competes.  # (RESAMPLES, seeds) each"""
    rng = np.random.default_rng(list(model.encode()))
    return [rng.integers(len(stratum), size=(RESAMPLES, len(stratum))) for stratum in values]


def summed_up(scores: pd.DataFrame) -> list[Summary]:
    """Every model of the matrix of scores, the best first."""
    found, resampled = {}, {}
    for model in map(str, scores.columns):
        values = strata(scores, model)
        again = [stratum[draw] for stratum, draw in zip(values, draws(model, values), strict=True)]
        every, resampled[model] = np.concatenate(values), np.concatenate(again, axis=1)
        iqm, gap = (bounds(measure(resampled[model])) for measure in (interquartile_mean, optimality_gap))
        mean, far = float(interquartile_mean(every)), float(optimality_gap(every))
        found[model] = Summary(model, len(every), mean, *iqm, far, *gap, "")
    order = sorted(found.values(), key=lambda entry: -entry.iqm)
    tested = plan(min(map(len, strata(scores, order[0].model)))).best
    top = interquartile_mean(resampled[order[0].model])
    marked = []
    for entry in order:
        excess = bounds(interquartile_mean(resampled[entry.model]) - top)
        near = entry.iqm >= (1 - MARGIN) * order[0].iqm
        tied = TIED if tested and near and excess[0] <= 0 <= excess[1] else ""
        marked.append(entry._replace(mark=BEST if entry.iqm == order[0].iqm else tied))
    return marked


def improvements(scores: pd.DataFrame) -> list[Improvement]:
    """Every model over every other."""
    values = {str(model): strata(scores, model) for model in scores.columns}
    drawn = {model: shares(draws(model, own)) for model, own in values.items()}
    found = []
    for a, b in combinations(values, 2):
        probability, (low, high) = improvement(values[a], values[b], drawn[a], drawn[b])
        found.append(Improvement(a, b, probability, low, high))
        found.append(Improvement(b, a, 1 - probability, 1 - high, 1 - low))
    return found


def shares(drawn: Strata) -> Strata:
    """How much of each resample is each seed.  # (RESAMPLES, seeds) each"""
    return [np.stack([(draw == seed).mean(1) for seed in range(draw.shape[1])], axis=1) for draw in drawn]


def improvement(
    ours: Strata, theirs: Strata, our_shares: Strata, their_shares: Strata
) -> tuple[float, tuple[float, float]]:
    """The probability that a run of ours scores above one of theirs, ties half, mean over benchmarks; its interval."""
    sides = zip(ours, theirs, strict=True)
    wins = [(own[:, None] > other) + (own[:, None] == other) / 2 for own, other in sides]  # (n, m) each
    parts = zip(wins, our_shares, their_shares, strict=True)
    again = np.mean([((mine @ won) * other).sum(1) for won, mine, other in parts], axis=0)
    return float(np.mean([won.mean() for won in wins])), bounds(again)


def interquartile_mean(values: np.ndarray) -> np.ndarray:
    """The mean of the middle half, along the last axis."""
    return trim_mean(values, 0.25, axis=-1)


def optimality_gap(values: np.ndarray) -> np.ndarray:
    """How far runs fall short of real samples (1) in the mean, along the last axis; none is ahead of them."""
    return np.asarray(1 - np.minimum(values, 1).mean(-1))


def bounds(resampled: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(resampled, [TAIL, 1 - TAIL])
    return float(low), float(high)

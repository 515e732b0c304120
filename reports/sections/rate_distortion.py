"""Rate against distortion of every model with a bound of two terms: what codes say, and what they leave to say.

A. A. Alemi, B. Poole, I. Fischer, J. V. Dillon, R. A. Saurous, K. Murphy, "Fixing a Broken ELBO", 2018,
arXiv:1711.00464: equal bounds lie on lines, and a beta moves a model along its curve.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports import statistics, style, tables
from reports.load import Column, Report
from reports.sections import Fragment, Picture
from reports.tables import Legend, Table

POSITION = 29
TERMS = ("rate", "distortion")
CURVE, ONE = "beta_vae", "vae"  # contestants whose names begin so differ in their beta, and of this one it is 1
BOUND = Column("bound", "Rate + distortion (nats)", "lower", 2, note="The bound on the negative log-likelihood, -ELBO.")
LINES = 6  # of equal bound, at most
CAPTION = (
    "Dots: means over training seeds, these pale; bars: one standard deviation. Dashed: equal bounds, better towards "
    "the lower left. A line joins the models that differ in their beta, the VAE's 1 among them, in order of rate."
)


def render(report: Report, out: Path) -> Fragment | None:
    if not set(TERMS) <= set(report.scores.metric):
        return None
    table, columns = terms(report)
    notes = tuple((column.label, column.note) for column in columns)
    legend = Legend((statistics.rule(statistics.fewest(report)),), notes)
    files = tables.files("rate_distortion", table, legend, f"Rate and distortion on {report.benchmark}")
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    style.save(draw(report), out / "rate_distortion.png")
    picture = Picture("rate_distortion.png", CAPTION)
    return Fragment("Rate and distortion", "", (("", table),), legend, (picture,), files=tuple(files))


def of_seeds(report: Report) -> pd.DataFrame:
    """Rate, distortion and their sum of every seed that has both: model, seed, rate, distortion, bound."""
    found = report.scores[report.scores.metric.isin(TERMS)]
    wide = found.pivot(index=["model", "seed"], columns="metric", values="value").dropna().reset_index()
    return wide.assign(bound=wide.rate + wide.distortion)


def terms(report: Report) -> tuple[Table, list[Column]]:
    """A row a model with both terms, and what the columns are."""
    columns = [*(column for column in report.columns if column.name in (*TERMS, "active_units")), BOUND]
    bounds = of_seeds(report).assign(metric="bound", value=lambda wide: wide.bound)
    scores = pd.concat([report.scores, bounds[["model", "seed", "metric", "value"]]])
    comparison = statistics.compare(replace(report, columns=tuple(columns), scores=scores))
    whole = tables.table(comparison)
    return whole._replace(rows=tuple(row for row in whole.rows if row.cells[-1].hint)), columns


def draw(report: Report) -> Figure:
    seeds = of_seeds(report)
    found = seeds.groupby("model")[list(TERMS)]
    mean, spread = found.mean(), found.std().fillna(0)
    figure, (axes,) = style.panels(1, 1, 6.5, 4.5)
    curve = mean[mean.index.str.startswith(CURVE) | (mean.index == ONE)].sort_values("rate")
    axes.plot(curve.rate, curve.distortion, color=style.FAINT, linewidth=1, zorder=1)
    for model in (model for model in report.models if model in mean.index):
        (x, y), (across, up) = mean.loc[model].to_numpy(), spread.loc[model].to_numpy()
        axes.errorbar(x, y, up, across, "o", color=style.colour(model, report.palette), markersize=4.5, linewidth=1)
        own = seeds[seeds.model == model]
        axes.plot(own.rate, own.distortion, ".", color=style.pale(style.colour(model, report.palette)), markersize=4)
        axes.annotate(model, (x, y), (5, 4), textcoords="offset points", fontsize=7.5, color=style.INK)
    axes.margins(0.12)
    equal_bounds(axes)
    axes.set_xlabel("rate (nats)")
    axes.set_ylabel("distortion (nats)")
    return figure


def equal_bounds(axes: Axes) -> None:
    """Lines on which rate and distortion have the same sum, which stands at their upper end."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    sums = np.array(MaxNLocator(LINES).tick_values(left + low, right + high))
    for bound in sums[(sums > left + low) & (sums < right + high)]:
        x = np.array([max(left, bound - high), min(right, bound - low)])
        axes.plot(x, bound - x, color=style.FAINT, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
        axes.annotate(
            f"{bound:g}", (x[0], bound - x[0]), (2, 2), textcoords="offset points", fontsize=7, color=style.FAINT
        )
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)

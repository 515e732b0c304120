"""Samplers that can choose: quality against how often the net is evaluated, and precision against recall as guidance
grows (J. Ho, T. Salimans, "Classifier-Free Diffusion Guidance", 2022, arXiv:2207.12598, figure 3 in the likes of it).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from reports import style
from reports.load import ORACLE, Report
from reports.sections import Fragment, Picture

POSITION = 26
EVALUATIONS, GUIDANCE = "evaluations", "guidance"
SHOWN = (
    "modes",
    "high_quality",
    "mode_spread",
    "stacked_modes",
    "fjd",
    "precision",
    "recall",
)  # of those, that are there
TRADED = ("recall", "precision")  # across and up, with more guidance
PLAIN = (
    "Dots: means over training seeds; bars: one standard deviation. Lines join a model's own; a diamond is a model "
    "that makes a sample in one way only. Dotted: real samples."
)
CAPTIONS = {
    EVALUATIONS: "Quality against evaluations of the net for a sample, on a scale of logarithms. " + PLAIN,
    GUIDANCE: "Precision against recall as guidance grows from the smallest dot to the largest: 0 asks for no class. "
    + PLAIN,
}


class Point(NamedTuple):
    at: float
    mean: float
    spread: float


def render(report: Report, out: Path) -> Fragment | None:
    pictures = []
    for sweep, draw in ((EVALUATIONS, draw_evaluations), (GUIDANCE, draw_guidance)):
        found = report.sweeps[report.sweeps.sweep == sweep]
        if not found.empty and draw(report, found, out / f"{sweep}.png"):
            pictures.append(Picture(f"{sweep}.png", CAPTIONS[sweep]))
    if not pictures:
        return None
    report.sweeps.to_csv(out / "sweeps.csv", index=False)
    return Fragment("Samplers that can choose", pictures=tuple(pictures), files=("sweeps.csv",))


def points(found: pd.DataFrame, model: str, metric: str) -> list[Point]:
    """A model's mean over seeds at each value, in order of it."""
    own = found[(found.model == model) & (found.metric == metric)].groupby("at").value.agg(["mean", "std"]).fillna(0.0)
    return [Point(*row) for row in own.reset_index().itertuples(index=False, name=None)]


def draw_evaluations(report: Report, found: pd.DataFrame, file: Path) -> bool:
    metrics = [name for name in SHOWN if name in set(found.metric)]
    if not metrics:
        return False
    figure, panels = style.panels(len(metrics), 3, 4.2, 3.2)
    swept = [model for model in report.models if model in set(found.model)]
    for metric, axes in zip(metrics, panels, strict=True):
        for model in swept:
            line(axes, points(found, model, metric), style.colour(model, report.palette), model)
        plain(report, axes, metric, set(swept))
        axes.set_xscale("log", base=2)
        axes.set_xlabel("evaluations a sample")
        axes.set_title(report.column(metric).label)
    panels[0].legend(fontsize=7)
    style.save(figure, file)
    return True


def line(axes: Axes, along: Sequence[Point], colour: str, label: str) -> None:
    x, y, spread = zip(*along, strict=True) if along else ((), (), ())
    axes.errorbar(x, y, spread, fmt="o-", color=colour, markersize=3.5, linewidth=1, label=label)


def plain(report: Report, axes: Axes, metric: str, swept: set[str]) -> None:
    """Models without a choice, where they stand, and real samples."""
    means = report.scores[report.scores.metric.isin([metric, EVALUATIONS])].groupby(["model", "metric"]).value.mean()
    for model in report.models:
        if model not in swept and (model, metric) in means and (model, EVALUATIONS) in means:
            at, value = means[model, EVALUATIONS], means[model, metric]
            axes.plot(at, value, "d", color=style.pale(style.colour(model, report.palette)), markersize=4, zorder=0)
    if (ORACLE, metric) in means:
        axes.axhline(means[ORACLE, metric], color=style.INK, linewidth=0.8, linestyle=":")


def draw_guidance(report: Report, found: pd.DataFrame, file: Path) -> bool:
    across, up = TRADED
    if not {across, up} <= set(found.metric):
        return False
    figure, (axes,) = style.panels(1, 1, 5.2, 4.2)
    for model in (model for model in report.models if model in set(found.model)):
        colour = style.colour(model, report.palette)
        x, y = points(found, model, across), points(found, model, up)
        axes.plot([each.mean for each in x], [each.mean for each in y], "-", color=colour, linewidth=1, label=model)
        for order, (left, right) in enumerate(zip(x, y, strict=True)):
            axes.errorbar(left.mean, right.mean, right.spread, left.spread, "o", color=colour, markersize=3 + order)
            axes.annotate(f"{left.at:g}", (left.mean, right.mean), (5, 4), textcoords="offset points", fontsize=7)
    axes.set_xlabel(report.column(across).label)
    axes.set_ylabel(report.column(up).label)
    axes.legend(fontsize=7)
    style.save(figure, file)
    return True

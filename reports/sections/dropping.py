"""Mode dropping as generalisation: how much of training and of held-out data a model covers, and how much it copies."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports import style
from reports.load import ORACLE, Report
from reports.pictures import ROW, dumbbell, rows
from reports.sections import Fragment, Picture

POSITION = 24
SIDES = {"Recall": ("recall_train", "recall_gap"), "Coverage": ("coverage_train", "coverage_gap")}
COPIES, FRESH = "near_copies", 5  # % of samples nearer to the training data than 95 % of held-out ones; of fresh data
CAPTION = (
    "Recall and coverage of training data (full) and of as many held-out data (hollow). Low on both sides: modes are "
    "dropped; lower for held-out data: the model repeats what it has seen. Near copies: samples nearer to a training "
    "sample than 95 % of held-out ones are; dashed: 5 %, as fresh data have. Dots: means; ticks: training seeds."
)

Values = dict[str, tuple[np.ndarray, np.ndarray]]  # model -> what a hollow and what a full dot stands for, over seeds


def render(report: Report, out: Path) -> Fragment | None:
    found = measured(report.scores.pivot(index=["model", "seed"], columns="metric", values="value"))
    if not found:
        return None
    style.save(draw(report, found), out / "dropping.png")
    return Fragment("Dropped and repeated", pictures=(Picture("dropping.png", CAPTION),))


def measured(scores: pd.DataFrame) -> dict[str, Values]:
    """By the panel's title; the held-out side is that of as many samples, not the main table's."""
    found: dict[str, Values] = {}
    for title, (full, gap) in SIDES.items():
        if {full, gap} <= set(scores.columns):
            both = scores[[full, gap]].dropna().groupby("model")
            found[title] = {
                str(model): ((part[full] - part[gap]).to_numpy(), part[full].to_numpy()) for model, part in both
            }
    if COPIES in scores.columns:
        copies = 100 * scores[COPIES].dropna()
        found["Near copies (%)"] = {str(model): (part.to_numpy(),) * 2 for model, part in copies.groupby("model")}
    return found


def draw(report: Report, found: dict[str, Values]) -> Figure:
    """A panel a measure, a row a model."""
    models = [model for model in (*report.models, ORACLE) if any(model in values for values in found.values())]
    figure, panels = style.panels(len(found), len(found), 3, 0.7 + ROW * len(models))
    for axes, (title, values) in zip(panels, found.items(), strict=True):
        rows(axes, ["real data" if model == ORACLE else model for model in models])
        for place, model in enumerate(models):
            if model in values:
                dumbbell(axes, place, *values[model], style.colour(model, report.palette))
        axes.set_title(title, loc="left", fontweight="bold")
        axes.tick_params(labelleft=axes is panels[0])
        if title in SIDES:
            axes.set_xlim(-0.02, 1.02)
        else:
            axes.axvline(FRESH, color=style.INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
            axes.set_xlim(left=0)
    return figure

"""Modes against steps: what each model covers while it trains, and which modes it had when it lost them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import style, tables
from reports.load import Column, Report
from reports.sections import Fragment, Picture
from reports.statistics import compare, fewest, main_part, plan

POSITION = 22
# beside the metrics: how many modes have 20 samples, how many that had have none now, and had some a snapshot before
HELD, LOST, FELL = "held", "lost", "fell"
EACH = ["model", "seed"]
ACROSS = 5  # panels in a row
CELL, MAP, MARGIN = 0.17, 2.7, 1.0  # inches: a model's row, the width of a map, the room below the rows
GROUND = "#f0f2f4"  # where nothing was recorded


def render(report: Report, out: Path) -> Fragment | None:
    metrics = [name for name in report.progress.metric.unique() if name not in (HELD, LOST, FELL)]
    if not metrics:
        return None
    first, *others = map(report.column, metrics)
    falls = losses(report.progress)
    style.save(lines(report, first, falls), out / "progress.png")
    pictures = [Picture("progress.png", caption(first, bool(len(falls)), plan(fewest(report)).best))]
    if others:
        style.save(maps(report, others), out / "maps.png")
        pictures.append(
            Picture("maps.png", "The same samples by other columns, mean over seeds: the darker, the better.")
        )
    comparison = compare_losses(report, first, falls)
    table = tables.table(comparison)
    rule = "Mean ± standard deviation over the training seeds that did not diverge, from the samples taken in training."
    notes = ((column.label, column.note) for column in columns(first) if column.name in set(comparison.metric))
    legend = tables.Legend((rule,), tuple(notes))
    comparison.to_csv(out / "losses.csv", index=False)
    for name, text in tables.files("losses", table, legend, f"Modes held and lost on {report.benchmark}").items():
        (out / name).write_text(text, encoding="utf-8")
    return Fragment(
        title=f"{first.label} during training",
        tables=(("Modes held and lost", table),),
        legend=legend,
        pictures=tuple(pictures),
        files=("losses.md", "losses.csv", "losses.tex"),
    )


def caption(shown: Column, marked: bool, many: bool) -> str:
    seeds = "band: from the lowest to the highest" if many else "thin lines: the seeds"
    falls = (
        "triangle: there a seed has lost a mode, without a sample now where it had some at the snapshot before and, "
        "once, 20 or more; "
    )
    return (
        f"{shown.label} in samples taken during training. Line: mean over the training seeds that did not diverge; "
        f"{seeds}; {falls * marked}grey: other models' means; dashed: as many real data."
    )


def recorded(report: Report, column: Column) -> pd.DataFrame:
    """The record of one column, as it is printed."""
    found = report.progress[report.progress.metric == column.name]
    return found.assign(value=found.value * (100 if column.percent else 1))


def losses(progress: pd.DataFrame) -> pd.DataFrame:
    """`lost`: modes that a seed, if it ever held one, had lost at a snapshot; `fell`: those that it had just lost."""
    wide = progress[progress.metric.isin([HELD, LOST, FELL])].pivot(
        index=[*EACH, "step"], columns="metric", values="value"
    )
    if HELD not in wide:
        return pd.DataFrame({"model": [], "seed": [], "step": [], LOST: [], FELL: []})
    return wide.loc[wide.held.groupby(EACH).transform("max") > 0, [LOST, FELL]].reset_index()


def lines(report: Report, shown: Column, falls: pd.DataFrame) -> Figure:
    """A panel a model, before the means of all others."""
    values = recorded(report, shown)
    means = {model: found.groupby("step").value.mean() for model, found in values.groupby("model")}
    real = report.real.get(shown.name, np.nan) * (100 if shown.percent else 1)
    models = [model for model in report.models if model in means]
    figure, panels = style.panels(len(models), ACROSS, 2, 1.6)
    for place, (axes, model) in enumerate(zip(panels, models, strict=True)):
        for mean in means.values():
            axes.plot(mean.index, mean, color=style.pale(style.FAINT), linewidth=0.5)
        axes.axhline(real, color=style.INK, linewidth=0.8, linestyle=(0, (4, 3)))
        draw(axes, values[values.model == model], falls[falls.fell > 0], style.colour(model, report.palette))
        axes.set_title(model, loc="left", fontweight="bold")
        axes.set_ylim(0, 1.08 * np.nanmax([real, values.value.max()]) or 1)
        axes.tick_params(labelleft=place % ACROSS == 0)
        axes.yaxis.set_major_locator(style.few_ticks())
        axes.xaxis.set_major_locator(style.few_ticks())
        axes.xaxis.set_major_formatter(style.thousands)
    figure.supxlabel("step", fontsize=9)
    figure.supylabel(tables.heading(shown), fontsize=9)
    return figure


def draw(axes: Axes, values: pd.DataFrame, falls: pd.DataFrame, colour: str) -> None:
    """One model: the mean, its seeds or, of many, their band, and a mark on a seed's value where it lost a mode."""
    steps = values.groupby("step").value
    if plan(values.seed.nunique()).best:
        axes.fill_between(steps.min().index, steps.min(), steps.max(), color=style.pale(colour), linewidth=0)
    else:
        each = values.pivot(index="step", columns="seed", values="value")
        axes.plot(each.index, each.to_numpy(), color=style.pale(colour), linewidth=0.8)
    axes.plot(steps.mean().index, steps.mean(), color=colour, linewidth=1.5)
    marked = values.merge(falls, on=[*EACH, "step"])
    axes.plot(marked.step, marked.value, "v", color=style.INK, markersize=3.5, markeredgewidth=0)


def maps(report: Report, shown: list[Column]) -> Figure:
    """A map a column, with a row a model and a cell a snapshot: the mean over seeds."""
    found = [recorded(report, column).pivot_table(index="model", columns="step", values="value") for column in shown]
    models = [model for model in report.models if any(model in values.index for values in found)]
    figure, panels = style.panels(len(shown), len(shown), MAP, MARGIN + CELL * len(models))
    for axes, column, values in zip(panels, shown, found, strict=True):
        shades = "Blues_r" if column.direction == "lower" else "Blues"
        cells = axes.pcolormesh([0, *values.columns], range(len(models) + 1), values.reindex(models), cmap=shades)
        axes.set_facecolor(GROUND)
        axes.invert_yaxis()
        axes.set_title(tables.heading(column), loc="left", fontweight="bold")
        axes.set_yticks([place + 0.5 for place in range(len(models))], models if axes is panels[0] else [])
        axes.tick_params(length=0)
        axes.xaxis.set_major_locator(style.few_ticks())
        axes.xaxis.set_major_formatter(style.thousands)
        figure.colorbar(cells, ax=axes, location="bottom", aspect=30).outline.set_visible(False)
    return figure


def columns(first: Column) -> list[Column]:
    """Of the table of losses."""
    shown = first._replace(direction=None, main=True)  # nobody is best here
    return [
        shown._replace(name="most", label=f"{first.label}, most", note="At the snapshot of the seed that has most."),
        shown._replace(name="last", label=f"{first.label}, last", note="At the last snapshot."),
        Column(
            "fell", "Lost", None, 1,
            note="Modes that were held, with 20 samples or more, and of which a later snapshot has none; again when a "
            "mode that has come back is lost again. n/a where no mode was ever held.",
        ),
        Column("missing", "Missing at the end", None, 1, note="Modes held before, without a sample at the last one."),
        Column("when", "Last loss, step", None, 0, note="Where modes were last lost, of the seeds that lost any."),
    ]  # fmt: skip


def compare_losses(report: Report, first: Column, falls: pd.DataFrame) -> pd.DataFrame:
    """The table of losses, in the form of any comparison."""
    values = report.progress[report.progress.metric == first.name].sort_values("step").groupby(EACH).value
    found = {
        "most": values.max(),
        "last": values.last(),
        "fell": falls.groupby(EACH).fell.sum(),
        "missing": falls.groupby(EACH).lost.last(),
        "when": falls[falls.fell > 0].groupby(EACH).step.max(),
    }
    scores = pd.concat([series.rename("value").reset_index().assign(metric=name) for name, series in found.items()])
    comparison = main_part(compare(replace(report, columns=tuple(columns(first)), scores=scores)))
    return comparison[comparison.model.isin(scores.model)]

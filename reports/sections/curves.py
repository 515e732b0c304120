"""Training curves: each player's loss over the steps, one panel a model."""

from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import SymmetricalLogLocator

from reports import style
from reports.load import Report
from reports.sections import Fragment, Picture

POSITION = 40
DASHES = (
    "-",
    (0, (4, 1.5)),
    (0, (1, 1)),
    (0, (4, 1, 1, 1)),
    (0, (8, 2)),
    (0, (1, 3)),
    (0, (8, 1, 1, 1, 1, 1)),
    (0, (2, 2)),
)
SHORT = 9  # letters of players' names that fit beside each other
APART = 20  # losses whose sizes differ by more than this factor share no linear axis


def render(report: Report, out: Path) -> Fragment | None:
    trained = [model for model in report.models if model in set(report.curves.model)]
    if not trained:
        return None
    figure, panels = style.panels(len(trained), 4, 2.5, 2.5)
    for axes, model in zip(panels, trained, strict=True):
        seeds = report.seeds[(report.seeds.model == model) & (report.seeds.status == "diverged")]
        curves = report.curves[report.curves.model == model]
        draw(axes, curves, dict(zip(seeds.seed, seeds.step, strict=True)), style.colour(model, report.palette))
        axes.set_title(model, loc="left", fontweight="bold")
    figure.supxlabel("step", fontsize=9)
    figure.supylabel("loss", fontsize=9)
    style.save(figure, out / "curves.png")
    caption = (
        "Loss of each player. Thin lines: the training seeds; thick: their mean; a cross on the axis: where a seed "
        "diverged. Losses of different models are not comparable. Axes leave out the outermost 1 % of values at either "
        "end."
    )
    return Fragment("Training", pictures=(Picture("curves.png", caption),))


def draw(axes: Axes, curves: pd.DataFrame, stopped: dict[int, int], colour: str) -> None:
    """All players of one model: line styles tell players apart, thin lines seeds; ``stopped``: where seeds diverged."""
    for (player, found), dashes in zip(curves.groupby("player", sort=False), cycle(DASHES), strict=False):
        for _, line in found.groupby("seed"):
            axes.plot(line.step, line.value, color=colour, linestyle=dashes, linewidth=0.5, alpha=0.45)
        mean = found[~found.seed.isin(stopped)].groupby("step").value.mean()
        axes.plot(mean.index, mean, color=colour, linestyle=dashes, linewidth=1.4, label=player)
    for step in stopped.values():
        axes.plot(step, 0, "x", color=style.INK, markersize=6, clip_on=False, transform=axes.get_xaxis_transform())
    scale(axes, whole if len(whole := curves[~curves.seed.isin(stopped)]) else curves)
    if curves.player.nunique() > 1:
        # Below the axis: within it names would hide lines.
        named = {"fontsize": 7, "handlelength": 3, "columnspacing": 1, "labelspacing": 0.2, "borderaxespad": 0}
        short = curves.player.str.len().max() <= SHORT
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.22), ncols=1 + short, **named)


def scale(axes: Axes, curves: pd.DataFrame) -> None:
    """Limits that one spike does not set, and a logarithmic axis where one player would flatten another."""
    values = curves.value[np.isfinite(curves.value)]
    if values.empty:
        return
    sizes = curves.groupby("player").value.apply(lambda loss: loss.abs().median())
    low, high = np.quantile(values, [0.01, 0.99])
    if sizes.max() > APART * sizes.min() > 0:
        axes.set_yscale("symlog", linthresh=10 ** np.ceil(np.log10(sizes.min())))  # ticks begin there
        if isinstance(ticks := axes.yaxis.get_major_locator(), SymmetricalLogLocator):
            ticks.set_params(numticks=5)
        axes.set_ylim(low - abs(low) / 2, high + abs(high) / 2)
    else:
        margin = 0.08 * (high - low) or 1
        axes.set_ylim(low - margin, high + margin)
        axes.ticklabel_format(axis="y", useOffset=False)
    axes.xaxis.set_major_locator(style.few_ticks())
    axes.xaxis.set_major_formatter(style.thousands)

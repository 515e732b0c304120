"""The models of one benchmark in order, and who beats whom."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import ranking, statistics, style, tables
from reports.load import Column, Report
from reports.sections import Fragment, Picture
from reports.tables import Cell

POSITION = 12
CELL = 0.36  # inches of one cell of the picture
DARK = 0.6  # excess from which a cell is too dark for black figures
MARGIN = 1.1  # inches for the models' names
CAPTION = (
    "Who beats whom: how much the score of the row's model is above that of the column's, in hundredths; "
    "* told apart by the paired test."
)


def render(report: Report, out: Path) -> Fragment | None:
    columns = ranking.ranked(report)
    if len(report.models) < 2 or not columns:
        return None
    comparison = ranking.compared(report)
    runs = ranking.runs(report).assign(benchmark=report.benchmark, kind=report.kind)
    duels = ranking.duel(ranking.spread(runs, ranking.SCORE.name)[comparison.model.unique()])
    best = wins(report, columns)
    table = tables.extended(
        tables.table(comparison),
        {
            "Best in": {model: Cell(f"{n} of {len(columns)}", "", "columns") for model, n in best.items()},
            "Beats": {model: Cell(f"{n} of {len(best) - 1}", "", "models") for model, n in beaten(duels).items()},
        },
    )
    names = ", ".join(column.label for column in columns)
    legend = tables.Legend(
        (f"Ranked by {names}.", statistics.rule(int(report.seeds.seed.nunique()), "scored 0"), ranking.rule(duels)),
        tuple((column.label, column.note) for column in (ranking.SCORE, ranking.PLACE)),
    )
    style.save(matrix(duels), out / "duels.png")
    comparison.to_csv(out / "ranking.csv", index=False)
    runs.to_csv(out / "runs.csv", index=False)
    for name, text in tables.files("ranking", table, legend, f"Ranking on {report.benchmark}").items():
        (out / name).write_text(text, encoding="utf-8")
    return Fragment(
        title="Ranking",
        tables=(("", table),),
        legend=legend,
        pictures=(Picture("duels.png", CAPTION),),
        files=("ranking.md", "ranking.csv", "ranking.tex", "runs.csv"),
    )


def wins(report: Report, columns: tuple[Column, ...]) -> dict[str, int]:
    """In how many of the columns each model has the best mean."""
    comparison = statistics.compare(replace(report, columns=columns))
    best = comparison[comparison.mark == statistics.BEST].model.value_counts()
    return {model: int(best.get(model, 0)) for model in report.models}


def beaten(duels: ranking.Duels) -> dict[str, int]:
    """How many others each model beats."""
    return {str(model): int(count) for model, count in duels.beats.sum(axis=1).items()}


def matrix(duels: ranking.Duels) -> Figure:
    """A row and a column a model, from the best to the worst."""
    models, excess, p = list(duels.excess.columns), duels.excess.to_numpy(), duels.p.to_numpy()
    side = MARGIN + CELL * len(models)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes: Axes = figure.subplots()
    axes.imshow(excess, cmap="RdBu", vmin=-1, vmax=1)
    for row, column in np.argwhere(np.isfinite(excess)):  # NaN on the diagonal
        way, told = excess[row, column], "*" * bool(p[row, column] < statistics.LEVEL)
        hue = "white" if abs(way) > DARK else style.INK
        axes.text(column, row, f"{100 * way:+.0f}{told}", ha="center", va="center", fontsize=7, color=hue)
    axes.set_xticks(range(len(models)), models, rotation=90)
    axes.set_yticks(range(len(models)), models)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure

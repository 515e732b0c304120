"""What critics take the distance between data and samples for, beside the exact one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from reports import style, tables
from reports.load import ORACLE, Column, Report
from reports.pictures import ROW, dumbbell, rows
from reports.sections import Fragment, Picture
from reports.statistics import compare, entries
from reports.tables import Cell, Legend, Row, Table

POSITION = 26
EXACT = {  # a critic's column: what it estimates
    "critic_w1": "w1",
    "critic_kl": "density_kl",
    "critic_reverse_kl": "density_reverse_kl",
    "critic_js": "density_js",
    "critic_scaled_w1": "w1",
}
SCALED = "critic_scaled_w1"  # up to an unknown factor: no picture puts it on the same axis
CAPTION = (
    "What the critic takes the divergence for on held-out data when training ends (full), and what it is (hollow). "
    "Dots: means; ticks: training seeds; dashed: the exact value of as many real data, which chance keeps from 0."
)
RULE = (
    "Mean ± standard deviation over the training seeds that did not diverge. What a critic maximises bounds its "
    "divergence from below, except for what it has learnt by heart, and of W1 where a penalty lets its slope exceed "
    "one: an estimate far below says that it has not kept up."
)

Pair = tuple[Column, Column]  # the critic's column and the exact one


def render(report: Report, out: Path) -> Fragment | None:
    known = set(report.scores.metric)
    pairs = [(report.column(ours), report.column(exact)) for ours, exact in EXACT.items() if {ours, exact} <= known]
    if not pairs:
        return None
    table = beside(report, pairs)
    notes = dict.fromkeys((column.label, column.note) for pair in pairs for column in pair)
    legend = Legend((RULE,), tuple(notes))
    files = tables.files("critics", table, legend, f"Critics on {report.benchmark}")
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    comparable = [pair for pair in pairs if pair[0].name != SCALED]
    if comparable:
        style.save(draw(report, comparable), out / "critics.png")
    pictures = (Picture("critics.png", CAPTION),) * bool(comparable)
    return Fragment("What critics believe", "", (("", table),), legend, pictures, files=tuple(files))


def values(report: Report, column: Column) -> dict[str, np.ndarray]:
    """Over the seeds of each model that has any."""
    found = report.scores[report.scores.metric == column.name]
    return {str(model): part.value.to_numpy() for model, part in found.groupby("model")}


def beside(report: Report, pairs: list[Pair]) -> Table:
    """A row a model and estimate: the critic's, the exact one, and that of real data."""
    shown = dict.fromkeys(column._replace(direction=None) for pair in pairs for column in pair)  # nobody is best here
    comparison = compare(replace(report, columns=tuple(shown)))
    cells = {(entry.model, entry.metric): tables.cell(entry) for entry in entries(comparison)}
    notes = {row.model: row.note for row in tables.table(comparison).rows}
    found = []
    for model in report.models:
        for critic, exact in pairs:
            if (estimate := cells[model, critic.name]).hint:
                real = cells[ORACLE, exact.name]
                name = Cell(exact.label + ", up to a factor" * (critic.name == SCALED), "", critic.note)
                found.append(Row(model, notes[model], (name, estimate, cells[model, exact.name], real)))
    return Table(("Divergence", "Critic's estimate", "Exact", "Exact, real data"), tuple(found))


def draw(report: Report, pairs: list[Pair]) -> Figure:
    """A panel a divergence, with a row a model whose critic estimates it."""
    estimates = [values(report, critic) for critic, _ in pairs]
    figure, panels = style.panels(len(pairs), len(pairs), 3, 0.7 + ROW * max(map(len, estimates)))
    for axes, (_, exact), found in zip(panels, pairs, estimates, strict=True):
        models, truth = [model for model in report.models if model in found], values(report, exact)
        rows(axes, models)
        for place, model in enumerate(models):
            dumbbell(axes, place, truth[model], found[model], style.colour(model, report.palette))
        if ORACLE in truth:
            axes.axvline(truth[ORACLE].mean(), color=style.INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        axes.set_xlim(left=min(0, axes.get_xlim()[0]))
        axes.set_title(exact.label, loc="left", fontweight="bold")
    return figure

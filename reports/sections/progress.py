"""Modes held and lost while a model trains; the course of it is among the page's pictures."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from reports import tables
from reports.load import Column, Report
from reports.sections import Fragment
from reports.statistics import compare, main_part

POSITION = 22
# beside the metrics: how many modes have 20 samples, how many that had have none now, and had some a snapshot before
HELD, LOST, FELL = "held", "lost", "fell"
EACH = ["model", "seed"]


def render(report: Report, out: Path) -> Fragment | None:
    metrics = [name for name in report.progress.metric.unique() if name not in (HELD, LOST, FELL)]
    if not metrics:
        return None
    first = report.column(metrics[0])
    falls = losses(report.progress)
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
        tables=(("Held and lost", table),),
        legend=legend,
        files=("losses.md", "losses.csv", "losses.tex"),
    )


def losses(progress: pd.DataFrame) -> pd.DataFrame:
    """`lost`: modes that a seed, if it ever held one, had lost at a snapshot; `fell`: those that it had just lost."""
    wide = progress[progress.metric.isin([HELD, LOST, FELL])].pivot(
        index=[*EACH, "step"], columns="metric", values="value"
    )
    if HELD not in wide:
        return pd.DataFrame({"model": [], "seed": [], "step": [], LOST: [], FELL: []})
    return wide.loc[wide.held.groupby(EACH).transform("max") > 0, [LOST, FELL]].reset_index()


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

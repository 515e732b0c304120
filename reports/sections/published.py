"""Our figures beside published ones, with a verdict where the protocol is the same.

Everything published stands in published.csv, one row a number, as printed by its source. `ours` is our
contestant's name; `same` and `context` list the benchmarks that the number is shown on: those in `same` follow the
source's protocol, and get a verdict where they train for as many `steps`; those in `context` do not.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from reports import tables
from reports.load import Column, Report
from reports.sections import Fragment
from reports.statistics import BETTER, WITHIN, WORSE, Estimate, verdict
from reports.tables import Cell, Legend, Row, Table

POSITION = 30
FIGURES = Path(__file__).parents[1] / "published.csv"
RULE = (
    f"Verdict, each row by itself: '{WITHIN}' where the 95 % interval (Welch's t) of the difference of the means, from "
    f"our standard deviation over seeds and their standard error, contains 0; else '{BETTER}' or '{WORSE}' than "
    "published. None with fewer than two seeds, without a published spread, or after fewer steps than theirs."
)
CONTEXT = "Where no verdict stands, data, nets, budget or evaluation differ: context only."
OTHER = "other protocol"


class Beside(NamedTuple):
    """One published number and what it stands beside."""

    published: pd.Series  # a row of published.csv
    column: Column
    ours: np.ndarray  # values over finished seeds, in the unit of the column
    verdict: str


def render(report: Report, out: Path) -> Fragment | None:
    found = beside(report)
    if not found:
        return None
    judged = ("Verdict",) * any(entry.verdict != OTHER for entry in found)
    headings = ("Metric", "Ours, mean ± s.d.", "Published", *judged, "Source")
    table = Table(headings, tuple(row(entry, bool(judged)) for entry in found))
    kinds = {entry.verdict == OTHER for entry in found}
    rules = [RULE] * (False in kinds) + [CONTEXT] * (True in kinds)
    legend = Legend((*rules, *sources([entry.published for entry in found])), ())
    files = tables.files("published", table, legend, f"Beside published figures on {report.benchmark}")
    files["published.csv"] = tidy(found).to_csv(index=False)
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    return Fragment("Beside published figures", headline(found), (("", table),), legend, files=tuple(files))


@cache
def figures() -> pd.DataFrame:
    """published.csv, as text: numbers are shown as their sources print them."""
    return pd.read_csv(FIGURES, dtype=str, keep_default_na=False)


def figures_on(benchmark: str) -> pd.DataFrame:
    """The published numbers that are shown on this benchmark."""
    table = figures()
    return table[[benchmark in f"{row.same} {row.context}".split() for row in table.itertuples()]]


def beside(report: Report) -> list[Beside]:
    """The published numbers of the models and columns of ``report``, in their order."""
    shown = figures_on(report.benchmark)
    found = []
    for model in report.models:
        steps = pd.to_numeric(report.seeds.step[report.seeds.model == model]).max()
        own = shown[shown.ours == model]
        for column in (column for column in report.columns if column.name in set(own.metric)):
            scores = report.scores[(report.scores.model == model) & (report.scores.metric == column.name)]
            for _, published in own[own.metric == column.name].iterrows():
                same = report.benchmark in published.same.split()
                ours = scores.value.to_numpy()
                found.append(Beside(published, column, ours, judged(published, column, ours, steps) if same else OTHER))
    return found


def judged(published: pd.Series, column: Column, ours: np.ndarray, steps: float) -> str:
    theirs = float(published.steps or 0)  # 0 where the source does not say
    if steps < theirs:
        return f"none ({100 * steps / theirs:.3g} % of their steps)"
    if len(ours) < 2:
        return f"none (n = {len(ours)})"
    if not published.spread:
        return "none (no spread)"
    if column.direction is None:
        return "none (neither way is better)"
    error, runs = float(published.spread), int(published.runs)
    if published.spread_kind == "s.d.":
        error /= runs**0.5
    unit = 100 if column.percent else 1
    return verdict(ours, Estimate(float(published.value) / unit, (error / unit) ** 2, runs), column.direction)


def row(entry: Beside, judged: bool) -> Row:
    published = entry.published
    spread = f" ± {published.spread} {published.spread_kind}" * bool(published.spread)
    said = Cell("" if entry.verdict == OTHER else entry.verdict, "", "the rule stands below")
    cells = (
        Cell(tables.heading(entry.column), "", entry.column.note),
        own(entry.column, entry.ours),
        Cell(published.value + spread, "", f"{published.runs or 'not said how many'} runs"),
        *(said,) * judged,
        Cell(f"{published.model}, {published.cite}", "", published["where"]),
    )
    return Row(published.ours, "", cells)


def own(column: Column, values: np.ndarray) -> Cell:
    if not len(values):
        return Cell(tables.UNAVAILABLE, "", "")
    spread = f" ± {tables.number(column, values.std(ddof=1))}" if len(values) > 1 else ""
    return Cell(tables.number(column, values.mean()) + spread, "", f"{len(values)} seeds")


def headline(found: list[Beside]) -> str:
    """How many verdicts of each kind there are."""
    given = [entry.verdict for entry in found]
    counts = [f"{given.count(kind)} {kind}" for kind in (WITHIN, BETTER, WORSE) if kind in given]
    return f"Verdicts: {', '.join(counts)}" if counts else "Context, no verdict"


def sources(found: list[pd.Series]) -> list[str]:
    """A sentence for each source and protocol, once."""
    said = dict.fromkeys(f"{p.cite}: {p.source}, {paper(p)}{p['where']} ({p.protocol})." for p in found)
    return list(said)


def paper(published: pd.Series) -> str:
    return f"arXiv:{published.arxiv}, " if published.arxiv else ""


def tidy(found: list[Beside]) -> pd.DataFrame:
    """A row a number: ours in the source's unit, the published one, the verdict and the source."""
    rows = []
    for entry in found:
        ours = entry.ours * (100 if entry.column.percent else 1)
        measured = {
            "mean": ours.mean() if len(ours) else np.nan,
            "sd": ours.std(ddof=1) if len(ours) > 1 else np.nan,
            "n": len(ours),
            "verdict": entry.verdict,
        }
        rows.append(entry.published.drop(["same", "context"]).to_dict() | measured)
    return pd.DataFrame(rows)

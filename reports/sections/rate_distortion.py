"""Rate against distortion of every model with a bound of two terms: what codes say, and what they leave to say.

A. A. Alemi, B. Poole, I. Fischer, J. V. Dillon, R. A. Saurous, K. Murphy, "Fixing a Broken ELBO", 2018,
arXiv:1711.00464: equal bounds lie on lines, and a beta moves a model along its curve.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from reports import statistics, tables
from reports.load import Column, Report
from reports.sections import Fragment
from reports.tables import Legend, Table

POSITION = 29
TERMS = ("rate", "distortion")
BOUND = Column("bound", "Rate + distortion (nats)", "lower", 2, note="The bound on the negative log-likelihood, -ELBO.")


def render(report: Report, out: Path) -> Fragment | None:
    if not set(TERMS) <= set(report.scores.metric):
        return None
    table, columns = terms(report)
    notes = tuple((column.label, column.note) for column in columns)
    legend = Legend((statistics.rule(statistics.fewest(report)),), notes)
    files = tables.files("rate_distortion", table, legend, f"Rate and distortion on {report.benchmark}")
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    return Fragment("Rate and distortion", "", (("", table),), legend, files=tuple(files))


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

"""What each contestant was run with and whose it is; where those of a family differ in size."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reports import tables
from reports.load import Report
from reports.sections import Fragment
from reports.tables import Cell, Row, Table

POSITION = 31
SIZES = ("latent", "width", "depth")  # of nets and codes: a family's should be equal, or be told apart
PROTOCOL = (
    "Settings: those that are not the paper's; all others are defaults of the contestant's file in models/.",
    "Equal steps are not equal work: seconds a seed and evaluations a sample stand in the table of all columns.",
)


def render(report: Report, out: Path) -> Fragment | None:
    found = report.settings
    if found.empty:
        return None
    found.to_csv(out / "settings.csv", index=False)
    rows = [Row(str(model), "", tuple(cells(report, str(model)))) for model in found.model.unique()]
    return Fragment(
        title="Settings",
        text=" ".join(unlike(report)),
        tables=(
            ("Every contestant's", Table(("File", "Parameters", *map(str.capitalize, SIZES), "Settings"), tuple(rows))),
        ),
        legend=tables.Legend(
            PROTOCOL, tuple((name, f"no settings mend it: {why}") for name, why in report.unmended.items())
        ),
        files=("settings.csv",),
    )


def cells(report: Report, model: str) -> Iterator[Cell]:
    """Of one row of the table."""
    found = report.settings[report.settings.model == model].set_index("setting")
    yield Cell(str(found.file.iloc[0]), "", "")
    scores = report.scores
    numbers = scores.value[(scores.model == model) & (scores.metric == "parameters")]
    yield Cell(f"{numbers.mean():,.0f}" if len(numbers) else tables.UNAVAILABLE, "", "of all nets together")
    for size in SIZES:
        yield Cell(words(found.value[size]) if size in found.index else "", "", "")
    own = found[(found.owner != "paper") & ~found.index.isin(SIZES)]
    yield Cell("; ".join(f"{name} {words(each.value)} ({each.owner})" for name, each in own.iterrows()), "", "")


def words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def unlike(report: Report) -> Iterator[str]:
    """A sentence for each size that differs within a family, and one where none does."""
    sizes = report.settings[report.settings.setting.isin(SIZES)]
    several = 0
    for (family, size), found in sizes.groupby(["family", "setting"], sort=False):
        values = found.value.map(words)
        if values.nunique() > 1:
            several += 1
            each = [f"{value} ({', '.join(found.model[values == value])})" for value in values.unique()]
            yield f"{family or 'Others'}, {size}: {'; '.join(each)}."
    if not several:
        yield "Latents, widths and depths are equal within every family."

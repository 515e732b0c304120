"""One comparison (`reports.statistics.compare`) as Markdown, LaTeX or plain text; pages take the same `Table`."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pandas as pd

from reports.files import complete, readable
from reports.latex import escape_tex as escape_tex
from reports.latex import latex as latex
from reports.load import ORACLE, Report
from reports.statistics import BEST, TIED, Entry, entries, fewest, plan, rule

ARROWS = {"higher": "↑", "lower": "↓"}
UNAVAILABLE = "n/a"
TOLD = {
    "label": "told labels",
    "image": "told images, not ranked",
    "pairs": "shown pairs",
}  # what a model is given beside noise


SPREAD = {"sd": " ± {}", "brackets": " ({})"}
FORMS = {  # how the values of several seeds are shown -> how a legend begins
    "sd": "Mean ± standard deviation over",
    "brackets": "Mean (standard deviation) over",
    "mean": "Mean over",
    "all": "Each value of",
}
FEW = 3  # sentences that read well as a paragraph
LIKELY = ("nats", "bits_per_dim", "rate", "distortion", "likelihood")  # how the columns of likelihoods begin


class Shown(Protocol):
    """What there is to know of a column to print its numbers."""

    @property
    def label(self) -> str: ...

    @property
    def direction(self) -> str | None: ...

    @property
    def decimals(self) -> int: ...

    @property
    def percent(self) -> bool: ...


class Cell(NamedTuple):
    text: str
    mark: str  # BEST, TIED or nothing
    hint: str  # the values of all seeds, where a page can show them on demand


class Row(NamedTuple):
    model: str
    note: str  # `told labels`, `1/3 diverged`, or nothing
    cells: tuple[Cell, ...]

    @property
    def is_oracle(self) -> bool:
        return self.model == ORACLE


class Table(NamedTuple):
    headings: tuple[str, ...]
    rows: tuple[Row, ...]


class Legend(NamedTuple):
    """What a reader must know to read the numbers."""

    protocol: tuple[str, ...]
    notes: tuple[tuple[str, str], ...]  # (column's label, its sentence)

    @property
    def long(self) -> bool:
        """Whether the protocol is easier to read as a list."""
        return len(self.protocol) > FEW


def table(comparison: pd.DataFrame, form: str = "sd") -> Table:
    """The comparison as it is printed, models in order and the oracle last; ``form``: of the seeds, one of FORMS."""
    columns = comparison.drop_duplicates("metric")
    rows = []
    for _, found in comparison.groupby("model", sort=False):
        first, *_ = values = entries(found)
        seeds, diverged = int(first.seeds), int(first.diverged)  # floats beside a model that has no seeds
        told = TOLD.get(first.given, "")
        note = ", ".join([told] * bool(told) + [f"{diverged}/{seeds} diverged"] * bool(diverged))
        rows.append(Row(first.model, note, tuple(cell(entry, form) for entry in values)))
    return Table(tuple(map(heading, entries(columns))), tuple(rows))


def extended(content: Table, more: dict[str, dict[str, Cell]]) -> Table:
    """The table with further columns: heading -> model -> cell."""
    rows = [row._replace(cells=(*row.cells, *(column[row.model] for column in more.values()))) for row in content.rows]
    return Table((*content.headings, *more), tuple(rows))


def heading(column: Shown) -> str:
    unit = " (%)" if column.percent and "%" not in column.label else ""
    return f"{column.label}{unit} {ARROWS.get(column.direction or '', '')}".strip()


def cell(entry: Entry, form: str = "sd") -> Cell:
    """Mean and spread; the values seed by seed, where a page can show them on demand."""
    if not entry.n:
        return Cell(UNAVAILABLE, "", "")
    each = ", ".join(number(entry, float(value)) for value in entry.each.split())
    hint = f"{entry.n} seed{'s' * (entry.n > 1)}" + ": " * bool(each) + each
    text = each if form == "all" else number(entry, entry.mean)
    if entry.n > 1 and form in SPREAD:
        text += SPREAD[form].format(number(entry, entry.sd))
    if plan(entry.n).best:
        hint += f"; 95 % interval of the mean {number(entry, entry.low)} to {number(entry, entry.high)}"
    if entry.n < entry.seeds:  # diverged, or finished without this value
        text += f" (n = {entry.n} of {entry.seeds:.0f})"
    return Cell(text, entry.mark, hint)


def number(column: Shown, value: float) -> str:
    """``value`` with the column's decimals; far too big for them, in scientific notation."""
    value = 100 * value if column.percent else value
    return f"{value:.2e}" if abs(value) >= 1e6 else f"{value:z.{column.decimals}f}"


def legend(report: Report, comparison: pd.DataFrame, form: str = "sd") -> Legend:
    """The protocol, how marks are decided, a sentence for each column of ``comparison`` that has values, and why others
    are missing."""
    full = set(comparison.metric[comparison.n > 0])
    notes = tuple((column.label, column.note) for column in report.columns if column.name in full and column.note)
    lines = (*report.protocol, rule(fewest(report), shown=FORMS[form]), *statements(report, comparison))
    return Legend(lines, (*notes, *reasons(report, comparison)))


def brief(report: Report, comparison: pd.DataFrame, form: str = "sd") -> Legend:
    """The least that a reader must know: what the numbers are of, what marks mean, how a likelihood is estimated."""
    seeds = fewest(report)
    marks = "Bold: best; underlined: near it." if TIED in set(comparison.mark) else "Bold: best."
    lines = (f"{FORMS[form]} {seeds} training seed{'s' * (seeds > 1)}.", *[marks] * (BEST in set(comparison.mark)))
    return Legend((*lines, *statements(report, comparison)), ())


def statements(report: Report, comparison: pd.DataFrame) -> Iterator[str]:
    """How likelihoods are estimated, where a column shows one, and what models that complete images were shown."""
    models = set(comparison.model)
    likely = any(name.startswith(LIKELY) for name in set(comparison.metric))
    if likely and (said := stated(report, "estimator", models)):
        yield f"Likelihood: {by_words(said)}."
    if said := stated(report, "task", models):
        yield f"Hidden part: {by_words(said)}."


def stated(report: Report, key: str, models: Collection[str]) -> dict[str, str]:
    """What each of these models states about its values, in a column of `report.seeds`, where it states anything."""
    said = report.seeds.dropna(subset=key).groupby("model", sort=False)[key].first()
    return {str(model): str(words) for model, words in said.items() if model in models}


def by_words(said: dict[str, str]) -> str:
    """What models state, each statement once: "exact (parzen, gmm); ELBO, a lower bound (vae)"."""
    whose: dict[str, list[str]] = {}
    for model, words in said.items():
        whose.setdefault(words, []).append(model)
    return "; ".join(f"{words} ({', '.join(models)})" for words, models in whose.items())


def reasons(report: Report, comparison: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Why values of the columns that are shown, or of whole metrics, are missing: each reason once, with its models."""
    names, shown = {column.name for column in report.columns}, set(comparison.metric)
    every = set(comparison.model)
    missing = report.reasons[report.reasons.model.isin(every)]
    for (metric, reason), found in missing.groupby(["metric", "reason"], sort=False):
        if metric in shown or metric not in names:
            models = dict.fromkeys(found.model)
            whom = f" ({', '.join(models)})" * (not every - {ORACLE} <= set(models))
            yield f"{report.column(str(metric)).label}: n/a", f"{reason}{whom}"


def files(stem: str, content: Table, legend: Legend, title: str) -> dict[str, str]:
    """The table for a git host and for a paper: name of the file -> text."""
    return {f"{stem}.md": markdown(content, legend), f"{stem}.tex": latex(content, legend, title)}


def markdown(content: Table, legend: Legend) -> str:
    """A table as git hosts show it; <ins> is their one way to underline."""
    wrap = {BEST: "**{}**", TIED: "<ins>{}</ins>", "": "{}"}
    lines = [["model", *content.headings], [":--", *["--:"] * len(content.headings)]]
    for row in content.rows:
        cells = [wrap[entry.mark].format(escape_markdown(entry.text)) for entry in row.cells]
        name = f"*{ORACLE}*" if row.is_oracle else f"`{row.model}`"
        lines.append([name + f" ({row.note})" * bool(row.note), *cells])
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    said = [escape_markdown(line) for line in legend.protocol]
    protocol = "\n".join(f"- {line}" for line in said) if legend.long else " ".join(said)
    notes = "\n".join(f"- **{escape_markdown(label)}**: {escape_markdown(note)}" for label, note in legend.notes)
    return f"{rows}\n\n{protocol}\n\n{notes}".rstrip() + "\n"


def escape_markdown(text: str) -> str:
    for character in "\\|*<_":
        text = text.replace(character, f"\\{character}")
    return text


SIGNS = "* best   ~ near it"


def plain(content: Table, width: int = 120) -> str:
    """A table for a terminal, its columns in as many blocks as ``width`` takes. `*` is best, `~` near it."""
    sign = {BEST: "*", TIED: "~", "": " "}
    names = ["", *(row.model + f" ({row.note})" * bool(row.note) for row in content.rows)]
    margin = max(map(len, names))
    columns = [
        [head, *(sign[row.cells[place].mark] + row.cells[place].text for row in content.rows)]
        for place, head in enumerate(content.headings)
    ]
    widths = [max(map(len, column)) for column in columns]
    gap = 2 if margin + sum(widths) + 2 * len(widths) <= width else 1
    blocks, used = [], width
    for column, wide in zip(columns, widths, strict=True):
        if used + gap + wide > width:
            blocks.append([[name.ljust(margin) for name in names]])
            used = margin
        blocks[-1].append([text.rjust(gap + wide) for text in column])
        used += gap + wide
    return "\n\n".join("\n".join(map("".join, zip(*block, strict=True))) for block in blocks)


def read(path: Path) -> pd.DataFrame:
    """A comparison that a page has left as CSV, just as `reports.statistics.compare` gave it."""
    words = ["model", "metric", "label", "direction", "given", "mark", "benchmark", "each"]
    with readable(path, f"`python -m pipeline.report {path.parent.name}`"):
        complete(path.read_text(encoding="utf-8"))
        frame = pd.read_csv(path, dtype=dict.fromkeys(words, str))
        frame = frame.assign(each=frame.get("each", ""))  # older pages lack it
        return frame.assign(**{word: frame[word].fillna("") for word in words})

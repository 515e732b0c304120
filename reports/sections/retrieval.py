"""Data found by their codes: of every model that encodes, beside pixels and the judge's features."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from reports import statistics, style, tables
from reports.load import ORACLE, Report
from reports.pictures import enlarged, named_rows, tile
from reports.samples import Samples
from reports.sections import Fragment, Picture
from reports.tables import Legend, Table

POSITION = 28
CODES = ("code_precision", "code_probe")
PIXELS = ("pixel_precision", "pixel_probe")
JUDGE, PLAIN = "judge", "pixels"  # the baselines' names
BASELINES = {JUDGE: "baseline: features of the judge, which learnt the labels", PLAIN: "baseline: pixels as they are"}
CAPTION = (
    "Left of each block: a held-out image. Right of it: the training images nearest to it by code, the nearest first; "
    "red: of another class. First training seed that did not diverge."
)
SHEET = 1000  # pixels that the picture's images are enlarged to, by a whole factor


def render(report: Report, out: Path) -> Fragment | None:
    found = report.scores[report.scores.metric == CODES[0]]
    if set(found.model) <= {ORACLE}:
        return None
    table = beside(report)
    columns = [report.column(name) for name in CODES]
    notes = tuple((column.label, column.note) for column in columns)
    legend = Legend((statistics.rule(statistics.fewest(report)),), notes)
    files = tables.files("retrieval", table, legend, f"Retrieval by codes on {report.benchmark}")
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    if report.retrieved:
        style.save(draw(report), out / "retrieval.png", colours=0)
    return Fragment(
        title="Found by code",
        tables=(("", table),),
        legend=legend,
        pictures=(Picture("retrieval.png", CAPTION),) * bool(report.retrieved),
        files=tuple(files),
    )


def beside(report: Report) -> Table:
    """The models that encode, then the baselines."""
    by_code, by_pixel = (
        tables.table(statistics.compare(replace(report, columns=tuple(map(report.column, names)))))
        for names in (CODES, PIXELS)
    )
    rows = [row for row in by_code.rows if not row.is_oracle and any(cell.hint for cell in row.cells)]
    for name, whole in ((JUDGE, by_code), (PLAIN, by_pixel)):
        rows += [row._replace(model=name, note=BASELINES[name]) for row in whole.rows if row.is_oracle]
    return by_code._replace(rows=tuple(rows))


def draw(report: Report) -> Figure:
    """A row a model, a block a query; red is what has another label."""
    rows = list(strips(report))
    queries, each = rows[0].right.shape
    places = np.full((len(rows), queries, each + 2), -1)  # white between the queries
    places[..., :-1] = np.arange(len(rows) * queries * (each + 1)).reshape(len(rows), queries, -1)
    x = np.concatenate([row.images.reshape(-1, *row.images.shape[2:]) for row in rows])
    wrong = np.concatenate([np.pad(~row.right, ((0, 0), (1, 0))).ravel() for row in rows])
    colours = np.broadcast_to(x, (len(x), 3, *x.shape[2:])).copy() if x.shape[1] in (1, 3) else x[:, [0, 0, 0]]
    colours[wrong, 1:] //= 2
    sheet = tile(Samples(colours, None, 0, rows[0].levels), places.reshape(len(rows), -1)[:, :-1])
    return named_rows(enlarged(sheet, SHEET), [(row.name, row.colour) for row in rows])


class Strip(NamedTuple):
    """A row of the picture."""

    name: str
    colour: str
    images: np.ndarray  # (q, 1 + k, C, H, W) levels, the query first
    right: np.ndarray  # (q, k) bool
    levels: int


def strips(report: Report) -> Iterator[Strip]:
    """The models that encode, then the baselines."""
    for model in (model for model in (*report.models, ORACLE) if model in report.retrieved):
        kept = report.retrieved[model]
        name = JUDGE if model == ORACLE else model
        kinds = [(name, style.colour(model, report.palette), kept.codes, kept.codes_right)]
        if kept.pixels is not None and kept.pixels_right is not None:
            kinds.append((PLAIN, style.INK, kept.pixels, kept.pixels_right))
        for title, colour, images, right in kinds:
            yield Strip(title, colour, np.concatenate([kept.query[:, None], images], 1), right, kept.levels)

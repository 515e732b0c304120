"""Likelihoods of held-out data on one scale: models, baselines that know little, and published figures of the data.

Levels have probabilities: nats, and bits a dimension, of the discrete pixels. Every row says whether it is exact or a
bound, and by which estimate. For points, whose nats are of a density, the truth's own are the floor.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from reports import statistics, style, tables
from reports.load import ORACLE, Column, Report
from reports.samples import Pixels
from reports.sections import Fragment, Picture
from reports.sections.published import figures_on, sources
from reports.tables import Cell, Legend, Row, Table

POSITION = 28
COLUMNS = ("nats", "bits_per_dim")
BASELINES = {"independent": "baseline: independent numbers", "parzen": "baseline: training data, blurred"}
UNIFORM = "uniform"
FLOOR = "the true density"
ORDER = "From the likeliest down."
ELSEWHERE = "Published figures are context: nets and budget differ."
TOLD = "Models that are told labels state the likelihood of data alone, with every label as likely."
BINARISED = (
    "Binarisation: fixed where every pixel was drawn once (mnist_binary), dynamic where drawn anew at every look "
    "(mnist_dynamic: ten draws of the training images in stock, one of the held-out ones). Ours is a draw of our own, "
    "from the seed in benchmark.yaml: published figures of fixed binarisation rest on another draw of the same 50,000 "
    "training images."
)
CAPTION = (
    "What each pixel costs, given those before it (and the image's label, where a model is told labels): left the "
    "likeliest, right the least likely held-out image of each model's first training seed that did not diverge. One "
    "scale, dark: 0 nats."
)


def render(report: Report, out: Path) -> Fragment | None:
    columns = [column for column in report.columns if column.name in COLUMNS]
    if not set(report.scores[report.scores.model != ORACLE].metric) & {"nats"}:
        return None
    published = figures_on(report.benchmark)
    published = published[published.metric.isin(COLUMNS)]
    table = on_one_scale(report, columns, published)
    rules = [ORDER, statistics.rule(statistics.fewest(report))]
    rules += [TOLD] * bool((report.seeds.given == "label").any())
    rules += [BINARISED] * (report.samples[ORACLE].levels == 2)
    rules += [ELSEWHERE, *sources([row for _, row in published.iterrows()])] * bool(len(published))
    legend = Legend(tuple(rules), tuple((column.label, column.note) for column in columns))
    files = tables.files("likelihoods", table, legend, f"Likelihoods on {report.benchmark}")
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    if report.pixels:
        style.save(draw(report), out / "pixels.png")
    pictures = (Picture("pixels.png", CAPTION),) * bool(report.pixels)
    return Fragment("Likelihoods", "", (("", table),), legend, pictures, files=tuple(files))


def on_one_scale(report: Report, columns: list[Column], published: pd.DataFrame) -> Table:
    """A row a model, baseline or published figure, the likeliest first."""
    comparison = statistics.compare(replace(report, columns=tuple(columns)))
    ours, stated = tables.table(comparison), tables.stated(report, "estimator", set(comparison.model))
    nats = comparison[comparison.metric == "nats"].set_index("model")["mean"].to_dict()
    found = []
    for row in ours.rows:
        if row.model in stated or row.cells[0].hint:  # an infinite one is stated, too
            note = FLOOR if row.is_oracle else BASELINES.get(row.model, "")
            estimator = Cell(stated.get(row.model, ""), "", "how the likelihood is stated")
            note = ", ".join(filter(None, (note, row.note)))
            found.append((nats.get(row.model, math.nan), row._replace(note=note, cells=(*row.cells, estimator))))
    if levels := report.samples[ORACLE].levels:
        dims = predicted(report)
        found.append((dims * math.log(levels), uniform(columns, dims, levels)))
        found += [elsewhere(entry, columns, dims) for _, entry in published.iterrows()]
    found.sort(key=lambda entry: (math.isnan(entry[0]), entry[0]))
    return Table((*ours.headings, "Stated as"), tuple(row for _, row in found))


def predicted(report: Report) -> int:
    """How many numbers of a datum a likelihood is of; the first frames of clips may be given."""
    first, *rest = report.samples[ORACLE].x[0].shape
    seen = report.clips[ORACLE].seen if ORACLE in report.clips else 0
    return math.prod((first - seen, *rest))


def cells(columns: list[Column], nats: float, dims: int, hint: str) -> tuple[Cell, ...]:
    values = {"nats": nats, "bits_per_dim": nats / (dims * math.log(2))}
    return tuple(Cell(tables.number(column, values[column.name]), "", hint) for column in columns)


def uniform(columns: list[Column], dims: int, levels: int) -> Row:
    said = f"{dims} log {levels}"
    return Row(
        UNIFORM,
        "baseline: knows nothing",
        (*cells(columns, dims * math.log(levels), dims, said), Cell(said, "", "exact")),
    )


def elsewhere(entry: pd.Series, columns: list[Column], dims: int) -> tuple[float, Row]:
    """A published figure as its source prints it, and in the other unit."""
    nats = float(entry.value) * (dims * math.log(2) if entry.metric == "bits_per_dim" else 1)
    shown = cells(columns, nats, dims, "converted")
    printed = Cell(entry.value, "", "as printed")
    shown = tuple(printed if column.name == entry.metric else cell for column, cell in zip(columns, shown, strict=True))
    return nats, Row(entry.model, "published", (*shown, Cell(f"{entry.protocol}, {entry.cite}", "", entry["where"])))


def draw(report: Report) -> Figure:
    """A row a model: its likeliest image and what the pixels cost, then the least likely one."""
    models = [model for model in report.models if model in report.pixels]
    figure, panels = style.panels(4 * len(models), 4, 1.7, 1.9)
    most = max(costs(report.pixels[model]).max() for model in models)
    for model, row in zip(models, np.array(panels, dtype=object).reshape(-1, 4), strict=True):
        found = report.pixels[model]
        for place, title in enumerate((model, "least likely")):
            image, cost = row[2 * place : 2 * place + 2]
            show(image, np.moveaxis(found.x[place] / (found.levels - 1), 0, -1), "Greys_r", 1)
            shaded = show(cost, costs(found)[place], "magma", most)
            image.set_title(title, loc="left", color=style.colour(model, report.palette), weight="bold")
            cost.set_title(f"{found.nats[place].sum():.1f} nats", loc="right")
    figure.colorbar(shaded, ax=panels, shrink=0.6, label="nats of a pixel")
    return figure


def costs(found: Pixels) -> np.ndarray:
    return found.nats.sum(1)  # (2, C, H, W) -> (2, H, W), over the colours


def show(axes: Axes, pixels: np.ndarray, colours: str, most: float) -> AxesImage:
    axes.set_axis_off()
    return axes.imshow(pixels, cmap=colours, vmin=0, vmax=most, interpolation="nearest")

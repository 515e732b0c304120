"""Holes in held-out images: how well each model fills them, beside two baselines, and what that looks like."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from reports import statistics, style, tables
from reports.load import Column, Report
from reports.pictures import enlarged, named_rows, tile
from reports.samples import Samples
from reports.sections import Fragment, Picture
from reports.tables import Legend, Table

POSITION = 27
MEASURES = {"PSNR": "", "SSIM": "Structural similarity"}  # in columns' labels; a table each, and its heading
BASELINES = {  # models that know nothing of images beyond this
    "independent": "baseline: mean training image",
    "parzen": "baseline: nearest training image",
}
SHEET = 1000  # pixels that the picture's images are enlarged to, by a whole factor
PROTOCOL = (
    "From the observed pixels and a mask that tells which they are, several draws an image. Models made for it fill "
    "holes in their own way; others that encode and decode have the hidden pixels replaced by their reconstruction, "
    "over and over, from noise on. Autoregressive ones draw exactly, pixel after pixel, what follows a prefix in "
    "raster order, and fill no other holes. The best draw is chosen by the answer: it says how far draws reach, not "
    "how well they guess. n/a: the model does not fill such holes."
)
CAPTION = (
    "The first held-out images, what is shown of them (grey: hidden; a pixel that salt or pepper fell on is known to "
    "be hit), and how each model's first training seed that did not diverge fills the holes: the mean of several draws "
    "and, where they differ, one of them. Blank: the model does not fill such holes."
)


class Strip(NamedTuple):
    """A row of the picture."""

    name: str
    colour: str
    images: np.ndarray  # (T, k, C, H, W) levels
    there: np.ndarray  # (T,) bool: whether a kind of damage has any


def render(report: Report, out: Path) -> Fragment | None:
    if not report.scores.metric.str.startswith("fill_").any():
        return None
    protocol = (PROTOCOL, statistics.rule(statistics.fewest(report)))
    found, notes = [], []
    files: dict[str, str] = {}
    for measure, heading in MEASURES.items():
        columns = [column for column in report.columns if column.name.startswith("fill_") and measure in column.label]
        found.append((heading, beside(report, columns)))
        notes.append(tuple((column.label, column.note) for column in columns))
        title = f"Holes filled on {report.benchmark}, {measure}"
        files |= tables.files(f"inpainting_{measure.lower()}", found[-1][1], Legend(protocol, notes[-1]), title)
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    if report.fills:
        style.save(draw(report), out / "inpainting.png", colours=0)
    return Fragment(
        title="Holes filled",
        tables=tuple(found),
        legend=Legend(protocol, sum(notes, ())),
        pictures=(Picture("inpainting.png", CAPTION),) * bool(report.fills),
        files=tuple(files),
    )


def beside(report: Report, columns: list[Column]) -> Table:
    """The models that fill any holes, the baselines last."""
    whole = tables.table(statistics.compare(replace(report, columns=tuple(columns))))
    rows = [
        row._replace(note=", ".join(filter(None, (BASELINES.get(row.model), row.note))))
        for row in whole.rows
        if any(cell.hint for cell in row.cells)
    ]
    return whole._replace(rows=tuple(sorted(rows, key=lambda row: row.model in BASELINES)))


def strips(report: Report) -> list[Strip]:
    """Whole and damaged images, then one or two rows a model, the baselines last."""
    first = next(iter(report.fills.values()))
    always = np.ones(len(first.damage), bool)
    found = [
        Strip("held-out", style.INK, np.broadcast_to(first.whole, first.damaged.shape), always),
        Strip("damaged", style.INK, first.damaged, always),
    ]
    filling = [model for model in report.models if model in report.fills]
    for model in sorted(filling, key=lambda model: model in BASELINES):
        fills, colour = report.fills[model], style.colour(model, report.palette)
        found.append(Strip(model, colour, fills.mean, fills.fits))
        if (fills.mean != fills.draw)[fills.fits].any():
            found.append(Strip("a draw", style.FAINT, fills.draw, fills.fits))
    return found


def draw(report: Report) -> Figure:
    """A row a strip, a column an image, in blocks for the kinds of damage; pixel for pixel."""
    rows, first = strips(report), next(iter(report.fills.values()))
    kinds, each = first.damaged.shape[:2]
    places = np.full((len(rows), kinds, each + 1), -1)  # white between the kinds
    places[..., :-1] = np.arange(len(rows) * kinds * each).reshape(len(rows), kinds, each)
    places[~np.stack([row.there for row in rows])] = -1
    x = np.concatenate([row.images.reshape(-1, *first.whole.shape[1:]) for row in rows])
    pixels = enlarged(tile(Samples(x, None, 0, first.levels), places.reshape(len(rows), -1)[:, :-1]), SHEET)
    titles = {name: kind * (each + 1) / (kinds * (each + 1) - 1) for kind, name in enumerate(first.damage)}
    return named_rows(pixels, [(row.name, row.colour) for row in rows], titles)

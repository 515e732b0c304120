"""Sheets of generated images, or strips of clips: one picture a model, and one with a few of each."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from reports import style
from reports.load import ORACLE, Report
from reports.pictures import RAW, SIDE, contact_sheet, enlarged, pick, strips, tile
from reports.samples import Samples
from reports.sections import Fragment, Picture

POSITION = 20
STRIP = 600  # pixels of a model's strip in the overview
TITLE, GAP = 26, 14  # pixels above a strip, and around it
ROWS = 3  # of images in a strip, where images are small


def render(report: Report, out: Path) -> Fragment | None:
    sheets = {model: found for model, found in report.samples.items() if found.x.ndim > 2}
    if not sheets:
        return None
    order = sorted(sheets, key=lambda model: model != ORACLE)
    (out / "grids").mkdir()
    gallery = []
    for model in order:
        file = f"grids/{model}.png"
        Image.fromarray(enlarged(contact_sheet(sheets[model]))).save(out / file, optimize=True)
        gallery.append(Picture(file, "real data" if model == ORACLE else model))
    overview(report, {model: sheets[model] for model in order}, out / "grids.png")
    caption = (
        "The first samples of each model's first training seed that did not diverge, not selected; "
        "where a model is given labels, one column a label; of clips each row is one."
    )
    return Fragment("Samples", pictures=(Picture("grids.png", caption),), gallery=tuple(gallery))


def overview(report: Report, sheets: dict[str, Samples], path: Path) -> None:
    """A strip of images for each model, two strips side by side, pixel for pixel."""
    size = next(iter(sheets.values())).x[0].size
    rows = int(np.clip(RAW // (len(sheets) * SIDE * size), 1, ROWS))
    found = {model: enlarged(strip(samples, rows), STRIP) for model, samples in sheets.items()}
    height = TITLE + GAP + max(pixels.shape[0] for pixels in found.values())
    width = GAP + max(pixels.shape[1] for pixels in found.values())
    down = -(-len(found) // 2)
    dpi = 100
    figure = Figure(figsize=((2 * width + GAP) / dpi, (down * height + GAP) / dpi), dpi=dpi)
    for place, (model, pixels) in enumerate(found.items()):
        left, top = GAP + width * (place % 2), down * height + GAP - height * (place // 2)
        figure.figimage(pixels, left, top - TITLE - pixels.shape[0])
        name = "real data" if model == ORACLE else model
        hue = style.colour(model, report.palette)
        where = (left / (2 * width + GAP), (top - TITLE + 6) / (down * height + GAP))
        figure.text(*where, name, color=hue, fontsize=11, fontweight="bold")
    style.save(figure, path, colours=0)


def strip(samples: Samples, rows: int) -> np.ndarray:
    """A few images of one model: ten in a row; labels, where given, run from left to right. A clip is a row."""
    if samples.x.ndim == 5:
        return strips(samples, ROWS)
    if samples.label is None:
        return tile(samples, pick(samples, rows, SIDE))
    return tile(samples, pick(samples, SIDE, rows).T)

"""What pictures are put together from: sheets of small images, clouds of points, rows of dots."""

from collections.abc import Mapping, Sequence
from math import isqrt
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from reports import style
from reports.samples import Density, Samples, read_samples

SIDE = 10  # images in a row and in a column of a sheet
RAW = 320_000  # bytes of pixels that a sheet may hold, so that its file stays small
WIDTH = 400  # pixels that a sheet of small images is enlarged to, by a whole factor
GUTTER = 1  # pixels between images, before enlarging
DOTS = 2500  # points drawn, as many as the literature's protocols generate
ROW = 0.19  # inches of a row of dots
CELL, BESIDE = 0.36, 1.1  # inches of a matrix's cell, and for the models' names
DARK = 0.6  # shade from which a cell is too dark for black figures
NONE: Mapping[str, float] = MappingProxyType({})
LETTER, TITLE, EDGE = 8.5, 22, 4  # pixels of a letter of names left of images, above these, and around
DPI = 100
DEPTH = 60  # nats below the highest density down to which it is shaded: 11 standard deviations of a narrow mode


def preview(samples: Path, out: Path) -> None:
    """A picture of one .npz of samples: a cloud of points, or a sheet of images."""
    found = read_samples(samples)
    if found.x.ndim > 2:
        Image.fromarray(enlarged(contact_sheet(found))).save(out, optimize=True)
        return
    with style.sheet():
        figure, (axes,) = style.panels(1, 1, 4, 4)
        cloud(axes, found.x, style.HUES[0])
        style.save(figure, out)


def cloud(axes: Axes, x: np.ndarray, colour: str, size: float = 3) -> None:
    """The first points of ``x`` (their first two coordinates) on axes of equal scale."""
    axes.scatter(x[:DOTS, 0], x[:DOTS, 1 % x.shape[1]], s=size, color=colour, alpha=0.4, linewidths=0)
    axes.set_aspect("equal")


def ground(axes: Axes, density: Density | None) -> None:
    """The true density in grey, its window, and no ticks: shapes are compared, not coordinates."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[["top", "right"]].set_visible(True)
    if density is None:
        return
    window = (density.xs[0], density.xs[-1], density.ys[0], density.ys[-1])
    peak = density.values.max()
    axes.imshow(
        density.values, origin="lower", extent=window, cmap="Greys", vmin=peak - DEPTH, vmax=peak + DEPTH, zorder=0
    )
    axes.axis(window)


def rows(axes: Axes, names: Sequence[str]) -> None:
    """A row a name, from the top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", color=style.pale(style.FAINT), linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def dumbbell(axes: Axes, row: int, hollow: np.ndarray, full: np.ndarray, colour: str) -> None:
    """Two means over seeds in a row, a hollow and a full dot with a line between them; the seeds pale."""
    axes.plot([hollow.mean(), full.mean()], [row, row], color=colour, linewidth=1)
    for values, inside in ((hollow, "white"), (full, colour)):
        axes.plot(values, np.full(len(values), row), "|", color=style.pale(colour), markersize=5)
        axes.plot(values.mean(), row, "o", color=colour, markerfacecolor=inside, markersize=4.5)


def matrix(shades: pd.DataFrame, told: pd.DataFrame) -> Figure:
    """A row and a column a model: ``told`` in every cell, shaded from -1, red, to 1, blue; none where NaN."""
    side = BESIDE + CELL * len(shades)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes: Axes = figure.subplots()
    axes.imshow(shades.to_numpy(), cmap="RdBu", vmin=-1, vmax=1)
    for row, column in np.argwhere(shades.notna().to_numpy()):
        hue = "white" if abs(shades.iloc[row, column]) > DARK else style.INK
        axes.text(column, row, told.iloc[row, column], ha="center", va="center", fontsize=7, color=hue)
    axes.set_xticks(range(len(shades)), shades.columns, rotation=90)
    axes.set_yticks(range(len(shades)), shades.index)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def contact_sheet(samples: Samples, rows: int | None = None) -> np.ndarray:
    """The first images in rows, as 8-bit pixels; with labels, each row one label; of clips each row one.
    # (n, C, H, W), (n, T, C, H, W) -> (H', W', 3)"""
    if samples.x.ndim == 5:
        return strips(samples, rows or SIDE)
    across = min(SIDE, max(1, isqrt(RAW // samples.x[0].size)))
    return tile(samples, pick(samples, rows or across, across))


def strips(samples: Samples, rows: int, frames: int | None = None) -> np.ndarray:
    """The first clips, a row each, of all their frames or of a few, evenly apart.  # (n, T, C, H, W) -> (H', W', 3)"""
    length = samples.x.shape[1]
    shown = np.linspace(0, length - 1, frames or length).round().astype(int)
    clips = samples.x[:rows, shown]
    places = np.arange(clips.shape[0] * clips.shape[1]).reshape(clips.shape[:2])
    return tile(Samples(clips.reshape(-1, *clips.shape[2:]), None, samples.seed, samples.levels), places)


def pick(samples: Samples, rows: int, across: int) -> np.ndarray:
    """Which samples to show where: the first ones, or in each row the first of a label; -1: none.  # (rows, across)"""
    places = np.full(rows * across, -1)
    if samples.label is None:
        first = np.arange(min(len(places), len(samples.x)))
        places[: len(first)] = first
        return places.reshape(rows, across)
    present = np.unique(samples.label)[:rows]
    each = across * (rows // len(present))  # places for a label, in whole rows
    for turn, label in enumerate(present):
        found = np.flatnonzero(samples.label == label)[:each]
        places[turn * each : turn * each + len(found)] = found
    return places[: each * len(present)].reshape(-1, across)


def tile(samples: Samples, places: np.ndarray) -> np.ndarray:
    """The images of ``samples`` at ``places``, with white between them.  # (rows, across) -> (H', W', 3) uint8"""
    scaled = samples.x[places].astype(np.float64) * 255 / (samples.levels - 1)
    images = np.moveaxis(scaled.round().astype(np.uint8), 2, -1)  # (rows, across, H, W, C)
    images[places < 0] = 255
    rows, across, height, width, _ = images.shape
    sheet = np.full((rows, height + GUTTER, across, width + GUTTER, 3), 255, np.uint8)
    sheet[:, :height, :, :width] = images.swapaxes(1, 2)  # grey spreads over the three colours
    return sheet.reshape(rows * (height + GUTTER), -1, 3)[:-GUTTER, :-GUTTER]


def enlarged(pixels: np.ndarray, width: int = WIDTH) -> np.ndarray:
    """Small pictures made bigger without blurring their pixels."""
    factor = max(1, width // pixels.shape[1])
    return pixels.repeat(factor, 0).repeat(factor, 1)


def named_rows(pixels: np.ndarray, names: Sequence[tuple[str, str]], titles: Mapping[str, float] = NONE) -> Figure:
    """A sheet (H, W, 3) pixel for pixel, a name and its colour left of each row, and titles above, each at a share of
    the width."""
    height, width = pixels.shape[:2]
    margin = round(LETTER * max(len(name) for name, _ in names)) + 2 * EDGE
    wide, high = margin + width + EDGE, (TITLE if titles else EDGE) + height + EDGE
    figure = Figure(figsize=(wide / DPI, high / DPI), dpi=DPI)
    figure.figimage(pixels, margin, EDGE)
    for place, (name, colour) in enumerate(names):
        up = (EDGE + height * (1 - (place + 0.5) / len(names))) / high
        weight = "normal" if colour == style.FAINT else "bold"
        figure.text((margin - 6) / wide, up, name, color=colour, weight=weight, ha="right", va="center")
    for title, share in titles.items():
        figure.text((margin + width * share) / wide, (EDGE + height + 6) / high, title, color=style.INK, weight="bold")
    return figure

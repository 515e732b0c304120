"""How every picture looks: colours, panels, and files that come out the same byte for byte."""

import colorsys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from reports.load import ORACLE

# M. Okabe and K. Ito, "Color universal design", 2008: told apart by colour-blind readers. Their yellow is left out,
# too pale on white, and black is the oracle's.
HUES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, FAINT = "#1f2328", "#8b949e"

SHEET = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "figure.dpi": 130,
    "figure.constrained_layout.h_pad": 0.08,
}


@contextmanager
def sheet() -> Iterator[None]:
    """Matplotlib's own defaults and `SHEET`, whatever the user's configuration says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SHEET)
        yield


def colour(model: str, palette: Sequence[str]) -> str:
    """The colour of ``model`` in every picture: by its place in ``palette``, darker when the hues begin anew."""
    if model == ORACLE or model not in palette:
        return INK
    turn, place = divmod(list(palette).index(model), len(HUES))
    hue, lightness, saturation = colorsys.rgb_to_hls(*matplotlib.colors.to_rgb(HUES[place]))
    return matplotlib.colors.to_hex(colorsys.hls_to_rgb(hue, lightness * 0.62**turn, saturation))


def panels(count: int, across: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels of ``width`` x ``height`` inches, ``across`` in a row."""
    across = min(count, across)
    down = ceil(count / across)
    figure = Figure(figsize=(across * width, down * height), layout="constrained")
    axes = list(figure.subplots(down, across, squeeze=False).flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def save(figure: Figure, path: Path, colours: int = 256) -> None:
    """Write a small PNG that holds the picture and nothing else, no date and no version; 0 keeps every colour."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    (picture.quantize(colours) if colours else picture).save(path, optimize=True)


def few_ticks() -> MaxNLocator:
    return MaxNLocator(nbins=3, integer=True)


def thousands(value: float, _: int) -> str:
    """12000 as 12k."""
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"

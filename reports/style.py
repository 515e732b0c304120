"""How every picture looks: colours, panels, and files that come out the same byte for byte."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from PIL import Image

from reports.looks import FAINT as FAINT
from reports.looks import HUES as HUES
from reports.looks import INK as INK
from reports.looks import Look

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType  # of matplotlib 3.11

SHEET: "dict[RcKeyType, Any]" = {
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


# Of lines in one colour, told apart as far as eyes can.
DASHES = ("solid", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)), (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 3)))


@contextmanager
def sheet() -> Iterator[None]:
    """Matplotlib's own defaults and `SHEET`, whatever the user's configuration says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SHEET)
        yield


def colour(model: str, palette: Mapping[str, Look]) -> str:
    """The colour of ``model`` in every picture; ink for the oracle and strangers."""
    return palette[model].colour if model in palette else INK


def lines(models: Iterable[str], palette: Mapping[str, Look]) -> dict[str, dict[str, Any]]:
    """How each of the models is drawn as a line: in the colour of its family, dashed as no other of that family."""
    turns: dict[str, Iterator[Any]] = {}
    hues = {model: colour(model, palette) for model in models}
    return {
        model: {"color": hue, "linestyle": next(turns.setdefault(hue, cycle(DASHES)))} for model, hue in hues.items()
    }


def pale(colour: str) -> str:
    """The colour thinned with white: opaque, so that a picture has few colours and keeps them in a small file."""
    red, green, blue = (1 - (1 - part) / 3 for part in to_rgb(colour))
    return to_hex((red, green, blue))


def panels(count: int, across: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels of ``width`` x ``height`` inches, ``across`` in a row."""
    across = min(count, across)
    down = ceil(count / across)
    figure = Figure(figsize=(across * width, down * height), layout="constrained")
    axes = list(figure.subplots(down, across, squeeze=False).flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def save(figure: Figure, target: Path | BinaryIO, colours: int = 256) -> None:
    """Write a small PNG that holds the picture and nothing else, no date and no version; 0 keeps every colour."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    if colours:  # the usual median cut turns a model's colour into another's where it is rare
        picture = picture.quantize(colours, Image.Quantize.MAXCOVERAGE, kmeans=1)
    picture.save(target, "PNG", optimize=True)


def plain(axis: Axis) -> None:
    """Numbers of a log scale as they are, at a few places in each decade."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def few_ticks() -> MaxNLocator:
    return MaxNLocator(nbins=3, integer=True)


def thousands(value: float, _: float = 0) -> str:
    """12000 as 12k."""
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"

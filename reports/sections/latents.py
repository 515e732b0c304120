"""Walks among codes: what decoders make of the way from one image's code to another's, and of a grid of codes."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from reports import style
from reports.load import Report
from reports.pictures import DEPTH, enlarged, ground, tile
from reports.samples import Samples
from reports.sections import Fragment, Picture

POSITION = 21
ENDS = (
    "Outermost: held-out images, the first there are. Between them what each model's first training seed that did not "
    "diverge decodes at even steps on the straight line from one code to the other, the ends of which are the images' "
    "reconstructions"
)
GRID = (
    ". Of codes of two numbers a grid, at even shares of a normal as wide as held-out data's codes, the first number "
    "growing to the right, the second upwards"
)
PLANE = (
    "A grid of codes as each model's first training seed that did not diverge decodes it: full lines along the first "
    "number, pale ones along the second, at even shares of a normal as wide as held-out data's codes, 95 % of it. "
    f"Shaded: the true log density, down to {DEPTH} nats below its peak. Lines that cross white lead from mode to mode."
)


def render(report: Report, out: Path) -> Fragment | None:
    found = {model: report.walks[model] for model in report.models if model in report.walks}
    planes = {model: walks.lines for model, walks in found.items() if walks.lines is not None}
    if planes:
        style.save(draw(report, planes), out / "latents.png")
        return Fragment("Codes decoded", pictures=(Picture("latents.png", PLANE),))
    sheets = {
        (f"{model}_walk", model): lines(walks.walk, walks.ends, walks.levels)
        for model, walks in found.items()
        if walks.walk is not None and walks.ends is not None
    }
    if not sheets:
        return None
    grids = {
        (f"{model}_grid", f"{model}, grid of codes"): grid(walks.grid, walks.levels)
        for model, walks in found.items()
        if walks.grid is not None
    }
    (out / "latents").mkdir()
    gallery = []
    for (stem, caption), pixels in (sheets | grids).items():
        gallery.append(Picture(f"latents/{stem}.png", caption))
        Image.fromarray(enlarged(pixels)).save(out / gallery[-1].file, optimize=True)
    return Fragment("Codes decoded", text=ENDS + GRID * bool(grids), gallery=tuple(gallery))


def lines(walk: np.ndarray, ends: np.ndarray, levels: int) -> np.ndarray:
    """A row a line: an image, white, what is decoded, white, the other image.  # -> (H', W', 3) uint8"""
    rows, steps = walk.shape[:2]
    x = np.concatenate([walk, ends], 1)  # (rows, steps + 2, C, H, W)
    order = [steps, -1, *range(steps), -1, steps + 1]
    places = np.array([[-1 if place < 0 else row * (steps + 2) + place for place in order] for row in range(rows)])
    return tile(Samples(x.reshape(-1, *x.shape[2:]), None, 0, levels), places)


def grid(decoded: np.ndarray, levels: int) -> np.ndarray:
    rows, across = decoded.shape[:2]
    x = decoded.reshape(-1, *decoded.shape[2:])
    return tile(Samples(x, None, 0, levels), np.arange(len(x)).reshape(rows, across))


def draw(report: Report, planes: dict[str, np.ndarray]) -> Figure:
    """A panel a model: the plane of data, with the lines of its codes' grid in it."""
    figure, panels = style.panels(len(planes), 4, 2.4, 2.5)
    for axes, (model, (along, across)) in zip(panels, planes.items(), strict=True):  # (lines, points, 2) each
        colour = style.colour(model, report.palette)
        axes.plot(*across.transpose(2, 1, 0), color=style.pale(colour), linewidth=0.6)
        axes.plot(*along.transpose(2, 1, 0), color=colour, linewidth=0.6)
        axes.set_aspect("equal")
        ground(axes, report.density)
        axes.set_title(model, loc="left", fontweight="bold")
    return figure

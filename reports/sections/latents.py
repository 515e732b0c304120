"""Walks among codes: what decoders make of the way from one image's code to another's, and of a grid of codes."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from reports import style
from reports.load import Report, Samples, Walks
from reports.pictures import DEPTH, enlarged, ground, tile
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
    models = [model for model in report.models if model in report.walks]
    walked = {model: report.walks[model] for model in models if report.walks[model].walk is not None}
    planes = [model for model in models if report.walks[model].lines is not None]
    if planes:
        style.save(draw(report, planes), out / "latents.png")
        return Fragment("Codes decoded", pictures=(Picture("latents.png", PLANE),))
    if not walked:
        return None
    (out / "latents").mkdir()
    sheets = {(f"{model}_walk", model): lines(walks) for model, walks in walked.items()}
    grids = {model: walks for model, walks in walked.items() if walks.grid is not None}
    sheets |= {(f"{model}_grid", f"{model}, grid of codes"): grid(walks) for model, walks in grids.items()}
    gallery = []
    for (stem, caption), pixels in sheets.items():
        gallery.append(Picture(f"latents/{stem}.png", caption))
        Image.fromarray(enlarged(pixels)).save(out / gallery[-1].file, optimize=True)
    return Fragment("Codes decoded", text=ENDS + GRID * bool(grids), gallery=tuple(gallery))


def lines(walks: Walks) -> np.ndarray:
    """A row a line: an image, white, what is decoded, white, the other image.  # -> (H', W', 3) uint8"""
    rows, steps = walks.walk.shape[:2]
    x = np.concatenate([walks.walk, walks.ends], 1)  # (rows, steps + 2, C, H, W)
    order = [steps, -1, *range(steps), -1, steps + 1]
    places = np.array([[-1 if place < 0 else row * (steps + 2) + place for place in order] for row in range(rows)])
    return tile(Samples(x.reshape(-1, *x.shape[2:]), None, 0, walks.levels), places)


def grid(walks: Walks) -> np.ndarray:
    rows, across = walks.grid.shape[:2]
    x = walks.grid.reshape(-1, *walks.grid.shape[2:])
    return tile(Samples(x, None, 0, walks.levels), np.arange(len(x)).reshape(rows, across))


def draw(report: Report, models: list[str]) -> Figure:
    """A panel a model: the plane of data, with the lines of its codes' grid in it."""
    figure, panels = style.panels(len(models), 4, 2.4, 2.5)
    for axes, model in zip(panels, models, strict=True):
        colour = style.colour(model, report.palette)
        along, across = report.walks[model].lines  # (lines, points, 2)
        axes.plot(*across.transpose(2, 1, 0), color=style.pale(colour), linewidth=0.6)
        axes.plot(*along.transpose(2, 1, 0), color=colour, linewidth=0.6)
        axes.set_aspect("equal")
        ground(axes, report.density)
        axes.set_title(model, loc="left", fontweight="bold")
    return figure

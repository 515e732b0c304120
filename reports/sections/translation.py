"""Data of one domain translated to another: how true, and a picture of each model's way there and back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import statistics, style, tables
from reports.load import ORACLE, Report
from reports.pictures import DOTS, enlarged, ground, named_rows, tile
from reports.samples import Samples, Translations
from reports.sections import Fragment, Picture
from reports.tables import Legend

POSITION = 23
MEASURED = (
    "modes_right", "modes_right_permuted", "l2_uvp", "map_w2", "partner_mae", "partner_psnr", "partner_ssim",
    "sharpness", "label_kept", "diversity_share", "saturation", "cycle_mae", "cycle_noise_mae", "fd_back",
)  # fmt: skip
SHEET = 700  # pixels that a model's images are enlarged to, by a whole factor
SECTORS = 8  # that points are coloured by where they have no modes
SIDE = 1.9  # inches of a panel
STEPS = {  # of the way, in a picture's rows or panels
    "source": "source",
    "translation": "translation",
    "draw": "another draw",
    "truth": "truth",
    "returned": "way back",
}
SEED = "Held-out data, the first there are, and each model's first training seed that did not diverge. "
IMAGES = (
    "From top to bottom: source, translation (two, where draws differ), truth where it is known, and the way back of "
    "models that know one."
)
POINTS = (
    "A row a model: held-out points of one domain, their translations, the true ones, and the way back; each in the "
    "colour of the mode that it starts in, or where there is one mode or none, of the direction from the middle. Whole "
    "colours at a wrong place are modes that are permuted."
)


def render(report: Report, out: Path) -> Fragment | None:
    there = set(report.scores.metric)
    columns = tuple(report.column(name) for name in MEASURED if name in there)
    if not report.translations or not columns:
        return None
    table = tables.table(statistics.compare(replace(report, columns=columns)))
    notes = tuple((column.label, column.note) for column in columns)
    legend = Legend((statistics.rule(statistics.fewest(report)),), notes)
    files = tables.files("translation", table, legend, f"Translation on {report.benchmark}")
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    found = {model: report.translations[model] for model in (*report.models, ORACLE) if model in report.translations}
    told = Fragment("Translations", tables=(("", table),), legend=legend, files=tuple(files))
    if next(iter(found.values())).levels:
        return told._replace(text=SEED + IMAGES, gallery=gallery(found, out))
    style.save(draw(report, found), out / "translation.png")
    return told._replace(pictures=(Picture("translation.png", SEED + POINTS),))


def gallery(found: dict[str, Translations], out: Path) -> tuple[Picture, ...]:
    """A picture a model, the true map's first."""
    (out / "translations").mkdir()
    pictures = []
    for model in sorted(found, key=lambda model: model != ORACLE):
        steps = shown(found[model])
        name = "true map" if model == ORACLE else model
        pictures.append(Picture(f"translations/{model}.png", f"{name}: {', '.join(STEPS[step] for step in steps)}"))
        rows = [(STEPS[step], style.INK) for step in steps]
        picture = named_rows(enlarged(sheet(steps, found[model].levels), SHEET), rows)
        style.save(picture, out / pictures[-1].file, colours=0)
    return tuple(pictures)


def shown(found: Translations) -> dict[str, np.ndarray]:
    """The steps of the way that there are; a second draw where it is another."""
    steps = {name: x for name in STEPS if (x := getattr(found, name)) is not None}
    if "draw" in steps and (steps["draw"] == steps["translation"]).all():
        del steps["draw"]
    return steps


def sheet(steps: dict[str, np.ndarray], levels: int) -> np.ndarray:
    """A row a step, a column a datum.  # -> (H', W', 3) uint8"""
    coloured = [np.broadcast_to(x, (len(x), 3, *x.shape[2:])) for x in steps.values()]
    x = np.concatenate(coloured)
    return tile(Samples(x, None, 0, levels), np.arange(len(x)).reshape(len(coloured), -1))


def draw(report: Report, found: dict[str, Translations]) -> Figure:
    """A row a model, a panel a step; empty where there is none."""
    named = [name for name in STEPS if name != "draw"]
    figure, panels = style.panels(len(found) * len(named), len(named), SIDE, SIDE + 0.15)
    for place, axes in enumerate(panels):
        model, step = list(found)[place // len(named)], named[place % len(named)]
        axes.set_title(STEPS[step] if place < len(named) else "", loc="left", fontsize=9)
        x = getattr(found[model], step)
        if x is not None:
            scatter(axes, x, places(found[model]))
        ground(axes, report.density if step in ("translation", "truth") else None)
        axes.spines[:].set_visible(x is not None)
        if step == "source":
            axes.set_ylabel("true map" if model == ORACLE else model, color=style.colour(model, report.palette))
    return figure


def scatter(axes: Axes, x: np.ndarray, sectors: np.ndarray) -> None:
    axes.scatter(x[:DOTS, 0], x[:DOTS, 1], s=2, c=[style.HUES[each] for each in sectors[:DOTS]], linewidths=0)
    axes.set_aspect("equal")


def places(found: Translations) -> np.ndarray:
    """Which colour each point has: (k,)"""
    if found.label is not None and len(np.unique(found.label)) > 1:
        return found.label % len(style.HUES)
    x, y = (found.source - found.source.mean(0))[:, :2].T
    return (SECTORS * (np.arctan2(y, x) / (2 * np.pi) + 1)).astype(int) % SECTORS

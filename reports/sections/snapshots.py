"""What every model generated at the same steps of its training: a row a model, a column a step."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import style
from reports.load import Report
from reports.pictures import DEPTH, cloud, ground, pick, strips, tile
from reports.samples import Samples
from reports.sections import Fragment, Picture

POSITION = 11
STEPS = 5  # shown of each model
BLOCKS = 2  # models side by side
DOTS = 600  # points in a panel
IMAGES = 3  # in a row and in a column of a panel
PANEL, GAP = 0.9, 0.08  # inches: a panel's side, and between it and the next
OVER, UNDER, STEP = 0.2, 0.17, 0.24  # inches: above a row for the model's name, below it, above all rows for the step


def render(report: Report, out: Path) -> Fragment | None:
    if not report.snapshots:
        return None
    steps = doubling({step for taken in report.snapshots.values() for step in taken})
    models = [model for model in report.models if model in report.snapshots]
    figure, rows = sheet(len(models), [f"{style.thousands(step)} steps" for step in steps])
    for row, model in zip(rows, models, strict=True):
        name = row[0].set_title(model, loc="left", pad=3, fontweight="bold", fontsize=8)
        name.set_color(style.colour(model, report.palette))
        for axes, step in zip(row, steps, strict=True):
            panel(axes, report, model, report.snapshots[model].get(step))
            axes.set_xlabel(fact(report, model, step), fontsize=6.5, labelpad=1.5)
    style.save(figure, out / "snapshots.png")
    of_points = report.samples[models[0]].x.ndim == 2
    pictures = (Picture("snapshots.png", caption(report, of_points)),)
    return Fragment("Samples during training", pictures=pictures)


def doubling(steps: set[int]) -> list[int]:
    """The last step and, going back from it, half of it and half of that again, each the nearest there is."""
    if len(steps) <= STEPS:
        return sorted(steps)
    wanted = [max(steps) / 2**turn for turn in range(STEPS)]
    return sorted({min(steps, key=lambda step: (abs(step - target), step)) for target in wanted})


def sheet(count: int, headings: list[str]) -> tuple[Figure, list[list[Axes]]]:
    """A figure of ``count`` rows of panels, in blocks side by side, and the rows."""
    blocks = min(BLOCKS, count)
    down, across = -(-count // blocks), len(headings)
    apart = OVER + UNDER
    width, height = 2 * GAP + across * (PANEL + GAP), STEP + down * (PANEL + apart)
    figure = Figure(figsize=(blocks * width, height))
    room = {
        "left": 2 * GAP / width,
        "right": 1 - GAP / width,
        "top": 1 - (STEP + OVER) / height,
        "bottom": UNDER / height,
    }
    rows = []
    for part in figure.subfigures(1, blocks, squeeze=False).flat:
        spread = room | {"wspace": GAP / PANEL, "hspace": apart / PANEL}
        grid = part.subplots(down, across, squeeze=False, gridspec_kw=spread)
        for axes, heading in zip(grid[0], headings, strict=True):
            axes.annotate(heading, (0.5, 1), (0, 72 * OVER), "axes fraction", "offset points", ha="center", fontsize=8)
        rows += list(grid)
    for axes in [axes for row in rows[count:] for axes in row]:
        axes.remove()
    return figure, rows[:count]


def panel(axes: Axes, report: Report, model: str, samples: Samples | None) -> None:
    """A few points over the true density, a few images, or a few frames of a few clips; nothing
    where the model has none."""
    if samples is None or samples.x.ndim > 2:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    if samples is None:
        axes.patch.set_visible(False)
        return
    if samples.x.ndim == 5:
        axes.imshow(strips(samples, IMAGES, IMAGES))
        return
    if samples.x.ndim == 4:
        axes.imshow(tile(samples, pick(samples, IMAGES, IMAGES)))
        return
    cloud(axes, samples.x[:DOTS], style.colour(model, report.palette), size=1.5)
    ground(axes, report.density)


def fact(report: Report, model: str, step: int) -> str:
    """What was measured first of the panel's samples, if anything was."""
    found = report.progress[(report.progress.model == model) & (report.progress.step == step)]
    for row in found[found.seed == report.samples[model].seed].head(1).itertuples():
        return f"{report.column(str(row.metric)).label} {row.value:g}"
    return ""


def caption(report: Report, of_points: bool) -> str:
    said = [
        "Each model's first training seed that did not diverge, after so many steps, each about twice the one before."
    ]
    if of_points:
        said.append(f"Shaded: the true log density, down to {DEPTH} nats below its peak.")
    return " ".join(said)

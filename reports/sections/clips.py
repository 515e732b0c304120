"""Clips: strips of film with the truth above what models make of the same first frames, moving pictures, and how well
each predicts frame by frame."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from reports import style
from reports.load import ORACLE, Report
from reports.pictures import enlarged, named_rows, tile
from reports.samples import Clips, Samples
from reports.sections import Fragment, Picture

POSITION = 21
FILMS = 2  # clips in the picture of strips
MOVING = 6  # clips in a moving picture, where nothing is given
SHEET, FILM = 720, 420  # pixels that strips, and moving pictures, are enlarged to, by a whole factor
TEMPO, REST = 180, 700  # milliseconds that a frame stands, and the last one
BAR, GIVEN = 6, 90  # pixels of the bar below moving pictures, and its grey while frames are given
CURVES = {"psnr": "PSNR, dB", "ssim": "structural similarity"}
STRIPS = (
    "Test clips, and how each model's first training seed that did not diverge continues them: one draw, and a second "
    "where it differs. Left of the gap: the frames that are given. Law: a draw of the true law, which another draw may "
    "contradict after a bounce."
)
BY_FRAME = (
    "Likeness to the true frames, by frame: full lines, of the mean of several draws; dashed, of the best draw of each "
    "clip; black, draws of the true law, where it is known."
)


def render(report: Report, out: Path) -> Fragment | None:
    clips = {model: found for model, found in report.samples.items() if found.x.ndim == 5}
    if not clips:
        return None
    (out / "clips").mkdir()
    gallery = [moving(report, model, clips[model], out) for model in sorted(clips, key=lambda model: model != ORACLE)]
    pictures = []
    if report.clips:
        style.save(strips(report), out / "strips.png", colours=0)
        style.save(curves(report), out / "by_frame.png")
        pictures = [Picture("strips.png", STRIPS), Picture("by_frame.png", BY_FRAME)]
    text = "A grey bar below a moving picture: the frame is given" if report.clips else ""
    return Fragment("Clips", text=text, pictures=tuple(pictures), gallery=tuple(gallery))


def moving(report: Report, model: str, samples: Samples, out: Path) -> Picture:
    """A moving picture: a model's draws below the true clips, or where nothing is given its samples."""
    file, known = f"clips/{model}.gif", report.clips.get(model)
    rows = samples.x[:MOVING].reshape(2, -1, *samples.x.shape[1:]) if known is None else None
    if known is not None:
        rows = np.stack([known.true, known.draws[0]])  # (2, k, T, C, H, W)
    assert rows is not None
    frames = [frame(rows[:, :, time], samples.levels, time, known) for time in range(rows.shape[2])]
    first, *others = (Image.fromarray(pixels).convert("P", palette=Image.Palette.ADAPTIVE) for pixels in frames)
    durations = [TEMPO] * len(others) + [REST]
    first.save(out / file, save_all=True, append_images=others, duration=durations, loop=0, optimize=False)
    if model == ORACLE:
        return Picture(file, "real data" if known is None else "truth above the law")
    return Picture(file, model if known is None else f"truth above {model}")


def frame(x: np.ndarray, levels: int, time: int, known: Clips | None) -> np.ndarray:
    """One frame of several clips (2, k, C, H, W), with a bar below that says whether it is given."""
    places = np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2])
    pixels = enlarged(tile(Samples(x.reshape(-1, *x.shape[2:]), None, 0, levels), places), FILM)
    if known is None:
        return pixels
    bar = np.full((BAR, *pixels.shape[1:]), 255 if time >= known.seen else GIVEN, np.uint8)
    return np.concatenate([pixels, bar])


def strips(report: Report) -> Figure:
    """A row a strip in blocks for the clips: the truth, and each model's draws."""
    first = next(iter(report.clips.values()))
    blocks = [rows_of(report, clip) for clip in range(min(FILMS, len(first.true)))]
    rows = [row for block in blocks for row in block]
    x = np.stack([film for _, _, film in rows])  # (R, T, C, H, W)
    frames = x.shape[1]
    places = np.arange(len(x) * frames).reshape(len(x), frames)
    places = np.insert(places, first.seen, -1, axis=1)  # white between what is given and what is not
    pixels = enlarged(tile(Samples(x.reshape(-1, *x.shape[2:]), None, 0, first.levels), places), SHEET)
    return named_rows(pixels, [(name, hue) for name, hue, _ in rows])


def rows_of(report: Report, clip: int) -> list[tuple[str, str, np.ndarray]]:
    """Name, colour and frames of each strip that shows one clip."""
    truth = next(iter(report.clips.values())).true[clip]
    rows = [("truth", style.INK, truth)]
    for model in (ORACLE, *report.models):
        if (found := report.clips.get(model)) is None:
            continue
        one, *others = found.draws[:, clip]
        rows.append(("law" if model == ORACLE else model, style.colour(model, report.palette), one))
        rows += [("another draw", style.FAINT, other) for other in others[:1] if (other != one).any()]
    return rows


def curves(report: Report) -> Figure:
    """A panel a measure, a line a model."""
    figure, panels = style.panels(len(CURVES), 2, 3.6, 2.6)
    for axes, (measure, label) in zip(panels, CURVES.items(), strict=True):
        for model, found in report.clips.items():
            hue, mean, best = (
                style.colour(model, report.palette),
                getattr(found, f"{measure}_mean"),
                getattr(found, f"{measure}_best"),
            )
            frames = np.arange(found.seen + 1, found.seen + 1 + len(mean))
            axes.plot(frames, mean, color=hue, linewidth=1.3, label="law" if model == ORACLE else model)
            if not np.array_equal(mean, best):
                axes.plot(frames, best, color=hue, linewidth=1, linestyle=(0, (3, 1.5)))
        axes.set_ylabel(label)
        axes.set_xlabel("frame")
    panels[0].legend()
    return figure

"""Images made for captions: of some that are in training, and of some that no training image has."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from reports import style
from reports.load import ORACLE, Report
from reports.pictures import enlarged, named_rows, tile
from reports.samples import Captioned, Samples
from reports.sections import Fragment, Picture

POSITION = 19
EACH, ROWS = 3, 6  # samples of a caption, and captions of either kind
SHEET = 700  # pixels that the picture's images are enlarged to, by a whole factor
CAPTION = (
    "Beside each caption the first samples of each model's first training seed that did not diverge, not selected. "
    "Captions in grey: no training image is of such a combination. Real: test images with that caption."
)


def render(report: Report, out: Path) -> Fragment | None:
    if ORACLE not in report.captions or len(report.captions) < 2:
        return None
    style.save(draw(report), out / "captions.png", colours=0)
    return Fragment("Made for captions", pictures=(Picture("captions.png", CAPTION),))


def shown(found: Captioned) -> list[tuple[str, bool]]:
    """Captions of the picture, and whether they are new: the first of different digits."""
    rows: list[tuple[str, bool]] = []
    for new in (False, True):
        digits: set[str] = set()
        for caption in np.unique(found.caption[found.new == new]):
            digit = caption.split()[2]
            if digit not in digits and len(digits) < ROWS:
                digits.add(digit)
                rows.append((str(caption), new))
    return rows


def draw(report: Report) -> Figure:
    rows = shown(report.captions[ORACLE])
    models = [*(model for model in report.models if model in report.captions), ORACLE]
    places = np.full((len(rows), len(models), EACH + 1), -1)  # white between the models
    offset, sheets = 0, []
    for column, model in enumerate(models):
        found = report.captions[model]
        sheets.append(found.x)
        for row, (caption, _) in enumerate(rows):
            first = np.flatnonzero(found.caption == caption)[:EACH]
            places[row, column, : len(first)] = offset + first
        offset += len(found.x)
    x = np.concatenate(sheets)
    levels = report.captions[ORACLE].levels
    pixels = enlarged(tile(Samples(x, None, 0, levels), places.reshape(len(rows), -1)[:, :-1]), SHEET)
    across = len(models) * (EACH + 1) - 1
    titles = {"real" if model == ORACLE else model: k * (EACH + 1) / across for k, model in enumerate(models)}
    return named_rows(pixels, [(caption, style.FAINT if new else style.INK) for caption, new in rows], titles)

"""Whether digits are what their captions ask for: the digit, its stroke width and its slant.

The digit is the judge's label. Width and slant are measured as the captions' were (`common/strokes.py` of the data
sets) and parted into thin, medium and thick, left, upright and right for each digit on its own, midway between what
training images with such captions measure. Combinations that no training image shows are counted apart, as concepts put
together anew in I. Higgins et al., "SCAN: Learning Hierarchical Compositional Visual Concepts", 2017, arXiv:1707.03389.
"""

import torch
from torch import Tensor

from benchmarks.datasets.common import strokes
from benchmarks.metrics import Column

ASKED = ("digit", "width", "slant")
SAID = {
    "digit": "Share of samples whose judge's label is the digit that the caption names",
    "width": "Share whose stroke width is as the caption says for such a digit",
    "slant": "Share whose slant is as the caption says for such a digit",
    "all": "Share of samples that obey the caption in digit, stroke width and slant",
}
CHANCE = {"digit": "1/10", "width": "1/3", "slant": "1/3", "all": "1/90"}
COLUMNS = tuple(
    Column(
        f"{which}_{what}", f"{title}{what}", "higher", 1, percent=True, main=what == "all",
        note=f"{SAID[what]}{words}; by chance {CHANCE[what]}.",
    )
    for which, title, words in (
        ("obeyed", "Obeyed: ", ""),
        ("new", "Never seen: ", ", of captions whose combination is in no training image (n/a without any)"),
    )
    for what in (*ASKED, "all")
)  # fmt: skip


def score(
    *,
    train: Tensor | None,
    taught: Tensor | None,
    fake: Tensor | None,
    fake_labels: Tensor | None,
    asked: Tensor | None,
) -> dict[str, float | None]:
    values: dict[str, float | None] = dict.fromkeys(column.name for column in COLUMNS)
    if train is None or taught is None or fake is None or fake_labels is None or asked is None:
        return values
    right = obeyed(train=train, taught=taught[: len(train)], fake=fake, fake_labels=fake_labels, asked=asked)
    new = ~(asked[:, None] == taught.unique(dim=0)).all(2).any(1)  # (n,)
    for which, rows in (("obeyed", torch.ones_like(new)), ("new", new)):
        if bool(rows.any()):
            shares = [*right[rows].double().mean(0).tolist(), right[rows].all(1).double().mean().item()]
            values |= {f"{which}_{what}": share for what, share in zip((*ASKED, "all"), shares, strict=True)}
    return values


def obeyed(*, train: Tensor, taught: Tensor, fake: Tensor, fake_labels: Tensor, asked: Tensor) -> Tensor:
    """(n, 3) bool: digit, width and slant of n samples, for what is asked, (n, 3)."""
    if not bool(fake.isfinite().all()):
        raise ValueError(f"{int((~fake.isfinite()).sum())} pixels of samples are NaN or infinite")
    digit, found = asked[:, 0], [fake_labels]
    for column, measure in ((1, strokes.width), (2, strokes.slant)):
        bounds = between(measure(train), taught[:, 0], taught[:, column])
        found.append(strokes.third(measure(fake), bounds, digit))
    return torch.stack(found, 1) == asked


def between(values: Tensor, digit: Tensor, third: Tensor) -> Tensor:
    """Midway between what neighbouring thirds of a digit's training images measure: (M,) each -> (digits, 2)"""
    bounds = values.new_full((int(digit.max()) + 1, 2), torch.nan)
    for each in digit.unique().tolist():
        for low in (0, 1):
            below, above = (values[(digit == each) & (third == place)] for place in (low, low + 1))
            if len(below) and len(above):
                bounds[each, low] = (below.max() + above.min()) / 2
    return bounds

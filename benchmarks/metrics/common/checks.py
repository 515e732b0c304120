"""Refuse evidence that no metric can be computed from, in one line that says which set is at fault.

What is wrong is a ValueError; too few samples, and such as are too large, are one of its kinds, `Undefined`, which lets
other metrics go on.
"""

import math

import torch
from torch import Tensor

from benchmarks.metrics.common.undefined import Undefined

LARGE = 1e150  # samples beyond it have squares, or sums of such, that overflow in float64


def check_pair(*, real: Tensor, fake: Tensor, least: int) -> None:
    """Both sets are finite (n, D) samples of one space, and there are enough of each."""
    check_sets({"real": real, "fake": fake}, least=least)


def check_sets(sets: dict[str, Tensor], *, least: int) -> None:
    """The named sets are finite (n, D) samples of one space, and there are enough of each."""
    for name, points in sets.items():
        check_points(name, points)
        if len(points) < least:
            raise Undefined(f"{name} holds too few samples, {len(points)}: give {least} or more")
    (first, points), *others = sets.items()
    for name, other in others:
        if points.shape[1] != other.shape[1]:
            raise ValueError(
                f"{first} has {points.shape[1]} dimensions and {name} has {other.shape[1]}: use one extractor for both"
            )


def check_images(name: str, images: Tensor) -> None:
    """The set is (n, C, H, W) in [-1, 1]."""
    if images.ndim != 4 or images.numel() == 0:
        raise ValueError(f"{name} has the shape {tuple(images.shape)}: give images (n, C, H, W)")
    low, high = (value.item() for value in images.aminmax())
    if not (low >= -1.001 and high <= 1.001):  # a NaN is neither
        raise ValueError(f"{name} lies in [{low:g}, {high:g}], not in [-1, 1]: scale level k to 2k/(L-1)-1")


def check_points(name: str, points: Tensor) -> None:
    """The set is (n, D) and finite."""
    if points.ndim != 2:
        raise ValueError(f"{name} has the shape {tuple(points.shape)}: give (samples, dimensions)")
    if points.numel() == 0:
        raise ValueError(f"{name} is empty: its shape is {tuple(points.shape)}")
    most = torch.stack(points.aminmax()).abs().max().item()  # of a NaN it is NaN; no copy of a large set is made
    if not math.isfinite(most):
        rows = (~points.isfinite()).any(dim=1).sum().item()
        raise ValueError(f"{name} is not finite (NaN or infinite) in {rows} of {len(points)} samples")
    if most > LARGE:
        raise Undefined(f"{name} reaches {most:g}, whose square overflows: give numbers up to {LARGE:g}")


def check_mixture(*, fake: Tensor, centres: Tensor, sigma: float) -> None:
    """The samples lie in the space of a mixture of Gaussians of width sigma."""
    check_points("fake", fake)
    check_points("centres", centres)
    if fake.shape[1] != centres.shape[1]:
        raise ValueError(f"fake has {fake.shape[1]} dimensions and the centres have {centres.shape[1]}")
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}: a mode needs a positive width")


def check_labels(name: str, labels: Tensor, classes: int) -> None:
    """The labels are class numbers."""
    if labels.ndim != 1 or len(labels) == 0 or labels.is_floating_point():
        raise ValueError(f"{name} has the shape {tuple(labels.shape)} and type {labels.dtype}: give (n,) integers")
    low, high = (value.item() for value in torch.aminmax(labels))
    if low < 0 or high >= classes:
        raise ValueError(f"{name} spans {low}..{high}: with {classes} classes a label is 0..{classes - 1}")

"""Refuse evidence that no metric can be computed from, in one line that says which set is at fault."""

import torch
from torch import Tensor


def check_pair(*, real: Tensor, fake: Tensor, least: int) -> None:
    """Both sets are finite (n, D) samples of one space, and there are enough of each."""
    for name, points in (("real", real), ("fake", fake)):
        check_points(name, points)
        if len(points) < least:
            raise ValueError(f"{name} holds too few samples, {len(points)}: give {least} or more")
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            f"real has {real.shape[1]} dimensions and fake has {fake.shape[1]}: use one extractor for both"
        )


def check_points(name: str, points: Tensor) -> None:
    """The set is (n, D) and finite."""
    if points.ndim != 2:
        raise ValueError(f"{name} has the shape {tuple(points.shape)}: give (samples, dimensions)")
    if points.numel() == 0:
        raise ValueError(f"{name} is empty: its shape is {tuple(points.shape)}")
    if not torch.stack(points.aminmax()).isfinite().all():  # a NaN is both; no copy of a large set is made
        rows = (~points.isfinite()).any(dim=1).sum().item()
        raise ValueError(f"{name} is not finite (NaN or infinite) in {rows} of {len(points)} samples")


def check_labels(name: str, labels: Tensor, classes: int) -> None:
    """The labels are class numbers."""
    if labels.ndim != 1 or len(labels) == 0 or labels.is_floating_point():
        raise ValueError(f"{name} has the shape {tuple(labels.shape)} and type {labels.dtype}: give (n,) integers")
    low, high = (value.item() for value in torch.aminmax(labels))
    if low < 0 or high >= classes:
        raise ValueError(f"{name} spans {low}..{high}: with {classes} classes a label is 0..{classes - 1}")

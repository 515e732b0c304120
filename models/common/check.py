"""Hyperparameters are checked where they enter: each error names the value and what fits."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import Tensor

from models.common.protocol import Spec


def at_least(low: int, **values: float) -> None:
    for name, value in values.items():
        if not value >= low:
            raise ValueError(f"{name} = {value}: must be {low} or more")


def positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} = {value}: must be above 0, and finite")


def decay(**values: float) -> None:
    """Weights of a moving average; shares."""
    for name, value in values.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} = {value}: must lie in [0, 1)")


def one_of(choices: Iterable[str], **values: str) -> None:
    for name, value in values.items():
        if value not in choices:
            raise ValueError(f"{name} = {value!r}: must be one of {', '.join(choices)}")


def images(spec: Spec, *, model: str) -> None:
    if len(spec.shape) != 3 or spec.levels < 2:
        data = "points" if len(spec.shape) == 1 else f"of {spec.levels} levels and"
        raise ValueError(f"{model} needs images with grey levels, the data are {data} of shape {spec.shape}")


def still(spec: Spec) -> None:
    """Points or images."""
    if len(spec.shape) not in (1, 3):
        raise ValueError(f"the data are clips of shape {spec.shape}: this model is for points or images")


def clips(spec: Spec, *, model: str, seen: int = 0) -> None:
    """Clips with grey levels, of which ``seen`` first frames are given, or more."""
    if len(spec.shape) != 4 or spec.levels < 2:
        raise ValueError(f"{model} needs clips with grey levels, the data are of {spec.levels} and shape {spec.shape}")
    if spec.seen < seen:
        raise ValueError(
            f"{model} needs the first {seen} frames of a clip, and of shape {spec.shape} {spec.seen} are given: choose "
            f"seen = {seen} or more"
        )
    if spec.shape[0] <= spec.seen:
        raise ValueError(
            f"{model} has no frame to predict: of clips of shape {spec.shape} {spec.seen} are given; choose fewer"
        )


def partner(spec: Spec, *, model: str) -> None:
    """For models that translate: data of two domains, both of points or both of images of one size."""
    if not spec.partner:
        raise ValueError(f"{model} translates from another domain, the data of shape {spec.shape} have none")
    same = spec.partner == spec.shape if len(spec.shape) == 1 else spec.partner[1:] == spec.shape[1:]
    if not same or len(spec.shape) not in (1, 3) or len(spec.partner) != len(spec.shape):
        raise ValueError(
            f"{model} translates points to points of as many numbers, or images to images as large; the data are of "
            f"shape {spec.shape}, their partners of {spec.partner}"
        )


def partners(given: Tensor | None, n: int) -> Tensor:
    """What a translator is given: a datum of the other domain for each sample."""
    if given is None or len(given) != n:
        raise ValueError(f"{n} translations need a partner each, given are {given if given is None else len(given)}")
    return given


def told(value: Tensor | None, what: str = "label") -> Tensor:
    """What not every batch has, and this model needs."""
    if value is None:
        raise ValueError(f"{what} = None: this model needs the {what} of every batch")
    return value

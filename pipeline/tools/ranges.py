"""Which numbers stand for black and white in images that anybody made, where the file does not say.

A guess is made only where it is sure. Integers are 0..255 if one of them is 32 or more; floats are in [-1, 1] if they
reach below -0.6 and one in a hundred is below 0. Anything else could be of two ranges, and is refused: a wrong one
makes every distance wrong by its square, unsaid.
"""

import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

BYTE = 255
DARK = 32  # integers below it may be levels of fewer than 8 bits
NEGATIVE, SHARE = -0.6, 0.01  # how far, and how many, floats in [-1, 1] are below 0
SLACK = 0.0005  # of the range: rounding on the way to the file
PART = 2**22  # numbers counted at once


class Range(NamedTuple):
    low: float
    high: float
    how: str = ""  # it is known

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"

    @property
    def fits(self) -> bool:
        """Whether float32 holds both ends, the lower first, and what numbers between them are scaled by."""
        low, high, width = torch.tensor([self.low, self.high, self.high - self.low])
        return bool(low < high) and all(math.isfinite(value) for value in (low, high, width, 2 / width))

    def scaled(self, x: Tensor) -> Tensor:
        """Numbers of this range as float32 in [-1, 1]."""
        if (self.low, self.high) == (-1, 1):
            return x.float()
        own = x.to(torch.float32, copy=True)  # a set's numbers may be a file's that is mapped
        shifted = own if self.low == 0 else own.sub_(self.low)
        return shifted.mul_(2 / (self.high - self.low)).sub_(1)


class Limits(NamedTuple):
    """The least and the largest of images, found once: of images that do not lie in one piece torch makes a copy."""

    low: float
    high: float


def limits(x: Tensor) -> Limits:
    return Limits(*(float(value) for value in x.aminmax()))


def of_images(path: Path, x: Tensor, ends: Limits, known: Range | None, stated: Range | None) -> Range:
    """The range that images are read in: what their file says, or what the user states, or a guess that is sure."""
    low, high = ends
    if known is None and stated is not None and not _surely_bytes(x, low, high, stated):
        known = stated
    if known is None:
        return _guess(path, x, low, high)
    slack = SLACK * (known.high - known.low) if x.is_floating_point() else 0
    if low < known.low - slack or high > known.high + slack:
        remedy = f"give integers in {known.low:g}..{known.high:g}"
        remedy = "give --range LOW HIGH with their black and white" if known is stated else remedy
        raise ValueError(f"{path} has images in [{low:g}, {high:g}], beyond {known} ({known.how}): {remedy}")
    return known


def _surely_bytes(x: Tensor, low: float, high: float, stated: Range) -> bool:
    """Whether a range that is stated for the floats of one set can't be meant for the bytes of the other."""
    return not x.is_floating_point() and low >= 0 and DARK <= high <= BYTE and stated.high < DARK


def _guess(path: Path, x: Tensor, low: float, high: float) -> Range:
    has = f"{path} has images in [{low:g}, {high:g}]"
    if not x.is_floating_point():
        if low < 0 or high > BYTE:
            raise ValueError(f"{has}: give integers in 0..{BYTE}, or --range LOW HIGH with their black and white")
        if 0 < high < DARK:
            top = 2 ** int(high).bit_length() - 1
            raise ValueError(
                f"{has}, which may be of 0..255 and nearly black, or of fewer levels: give --range 0 255 or, for "
                f"example, --range 0 {top}"
            )
        return Range(0, BYTE, "integers")
    slack = 2 * SLACK
    if low < -1 - slack or high > 1 + slack:
        example = "--range 0 255" if low >= 0 and high <= BYTE else "--range LOW HIGH with their black and white"
        raise ValueError(f"{has}: give floats in [-1, 1], integers in 0..{BYTE}, or {example}")
    if low > NEGATIVE or _negative(x) < SHARE:
        raise ValueError(f"{has}, which may be of [0, 1] or of [-1, 1]: give --range 0 1 or --range -1 1")
    return Range(-1, 1, "floats below 0")


def _negative(x: Tensor) -> float:
    """Share of numbers below 0, counted in parts."""
    rows = max(1, PART // max(1, x[0].numel()))
    return float(sum(int((part < 0).sum()) for part in x.split(rows)) / x.numel())

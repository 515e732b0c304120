"""Sets of samples that anybody made: folders of pictures, .npz, .npy and .pt files.

The files are not trusted: numbers are read from them and nothing else, so that no pickle in them is ever executed.
A set stays in memory as its file has it, for pictures a byte a number; floats are made of it in parts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.datasets.common import pictures
from benchmarks.datasets.common.room import Unreadable, check_room
from benchmarks.datasets.common.sizes import resized
from benchmarks.metrics.common.checks import check_points
from pipeline.tools import arrays
from pipeline.tools.ranges import BYTE, Limits, Range, limits, of_images

CHANNELS = (1, 3)
LEVELS = 256  # of integers, at most
FILLED = 0.05  # of its range: a set with less than that is doubted
PART = 64  # images that are floats at once
NUMBERS = 2**26  # of images that are resized at once, at most, where one has not more


class Group(NamedTuple):
    """Samples of one shape."""

    place: Tensor  # (n,) where they stand in the set
    stored: Tensor  # (n, D) points or (n, C, H, W) images, as their file has them


@dataclass(frozen=True)
class Samples:
    """A set as models and extractors see it: points as they are, images in [-1, 1]."""

    path: Path
    groups: tuple[Group, ...]
    range: Range | None = None  # of images
    label: Tensor | None = None  # (N,) int64
    notes: tuple[str, ...] = ()  # what was left out, and other doubts
    unlike: str = ""  # which pictures are not of one shape

    def __len__(self) -> int:
        return sum(len(group.place) for group in self.groups)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [tuple(group.stored.shape[1:]) for group in self.groups]

    @property
    def shape(self) -> tuple[int, ...]:
        """That of each sample. Raises ValueError if they are not of one."""
        if self.unlike:
            raise ValueError(self.unlike)
        return self.shapes[0]

    def parts(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The samples of each part, and their places."""
        for place, stored in self.groups:
            for some, part in zip(place.split(PART), stored.split(PART), strict=True):
                yield some, self.floats(part)

    def floats(self, stored: Tensor) -> Tensor:
        if self.range is not None:
            return self.range.scaled(stored).contiguous()
        return stored if stored.dtype == torch.float64 else stored.float()

    @property
    def x(self) -> Tensor:
        """All of them at once, (N, D) float32 or float64, or (N, C, H, W) float32: four times as large as pictures."""
        return self.some(torch.arange(len(self)))

    def some(self, index: Tensor) -> Tensor:
        """Those of ``index``, of a set of one shape."""
        empty = self.floats(self.groups[0].stored[:0])
        x = empty.new_empty(len(index), *self.shape)
        for part, chosen in zip(x.split(PART), index.split(PART), strict=True):
            part.copy_(self.floats(self.groups[0].stored[chosen]))
        return x


def read(path: Path, stated: Range | None = None, size: int | None = None, mixed: bool = True) -> Samples:
    """The samples at ``path``, images of a range that is stated, or else said or sure, and resized to a size if any.

    Pictures in a folder may be ``mixed``, of several shapes. Raises ValueError, in one line that names the file, for
    whatever can't be scored.
    """
    if path.is_dir():
        return _folder(path, size, mixed)
    if path.suffix.lower() not in arrays.SUFFIXES:
        raise ValueError(f"{path}: give a folder of pictures, or a file that ends in {', '.join(arrays.SUFFIXES)}")
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    return _arrays(path, arrays.stored(path), stated, size)


def _folder(path: Path, size: int | None, mixed: bool) -> Samples:
    content = pictures.read(path, size, mixed=mixed)
    groups = tuple(Group(*group) for group in content.groups)
    tops = [int(group.stored.max()) for group in groups]
    notes = list(content.notes)
    if 0 < max(tops) <= 1:
        notes.append("its pictures hold 0 and 1 of 0..255 only and are nearly black: are they masks?")
    return Samples(path, groups, Range(0, BYTE, "8-bit pictures"), None, tuple(notes), content.unlike)


def _arrays(path: Path, stored: Mapping[str, Tensor], stated: Range | None, size: int | None) -> Samples:
    x, label = stored["x"], stored.get("label")
    if not 2 <= x.dim() <= 4:
        raise ValueError(f"{path} has the shape {tuple(x.shape)}: give points (N, D) or images (N, C, H, W)")
    check_points(str(path), x.byte().flatten(1) if x.dtype == torch.bool else x.flatten(1))
    if label is not None:
        label = _labels(path, label, len(x))
    place = torch.arange(len(x))
    if x.dim() == 2:
        if stated or size:
            raise ValueError(f"{path} holds points (N, D), which have no range and no size: leave --range, --size out")
        return Samples(path, (Group(place, x),), None, label)
    known = Range(0, 1, "booleans") if x.dtype == torch.bool else _levels(path, stored)
    x = x.byte() if x.dtype == torch.bool else x
    ends, x = limits(x), _channels_first(path, x)
    found = of_images(path, x, ends, known, stated)
    notes = _filled(ends, found)
    if size:
        found, x = _of_size(path, x, found, size)
    return Samples(path, (Group(place, x),), found, label, notes)


def _filled(ends: Limits, found: Range) -> tuple[str, ...]:
    low, high = ends
    if high - low >= FILLED * (found.high - found.low):
        return ()
    return (f"its images are in [{low:g}, {high:g}] of {found}: is that their range? --range LOW HIGH states it",)


def _labels(path: Path, label: Tensor, n: int) -> Tensor:
    if label.shape != (n,) or label.is_floating_point() or label.long().min() < 0:
        raise ValueError(f"{path} has labels of the shape {tuple(label.shape)}: give {n} class numbers, or none")
    return label.long()


def _levels(path: Path, stored: Mapping[str, Tensor]) -> Range | None:
    levels = stored.get("levels")
    if levels is None:
        return None
    if levels.numel() != 1 or not 2 <= levels.item() <= LEVELS:
        has = f"= {levels.item()}" if levels.numel() == 1 else f"of the shape {tuple(levels.shape)}"
        raise ValueError(f"{path} has levels {has}: give one number from 2 to {LEVELS}, or none")
    if stored["x"].is_floating_point():
        return None  # they are of integers
    return Range(0, int(levels.item()) - 1, f"levels = {int(levels.item())}")


def _channels_first(path: Path, x: Tensor) -> Tensor:
    """Images of any usual layout as (N, C, H, W)."""
    if x.dim() == 3 and x.shape[2] in CHANNELS:
        n, height, width = x.shape
        raise ValueError(
            f"{path} has the shape {(n, height, width)}, which may be one image: give it as "
            f"{(1, n, height, width)}, or {n:,} grey ones as {(n, 1, height, width)}"
        )
    x = x.unsqueeze(1) if x.dim() == 3 else x
    if x.shape[1] not in CHANNELS and x.shape[3] in CHANNELS:
        x = x.movedim(3, 1)  # (N, H, W, C) -> (N, C, H, W)
    if x.shape[1] not in CHANNELS:
        raise ValueError(f"{path} has images of the shape {tuple(x.shape[1:])}: give 1 channel (grey) or 3 (colour)")
    return x


def _of_size(path: Path, x: Tensor, of: Range, size: int) -> tuple[Range, Tensor]:
    """Bytes stay bytes, others become floats in [-1, 1]."""
    stays = x.dtype == torch.uint8 and (of.low, of.high) == (0, BYTE)
    kind, numbers = torch.uint8 if stays else torch.float32, x.shape[1] * size**2
    try:
        check_room(f"of {size} x {size} pixels, all of its {len(x):,} images", len(x) * numbers * kind.itemsize)
    except Unreadable as error:
        raise ValueError(f"{path}: {error}: choose a smaller --size") from None
    made = x.new_empty(len(x), x.shape[1], size, size, dtype=kind)
    some = min(PART, max(1, NUMBERS // max(numbers, x[0].numel())))
    for whole, part in zip(made.split(some), x.split(some), strict=True):
        whole.copy_(resized(part if stays else of.scaled(part), size))
    return (of if stays else Range(-1, 1, f"of {of}")), made

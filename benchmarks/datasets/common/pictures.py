"""Folders of pictures that anybody made: which files are read, and how the pixels of each are."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from benchmarks.datasets.common.room import Unreadable, check_room
from benchmarks.datasets.common.sizes import resized

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
OTHERS = (".gif", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".ppm", ".pgm", ".tga", ".svg", ".dng", ".cr2", ".nef")
HIDDEN = "__MACOSX"  # what a Mac leaves in an archive; what else is hidden begins with a dot
GREY = ("L", "1")


class Folder(NamedTuple):
    groups: list[tuple[Tensor, Tensor]]  # of each shape the places (n,) and the pictures (n, C, H, W) uint8
    notes: list[str]  # what was left out
    unlike: str  # which of them are not of one shape, where they are not


def read(folder: Path, size: int | None, by: str = "--size N") -> Folder:
    """All pictures in a folder and below, in the order of their names, resized where a size is given, which is done
    ``by``."""
    files, notes = found(folder)
    first = _pixels(files[0], size)
    try:
        check_room(f"all of its {len(files):,} pictures", len(files) * first.numel())
    except Unreadable as error:
        raise ValueError(f"{folder}: {error}") from None
    x, places = first.new_empty(len(files), *first.shape), [0]  # memory is taken as it is written
    x[0] = first
    others: dict[tuple[int, ...], list[tuple[int, Tensor]]] = {}
    for place, file in enumerate(files[1:], start=1):
        picture = _pixels(file, size)
        if picture.shape == first.shape:
            x[len(places)] = picture
            places.append(place)
        else:
            others.setdefault(tuple(picture.shape), []).append((place, picture))
    groups = [(torch.tensor(places), x[: len(places)])]
    for shape in list(others):
        these, alike = zip(*others.pop(shape), strict=True)
        groups.append((torch.tensor(these), torch.stack(alike)))
    return Folder(groups, notes, _unlike(files, groups, by))


def _unlike(files: list[Path], groups: list[tuple[Tensor, Tensor]], by: str) -> str:
    if len(groups) == 1:
        return ""
    (place, x), (_, first) = min(groups[1:], key=lambda group: int(group[0][0])), groups[0]
    shapes = f"{tuple(x.shape[1:])} and not {tuple(first.shape[1:])} like {files[0].name}"
    remedy = f", or make them so by {by}" if x.shape[1] == first.shape[1] else ", all grey or all in colour"
    return f"{files[int(place[0])]} has the shape {shapes}: give pictures of one size{remedy}"


def found(folder: Path) -> tuple[list[Path], list[str]]:
    """The pictures, and notes of what else there is."""
    hidden, strange, files = 0, Counter[str](), []
    for file in _files(folder):
        if any(part.startswith(".") or part == HIDDEN for part in file.relative_to(folder).parts):
            hidden += 1
        elif (suffix := file.suffix.lower()) in SUFFIXES:
            files.append(file)
        elif suffix in OTHERS:
            raise ValueError(f"{file} is a picture of a kind that is not read: save it as {', '.join(SUFFIXES[:2])}")
        else:
            strange[suffix or "no suffix"] += 1
    notes = [f"{hidden} hidden file{'s' * (hidden > 1)} left out"] * bool(hidden)
    if strange:
        kinds = ", ".join(f"{n} {suffix}" for suffix, n in sorted(strange.items()))
        notes.append(f"files that are no pictures left out: {kinds}")
    if not files:
        raise ValueError(f"{folder} holds no picture that ends in {', '.join([*SUFFIXES, *notes])}")
    return files, notes


def _files(folder: Path) -> Iterator[Path]:
    """All files below, sorted; linked folders are followed, none of them into itself."""
    listed = []
    above: dict[str, tuple[str, ...]] = {}
    for here, folders, names in os.walk(folder, onerror=_unread, followlinks=True):
        real = os.path.realpath(here)
        line = (*above.get(os.path.dirname(here), ()), real)
        above[here] = line
        folders[:] = [name for name in folders if os.path.realpath(os.path.join(here, name)) not in line]
        listed += [Path(here, name) for name in names]
    yield from sorted(listed)


def _unread(error: OSError) -> NoReturn:
    raise ValueError(f"{error.filename} can't be read ({error.strerror}): nothing in it would be scored") from error


def _pixels(file: Path, size: int | None) -> Tensor:
    """A picture as it is looked at, (C, H, W)."""
    with _opened(file) as image:
        try:
            upright = ImageOps.exif_transpose(image)
            pixels = torch.from_numpy(np.array(upright.convert("L") if upright.mode == "1" else upright))
        except Exception as error:
            raise broken(file, error) from error
    x = pixels.unsqueeze(0) if pixels.dim() == 2 else pixels.movedim(2, 0)  # (H, W[, 3]) -> (C, H, W)
    return x if size is None else resized(x[None], size)[0]


def _opened(file: Path) -> Image.Image:
    """A picture whose header is in order."""
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            image = Image.open(file, formats=FORMATS)
            deep = ";16" in str(image.tile) and image.format != "BMP"  # Pillow would cut the lower byte of each
            frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # a camera's: the first is whole
    except Exception as error:
        raise broken(file, error) from error
    if deep or image.mode not in (*GREY, "RGB"):
        mode = f"{image.mode}, 16 bits a channel" if deep else image.mode
        raise ValueError(f"{file} is a picture of mode {mode}: save it as L (grey) or RGB, 8 bits a channel")
    if frames > 1:
        raise ValueError(f"{file} holds {frames} pictures: save each in a file of its own")
    return image


def broken(file: Path, error: Exception) -> ValueError:
    """Of a broken picture Pillow says OSError, SyntaxError, ValueError, struct.error, ..."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return ValueError(f"{file} would unpack to more pixels than a picture has: nothing was unpacked")
    return ValueError(f"{file} is no whole picture of its kind ({type(error).__name__})")

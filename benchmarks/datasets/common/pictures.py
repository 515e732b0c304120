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

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
OTHERS = (
    *(".gif", ".apng", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".tga", ".svg", ".ico"),
    *(".ppm", ".pgm", ".pnm", ".exr", ".dng", ".cr2", ".nef"),
)
HIDDEN = ("__MACOSX", "@eaDir")  # a Mac's in an archive, a NAS's in a folder; what else is hidden begins with a dot
GREY = ("L", "1")


class Folder(NamedTuple):
    groups: list[tuple[Tensor, Tensor]]  # of each shape the places (n,) and the pictures (n, C, H, W) uint8
    notes: list[str]  # what was left out
    unlike: str  # which of them are not of one shape, where they are not


def read(folder: Path, size: int | None, by: str = "--size N", mixed: bool = True) -> Folder:
    """All pictures in a folder and below, in the order of their names, resized where a size is given, which is done
    ``by``. Unless they may be ``mixed``, the first that is not of the others' shape is a ValueError."""
    files, notes = found(folder)
    first = _pixels(files[0], size)
    _check_room(folder, f"all of its {len(files):,} pictures", len(files) * first.numel())
    x, places = first.new_empty(len(files), *first.shape), [0]  # memory is taken as it is written
    x[0] = first
    others: dict[tuple[int, ...], list[tuple[int, Tensor]]] = {}
    unlike, taken = "", 0  # the bytes of others
    for place, file in enumerate(files[1:], start=1):
        picture = _pixels(file, size)
        if picture.shape == first.shape:
            x[len(places)] = picture
            places.append(place)
        else:
            unlike = unlike or _unlike(file, picture, files[0], first, by)
            if not mixed:
                raise ValueError(unlike)
            taken += picture.numel()
            _check_room(folder, f"what is not of {files[0].name}'s shape, up to {file.name},", taken)
            others.setdefault(tuple(picture.shape), []).append((place, picture))
    groups = [(torch.tensor(places), x[: len(places)])]
    for shape in list(others):
        these, alike = zip(*others.pop(shape), strict=True)
        groups.append((torch.tensor(these), torch.stack(alike)))
    return Folder(groups, notes, unlike)


def _check_room(folder: Path, what: str, size: int) -> None:
    try:
        check_room(what, size)
    except Unreadable as error:
        raise ValueError(f"{folder}: {error}") from None


def _unlike(file: Path, x: Tensor, like: Path, first: Tensor, by: str) -> str:
    shapes = f"{tuple(x.shape)} and not {tuple(first.shape)} like {like.name}"
    remedy = f", or make them so by {by}" if len(x) == len(first) else ", all grey or all in colour"
    return f"{file} has the shape {shapes}: give pictures of one size{remedy}"


def found(folder: Path) -> tuple[list[Path], list[str]]:
    """The pictures, and notes of what else there is."""
    hidden, strange, files = 0, Counter[str](), dict[str, Path]()
    again = 0
    for file, real in _files(folder):
        if any(part.startswith(".") or part in HIDDEN for part in file.relative_to(folder).parts):
            hidden += 1
        elif (suffix := file.suffix.lower()) in SUFFIXES:
            again += real in files
            files.setdefault(real, file)
        elif suffix in OTHERS:
            raise ValueError(f"{file} is a picture of a kind that is not read: save it as {', '.join(SUFFIXES[:2])}")
        else:
            strange[suffix or "no suffix"] += 1
    notes = [f"{hidden} hidden file{'s' * (hidden > 1)} left out"] * bool(hidden)
    if again:
        notes.append(f"{again} picture{'s' * (again > 1)} left out that a link shows again")
    if strange:
        kinds = ", ".join(f"{n} {suffix}" for suffix, n in sorted(strange.items()))
        notes.append(f"files that are no pictures left out: {kinds}")
    if not files:
        raise ValueError(f"{folder} holds no picture that ends in {', '.join([*SUFFIXES, *notes])}")
    return list(files.values()), notes


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """All files below, sorted, each with its real path; linked folders are followed, none of them into itself."""
    listed = []
    above: dict[str, tuple[str, ...]] = {}
    for here, folders, names in os.walk(folder, onerror=_unread, followlinks=True):
        real = os.path.realpath(here)
        line = (*above.get(os.path.dirname(here), ()), real)
        above[here] = line
        folders[:] = [name for name in folders if os.path.realpath(os.path.join(here, name)) not in line]
        for name in names:
            file = os.path.join(here, name)
            listed.append((Path(file), os.path.realpath(file) if os.path.islink(file) else os.path.join(real, name)))
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
    if file.is_symlink() and not file.exists():
        return ValueError(f"{file} is a link that leads nowhere: delete it, or bring back what it stood for")
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return ValueError(f"{file} would unpack to more pixels than a picture has: nothing was unpacked")
    return ValueError(f"{file} is no whole picture of its kind ({type(error).__name__})")

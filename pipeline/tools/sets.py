"""Sets of samples that anybody made: folders of PNG or JPEG pictures, .npz, .npy and .pt files.

The files are not trusted: numbers are read from them and nothing else, so that no pickle in them is ever executed.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.metrics.common.checks import check_points

PICTURES = (".png", ".jpg", ".jpeg")
ARRAYS = (".npz", ".npy", ".pt")
NAMES = ("x", "arr_0")  # of the samples, in a file of several arrays: ours and numpy's own
CHANNELS = (1, 3)
LEVELS = 256  # of integers, where a file does not say


class Samples(NamedTuple):
    """A set as models and judges see it."""

    x: Tensor  # (N, D) points, float32 or float64, or (N, C, H, W) images in [-1, 1], float32
    label: Tensor | None = None  # (N,) int64


def read(path: Path) -> Samples:
    """The samples at ``path``. Raises ValueError, in one line that names the file, for whatever can't be scored."""
    if path.is_dir():
        stored = {"x": _pictures(path)}
    elif path.suffix.lower() not in ARRAYS:
        raise ValueError(f"{path}: give a folder of PNG or JPEG pictures, or a file that ends in {', '.join(ARRAYS)}")
    elif not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    else:
        stored = _stored(path)
    x, label = stored["x"], stored.get("label")
    if not 2 <= x.dim() <= 4:
        raise ValueError(f"{path} has the shape {tuple(x.shape)}: give points (N, D) or images (N, C, H, W)")
    check_points(str(path), x.flatten(1))
    if label is not None and (label.shape != x.shape[:1] or label.is_floating_point() or label.min() < 0):
        raise ValueError(f"{path} has labels of the shape {tuple(label.shape)}: give {len(x)} class numbers, or none")
    if x.dim() == 2:
        points = x if x.dtype == torch.float64 else x.float()
        return Samples(points, label)
    return Samples(_images(path, x, _levels(path, stored)), label)


def _stored(path: Path) -> dict[str, Tensor]:
    """Of a file's arrays the samples, called `x`, and `levels` and `label` where there are any."""
    with _numbers_only(path):
        if path.suffix.lower() == ".pt":
            content = torch.load(path, map_location="cpu", weights_only=True)
        else:
            content = np.load(path, allow_pickle=False)
        content = content if isinstance(content, Mapping) else {"x": content}  # an .npz is a mapping, read as needed
        names = [str(name) for name in content]
    samples = next((name for name in NAMES if name in names), names[0] if len(names) == 1 else None)
    if samples is None:
        raise ValueError(f"{path} holds {', '.join(names[:9]) or 'nothing'}: call the array of the samples x")
    with _numbers_only(path):
        wanted = {"x": samples, "levels": "levels", "label": "label"}
        return {key: _tensor(content[name]) for key, name in wanted.items() if name in content}


@contextmanager
def _numbers_only(path: Path) -> Iterator[None]:
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's, of strange pickles
            yield
    except Exception as error:  # zip, pickle, header, memory, type: many errors for one and the same fact
        raise ValueError(
            f"{path} can't be read as arrays of numbers ({type(error).__name__}); what is pickled is never executed"
        ) from error


def _tensor(array: object) -> Tensor:
    x = torch.as_tensor(array).detach()
    if x.layout != torch.strided or x.is_quantized or x.is_complex() or x.dtype == torch.bool:
        raise TypeError
    return x if x.is_floating_point() or x.dtype == torch.uint8 else x.long()


def _pictures(folder: Path) -> Tensor:
    """All pictures in a folder and below, in the order of their names: (N, C, H, W) uint8."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES)
    if not files:
        raise ValueError(f"{folder} holds no picture that ends in {', '.join(PICTURES)}")
    first = _picture(files[0])
    x = first.new_empty(len(files), *first.shape)
    for place, file in enumerate(files):
        picture = _picture(file)
        if picture.shape != first.shape:
            shapes = f"{tuple(picture.shape)} and not {tuple(first.shape)} like {files[0].name}"
            raise ValueError(f"{file} has the shape {shapes}: give pictures of one size, all grey or all in colour")
        x[place] = picture
    return x


def _picture(file: Path) -> Tensor:
    try:
        with Image.open(file, formats=("PNG", "JPEG")) as image:
            mode, pixels = image.mode, torch.from_numpy(np.array(image))
    except Exception as error:  # a broken picture is an OSError, SyntaxError, ValueError, struct.error, ...
        raise ValueError(f"{file} is no whole PNG or JPEG picture ({type(error).__name__})") from error
    if mode not in ("L", "RGB"):
        raise ValueError(f"{file} is a picture of mode {mode}: save it as L (grey) or RGB, 8 bits a channel")
    return pixels.unsqueeze(0) if mode == "L" else pixels.movedim(2, 0)  # (H, W[, 3]) -> (C, H, W)


def _levels(path: Path, stored: Mapping[str, Tensor]) -> int:
    levels = stored.get("levels", torch.tensor(LEVELS))
    if levels.numel() != 1 or not 2 <= levels.item() <= LEVELS:
        raise ValueError(f"{path} has levels = {levels.tolist()}: give one number from 2 to {LEVELS}, or none")
    return int(levels.item())


def _images(path: Path, x: Tensor, levels: int) -> Tensor:
    """Images of any usual layout and range as (N, C, H, W) in [-1, 1]."""
    x = x.unsqueeze(1) if x.dim() == 3 else x
    if x.shape[1] not in CHANNELS and x.shape[3] in CHANNELS:
        x = x.movedim(3, 1)  # (N, H, W, C) -> (N, C, H, W)
    if x.shape[1] not in CHANNELS:
        raise ValueError(f"{path} has images of the shape {tuple(x.shape[1:])}: give 1 channel (grey) or 3 (colour)")
    low, high = (value.item() for value in x.aminmax())
    if x.is_floating_point():
        if low < -1.001 or high > 1.001 or low >= 0:
            raise ValueError(f"{path} has images in [{low:g}, {high:g}]: give floats in [-1, 1], or integers in 0..255")
        return x.float().contiguous()
    top = levels - 1
    if low < 0 or high > top:
        raise ValueError(f"{path} has images in [{low}, {high}]: give integers in 0..{top}, or floats in [-1, 1]")
    return x.float().mul_(2 / top).sub_(1).contiguous()

"""The arrays that a seed leaves for pictures: samples, filled holes, decoded codes, what pixels cost, continued
clips.

A file that is missing or damaged is an error of one line that names it and the command that makes it anew.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from reports.files import readable


class Samples(NamedTuple):
    """What one training seed generated; for the oracle, real data."""

    x: np.ndarray  # (n, D) float32 points, (n, C, H, W) uint8 levels of images, or (n, T, C, H, W) of clips
    label: np.ndarray | None  # (n,) the label asked for
    seed: int
    levels: int  # grey levels of images; 0 for points


class Density(NamedTuple):
    """The true log density on a grid, for a picture."""

    xs: np.ndarray  # (W,)
    ys: np.ndarray  # (H,)
    values: np.ndarray  # (H, W) nats


class Fills(NamedTuple):
    """Damaged images and what one training seed of a model put into the holes; levels, all (..., C, H, W) uint8."""

    damage: tuple[str, ...]  # T kinds of it
    fits: np.ndarray  # (T,) bool: whether the model fills such holes
    whole: np.ndarray  # (k, ...)
    damaged: np.ndarray  # (T, k, ...)
    mean: np.ndarray  # (T, k, ...) of several draws
    draw: np.ndarray  # (T, k, ...) one of them
    levels: int


class Walks(NamedTuple):
    """What a model's decoder makes of codes: images, as (..., C, H, W) uint8 levels, or points in the plane."""

    ends: np.ndarray | None  # (k, 2, ...) held-out images
    walk: np.ndarray | None  # (k, steps, ...) along a straight line between their codes
    grid: np.ndarray | None  # (rows, across, ...) of a grid of codes of two numbers
    lines: np.ndarray | None  # (2, lines, points, 2) of such a grid's lines, where data are points
    levels: int


class Pixels(NamedTuple):
    """What each pixel of two held-out images costs a model, of the likeliest and of the least likely."""

    x: np.ndarray  # (2, C, H, W) uint8 levels
    nats: np.ndarray  # (2, C, H, W)
    levels: int


class Retrieved(NamedTuple):
    """What held-out images find among the training images: by a model's codes, of the oracle also by pixels."""

    query: np.ndarray  # (q, C, H, W) uint8 levels
    label: np.ndarray  # (q,)
    codes: np.ndarray  # (q, k, C, H, W), the nearest first
    codes_right: np.ndarray  # (q, k) bool: whether the label is the query's
    pixels: np.ndarray | None  # the same by pixels
    pixels_right: np.ndarray | None
    levels: int


class Captioned(NamedTuple):
    """Samples and the captions that they were made for."""

    x: np.ndarray  # (n, C, H, W) uint8 levels
    caption: np.ndarray  # (n,) words
    new: np.ndarray  # (n,) bool: whether no training image has such a caption
    levels: int


class Clips(NamedTuple):
    """Clips whose first frames were given, how one training seed of a model continues them, and how well by frame."""

    true: np.ndarray  # (k, T, C, H, W) uint8 levels
    draws: np.ndarray  # (draws, k, T, C, H, W)
    psnr_mean: np.ndarray  # (T - seen,) of the mean of several draws, dB
    psnr_best: np.ndarray  # (T - seen,) of the best draw of each clip
    ssim_mean: np.ndarray
    ssim_best: np.ndarray
    seen: int
    levels: int


class Translations(NamedTuple):
    """What one training seed of a model makes of held-out data of another domain: images as levels, or points."""

    source: np.ndarray  # (k, ...) of the other domain, whose images may have other channels
    translation: np.ndarray  # (k, ...)
    draw: np.ndarray | None  # (k, ...) another one of the same, of images
    truth: np.ndarray | None  # (k, ...) the true ones, where there are any
    returned: np.ndarray | None  # (k, ...) translated back again, of models that can
    label: np.ndarray | None  # (k,)
    levels: int


def read_samples(path: Path, remedy: str = "`dvc repro`") -> Samples:
    """The samples in ``path``, a file named for its seed."""
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        x, levels = file["x"], int(file["levels"])
        if x.ndim not in (2, 4, 5) or (x.ndim > 2) != (levels > 0):
            raise ValueError(f"shape {x.shape} with {levels} levels is neither points nor images nor clips")
        return Samples(x, file.get("label"), int(path.stem), levels)


def read_snapshots(path: Path, remedy: str) -> dict[int, Samples]:
    """The samples taken during training in ``path``, by step; none where there is no file."""
    if not path.exists():
        return {}
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        steps, x, levels = file["step"].tolist(), file["x"], int(file["levels"])
        if len(steps) != len(x) or (steps and (x.ndim not in (3, 5, 6) or (x.ndim > 3) != (levels > 0))):
            raise ValueError(
                f"shape {x.shape} with {levels} levels is not {len(steps)} sets of points, images or clips"
            )
        return {step: Samples(taken, None, int(path.stem), levels) for step, taken in zip(steps, x, strict=True)}


def read_fills(path: Path, remedy: str) -> Fills | None:
    """The filled holes in ``path``; None where there is no file."""
    if not path.exists():
        return None
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        kept = {name: file[name] for name in Fills._fields}
        kinds = (len(kept["damage"]), *kept["whole"].shape)
        if kept["fits"].shape != kinds[:1] or any(kept[name].shape != kinds for name in ("damaged", "mean", "draw")):
            raise ValueError(f"{kinds[0]} kinds of damage to {kinds[1]} images are not all there")
        return Fills(**kept | {"damage": tuple(kept["damage"].tolist()), "levels": int(kept["levels"])})


def read_walks(path: Path, remedy: str) -> Walks | None:
    """What was decoded from codes in ``path``; None where there is no file."""
    if not path.exists():
        return None
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        found = Walks(**{name: file.get(name) for name in Walks._fields})._replace(levels=int(file["levels"]))
        shapes = {name: getattr(found, name).ndim for name in ("ends", "walk", "grid", "lines") if name in file}
        if shapes not in ({"lines": 4}, {"ends": 5, "walk": 5}, {"ends": 5, "walk": 5, "grid": 5}):
            raise ValueError(f"{shapes} dimensions are neither lines of points nor walks of images")
        return found


def read_translations(path: Path, remedy: str) -> Translations | None:
    """The translations in ``path``; None where there is no file."""
    if not path.exists():
        return None
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        kept = {name: file.get(name) for name in Translations._fields}
        found = Translations(**kept | {"levels": int(file["levels"])})
        sizes = {len(x) for x in found[:-1] if x is not None}
        if found.source is None or found.translation is None or len(sizes) > 1:
            raise ValueError(f"{sorted(sizes)} data and translations are not as many of each")
        return found


def read_pixels(path: Path, remedy: str) -> Pixels | None:
    """What pixels cost in ``path``; None where there is no file."""
    if not path.exists():
        return None
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        x, nats = file["x"], file["nats"]
        if x.ndim != 4 or x.shape != nats.shape or len(x) != 2:
            raise ValueError(f"shapes {x.shape} and {nats.shape} are not two images and what their pixels cost")
        return Pixels(x, nats, int(file["levels"]))


def read_retrieved(path: Path, remedy: str) -> Retrieved | None:
    """What queries found in ``path``; None where there is no file."""
    if not path.exists():
        return None
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        found = Retrieved(**{name: file.get(name) for name in Retrieved._fields})._replace(levels=int(file["levels"]))
        queries, each = found.codes_right.shape
        kinds = [(found.codes, found.codes_right)]
        if found.pixels is not None and found.pixels_right is not None:
            kinds.append((found.pixels, found.pixels_right))
        for x, right in kinds:
            if x.shape != (queries, each, *found.query.shape[1:]) or right.shape != x.shape[:2]:
                raise ValueError(f"shape {x.shape} is not what {queries} queries find")
        return found


def read_captions(path: Path, remedy: str) -> Captioned | None:
    """What was made for captions in ``path``; None where there is no file."""
    if not path.exists():
        return None
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        found = Captioned(**{name: file[name] for name in Captioned._fields})._replace(levels=int(file["levels"]))
        if found.x.ndim != 4 or {found.caption.shape, found.new.shape} != {found.x.shape[:1]}:
            raise ValueError(f"shapes {found.x.shape} and {found.caption.shape} are not images with a caption each")
        return found


def read_clips(path: Path, remedy: str) -> Clips | None:
    """The continued clips in ``path``; None where there is no file."""
    if not path.exists():
        return None
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        found = Clips(**{name: file[name] for name in Clips._fields})
        found = found._replace(seen=int(found.seen), levels=int(found.levels))
        if found.true.ndim != 5 or found.draws.shape[1:] != found.true.shape:
            raise ValueError(f"shapes {found.true.shape} and {found.draws.shape} are not clips and their continuations")
        if any(len(curve) != found.true.shape[1] - found.seen for curve in found[2:6]):
            raise ValueError(f"there are not {found.true.shape[1] - found.seen} predicted frames on its curves")
        return found

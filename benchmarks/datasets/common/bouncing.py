"""Things that move in a frame and bounce off its walls: the law, whose chance is known in closed form, and its films.

After Stochastic Moving MNIST of E. Denton, R. Fergus, "Stochastic Video Generation with a Learned Prior", 2018,
arXiv:1802.07687: velocities are whole numbers of pixels, and at a wall a new one is drawn. Here a thing keeps its
velocity until it touches a wall. There, across the wall, the new one is uniform on 1..speed, away from the wall;
along it, uniform on -speed..speed; in a corner it leads away from both walls. A step that leads beyond a wall ends
at the wall. So whoever sees where a thing is knows when it bounces, and what it may do then.

Departure: theirs bounces once it is beyond a wall and not at it, starts perhaps at rest, and in a corner may draw a
velocity that leads into a wall.
"""

import numpy as np
import torch
from torch import Generator, Tensor

from benchmarks.datasets.common.splits import PARTS, Split, Splits, chance

AT_ONCE = 250  # clips that are drawn at once: a larger set's places would fill the memory


def course(place: Tensor, velocity: Tensor, reach: Tensor, frames: int, speed: int, rng: Generator) -> Tensor:
    """Where things are in so many frames, from a place with a velocity on; (n, 2) each, int64, rows first; ``reach``
    is the farthest place.  # -> (n, frames, 2)"""
    places = [place]
    for _ in range(frames - 1):
        velocity = after(place, velocity, reach, speed, rng)
        place = (place + velocity).clamp_min(0).minimum(reach)
        places.append(place)
    return torch.stack(places, 1)


def after(place: Tensor, velocity: Tensor, reach: Tensor, speed: int, rng: Generator) -> Tensor:
    """The velocity that a thing leaves its place with, (n, 2): another one where it touches a wall."""
    away = torch.randint(1, speed + 1, place.shape, generator=rng, device=rng.device)
    along = torch.randint(-speed, speed + 1, place.shape, generator=rng, device=rng.device)
    low, high = place == 0, place == reach
    new = torch.where(low, away, torch.where(high, -away, along))
    return torch.where((low | high).any(1, keepdim=True), new, velocity)


def start(n: int, reach: Tensor, speed: int, rng: Generator) -> tuple[Tensor, Tensor]:
    """Any place, and any velocity but rest, (n, 2) each."""
    place = (torch.rand(n, 2, generator=rng) * (reach + 1)).long()
    side = 2 * speed + 1
    number = torch.randint(side**2 - 1, (n,), generator=rng)
    number += number >= side**2 // 2  # rest stands in the middle
    return place, torch.stack([number // side - speed, number % side - speed], 1)


def film(things: Tensor, places: Tensor, size: int, levels: int) -> Tensor:
    """Clips of things (n, K, h, w) uint8 at places (n, K, T, 2); where they overlap, their light adds up to the highest
    level.  # -> (n, T, 1, size, size) uint8"""
    n, count, height, width = things.shape
    light = np.zeros((n, places.shape[2], size + height, size + width), np.int16)  # what is empty may hang over
    shown = things.short().numpy()
    turns = np.ndindex(n, count, places.shape[2])
    for (clip, thing, frame), (y, x) in zip(turns, places.flatten(0, 2).tolist(), strict=True):
        light[clip, frame, y : y + height, x : x + width] += shown[clip, thing]
    return torch.from_numpy(light[:, :, None, :size, :size].clip(max=levels - 1).astype(np.uint8))


def cropped(things: Tensor) -> tuple[Tensor, Tensor]:
    """Things (n, h, w) moved to the upper left corner of their frame, and how many rows and columns their ink has: (n,
    h, w), (n, 2)"""
    first, extent = located(things)
    for axis in (1, 2):  # rows up, then columns to the left
        size = things.shape[axis]
        turned = (torch.arange(size, device=things.device) + first[:, axis - 1 : axis]) % size  # empty ones come around
        things = things.gather(axis, turned.unsqueeze(3 - axis).expand_as(things))
    return things, extent


def located(frames: Tensor) -> tuple[Tensor, Tensor]:
    """The first row and the first column with ink of frames (..., H, W), and how many of each have some: (..., 2)
    each."""
    sides = [(frames > 0).any(axis).int() for axis in (-1, -2)]  # (..., H), (..., W)
    first = torch.stack([side.argmax(-1) for side in sides], -1)
    last = torch.stack([side.shape[-1] - 1 - side.flip(-1).argmax(-1) for side in sides], -1)
    return first, last - first + 1


def continued(given: Tensor, frames: int, speed: int, levels: int, rng: Generator) -> Tensor:
    """What the law makes of the first frames of clips of one thing each: a draw.  # (n, seen, 1, H, W) uint8 ->
    (n, frames, 1, H, W)"""
    n, seen = given.shape[:2]
    place, extent = located(given.squeeze(2))  # (n, seen, 2)
    reach = given.shape[-1] - extent[:, -1]
    velocity = place[:, -1] - place[:, -2] if seen > 1 else start(n, reach, speed, rng)[1]
    places = course(place[:, -1], velocity, reach, frames - seen + 1, speed, rng)[:, 1:]
    things = cropped(given[:, -1, 0])[0]
    return torch.cat([given, film(things[:, None], places[:, None], given.shape[-1], levels)], 1)


def bouncing(
    source: Splits, sizes: tuple[int, int, int], *, side: int, count: int, frames: int, speed: int, seen: int, seed: int
) -> Splits:
    """Clips of ``count`` images of each part of ``source`` that move in a frame of side x side and touch walls with
    their ink; labelled with the class of the one, or of the pair, however it stands."""
    largest = max(source.train.x.shape[2:])
    if side - largest < 2 * speed:
        raise ValueError(
            f"speed = {speed}: things of {largest} pixels in a frame of {side} would cross it in one step; choose "
            f"{(side - largest) // 2} or less"
        )
    if seen >= frames:
        raise ValueError(
            f"seen = {seen}: no frame of a clip of {frames} would be left to predict; choose {frames - 1} or less"
        )
    train, validation, test = (
        drawn(part, size, side, count, frames, speed, source, chance(f"clips/{name}", seed))
        for name, part, size in zip(PARTS, source.parts, sizes, strict=True)
    )
    classes = source.classes if count == 1 else source.classes * (source.classes + 1) // 2
    law = speed if count == 1 else 0
    return Splits(train, validation, test, classes=classes, levels=source.levels, seen=seen, speed=law)


def drawn(part: Split, n: int, side: int, count: int, frames: int, speed: int, source: Splits, rng: Generator) -> Split:
    things, extent = cropped(part.x.squeeze(1))
    chosen = torch.randint(len(things), (n, count), generator=rng)
    reach = (side - extent[chosen]).flatten(0, 1)  # (n K, 2)
    place, velocity = start(len(reach), reach, speed, rng)
    places = course(place, velocity, reach, frames, speed, rng).unflatten(0, (n, count))  # (n, K, T, 2)
    shown = zip(chosen.split(AT_ONCE), places.split(AT_ONCE), strict=True)
    x = torch.cat([film(things[which], where, side, source.levels) for which, where in shown])
    label = part.labels[chosen]
    return Split(x, label.squeeze(1) if count == 1 else pair(label, source.classes))


def pair(label: Tensor, classes: int) -> Tensor:
    """Two labels (n, 2) as the number of their pair, whichever is first: (n,) in 0..classes (classes + 1) / 2 - 1."""
    low, high = label.aminmax(dim=1)
    return low * classes - low * (low - 1) // 2 + high - low

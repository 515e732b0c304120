"""Whether what moves in a predicted clip moves as the law of the data has it, read off by matching its known picture.

The law is that of Stochastic Moving MNIST, E. Denton, R. Fergus, "Stochastic Video Generation with a Learned Prior",
2018, arXiv:1802.07687, as `benchmarks/datasets/common/bouncing.py` states it: straight on until a wall is touched, and
then any whole velocity that leads away from it, each as likely. Only clips of one thing have these numbers.
"""

import torch
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.histograms import kl_from_uniform
from benchmarks.metrics.common.matching import Things, light, matched, products, things

CHUNK = 1000  # frames compared with every class at once

COLUMNS = (
    Column(
        "trajectory", "Trajectory error", "lower", 2,
        note="Pixels between where a digit is predicted and where it truly is, in the frames that follow from those "
        "given, which end with its first bounce; where it is predicted is where its picture explains a frame best. "
        "n/a where all digits bounce at once.",
    ),
    Column(
        "lawful", "Lawful steps", "higher", 1, percent=True,
        note="Share of predicted steps that the law allows after what was before them: straight on, or at a wall any "
        "of its velocities.",
    ),
    Column(
        "bounce_kl", "Bounces KL", "lower", 3,
        note="KL of the velocities after predicted bounces to the law's, nats: of those that it allows, where no other "
        "wall is near; log of their number where there is none.",
    ),
    Column(
        "digit_kept", "Digit kept", "higher", 1, percent=True,
        note="Share of predicted frames that the given digit explains better than a typical one of any other class, "
        "and better than an empty frame.",
    ),
    Column(
        "spread", "Spread after a bounce", None, 2, main=False,
        note="Pixels between where two draws that continue the same frames have the digit, mean over the frames after "
        "the first true bounce; right is what the law has.",
    ),
)  # fmt: skip


def score(
    *,
    fake: Tensor | None,
    true_clips: Tensor | None,
    true_clip_labels: Tensor | None,
    continued: Tensor | None,
    continuations: Tensor | None,
    seen: int | None,
    speed: int | None,
) -> dict[str, float | None]:
    values: dict[str, float | None] = {column.name: None for column in COLUMNS}
    if fake is None or true_clips is None or not seen or not speed:
        return values
    if fake.shape != true_clips.shape:
        raise ValueError(
            f"fake {tuple(fake.shape)} continues true_clips {tuple(true_clips.shape)}: give clips of one shape"
        )
    known, frames = things(true_clips), light(fake)
    found = matched(frames, known)
    values["trajectory"] = trajectory(found, known, seen)
    values["lawful"] = lawful(found, known.reach, seen, speed)
    values["bounce_kl"] = kl_from_uniform(counts=bounces(found, known.reach, seen, speed).flatten())
    if true_clip_labels is not None:
        values["digit_kept"] = kept(frames[:, seen:], known, true_clip_labels)
    if continued is not None and continuations is not None:
        values["spread"] = spread(continuations, things(continued), seen)
    return values


def touches(places: Tensor, reach: Tensor) -> Tensor:
    """Whether a thing at places (n, T, 2) touches a wall above or below, and one on a side: (n, T, 2)"""
    return (places == 0) | (places == reach[:, None])


def bounced(known: Things, seen: int) -> Tensor:
    """Whether there has truly been a bounce between the last given frame and each predicted one: (n, T - seen)"""
    wall = touches(known.places, known.reach).any(2)[:, seen - 1 : -1]
    return wall.cummax(1).values


def trajectory(found: Tensor, known: Things, seen: int) -> float | None:
    """Mean distance of places (n, T, 2) to the true ones, before the first bounce."""
    certain = ~bounced(known, seen)
    distance = (found - known.places)[:, seen:].double().norm(dim=2)  # (n, T - seen)
    return distance[certain].mean().item() if certain.any() else None


def lawful(found: Tensor, reach: Tensor, seen: int, speed: int) -> float | None:
    """Share of the predicted steps between places (n, T, 2) that the law allows; a clip's first step has none before
    it and is left out."""
    first = max(seen - 1, 1)
    step = found.diff(dim=1)[:, first:]  # (n, S, 2) from frame `first` on
    at, before = found[:, first:-1], found.diff(dim=1)[:, first - 1 : -1]
    if not step.numel():
        return None
    wall = touches(at, reach)
    straight = (at + before).clamp_min(0).minimum(reach[:, None]) - at
    away = torch.where(at == 0, step, -step)
    fair = torch.where(wall, (away >= 1) & (away <= speed), step.abs() <= speed).all(2)
    onwards = (step == straight).all(2) & (before.abs() <= speed).all(2) & step.any(2)  # nothing rests
    return torch.where(wall.any(2), fair, onwards).double().mean().item()


def bounces(found: Tensor, reach: Tensor, seen: int, speed: int) -> Tensor:
    """How often each velocity follows a predicted bounce: away from the wall by its rows, along it by its columns,
    (speed, 2 speed + 1). The law has all alike. Left out are bounces so near another wall that it may cut the step."""
    at, step = found[:, seen - 1 : -1], found.diff(dim=1)[:, seen - 1 :]  # (n, S, 2)
    wall = touches(at, reach)
    free = (at >= speed) & (at <= reach[:, None] - speed)
    counts = torch.zeros(speed, 2 * speed + 1, dtype=torch.int64, device=found.device)
    for axis in (0, 1):
        own, other = axis, 1 - axis
        away = torch.where(at == 0, step, -step)[..., own]
        along = step[..., other]
        fair = wall[..., own] & free[..., other] & (away >= 1) & (away <= speed) & (along.abs() <= speed)
        place = (away - 1) * (2 * speed + 1) + along + speed
        counts += torch.bincount(place[fair], minlength=counts.numel()).view_as(counts)
    return counts


def kept(frames: Tensor, known: Things, labels: Tensor) -> float:
    """Share of frames (n, F, H, W) that a clip's own thing explains better than any rival, or nothing, does."""
    rivals, of = typical(known.light, labels)
    flat = frames.flatten(0, 1)
    costs = torch.cat([cost(chunk, rivals) for chunk in flat.split(CHUNK)]).unflatten(0, frames.shape[:2])  # (n, F, K)
    rival = costs.masked_fill((labels[:, None] == of)[:, None], torch.inf).amin(2).clamp_max(0)  # nothing costs 0
    own = torch.cat([cost(each, thing[None]).T for each, thing in zip(frames, known.light, strict=True)])  # (n, F)
    return (own < rival).double().mean().item()


def cost(frames: Tensor, rivals: Tensor) -> Tensor:
    """How much farther a frame (F, H, W) is from a thing (K, h, w) at its best place than from nothing: (F, K)"""
    return rivals.square().sum((1, 2)) - 2 * products(frames, rivals).flatten(2).amax(2)


def typical(thing: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Of every class there is, the one of median light, and the class."""
    present = labels.unique()
    chosen = []
    for label in present:
        own = (labels == label).nonzero().squeeze(1)
        chosen.append(own[thing[own].sum((1, 2)).median(0).indices])
    return thing[torch.stack(chosen)], present


def spread(draws: Tensor, known: Things, seen: int) -> float | None:
    """Mean distance of pairs of draws (draws, m, T, 1, H, W) after the first true bounce; None without pairs, or where
    nothing bounces."""
    count, after = len(draws), bounced(known, seen)  # (m, T - seen)
    if count < 2 or not after.any():
        return None
    frames = light(draws).transpose(0, 1).flatten(1, 2)  # (m, draws T, H, W)
    places = matched(frames, known).unflatten(1, (count, -1))[:, :, seen:].double()  # (m, draws, F, 2)
    apart = (places[:, :, None] - places[:, None]).norm(dim=4).sum((1, 2)) / (count * (count - 1))  # (m, F)
    return apart[after].mean().item()

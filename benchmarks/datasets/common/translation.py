"""Two domains: data, and the partners that they are the translations of."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad

from benchmarks.datasets.common.splits import PARTS, Split, Splits, chance

HUES = 6  # corners of the circle of hues: red, yellow, green, cyan, blue, magenta


def from_partners(splits: Splits, true_map: Callable[[Tensor], Tensor]) -> Splits:
    """The data become partners, and what the map makes of them becomes the data."""
    return paired(splits, lambda part: part._replace(x=true_map(part.x), partner=part.x))


def with_partners(splits: Splits, way_back: Callable[[Tensor], Tensor]) -> Splits:
    """The data get the partners that they are the translations of."""
    return paired(splits, lambda part: part._replace(partner=way_back(part.x)))


def paired(splits: Splits, change: Callable[[Split], Split]) -> Splits:
    train, validation, test = map(change, splits.parts)
    return splits._replace(train=train, validation=validation, test=test, paired=True)


def turned(x: Tensor) -> Tensor:
    """Images by 90 degrees, against the clock."""
    return x.rot90(dims=(2, 3)).contiguous()


def inverted(x: Tensor, levels: int) -> Tensor:
    return levels - 1 - x


def edges(x: Tensor, levels: int) -> Tensor:
    """White where a pixel without ink has ink above, below or beside it; ink is half of the levels or more.

    The outline of a shape by mathematical morphology: J. Serra, "Image Analysis and Mathematical Morphology", 1982.
    """
    ink = pad(x >= levels // 2, (1, 1, 1, 1))  # (N, 1, H + 2, W + 2)
    near = ink[:, :, :-2, 1:-1] | ink[:, :, 2:, 1:-1] | ink[:, :, 1:-1, :-2] | ink[:, :, 1:-1, 2:]
    return (near & ~ink[:, :, 1:-1, 1:-1]).to(x.dtype) * (levels - 1)


def coloured(splits: Splits, seed: int) -> Splits:
    """Grey images in a colour each, drawn for itself; and in another one."""
    draws = {name: chance(f"colour/{name}", seed) for name in PARTS}
    train, validation, test = (in_colours(part, rng) for part, rng in zip(splits.parts, draws.values(), strict=True))
    return splits._replace(train=train, validation=validation, test=test, paired=True)


def in_colours(part: Split, rng: Generator) -> Split:
    """The partners keep three equal channels, so that both domains have one shape."""
    colours = hues(2 * len(part.x), rng).view(2, -1, 3, 1, 1)
    x, again = (part.x * colours).round_().to(part.x.dtype)  # (2, N, 3, H, W)
    return part._replace(x=x, partner=part.x.repeat(1, 3, 1, 1), again=again)


def hues(n: int, rng: Generator) -> Tensor:
    """n colours of full saturation, evenly on the circle of hues (A. R. Smith, "Color Gamut Transform Pairs", 1978):
    (n, 3) in [0, 1], whose largest is 1 and whose least 0."""
    place = HUES * torch.rand(n, 1, generator=rng)
    apart = (place - torch.tensor([0.0, 2.0, 4.0])).abs()  # of red, green and blue
    return (2 - apart.minimum(HUES - apart)).clamp_(0, 1)


def alike(split: Split, others: Split) -> Split:
    """Data with partners of the same class, other images of it: of each class as many as the rarer has."""
    left, right = [], []
    for each in split.labels.unique():
        own, other = ((part.labels == each).nonzero().squeeze(1) for part in (split, others))
        count = min(len(own), len(other))
        left.append(own[:count])
        right.append(other[:count])
    chosen = torch.cat(left)
    return Split(split.x[chosen], split.labels[chosen], others.x[torch.cat(right)])

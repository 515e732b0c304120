"""Images stacked from others, one a channel: a thousand modes from ten classes."""

import torch
from torch import Generator

from benchmarks.datasets.common.splits import PARTS, Split, Splits, chance

CHANNELS = 3


def stacked(source: Splits, sizes: tuple[int, int, int], seed: int) -> Splits:
    """Stacks of images of one channel, every channel drawn on its own, with repetition; ``sizes`` are those of the
    PARTS.

    All are drawn from all images of the source, so that fresh stacks are to those trained on as draws of one
    distribution. A stack is hardly ever drawn twice: there are as many as the cube of the source's images.
    """
    pool = Split(torch.cat([part.x for part in source.parts]), torch.cat([part.labels for part in source.parts]))
    train, validation, test = (_stack(pool, n, chance(part, seed)) for part, n in zip(PARTS, sizes, strict=True))
    return Splits(train, validation, test, classes=source.classes, levels=source.levels)


def _stack(pool: Split, n: int, rng: Generator) -> Split:
    drawn = torch.randint(len(pool.x), (n, CHANNELS), generator=rng)
    return Split(pool.x.squeeze(1)[drawn], pool.labels[drawn])  # (n, C, H, W), (n, C)

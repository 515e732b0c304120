"""Images stacked from others, one a channel: a thousand modes from ten classes."""

import torch
from torch import Generator

from benchmarks.datasets.common.splits import Split, Splits

CHANNELS = 3


def stacked(source: Splits, images: int, held_out: int, seed: int) -> Splits:
    """Stacks of images of one channel, every channel drawn on its own, with repetition.

    Training stacks are drawn from the source's training split and held-out ones from its test split; these do not
    depend on how many are trained on.
    """
    rng = torch.Generator().manual_seed(seed)
    test = _stack(source.test, held_out, rng)
    return source._replace(train=_stack(source.train, images, rng), test=test)


def _stack(split: Split, n: int, rng: Generator) -> Split:
    drawn = torch.randint(len(split.x), (n, CHANNELS), generator=rng)
    return Split(split.x.squeeze(1)[drawn], split.labels[drawn])  # (n, C, H, W), (n, C)

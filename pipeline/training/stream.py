"""The minibatches of a run, drawn from data that are resident on the device.

Orders are drawn on the CPU, so that every device sees the same minibatches.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from models.common.protocol import Batch
from pipeline.data import Data
from pipeline.seeds import seed_for


class Source(NamedTuple):
    """What training draws from: rows of data, and where there is another domain, of it."""

    x: Tensor  # (N, *shape) as stored
    label: Tensor | None  # (N,)
    caption: Tensor | None  # (N, L)
    partner: Tensor | None  # (M, *partner) as stored
    pairs: bool = False  # whether row i of the partners is that of row i of the data; else they have their own order


def drawn_from(data: Data, pairs: bool) -> Source:
    """The training part, as one sees it who is, or is not, shown pairs.

    Where each datum has its partner, all are shown the first half of the data. Who is shown pairs sees their partners,
    others those of the second half: no partner that they see is one of the data that they see.
    """
    train = data.train
    label = None if data.stacked else train.label
    if train.partner is None or not data.paired:
        if pairs:
            raise ValueError("this model learns from pairs, and the data have none: choose one that learns without")
        return Source(train.x, label, train.caption, train.partner)
    half = len(train.x) // 2
    x, label, caption = (None if each is None else each[:half] for each in (train.x, label, train.caption))
    assert x is not None
    return Source(x, label, caption, train.partner[:half] if pairs else train.partner[half:], pairs)


def stream(
    data: Data, batch: int, seed: int, start_step: int = 0, channels_last: bool = False, pairs: bool = False
) -> Iterator[Batch]:
    """Endless shuffled minibatches from step ``start_step`` on; a step's depends on ``seed`` and that step alone.

    Every epoch goes once through the training split in a new order and drops what does not fill a batch.
    """
    source = drawn_from(data, pairs)
    check_batch(source, batch)
    return _shuffled(data, source, batch, seed, start_step, channels_last)


def check_batch(source: Source, batch: int) -> None:
    size = len(source.x)
    if not 1 <= batch <= size:
        raise ValueError(f"batch = {batch} does not fit the {size} training data; choose a batch from 1 to {size}")


def order_of(size: int, seed: int, epoch: int) -> Tensor:
    """The order in which an epoch goes through ``size`` data."""
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed_for("batches", seed, epoch)))


def partners_of(source: Source, order: Tensor, seed: int, epoch: int) -> Tensor:
    """The partners that stand beside the data of an epoch: their own, or all there are in turn, in orders by chance."""
    if source.pairs or source.partner is None:
        return order
    size = len(source.partner)
    turns = range(-(-len(order) // size))
    return torch.cat([order_of(size, seed_for("partners", seed, epoch), turn) for turn in turns])[: len(order)]


def _shuffled(
    data: Data, source: Source, batch: int, seed: int, start_step: int, channels_last: bool
) -> Iterator[Batch]:
    steps = len(source.x) // batch  # of an epoch
    first_epoch, done = divmod(start_step, steps)
    for epoch in itertools.count(first_epoch):
        order = order_of(len(source.x), seed, epoch)
        # Gathered once an epoch, so that a batch is a slice: the fastest way on a CPU.
        whole = gathered(source, order, partners_of(source, order, seed, epoch), channels_last)
        numbers = torch.arange(epoch * steps, (epoch + 1) * steps, device=source.x.device).unbind()
        for step in range(done, steps):
            yield as_batch(data, whole, numbers[step], slice(step * batch, (step + 1) * batch))
        done = 0


def gathered(source: Source, index: Tensor, partners: Tensor, channels_last: bool) -> Source:
    """Some rows, and their partners; images in the memory layout that is wanted."""

    def rows(values: Tensor, which: Tensor) -> Tensor:
        found = values.index_select(0, which.to(values.device))
        return found.to(memory_format=torch.channels_last) if channels_last and found.dim() == 4 else found

    return Source(
        rows(source.x, index),
        None if source.label is None else rows(source.label, index),
        None if source.caption is None else rows(source.caption, index),
        None if source.partner is None else rows(source.partner, partners),
    )


def as_batch(data: Data, rows: Source, step: Tensor | None = None, part: slice = slice(None)) -> Batch:
    """What a model sees of rows as stored."""
    x, label, caption, partner = (None if each is None else each[part] for each in rows[:4])
    assert x is not None
    return Batch(data.as_input(x), label, step, None if partner is None else data.as_input(partner), caption)


class Shuffle:
    """The same minibatches, gathered by a step itself from where it stands: nothing passes from host to device within a
    step, so that it can be recorded."""

    def __init__(self, data: Data, batch: int, seed: int, channels_last: bool = False, pairs: bool = False) -> None:
        self.data, self.seed, self.epoch, self.channels_last = data, seed, -1, channels_last
        self.source = drawn_from(data, pairs)
        check_batch(self.source, batch)
        steps = len(self.source.x) // batch
        self.order, self.partners = torch.zeros(2, steps, batch, dtype=torch.int64, device=data.train.x.device)

    def fill(self, step: int) -> None:
        """Before a step is taken: a new epoch's order comes to the device, without waiting for it."""
        epoch = step // len(self.order)
        if epoch == self.epoch:
            return
        order = order_of(len(self.source.x), self.seed, epoch)
        self.put(self.order, order)
        if self.source.partner is not None:
            self.put(self.partners, partners_of(self.source, order, self.seed, epoch))
        self.epoch = epoch

    def put(self, there: Tensor, order: Tensor) -> None:
        order = order[: there.numel()].view_as(there)
        there.copy_(order.pin_memory() if there.is_cuda else order, non_blocking=True)

    def batch(self, step: Tensor) -> Batch:
        """That of the step, () int64 on the device."""
        row = (step % len(self.order)).view(1)
        index, partners = (each.index_select(0, row).squeeze(0) for each in (self.order, self.partners))  # (B,)
        return as_batch(self.data, gathered(self.source, index, partners, self.channels_last), step)


def batches_once(data: Data, batch: int, pairs: bool = False) -> Iterator[Batch]:
    """What training draws from once, in order, the last and smaller batch included; partners that are no pairs are
    taken in turn."""
    source = drawn_from(data, pairs)
    turn = torch.arange(len(source.x), device=source.x.device) % (1 if source.partner is None else len(source.partner))
    for start in range(0, len(source.x), batch):
        part = torch.arange(start, min(start + batch, len(source.x)), device=source.x.device)
        yield as_batch(data, gathered(source, part, turn[part], channels_last=False))

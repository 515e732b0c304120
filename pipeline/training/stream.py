"""The minibatches of a run, drawn from data that are resident on the device.

Orders are drawn on the CPU, so that every device sees the same minibatches.
"""

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from models.common.protocol import Batch
from pipeline.data import Data
from pipeline.seeds import seed_for


def stream(data: Data, batch: int, seed: int, start_step: int = 0, channels_last: bool = False) -> Iterator[Batch]:
    """Endless shuffled minibatches from step ``start_step`` on; a step's depends on ``seed`` and that step alone.

    Every epoch goes once through the training split in a new order and drops what does not fill a batch.
    """
    check_batch(data, batch)
    return _shuffled(data, batch, seed, start_step, channels_last)


def check_batch(data: Data, batch: int) -> None:
    size = len(data.train.x)
    if not 1 <= batch <= size:
        raise ValueError(f"batch = {batch} does not fit the {size} training data; choose a batch from 1 to {size}")


def order_of(size: int, seed: int, epoch: int) -> Tensor:
    """The order in which an epoch goes through ``size`` data."""
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed_for("batches", seed, epoch)))


def _shuffled(data: Data, batch: int, seed: int, start_step: int, channels_last: bool) -> Iterator[Batch]:
    x, label = data.train.x, None if data.stacked else data.train.label
    steps = len(x) // batch  # of an epoch
    first_epoch, done = divmod(start_step, steps)
    for epoch in itertools.count(first_epoch):
        order = order_of(len(x), seed, epoch).to(x.device)
        # Gathered once an epoch, so that a batch is a slice: the fastest way on a CPU.
        shuffled, labels = x.index_select(0, order), None if label is None else label.index_select(0, order)
        if channels_last and x.dim() == 4:
            shuffled = shuffled.to(memory_format=torch.channels_last)
        numbers = torch.arange(epoch * steps, (epoch + 1) * steps, device=x.device).unbind()
        for step in range(done, steps):
            part = slice(step * batch, (step + 1) * batch)
            yield Batch(data.as_input(shuffled[part]), None if labels is None else labels[part], step=numbers[step])
        done = 0


class Shuffle:
    """The same minibatches, gathered by a step itself from where it stands: nothing passes from host to device within a
    step, so that it can be recorded."""

    def __init__(self, data: Data, batch: int, seed: int, channels_last: bool = False) -> None:
        check_batch(data, batch)
        self.data, self.seed, self.epoch = data, seed, -1
        self.x, self.label = data.train.x, None if data.stacked else data.train.label
        self.layout = torch.channels_last if channels_last and self.x.dim() == 4 else torch.contiguous_format
        steps = len(self.x) // batch
        self.order = torch.zeros(steps, batch, dtype=torch.int64, device=self.x.device)  # of this epoch

    def fill(self, step: int) -> None:
        """Before a step is taken: a new epoch's order comes to the device, without waiting for it."""
        epoch = step // len(self.order)
        if epoch == self.epoch:
            return
        order = order_of(len(self.x), self.seed, epoch)[: self.order.numel()].view_as(self.order)
        if self.order.is_cuda:
            order = order.pin_memory()
        self.order.copy_(order, non_blocking=True)
        self.epoch = epoch

    def batch(self, step: Tensor) -> Batch:
        """That of the step, () int64 on the device."""
        index = self.order.index_select(0, (step % len(self.order)).view(1)).squeeze(0)  # (B,)
        x = self.x.index_select(0, index).contiguous(memory_format=self.layout)
        label = None if self.label is None else self.label.index_select(0, index)
        return Batch(self.data.as_input(x), label, step=step)


def batches_once(data: Data, batch: int) -> Iterator[Batch]:
    """The whole training split once, in order, the last and smaller batch included."""
    x, label = data.train.x, None if data.stacked else data.train.label
    for start in range(0, len(x), batch):
        part = slice(start, start + batch)
        yield Batch(data.as_input(x[part]), None if label is None else label[part])

"""The minibatches of a run, drawn from data that are resident on the device."""

import itertools
from collections.abc import Iterator

import torch

from models.common.protocol import Batch
from pipeline.data import Data
from pipeline.seeds import seed_for


def stream(data: Data, batch: int, seed: int, start_step: int = 0, channels_last: bool = False) -> Iterator[Batch]:
    """Endless shuffled minibatches from step ``start_step`` on; a step's depends on ``seed`` and that step alone.

    Every epoch goes once through the training split in a new order and drops what does not fill a batch.
    """
    size = len(data.train.x)
    if not 1 <= batch <= size:
        raise ValueError(f"batch = {batch} does not fit the {size} training data; choose a batch from 1 to {size}")
    return _shuffled(data, batch, seed, start_step, channels_last)


def _shuffled(data: Data, batch: int, seed: int, start_step: int, channels_last: bool) -> Iterator[Batch]:
    x, label = data.train.x, None if data.stacked else data.train.label
    steps = len(x) // batch  # of an epoch
    first_epoch, done = divmod(start_step, steps)
    for epoch in itertools.count(first_epoch):
        # Drawn on the CPU, so that a GPU sees the same batches; gathered once an epoch, so that a batch is a slice.
        rng = torch.Generator().manual_seed(seed_for("batches", seed, epoch))
        order = torch.randperm(len(x), generator=rng).to(x.device)
        shuffled, labels = x.index_select(0, order), None if label is None else label.index_select(0, order)
        if channels_last and x.dim() == 4:
            shuffled = shuffled.to(memory_format=torch.channels_last)
        for start in range(done * batch, steps * batch, batch):
            part = slice(start, start + batch)
            yield Batch(data.as_input(shuffled[part]), None if labels is None else labels[part])
        done = 0


def batches_once(data: Data, batch: int) -> Iterator[Batch]:
    """The whole training split once, in order, the last and smaller batch included."""
    x, label = data.train.x, None if data.stacked else data.train.label
    for start in range(0, len(x), batch):
        part = slice(start, start + batch)
        yield Batch(data.as_input(x[part]), None if label is None else label[part])

"""How exactly a run computes, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch


def autocast(precision: str, device: torch.device, *, recorded: bool) -> AbstractContextManager[object]:
    """Where layers run in bf16, if they do. What is recorded must cast its weights anew in every replay."""
    if precision != "bf16":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=not recorded)


@contextmanager
def products(precision: str, device: torch.device) -> Iterator[None]:
    """Products and convolutions of float32 on a GPU in full, or in TF32 where that was asked for."""
    if device.type != "cuda":
        yield
        return
    places: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)  # unlike, but for this switch
    before = [place.allow_tf32 for place in places]
    for place in places:
        place.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        for place, allowed in zip(places, before, strict=True):
            place.allow_tf32 = allowed


class Clock:
    """Seconds that the device worked, not those that passed: they do not depend on what else the machine does.

    `unit` is "cpu" or "gpu". Those of a GPU are known once it has done what lies between `start` and `stop`.
    """

    def __init__(self, device: torch.device) -> None:
        self.unit, self.seconds = "gpu" if device.type == "cuda" else "cpu", 0.0
        self.began = self.ended = 0.0
        self.events = [torch.cuda.Event(enable_timing=True) for _ in range(2)] if self.unit == "gpu" else []

    def start(self) -> None:
        self.began = self.marked(0)

    def stop(self) -> None:
        self.ended = self.marked(1)

    def marked(self, end: int) -> float:
        if self.events:
            self.events[end].record()
        return time.process_time()

    def add(self) -> None:
        """Count what lay between, after the device has been waited for."""
        if self.events:
            began, ended = self.events
            ended.synchronize()
            self.seconds += began.elapsed_time(ended) / 1000  # it says milliseconds
        else:
            self.seconds += self.ended - self.began

"""How exactly a run computes, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


def autocast(precision: str, device: torch.device, *, recorded: bool) -> AbstractContextManager:
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
    places = (torch.backends.cuda.matmul, torch.backends.cudnn)
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
        self.began, self.ended = self.now(), self.now()

    def now(self) -> float | torch.cuda.Event:
        return torch.cuda.Event(enable_timing=True) if self.unit == "gpu" else time.process_time()

    def start(self) -> None:
        self.began = self.marked()

    def stop(self) -> None:
        self.ended = self.marked()

    def marked(self) -> float | torch.cuda.Event:
        moment = self.now()
        if self.unit == "gpu":
            moment.record()
        return moment

    def add(self) -> None:
        """Count what lay between, after the device has been waited for."""
        if self.unit == "gpu":
            self.ended.synchronize()
            self.seconds += self.began.elapsed_time(self.ended) / 1000  # it says milliseconds
        else:
            self.seconds += self.ended - self.began

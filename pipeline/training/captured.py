"""Steps that are recorded once and replayed: on a GPU a step of small nets takes as long as its launches, and a replay
launches all of it at once.

`torch.cuda.graph` records what a whole step asks of the device: which data, the moves, their gradients, the optimizers'
steps, the average, the losses. One recording serves all steps with the same moves. It holds addresses and plain numbers
as they were, so whatever changes from step to step lies in tensors that keep their place.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from pipeline.training.checkpoint import random_state, renew, restore_random_state
from pipeline.training.meters import Pattern

WARM_UP = 3  # steps before a recording: libraries choose their ways, and optimizers make what they keep
Work = Callable[[], None]


def wanted(device: torch.device) -> bool:
    """Steps are recorded on a GPU unless BENCHMARK_CAPTURE is 0."""
    return device.type == "cuda" and os.environ.get("BENCHMARK_CAPTURE", "1") != "0"


def record(work: Work) -> Work:
    """What does `work` again, at once. Recorded and replayed on the current stream, which is not the default one."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        work()
    return graph.replay


@contextmanager
def untouched(tensors: Callable[[], Sequence[Tensor]], device: torch.device) -> Iterator[None]:
    """Leaves the tensors and the global chance as they were. A tensor that came to be within is what an optimizer
    keeps, and starts at zero."""
    kept, chance = [(tensor, tensor.clone()) for tensor in tensors()], random_state(device)
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, before in kept:
                tensor.copy_(before)
            there = {id(tensor) for tensor, _ in kept}
            for tensor in tensors():
                if id(tensor) not in there:
                    tensor.zero_()
        restore_random_state(chance, device)


class Captured:
    """Takes steps by replaying them. What cannot be recorded is taken as it is, and that is said."""

    def __init__(
        self,
        step: Callable[[Pattern], None],
        tensors: Callable[[], Sequence[Tensor]],
        forget: Work,
        device: torch.device,
        name: str,
    ) -> None:
        """`tensors` are all that a step changes; `forget` drops what a step leaves behind."""
        self.step, self.tensors, self.forget, self.device, self.name = step, tensors, forget, device, name
        self.replays: dict[Pattern, Work] = {}
        self.eager = False

    def __call__(self, moves: Pattern) -> None:
        if self.eager:
            self.step(moves)
            return
        if moves not in self.replays:
            self.prepare(moves)
        self.replays[moves]()

    def prepare(self, moves: Pattern) -> None:
        """Record a step with these moves, and be where one was before."""

        def work() -> None:
            self.step(moves)

        with untouched(self.tensors, self.device):
            for _ in range(WARM_UP):
                work()
            self.forget()
            try:
                self.replays[moves] = record(work)
            except Exception as error:  # whatever it is: if the model is at fault, the step as it is will say so
                self.give_up(error)
        self.replays.setdefault(moves, work)
        self.forget()

    def give_up(self, error: BaseException) -> None:
        while error.__context__ is not None:  # the end of a failed recording raises, too; the first error is the reason
            error = error.__context__
        reason = " ".join(str(error).split())[:200]
        print(f"{self.name}: its steps cannot be recorded and are taken one by one ({reason})", file=sys.stderr)
        self.eager = True
        self.replays.clear()
        renew(self.device)

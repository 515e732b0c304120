"""The chance that training takes from torch's global generators, as a checkpoint keeps it and as runs share them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """The state of the global generators that training noise comes from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    """Set the global generators as `random_state` found them."""
    torch.set_rng_state(state["cpu"].cpu())
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)


def of_gpu(device: torch.device) -> Generator:
    """The global generator of a GPU."""
    torch.cuda.init()
    return torch.cuda.default_generators[torch.cuda.current_device() if device.index is None else device.index]


class Chance:
    """A run's own state of the global generators: in their place while the run works, so that runs can take turns.

    From `seed`, or as the generators stand when the run begins. On a GPU it is the state itself that changes places and
    not its value, since what has been recorded draws from the state that it was recorded with.
    """

    def __init__(self, device: torch.device, seed: int | None) -> None:
        self.device, self.seed = device, seed
        self.own: torch.Tensor | None = None
        self.own_of_gpu: Generator | None = None

    @contextmanager
    def installed(self) -> Iterator[None]:
        outside = torch.get_rng_state()
        gpu = of_gpu(self.device) if self.device.type == "cuda" else None
        outside_of_gpu = gpu and gpu.graphsafe_get_state()
        self.enter(gpu)
        try:
            yield
        finally:
            self.own = torch.get_rng_state()
            torch.set_rng_state(outside)
            if gpu and outside_of_gpu:
                self.own_of_gpu = gpu.graphsafe_get_state()
                gpu.graphsafe_set_state(outside_of_gpu)

    def enter(self, gpu: Generator | None) -> None:
        if gpu:
            gpu.graphsafe_set_state(self.own_of_gpu or gpu.clone_state())
        if self.own is not None:
            torch.set_rng_state(self.own)
        elif self.seed is not None:
            torch.default_generator.manual_seed(self.seed)
            if gpu:
                gpu.manual_seed(self.seed)


def renew(device: torch.device) -> None:
    """Put a new state in a GPU's generator: one that a recording failed with stays as if still being recorded."""
    if device.type == "cuda":
        of_gpu(device).graphsafe_set_state(Generator(device))

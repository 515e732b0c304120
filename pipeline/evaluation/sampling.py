"""Samples of a model, what they are compared with, and the file that other tools read them from."""

import io
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from models.common.protocol import Model
from pipeline.data import Data
from pipeline.seeds import seed_for

CHUNK = 2000  # samples generated at once


class Halves(NamedTuple):
    """Where in the test part two sets of n data stand that have none in common."""

    reference: Tensor  # (n,) what the samples of a seed are compared with
    oracle: Tensor  # (n,) what the oracle shows as its samples


def halves(data: Data, benchmark: str, seed: int, n: int) -> Halves:
    """Those of one seed, by chance from the benchmark's name and the seed alone: the same for every model."""
    size = len(data.test.x)
    check_samples(benchmark, n, size)
    rng = Generator().manual_seed(seed_for("halves", benchmark, seed))  # on the CPU, so that a GPU sees the same
    order = torch.randperm(size, generator=rng).to(data.test.x.device)
    return Halves(order[:n], order[n : 2 * n])


def check_samples(benchmark: str, n: int, size: int) -> None:
    """Raise ValueError unless a test part of that size has two such halves."""
    if 2 * n > size:
        raise ValueError(
            f"{benchmark}: evaluation.samples = {n}: as many of the {size} test data are the reference, and as many "
            f"the oracle's; ask for {size // 2} at most"
        )


def asked(model: Model, data: Data, n: int, rng: Generator, shown: Tensor | None = None) -> Tensor | None:
    """What a model is given to make n samples: labels, as often as they occur in training, or held-out images, of those
    ``shown`` or of the validation part."""
    if model.given == "nothing":
        return None
    known = data.train.labels if model.given == "label" else data.validation.x if shown is None else shown
    drawn = known[torch.randint(len(known), (n,), generator=rng, device=rng.device)]
    return drawn if model.given == "label" else data.as_input(drawn)


def generate(model: Model, n: int, given: Tensor | None, rng: Generator) -> Tensor:
    """``n`` samples of ``model``, a chunk at a time."""
    counts = [min(CHUNK, n - start) for start in range(0, n, CHUNK)]
    parts = [None] * len(counts) if given is None else given.split(CHUNK)
    return torch.cat([model.sample(count, part, rng) for count, part in zip(counts, parts, strict=True)])


def packed(**arrays: Tensor | np.ndarray | int | None) -> bytes:
    """The content of an .npz file; what is None is left out."""
    buffer = io.BytesIO()
    known = {name: value for name, value in arrays.items() if value is not None}
    stored: dict[str, Any] = {
        name: value.cpu().numpy() if isinstance(value, Tensor) else np.array(value) for name, value in known.items()
    }
    np.savez_compressed(buffer, **stored)
    return buffer.getvalue()

"""Samples of a model, what they are compared with, and the file that other tools read them from."""

import io
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from benchmarks.datasets.common.splits import Split
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


def asked(model: Model, data: Data, n: int, rng: Generator, half: Tensor | None = None) -> Tensor | None:
    """What a model is given to make n samples: labels, as often as they occur in training, or what is held out, of the
    validation part.

    ``half`` names n test data instead, whose own partner, first frames or caption is given: sample i then stands beside
    datum i of these.
    """
    if model.given == "nothing":
        return None
    held_out = data.validation if half is None else data.test
    known = source(model, data, data.train if model.given == "label" else held_out)
    if half is not None and model.given != "label":
        known = known[half]
    if half is None or model.given in ("label", "image"):
        known = known[torch.randint(len(known), (n,), generator=rng, device=rng.device)]
    return known if model.given in ("label", "caption") else data.as_input(known)


def source(model: Model, data: Data, part: Split) -> Tensor:
    """What of each datum of a part such a model is given."""
    known = {
        "label": part.label,
        "image": part.x,
        "partner": part.partner,
        "clip": part.x[:, : data.seen],
        "caption": part.caption,
    }[model.given]
    if known is None:
        raise ValueError(f"the data have no {model.given}s, which this model is given: choose data that have")
    return known


def generate(model: Model, n: int, given: Tensor | None, rng: Generator, **changed: Any) -> Tensor:
    """``n`` samples of ``model``, a chunk at a time; ``changed`` are keywords of its sampler (`Sweeps`)."""
    counts = [min(CHUNK, n - start) for start in range(0, n, CHUNK)]
    parts = [None] * len(counts) if given is None else given.split(CHUNK)
    return torch.cat([model.sample(count, part, rng, **changed) for count, part in zip(counts, parts, strict=True)])


def packed(**arrays: Tensor | np.ndarray | int | None) -> bytes:
    """The content of an .npz file; what is None is left out."""
    buffer = io.BytesIO()
    known = {name: value for name, value in arrays.items() if value is not None}
    stored: dict[str, Any] = {
        name: value.cpu().numpy() if isinstance(value, Tensor) else np.array(value) for name, value in known.items()
    }
    np.savez_compressed(buffer, **stored)
    return buffer.getvalue()

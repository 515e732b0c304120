"""Samples of a model, and the file that other tools read them from."""

import io
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from models.common.protocol import Model
from pipeline.data import Data

CHUNK = 2000  # samples generated at once


def asked(model: Model, data: Data, n: int, rng: Generator) -> Tensor | None:
    """What a model is given to make n samples: labels, as often as they occur in training, or held-out images."""
    if model.given == "nothing":
        return None
    known = data.train.labels if model.given == "label" else data.test.x
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

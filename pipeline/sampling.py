"""Samples of a model, and the file that other tools read them from."""

import io

import numpy as np
import torch
from torch import Generator, Tensor, nn

from pipeline.data import Data

CHUNK = 2000  # samples generated at once


def asked_labels(model: nn.Module, data: Data, n: int, rng: Generator) -> Tensor | None:
    """For a model that is told labels, n of them, as often as they occur in the training data."""
    if model.given != "label":
        return None
    return data.train.label[torch.randint(len(data.train.x), (n,), generator=rng, device=rng.device)]


def generate(model: nn.Module, n: int, given: Tensor | None, rng: Generator) -> Tensor:
    """``n`` samples of ``model``, a chunk at a time."""
    counts = [min(CHUNK, n - start) for start in range(0, n, CHUNK)]
    labels = [None] * len(counts) if given is None else given.split(CHUNK)
    return torch.cat([model.sample(count, label, rng) for count, label in zip(counts, labels, strict=True)])


def packed(**arrays: Tensor | int | None) -> bytes:
    """The content of an .npz file; what is None is left out."""
    buffer = io.BytesIO()
    known = {name: value for name, value in arrays.items() if value is not None}
    np.savez_compressed(
        buffer, **{name: v.cpu().numpy() if isinstance(v, Tensor) else np.array(v) for name, v in known.items()}
    )
    return buffer.getvalue()

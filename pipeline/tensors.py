"""Tensors in files: written whole or not at all, and read without trusting pickles."""

import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.common.protocol import Model
from pipeline.files import atomic_write


def save_tensors(path: Path, content: Any) -> None:
    """Write tensors, numbers, strings and containers of them; whole or not at all."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    atomic_write(path, buffer.getvalue())


def load_tensors(path: Path, device: torch.device | str = "cpu") -> Any:
    """Read what `save_tensors` wrote; never runs code from the file.

    Raises OSError if there is no such file, ValueError (one line) if it is damaged or holds more than tensors and plain
    values.
    """
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises zip, pickle, EOF, system and runtime errors for one and the same fact
        if isinstance(error, OSError) and error.filename is not None:
            raise
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}); delete it and run the same command again"
        ) from error


def model_state(model: nn.Module | Model) -> dict[str, torch.Tensor]:
    """The model's parameters and buffers on the CPU, in plain memory layout."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}

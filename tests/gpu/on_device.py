"""What the checks of a device share. Where there is no GPU they run in small on the CPU, all but the recording itself.

They need torch, numpy, scipy, scikit-learn, psutil, tqdm and pytest, and nothing else of what the project needs.
"""

from pathlib import Path

import pytest
import torch

import models
from benchmarks.datasets import Split
from pipeline.data import Data, chosen_device
from pipeline.training import engine
from pipeline.training.settings import Training

DEVICE = chosen_device()
GPU = DEVICE.type == "cuda"


def points(n: int = 300) -> Data:
    rng = torch.Generator().manual_seed(0)
    x, label = torch.randn(n, 2, generator=rng).to(DEVICE), torch.randint(3, (n,), generator=rng).to(DEVICE)
    split = Split(x, label, partner=1 - x)
    return Data(split, split, split, classes=3, paired=True)


def images(n: int = 100, size: int = 8, levels: int = 17) -> Data:
    rng = torch.Generator().manual_seed(0)
    x = torch.randint(levels, (n, 1, size, size), generator=rng, dtype=torch.uint8)
    split = Split(x.to(DEVICE), torch.randint(3, (n,), generator=rng).to(DEVICE), partner=(levels - 1 - x).to(DEVICE))
    return Data(split, split, split, classes=3, levels=levels, paired=True)


def binary() -> Data:
    return images(levels=2)


def new_run(
    name: str, data: Data, folder: Path, seed: int = 0, model: dict | None = None, **changes: object
) -> engine.Run:
    """A run whose start and chance follow from the seed; skips where the model refuses the data."""
    torch.manual_seed(seed)
    settings = {"steps": 12, "batch": 32, "ema": 0.9, "lr_decay": "linear", "precision": "fp32", "channels_last": False}
    constructor = models.load(name)
    small = {"width": 16} if "width" in models.hyperparameters(constructor) else {}
    try:
        built = constructor(data.spec, **(small if model is None else model))
    except ValueError as refusal:
        pytest.skip(str(refusal))
    return engine.Run(built, data, Training(**{**settings, **changes}), 0, DEVICE, folder / "0", noise=seed)

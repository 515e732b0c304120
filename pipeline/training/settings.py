"""The budget and the numerics of a training run."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Training:
    """The same for every model of a benchmark."""

    steps: int
    batch: int
    ema: float
    precision: Literal["fp32", "bf16"]
    channels_last: bool
    lr_decay: Literal["none", "linear"] = "none"
    snapshots: int = 0
    snapshot_samples: int = 500

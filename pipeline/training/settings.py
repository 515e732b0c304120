"""The budget and the numerics of training, the same for every model of a benchmark.

Plain, so that what trains needs no more than torch; `pipeline.params` reads them and holds them to their bounds.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Training:
    steps: int  # minibatches of real data seen
    batch: int
    ema: float  # decay of the averaged weights that are evaluated; 0: the last weights
    precision: Literal["fp32", "tf32", "bf16"]  # of products on a GPU, where only fp32 is full; of layers: bf16
    channels_last: bool
    lr_decay: Literal["none", "linear"] = "none"  # linear: every learning rate falls to 0 at the last step
    snapshots: int = 0  # how often samples are kept during training, evenly spaced
    snapshot_samples: int = 500

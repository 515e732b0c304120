"""A prepared benchmark's data: one file, loaded once, resident on the device."""

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.datasets.common.splits import PARTS, Split, Splits, Truth
from models.common.protocol import Spec
from pipeline.files import remedy
from pipeline.tensors import load_tensors, save_tensors


def chosen_device() -> torch.device:
    """BENCHMARK_DEVICE, or the GPU where there is one, or the CPU."""
    name = os.environ.get("BENCHMARK_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):  # torch raises either, for an unknown name and for a missing device
        raise ValueError(f"BENCHMARK_DEVICE = {name!r}: no such device here; leave it out, or set cpu") from None
    return torch.device(name)


def made_on(device: torch.device) -> dict[str, str | int | None]:
    """What a result was computed with: for a record, since it may differ in the last digits elsewhere."""
    gpu = device.type == "cuda"
    return {
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if gpu else processor(),
        "cuda": torch.version.cuda if gpu else None,
        "threads": torch.get_num_threads(),
    }


def processor() -> str:
    """The name of this machine's processor."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


@dataclass(frozen=True)
class Data:
    """The three parts on the device, as stored: uint8 levels or float32 points."""

    train: Split
    validation: Split
    test: Split
    classes: int = 0
    levels: int = 0
    truth: Truth | None = None
    paired: bool = False
    seen: int = 0
    speed: int = 0
    vocabulary: tuple[str, ...] = ()

    @property
    def spec(self) -> Spec:
        """Data with a label for every channel are unlabelled to a model."""
        partner = () if self.train.partner is None else tuple(self.train.partner.shape[1:])
        classes = 0 if self.stacked else self.classes
        return Spec(tuple(self.train.x.shape[1:]), classes, self.levels, partner, self.seen, len(self.vocabulary))

    @property
    def stacked(self) -> bool:
        """Whether every channel has a label of its own: (N, C) and not (N,)."""
        return self.train.label is not None and self.train.label.dim() == 2

    def as_input(self, x: Tensor) -> Tensor:
        """What a model sees of stored data: level k of L becomes 2k/(L-1) - 1 in float32; points stay as they are."""
        return x.float().mul_(2 / (self.levels - 1)).sub_(1) if self.levels else x

    def to_levels(self, x: Tensor) -> Tensor:
        """The stored form of what a model gives: the nearest level as uint8, 0 for NaN; points stay as they are."""
        if not self.levels:
            return x
        top = self.levels - 1
        return x.float().add(1).mul_(top / 2).round_().nan_to_num_(0.0).clamp_(0, top).to(torch.uint8)


def save(splits: Splits, path: Path) -> None:
    """Write a data set as `load` reads it: tensors and plain values."""
    content = splits._asdict()
    for name in PARTS:
        # A slice, unless cloned, would take along everything that it was cut from.
        content[name] = {key: value.clone() for key, value in content[name]._asdict().items() if value is not None}
    content["truth"] = splits.truth and splits.truth._asdict()
    save_tensors(path, content)


def load(path: Path, device: torch.device | str) -> Data:
    """The prepared data, on the device. Raises FileNotFoundError or ValueError, in one line with the remedy."""
    content = read_output(path, device)
    if absent := [part for part in PARTS if part not in content]:
        raise ValueError(
            f"{path} holds no {' and no '.join(absent)} part: an older version made it; run `{remedy(path)}`"
        )
    truth = content.pop("truth")
    train, validation, test = (Split(**content.pop(part)) for part in PARTS)
    return Data(train, validation, test, **content, truth=truth and Truth(**truth))


def read_output(path: Path, device: torch.device | str) -> Any:
    """Tensors that an earlier stage wrote to artifacts/<benchmark>/<stage>/."""
    try:
        return load_tensors(path, device)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing; run `{remedy(path)}`") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} is damaged or unreadable; delete it and run `{remedy(path)}`") from error

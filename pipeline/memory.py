"""What settings ask of memory at the least: sizes that cannot fit are named before anything runs.

These are lower bounds: what is counted is held at once, and far from all is counted.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psutil
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from models.common.protocol import Model, Spec
from pipeline import params

FLOAT, LABEL = 4, 8  # bytes
TRAINED = 4 * FLOAT  # a weight, its gradient, and two averages of Adam's
LAYERS = 10_000  # parameters and buffers by name; the largest net here has some hundred


def fits(wanted: int, where: str, what: str) -> None:
    """Raise ValueError if ``what`` takes more bytes than this machine has."""
    if wanted > (there := psutil.virtual_memory().total):
        raise ValueError(
            f"{where}: {what} would take {wanted / 1e9:,.0f} GB of memory at the least, and this machine has "
            f"{there / 1e9:,.0f} GB; choose fewer or smaller ones"
        )


def check(benchmark: params.Benchmark, spec: Spec, sizes: Mapping[str, Any]) -> None:
    """Raise ValueError for data, batches and samples that cannot fit; ``sizes`` are the settings of the data set."""
    shape = list(spec.shape)
    shape[:1] = [sizes["frames"]] if "frames" in sizes else shape[:1]  # of clips (T, C, H, W)
    shape[-2:] = [sizes["size"]] * 2 if sizes.get("size") else shape[-2:]
    dims, stored = math.prod(shape), 1 if spec.levels else FLOAT
    count = sum(sizes.get(part, 0) for part in ("train", "validation", "test"))
    fits(count * (dims * stored + LABEL), f"{params.file_of(benchmark.name)}: data", f"{count:,} data")
    batch, samples = benchmark.training.batch, benchmark.evaluation.samples
    fits(batch * dims * FLOAT, benchmark.place("training", "batch"), f"a batch of {batch:,}")
    # As many real ones are the reference.
    fits(2 * samples * dims * FLOAT, benchmark.place("evaluation", "samples"), f"{samples:,} samples")
    kept = benchmark.training.snapshots * benchmark.training.snapshot_samples
    fits(kept * dims * stored, benchmark.place("training", "snapshot_samples"), f"{kept:,} samples of snapshots")
    if benchmark.judge:
        judged = benchmark.judge.batch
        fits(judged * dims * FLOAT, benchmark.place("judge", "batch"), f"a batch of {judged:,}")


@contextmanager
def watched(where: str, batch: int) -> Iterator[None]:
    """Models are built within it, and stopped once their weights, or what a batch becomes in them, cannot fit."""
    weights = widths = layers = 0

    def count(layer: nn.Module, name: str, tensor: Tensor | None) -> None:
        nonlocal weights, widths, layers
        if tensor is None:
            return
        weights, layers = weights + tensor.numel(), layers + 1
        widths += tensor.shape[0] if tensor.dim() > 1 else 0  # numbers that a layer gives, at one place of an image
        if layers > LAYERS:
            raise ValueError(f"{where}: a net of more than {LAYERS:,} layers; choose a smaller depth")
        if not tensor.numel():
            raise ValueError(f"{where}: {type(layer).__name__} would have no {name}; choose sizes of 1 and more")
        fits(weights * TRAINED, where, f"a net of {weights:,} weights")
        fits(batch * widths * FLOAT, where, f"{batch:,} data in layers of {widths:,} numbers together")

    hooks = [
        register_module_parameter_registration_hook(count),
        register_module_buffer_registration_hook(count),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def drawn(model: Model, spec: Spec, where: str, batch: int) -> None:
    """Raise ValueError for bounds of many draws that cannot fit: a datum is decoded once for each, those of a batch all
    at once where the bound is trained, those of one datum where it is only scored."""
    for name, data in (("k", batch), ("importance", 1)):
        draws = getattr(model, name, 0)
        wanted = data * draws * math.prod(spec.shape) * FLOAT
        fits(wanted, where, f"{name} = {draws:,} draws for each of {data:,} data")

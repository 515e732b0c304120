"""Where a run would have been stopped: which of its snapshots is the nearest to validation data."""

import math

from torch import Tensor

from benchmarks.metrics.frechet import frechet_distance
from pipeline.data import Data
from pipeline.evaluation.view import Evidence, View

PARTS = ("features", "inception")  # whose Frechet distance decides, each for itself


def chosen(snapshots: dict[int, Tensor], resident: Data, view: View, n: int, wanted: set[str]) -> Evidence:
    """What is seen in the first n samples of the snapshot (step -> samples) with the lowest distance to as many
    validation data, by the parts that are wanted, and the step of the one that features choose."""
    parts = [part for part in PARTS if f"chosen_{part}" in wanted]
    if not parts or not snapshots:
        return {}
    held_out = seen(resident.validation.x[:n], resident, view, parts)
    found: Evidence = {}
    lowest = dict.fromkeys(held_out, math.inf)
    for step, x in snapshots.items():
        samples = seen(x[:n].to(resident.train.x.device), resident, view, parts)
        for part, real in held_out.items():
            if (distance := frechet_distance(real=real, fake=samples[part])) < lowest[part]:
                lowest[part], found[f"chosen_{part}"] = distance, samples[part]
                found |= {"chosen_step": step} if part == "features" else {}
    return found


def seen(x: Tensor, resident: Data, view: View, parts: list[str]) -> dict[str, Tensor]:
    """The parts of what the eyes see in data as they are stored; without those for which there are no eyes."""
    found = view.of("snapshot", resident.as_input(x), {f"snapshot_{part}" for part in parts})
    return {name.removeprefix("snapshot_"): value for name, value in found.items()}

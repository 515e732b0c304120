"""One seed of one cell in training: all that a process runs that trains a model, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import models
from pipeline import data
from pipeline.evaluation.sampling import packed
from pipeline.files import atomic_write
from pipeline.seeds import seed_for
from pipeline.tensors import model_state, save_tensors
from pipeline.training import engine
from pipeline.training.settings import Training

if TYPE_CHECKING:
    from pipeline.work.units import Unit


def train(units: list[Unit], advance: list[Callable[[int], None]]) -> Iterator[tuple[int, dict[str, Any] | Exception]]:
    """Train units of one benchmark, and leave what the stage puts out."""
    return side_by_side(units, advance, record)


def side_by_side(
    units: list[Unit],
    advance: list[Callable[[int], None]],
    record: Callable[[Unit, engine.Run, engine.Divergence | None], dict[str, Any]],
) -> Iterator[tuple[int, dict[str, Any] | Exception]]:
    """Train units of one benchmark, side by side where there are several: the place of each and its record, as they
    end; for one that failed, its error."""
    device = data.chosen_device()
    resident = data.load(units[0].data, device)
    runs = [prepared(unit, resident, device, tell) for unit, tell in zip(units, advance, strict=True)]
    for place, end in engine.together(runs):
        if end is None or isinstance(end, engine.Divergence):
            yield place, record(units[place], runs[place], end)
        else:
            yield place, end


def prepared(unit: Unit, resident: data.Data, device: torch.device, advance: Callable[[int], None]) -> engine.Run:
    """A seed about to be trained, its model and its chance set by its name alone."""
    cell = f"{unit.benchmark}/{unit.contestant}"
    torch.manual_seed(seed_for("init", cell, unit.seed))
    return engine.Run(
        model=models.build(unit.settings["model"], resident.spec, unit.settings["hyperparameters"]),
        data=resident,
        settings=Training(**unit.settings["training"]),
        seed=seed_for("batches", unit.benchmark, unit.seed),
        device=device,
        files=unit.file(""),
        advance=advance,
        noise=seed_for("noise", cell, unit.seed),
    )


def record(unit: Unit, run: engine.Run, divergence: engine.Divergence | None) -> dict[str, Any]:
    """The record of a trained seed. Divergence is a result, not an error."""
    end = {"status": "finished", "step": run.settings.steps, "player": ""}
    if divergence:
        end |= {"status": "diverged", "step": divergence.step, "player": divergence.player}
        run.advance(run.settings.steps - run.meters.last)
    leave(unit, run, end)
    seconds = {"seconds": round(run.seconds, 2), "seconds_of": run.clock.unit}
    return {**end, **seconds, "made": {**data.made_on(run.device), **unit.origin}}


def leave(unit: Unit, run: engine.Run, record: dict[str, Any]) -> None:
    """Write what the stage puts out: curves, snapshots and weights, none of a model that diverged."""
    name = str(unit.seed)
    atomic_write(unit.work / "curves" / f"{name}.csv", run.meters.csv())
    atomic_write(unit.work / "snapshots" / f"{name}.npz", gathered(unit.file(".snapshots"), run.data.levels))
    state = model_state(run.model) if record["status"] == "finished" else {}
    save_tensors(unit.work / "weights" / f"{name}.pt", {**record, "state": state})


def gathered(folder: Path, levels: int) -> bytes:
    """The snapshots of a seed as one .npz: `step` (S,), `x` (S, n, *shape), `levels`."""
    steps = sorted(int(file.stem) for file in folder.glob("*.npz"))
    taken = [np.load(folder / f"{step}.npz", allow_pickle=False)["x"] for step in steps]
    return packed(step=np.array(steps), x=np.stack(taken) if taken else np.empty(0), levels=levels)

"""One seed of one cell under evaluation: all that a process runs that scores a model, and what it leaves."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

import models
from benchmarks import metrics
from models.common.protocol import Model
from pipeline import data
from pipeline.data import Data
from pipeline.evaluation import clips, evidence, retrieval, stopping, translation, uses
from pipeline.evaluation.progress import progress, taken
from pipeline.evaluation.sampling import halves
from pipeline.evaluation.sweeps import swept
from pipeline.evaluation.view import Evidence, View
from pipeline.files import atomic_write, file_digest
from pipeline.seeds import seed_for
from pipeline.tensors import load_tensors

if TYPE_CHECKING:
    from pipeline.work.units import Unit


@torch.no_grad()
def evaluate(unit: Unit, advance: Callable[[int], None]) -> dict[str, Any]:
    """A seed's row (its status and, if it finished, every metric), the columns it fills, and the digests of the weights
    and snapshots it is of. Leaves its samples and its progress."""
    began = time.thread_time()
    device = data.chosen_device()
    resident = data.load(unit.data, device)
    rng = Generator(device).manual_seed(seed_for("sampling", unit.benchmark, unit.seed))
    trained = unit.training_files()
    snapshots = taken(trained["snapshots"]) if trained else {}
    row, found, view = scored(unit, resident, rng, trained.get("weights"), snapshots)
    if not trained and "brought" not in unit.settings:  # as many as a snapshot has
        snapshots = {0: resident.to_levels(found["fake"][: unit.settings["snapshot_samples"]])}
    asked = unit.settings["evaluation"]
    curve = progress(snapshots, resident, view, asked["progress"])
    atomic_write(unit.work / "progress" / f"{unit.seed}.csv", curve)
    advance(1)
    columns = [
        column._replace(main=column.name in asked["main"] if asked["main"] else column.main)._asdict()
        for column in metrics.columns(asked["metrics"])
    ]
    of = {name: file_digest(file) for name, file in trained.items()} | found.get("brought", {})
    made = {**data.made_on(device), **unit.origin}
    cost = {"sample_ms": found.get("sample_ms"), "seconds": round(time.thread_time() - began, 2)}
    return {"row": row, "columns": columns, "of": of, "made": made, **cost}


def scored(
    unit: Unit, resident: Data, rng: Generator, weights: Path | None, snapshots: dict[int, Tensor]
) -> tuple[dict[str, Any], Evidence, View]:
    """The row, the evidence for it, and the eyes it was seen with."""
    chosen, n = unit.settings["evaluation"]["metrics"], unit.settings["evaluation"]["samples"]
    wanted = metrics.needs(chosen)
    half = halves(resident, unit.benchmark, unit.seed, n)
    row: dict[str, Any] = {"seed": unit.seed, "status": "finished"}
    end, model, found = shown(unit, resident, rng, weights, half.oracle, wanted)
    row |= end
    if found.pop("broken", None):  # finite weights that compute no numbers have diverged as well
        row |= {"status": "diverged", "player": "samples, reconstructions or likelihood"}
    view = View(unit.judge, resident, half.reference)
    if row["status"] == "finished":
        samples = unit.work / "samples"
        evidence.save_samples(samples, unit.seed, resident, found)
        uses.save(samples, unit.seed, resident, found)
        translation.save(samples, unit.seed, resident, found)
        clips.save(samples, unit.seed, resident, found)
        if "shuffled_features" in wanted:
            found |= view.of("shuffled", clips.shuffled(resident, half.oracle), wanted)
        found |= view.of_benchmark(wanted) | view.of("fake", found["fake"], wanted)
        found |= stopping.chosen(snapshots, resident, view, n, wanted)
        found |= retrieval.coded(model, resident, view, wanted)
        retrieval.save(samples, unit.seed, resident, found)
        values, reasons = metrics.evaluated(chosen, found)
        row |= {**values, "reasons": reasons}
        row |= {key: found.get(key) for key in ("estimator", "given", "task", "evaluations", "parameters")}
    if row["status"] == "finished" and model is not None:
        row["sweeps"] = swept(model, resident, half.oracle, view, unit.settings["evaluation"]["sweeps"], unit.seed)
    return row, found, view


def shown(
    unit: Unit, resident: Data, rng: Generator, weights: Path | None, half: Tensor, wanted: set[str]
) -> tuple[dict[str, Any], Model | None, Evidence]:
    """How training ended, the trained model and the evidence of it; of the oracle and of what was brought evidence."""
    if "brought" in unit.settings:  # by name: what trained models are evaluated by does not hang on it
        brought = import_module("pipeline.evaluation.brought")
        return {}, None, brought.evidence(unit.settings["brought"], unit.seed, resident, len(half))
    if weights is None:
        return {}, None, evidence.of_oracle(resident, half, rng)
    trained = load_tensors(weights, resident.train.x.device)
    end = {key: trained[key] for key in ("status", "step", "player")}
    if end["status"] != "finished":
        return end, None, {}
    model = built(unit, trained["state"], resident)
    return end, model, evidence.of_model(model, unit.benchmark, resident, half, rng, wanted)


def built(unit: Unit, state: dict[str, Tensor], resident: Data) -> Model:
    """The trained model, on the data's device."""
    model = models.build(unit.settings["model"], resident.spec, unit.settings["hyperparameters"])
    model.to(resident.train.x.device)
    model.load_state_dict(state)
    return model.eval()

"""One trial of settings: a model trained for less than a benchmark's own steps, then judged on the validation part.

All that a process runs for it. It leaves no weights, only its record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator

from benchmarks import metrics
from models.common.protocol import HasLikelihood, Model
from pipeline import data
from pipeline.data import Data
from pipeline.evaluation.evidence import impossible, log_prob
from pipeline.evaluation.sampling import asked, generate
from pipeline.evaluation.view import TESTED, Evidence, View
from pipeline.seeds import seed_for
from pipeline.training import engine
from pipeline.training.unit import side_by_side

if TYPE_CHECKING:
    from pipeline.work.units import Unit

MOST = 10_000  # samples that are judged: as many as there are data for validation, or fewer


def tried(units: list[Unit], advance: list[Callable[[int], None]]) -> Iterator[tuple[int, dict[str, Any] | Exception]]:
    """Try settings on one benchmark. Divergence is a result."""
    return side_by_side(units, advance, record)


def record(unit: Unit, run: engine.Run, divergence: engine.Divergence | None) -> dict[str, Any]:
    began, value = time.thread_time(), None
    if divergence is None:
        value = judged(unit, run.model, run.data)
    else:
        run.advance(run.settings.steps - run.meters.last)
    return {
        "value": value,  # None: diverged, or without such a number
        "diverged": divergence is not None,
        "seconds": round(run.seconds + time.thread_time() - began, 2),
        "seconds_of": run.clock.unit,
        "made": {**data.made_on(run.device), **unit.origin},
    }


@torch.no_grad()
def judged(unit: Unit, model: Model, resident: Data) -> float | None:
    """The column by which settings are chosen, of the validation part; None if the model has none, or no finite one."""
    chosen = unit.settings["evaluation"]["metrics"]
    held_out = replace(resident, test=resident.validation)
    rng = Generator(run_on := resident.train.x.device).manual_seed(seed_for("trial", unit.benchmark, unit.seed))
    first = torch.arange(min(MOST, len(held_out.test.x)), device=run_on)
    found = seen(model, View(unit.judge, held_out, first), rng, metrics.needs(chosen))
    return None if found is None else metrics.evaluate(chosen, found)[unit.settings["by"]]


def seen(model: Model, view: View, rng: Generator, wanted: set[str]) -> Evidence | None:
    """The evidence that the metric asks for: of samples, or of likelihoods. None where numbers are none."""
    held_out, half = view.resident, view.reference
    found = view.compared(wanted)
    if not wanted.isdisjoint({"fake", "fake_features"}):
        fake = generate(model, len(half), asked(model, held_out, len(half), rng, half), rng)
        if not fake.isfinite().all():
            return None
        found["fake"] = held_out.as_input(held_out.to_levels(fake))
        found |= view.of("fake", found["fake"], wanted)
    if "log_prob" in wanted and isinstance(model, HasLikelihood):
        found["log_prob"] = log_prob(model, held_out.as_input(held_out.test.x[:TESTED]), held_out)
        if impossible(found["log_prob"]):
            return None
    return found

"""Samples made in other ways: what metrics say of them against a number that a model's sampler takes."""

import math
from typing import Any

import torch
from torch import Tensor

from benchmarks import metrics
from models.common.protocol import Model, Sweeps
from pipeline.data import Data
from pipeline.evaluation.sampling import asked, generate
from pipeline.evaluation.view import View
from pipeline.seeds import seed_for

SWEPT, NUMBERS = 2_500, 2**20  # samples made each way, and their numbers together, at most


def swept(model: Model, resident: Data, half: Tensor, view: View, chosen: list[str], seed: int) -> dict[str, Any]:
    """Name of the number -> for each value that is tried `at`, it, and the columns of the ``chosen`` metrics.

    All are made from the same noise, for the first of the test data that ``half`` names where they are given any.
    """
    if not chosen or not isinstance(model, Sweeps):
        return {}
    wanted, half = metrics.needs(chosen), half[: min(SWEPT, NUMBERS // math.prod(resident.spec.shape))]
    known = view.compared(wanted)
    found: dict[str, Any] = {}
    for name, values in model.sweeps.items():
        found[name] = []
        for value in values:
            rng = torch.Generator(half.device).manual_seed(seed_for("sweeps", seed))
            given = asked(model, resident, len(half), rng, half)
            fake = resident.as_input(resident.to_levels(generate(model, len(half), given, rng, **{name: value})))
            row = dict.fromkeys(column.name for column in metrics.columns(chosen))
            if bool(fake.isfinite().all()):
                row = metrics.evaluate(chosen, known | {"fake": fake} | view.of("fake", fake, wanted))
            found[name].append({"at": value, **row})
    return found

"""Samples made in other ways: how a sampler is asked for them, what is kept, and the pictures of it."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor, nn

from benchmarks import datasets
from models.common.protocol import Samples, Sweeps
from pipeline.data import Data
from pipeline.evaluation.evidence import timed
from pipeline.evaluation.sampling import halves
from pipeline.evaluation.sweeps import swept
from pipeline.evaluation.view import View
from reports.load import COST, Column, measured
from reports.load import swept as read

NAN = float("nan")


class Sampler(nn.Module):
    """Stays on the first of the ring's modes with one evaluation, and reaches one mode more with each."""

    given, evaluations = "nothing", 8
    sweeps: Mapping[str, tuple[float, ...]] = {"evaluations": (1, 4, 8), "guidance": (0.0, NAN)}

    def __init__(self, centres: Tensor) -> None:
        super().__init__()
        self.centres = centres

    def sample(
        self,
        n: int,
        given: Tensor | None,
        rng: Generator,
        *,
        evaluations: int | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        reached = self.centres[: evaluations or self.evaluations]
        return reached[torch.randint(len(reached), (n,), generator=rng)] + (0.0 if guidance is None else guidance)


@pytest.fixture(scope="module")
def ring() -> Data:
    splits = datasets.load("ring", Path(), {"train": 500, "validation": 10, "test": 800})
    return Data(splits.train, splits.validation, splits.test, splits.classes, truth=splits.truth)


def test_each_way_is_scored_from_the_same_noise(ring: Data) -> None:
    half = halves(ring, "ring", 0, 400)
    model = Sampler(ring.truth.centres)
    assert isinstance(model, Sweeps) and isinstance(model, Samples)
    view = View(Path("none"), ring, half.reference)
    found = swept(model, ring, half.oracle, view, ["modes"], 0)
    assert [(row["at"], row["modes"]) for row in found["evaluations"]] == [(1, 1), (4, 4), (8, 8)]
    none, broken = found["guidance"]
    assert {**none, "at": 8} == found["evaluations"][-1], "the same noise"
    assert broken["modes"] is None, "what is not finite has no score"
    assert swept(model, ring, half.oracle, view, [], 0) == swept(nn.Identity(), ring, half.oracle, view, ["modes"], 0)


def test_what_a_sample_costs_is_timed(ring: Data) -> None:
    x, milliseconds = timed(Sampler(ring.truth.centres), 5_000, None, Generator().manual_seed(0))
    assert len(x) == 5_000 and 0 < milliseconds < 1


def test_older_results_lack_the_cost_and_have_no_sweeps() -> None:
    entry = {"seed": 0, "status": "finished", "modes": 8.0}
    assert list(measured("gan", entry, [Column("modes", "Modes", "higher", 1), *COST])) == [("gan", 0, "modes", 8.0)]
    assert list(read("gan", entry)) == []
    rows = {"evaluations": [{"at": 2, "modes": 7.5, "nats": None}]}
    assert list(read("ddpm", entry | {"sweeps": rows})) == [("ddpm", 0, "evaluations", 2.0, "modes", 7.5)]

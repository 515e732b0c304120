"""The snapshot that a run would have been stopped at, and its Frechet distance."""

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks import metrics
from benchmarks.datasets.common.splits import Split
from benchmarks.metrics.chosen import score
from benchmarks.metrics.frechet import frechet_distance
from pipeline.data import Data
from pipeline.evaluation import stopping


class Means:
    """Eyes that see the mean of each channel as the judge, and twice that as Inception."""

    def of(self, what: str, x: Tensor, wanted: set[str]) -> dict[str, Tensor]:
        seen = {f"{what}_features": x.mean((2, 3)), f"{what}_inception": 2 * x.mean((2, 3))}
        return {name: value for name, value in seen.items() if name in wanted}


def images(mean: float, n: int = 60) -> Tensor:
    """(n, 2, 4, 4) uint8 around a grey level of 256"""
    levels = np.random.default_rng(int(mean)).normal(mean, 10, (n, 2, 4, 4)).clip(0, 255)
    return torch.from_numpy(levels.astype("uint8"))


@pytest.fixture
def data() -> Data:
    train, validation, test = (Split(images(mean), torch.zeros(60).long()) for mean in (100, 120, 160))
    return Data(train, validation, test, levels=256, classes=1)


def test_the_snapshot_nearest_to_validation_data_is_chosen_not_that_nearest_to_the_reference(data: Data) -> None:
    snapshots = {0: images(20), 50: images(119, 70), 100: images(160)}
    wanted = metrics.needs(["chosen"])
    found = stopping.chosen(snapshots, data, Means(), 60, wanted)
    assert found["chosen_step"] == 50
    assert torch.equal(found["chosen_features"], data.as_input(snapshots[50][:60]).mean((2, 3)))
    assert torch.equal(found["chosen_inception"], 2 * found["chosen_features"])


def test_nothing_is_chosen_where_nobody_asks_or_no_snapshot_is(data: Data) -> None:
    assert stopping.chosen({5: images(20)}, data, Means(), 60, {"real_features"}) == {}
    assert stopping.chosen({}, data, Means(), 60, metrics.needs(["chosen"])) == {}


def test_the_distance_is_of_as_many_samples_as_the_last_steps() -> None:
    rng = torch.Generator().manual_seed(0)
    real, drawn = torch.randn(50, 3, generator=rng), torch.randn(80, 3, generator=rng)
    known = dict(real_features=real, real_inception=None, chosen_inception=None, features_of="judge", chosen_step=7)
    found = score(**known, chosen_features=drawn)
    assert found["fjd_chosen"] == frechet_distance(real=real, fake=drawn[:50])
    assert (found["fid_chosen"], found["chosen_step"]) == (None, 7)
    few = metrics.evaluated(["chosen"], known | {"chosen_features": drawn[:49]})
    assert set(few.values.values()) == {None}
    assert few.reasons["fjd_chosen"] == (
        "a snapshot has 49 samples, and 50 are scored: set training.snapshot_samples to 50"
    )

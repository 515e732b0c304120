"""Recall and coverage on the training and on the held-out side."""

import pytest
import torch
from torch import Tensor

from benchmarks.metrics import generalisation as metric
from benchmarks.metrics.common.draw import draw
from benchmarks.metrics.generalisation import generalisation
from benchmarks.metrics.manifold import manifold


def draws(n: int, seed: int, dims: int = 4) -> Tensor:
    return torch.randn(n, dims, generator=torch.Generator().manual_seed(seed))


def test_a_copier_recalls_all_training_data_and_not_all_held_out_data() -> None:
    real, train = draws(300, 0), draws(300, 1)
    found, unseen = generalisation(real=real, train=train, fake=train), manifold(real=real, fake=train)
    assert (found["recall_train"], found["coverage_train"]) == (1, 1)
    assert found["recall_gap"] == 1 - unseen.recall > 0.02
    assert found["coverage_gap"] == 1 - unseen.coverage > 0.02


def test_fresh_draws_have_no_gap() -> None:
    times = 40
    found = [
        generalisation(real=draws(200, 3 * i), train=draws(200, 3 * i + 1), fake=draws(200, 3 * i + 2))
        for i in range(times)
    ]
    for name in ("recall_gap", "coverage_gap"):
        gaps = torch.tensor([one[name] for one in found])
        assert gaps.mean().item() == pytest.approx(0, abs=4 * gaps.std().item() / times**0.5), name


def test_all_sets_hold_equally_many() -> None:
    real, train, fake = draws(150, 0), draws(400, 1), draws(200, 2)
    few = fake[draw(fake, 150)]
    seen, unseen = manifold(real=train[draw(train, 150)], fake=few), manifold(real=real, fake=few)
    found = generalisation(real=real, train=train, fake=fake)
    assert (found["recall_train"], found["coverage_train"]) == (seen.recall, seen.coverage)
    assert (found["recall_gap"], found["coverage_gap"]) == (
        seen.recall - unseen.recall,
        seen.coverage - unseen.coverage,
    )


def test_a_dropped_half_is_dropped_on_both_sides() -> None:
    fake = draws(2000, 2, 2)
    found = generalisation(real=draws(900, 0, 2), train=draws(900, 1, 2), fake=fake[fake[:, 0] > 0])
    assert 0.5 < found["coverage_train"] < 0.65  # and of the other half what lies along the border
    assert abs(found["coverage_gap"]) < 0.1


def test_large_sets_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric, "SAMPLES", 100)
    real, train, fake = draws(300, 0), draws(400, 1), draws(500, 2)
    cut = {name: x[draw(x, 100)] for name, x in (("real", real), ("train", train), ("fake", fake))}
    assert generalisation(real=real, train=train, fake=fake) == generalisation(**cut)


def test_bad_input_is_one_line() -> None:
    with pytest.raises(ValueError, match="dimensions and fake has 3"):
        generalisation(real=draws(50, 0), train=draws(50, 1), fake=draws(50, 2, 3))
    with pytest.raises(ValueError, match="train holds too few samples, 5: give 6 or more"):
        generalisation(real=draws(50, 0), train=draws(5, 1), fake=draws(50, 2))
    with pytest.raises(ValueError, match="train is not finite"):
        generalisation(real=draws(50, 0), train=draws(50, 1).log(), fake=draws(50, 2))

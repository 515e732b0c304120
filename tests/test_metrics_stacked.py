"""Modes of stacked images, on labels whose counts are known."""

import math

import pytest
import torch

from benchmarks.metrics.stacked_modes import COLUMNS, score


def test_counts_of_known_labels() -> None:
    labels = torch.tensor([7] * 20 + [123] * 19 + [999])
    values = score(fake_labels=labels, classes=1000)
    assert (values["stacked_modes"], values["stacked_modes_20"]) == (3, 1)
    entropy = -sum(share * math.log(share) for share in (0.5, 19 / 40, 1 / 40))
    assert values["stacked_kl"] == pytest.approx(math.log(1000) - entropy)


def test_uniform_draws_meet_the_floor() -> None:
    """2 n KL is chi-squared with 999 degrees of freedom: mean 999, variance 1998; nothing is missed in 26,000 draws."""
    rng = torch.Generator().manual_seed(0)
    draws = [score(fake_labels=torch.randint(1000, (26_000,), generator=rng), classes=1000) for _ in range(20)]
    floor = 999 / 52_000
    assert sum(values["stacked_kl"] for values in draws) / 20 == pytest.approx(floor, rel=4 * (2 / 999 / 20) ** 0.5)
    assert {values["stacked_modes"] for values in draws} == {1000}
    assert f"{floor:.4f}" in next(column.note for column in COLUMNS if column.name == "stacked_kl")


def test_the_main_columns_are_modes_and_reverse_kl() -> None:
    assert [column.name for column in COLUMNS if column.main] == ["stacked_modes", "stacked_kl"]


def test_a_label_beyond_the_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"fake_labels spans 3\.\.1000: with 1000 classes a label is 0\.\.999"):
        score(fake_labels=torch.tensor([3, 1000]), classes=1000)

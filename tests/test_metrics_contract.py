"""What every metric keeps: one suite over the folder's listing, so that a new metric cannot be missing from it."""

import math
import re
from inspect import Parameter, signature
from typing import Any

import pytest
import torch

from benchmarks import metrics

METRICS = metrics.names()
PER_REAL = ("real", "real_features", "real_labels", "log_prob")
PER_FAKE = ("fake", "fake_features", "fake_labels", "given_labels")


def evidence(spoilt: bool = False) -> dict[str, Any]:
    """Everything a metric may ask for, of a model that gives back the held-out data, or of one that collapsed."""
    rng = torch.Generator().manual_seed(0)
    n, classes, sigma = 400, 4, 0.1
    centres = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]])
    label = torch.arange(n) % classes
    real = centres[label] + sigma * torch.randn(n, 2, generator=rng)
    features = torch.randn(n, 16, generator=rng)
    log_prob = -torch.rand(n, generator=rng)
    found = {
        "real": real, "real_features": features, "real_labels": label, "given_labels": label,
        "fake": real.clone(), "fake_features": features.clone(), "fake_labels": label.clone(), "log_prob": log_prob,
        "classes": classes, "centres": centres, "sigma": sigma, "dims": 2, "levels": 2,
    }  # fmt: skip
    if spoilt:
        found["fake"] = torch.cat([centres[:1].expand(n // 2, 2), centres[:1].expand(n // 2, 2) + 1])
        found["fake_features"] = features * 0.01 + 10
        found["fake_labels"] = torch.zeros_like(label)
        found["log_prob"] = log_prob - 1
    return found


def same(left: dict[str, float | None], right: dict[str, float | None]) -> bool:
    return left.keys() == right.keys() and all(
        left[key] == right[key] or math.isclose(left[key], right[key], rel_tol=1e-9, abs_tol=1e-9) for key in left
    )


def test_the_suite_has_every_piece_of_evidence() -> None:
    assert evidence().keys() == metrics.EVIDENCE.keys()


def test_columns_have_names_of_their_own() -> None:
    named = [column.name for column in metrics.columns(METRICS)]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("name", METRICS)
def test_scores_are_finite_and_are_the_columns(name: str) -> None:
    values = metrics.evaluate([name], evidence())
    assert list(values) == [column.name for column in metrics.load(name).COLUMNS]
    assert all(type(value) is float and math.isfinite(value) for value in values.values())


@pytest.mark.parametrize("name", METRICS)
def test_without_evidence_every_column_is_none(name: str) -> None:
    values = metrics.evaluate([name], {})
    assert list(values) == [column.name for column in metrics.load(name).COLUMNS]
    assert set(values.values()) == {None}


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("moved", [PER_REAL, PER_FAKE])
def test_the_order_of_samples_does_not_matter(name: str, moved: tuple[str, ...]) -> None:
    found = evidence()
    order = torch.randperm(len(found["real"]), generator=torch.Generator().manual_seed(1))
    shuffled = found | {key: found[key][order] for key in moved}
    assert same(metrics.evaluate([name], found), metrics.evaluate([name], shuffled))


@pytest.mark.parametrize("name", METRICS)
def test_evidence_is_left_as_it_was(name: str) -> None:
    found, untouched = evidence(), evidence()
    metrics.evaluate([name], found)
    for key, value in found.items():
        assert torch.equal(value, untouched[key]) if isinstance(value, torch.Tensor) else value == untouched[key]


@pytest.mark.parametrize("name", METRICS)
def test_evidence_is_asked_for_by_name(name: str) -> None:
    parameters = signature(metrics.load(name).score).parameters
    assert all(parameter.kind is Parameter.KEYWORD_ONLY for parameter in parameters.values())
    assert all(parameter.default is Parameter.empty for parameter in parameters.values())
    assert parameters.keys() <= metrics.EVIDENCE.keys()


@pytest.mark.parametrize("name", METRICS)
def test_the_better_model_scores_better(name: str) -> None:
    """Giving back the held-out data beats collapse in every column, in the direction that the column states."""
    good, bad = metrics.evaluate([name], evidence()), metrics.evaluate([name], evidence(spoilt=True))
    for column in metrics.load(name).COLUMNS:
        assert column.direction in ("higher", "lower", None)
        if column.direction == "higher":
            assert good[column.name] > bad[column.name], column.name
        if column.direction == "lower":
            assert good[column.name] < bad[column.name], column.name


@pytest.mark.parametrize("name", METRICS)
def test_columns_can_be_printed(name: str) -> None:
    for column in metrics.load(name).COLUMNS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
        assert column.label
        assert column.decimals >= 0
        assert column.note.endswith(".")


@pytest.mark.parametrize("name", METRICS)
def test_the_source_is_cited(name: str) -> None:
    assert re.search(r"\b(19|20)\d\d\b", metrics.load(name).__doc__)


@pytest.mark.parametrize("name", METRICS)
def test_double_precision_is_taken_too(name: str) -> None:
    doubled = {
        key: value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
        for key, value in evidence().items()
    }
    assert same(metrics.evaluate([name], evidence()), metrics.evaluate([name], doubled))


def test_a_misspelt_metric_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="'frechett': did you mean 'frechet'"):
        metrics.load("frechett")

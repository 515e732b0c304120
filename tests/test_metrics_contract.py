"""What every metric keeps: one suite over the folder's listing, so that a new metric cannot be missing from it."""

import math
import re
from inspect import Parameter, signature
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from benchmarks import metrics
from benchmarks.datasets.common import bouncing, strokes

METRICS = metrics.names()
KINDS = ("points", "images", "clips")
PER_REAL = (
    "real", "real_features", "real_labels", "real_probabilities", "real_inception", "real_imagenet", "partner",
)  # fmt: skip
PER_TEST = (
    "test",
    "test_labels",
    "log_prob",
    "reconstructed",
    "hidden_log_prob",
    "rate",
    "distortion",
    "codes",
    "test_codes",
    "test_pixels",
)
PER_TRAIN = ("taught", "train", "train_features", "train_log_prob", "train_labels", "train_codes", "train_pixels")
PER_FAKE = (
    "fake", "asked", "fake_features", "fake_labels", "fake_probabilities", "given_labels", "fake_inception",
    "fake_inception_probabilities", "fake_imagenet", "source", "source_labels", "target", "back", "returned",
    "returned_after_noise", "true_clips", "true_clip_labels", "chosen_features", "chosen_inception",
)  # fmt: skip
ESTIMATED = ("W1", "scaled W1", "KL", "reverse KL", "JS")  # divergences that a critic may estimate
CLASSES, SIDE, LEVELS = 4, 16, 5
SEEN, FRAMES, SPEED = 4, 10, 2  # of clips
BY_LOT = {  # columns that divide even few samples, into halves or pairs, and so depend on their order
    "fjd_infinite", "fd_infinite", "fid_infinite", "kjd_subsets", "kjd_sd", "kid_subsets", "kid_sd", "ndb", "bins_js",
    "c_t", "pair_ssim", "c2st_knn", "c2st_linear",
}  # fmt: skip


def evidence(kind: str, spoilt: bool = False, seed: int = 0) -> dict[str, Any]:
    """Everything a metric may ask for, of a model that gives back the held-out data, or of one that collapsed."""
    rng = torch.Generator().manual_seed(seed)
    n, sigma = 400, 0.1
    centres = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]])
    label = torch.arange(n) % CLASSES
    draw = {"points": points_of, "images": images_of, "clips": clips_of}[kind]
    real, train = (draw(label, centres, sigma, rng) for _ in range(2))
    seen, seen_train = (torch.randn(n, 16, generator=rng) for _ in range(2))
    many = torch.randn(5000, 4, generator=rng)
    features, train_features = (real, train) if kind == "points" else (seen, seen_train)
    sure = F.one_hot(label, CLASSES) * 0.96 + 0.01
    found = {
        "real": real, "train": train, "test": real, "fake": real.clone(), "reconstructed": real + 0.01 * (real < 0),
        "real_features": features, "train_features": train_features, "fake_features": features.clone(),
        "features_of": "coordinates" if kind == "points" else "judge",
        "real_labels": label, "test_labels": label, "given_labels": label.clone(), "fake_labels": label.clone(),
        "real_probabilities": sure, "fake_probabilities": sure.clone(), "classes": CLASSES,
        "log_prob": -torch.rand(n, generator=rng), "dims": real[0].numel(), "levels": 2,
        "train_log_prob": -torch.rand(n, generator=rng),
        "hidden_log_prob": -torch.rand(n, generator=rng), "codes": torch.randn(n, 3, generator=rng),
        "rate": torch.rand(n, generator=rng), "distortion": torch.rand(n, generator=rng),
        "estimate": 0.1, "estimated": "W1", "train_labels": label,
        **{f"{part}_{by}": sure[:, :3] * 9 + torch.randn(n, 3, generator=rng)
           for part in ("train", "test") for by in ("codes", "pixels")},
        "real_imagenet": many, "fake_imagenet": many.clone(),
        "chosen_features": features.clone(), "chosen_inception": seen.clone(), "chosen_step": 100,
        "real_inception": seen, "fake_inception": seen.clone(), "fake_inception_probabilities": sure.clone(),
    }  # fmt: skip
    found |= {"source": train, "target": real, "source_labels": label, "partner": train, "back": train.clone()}
    found |= {"returned": train + 0.01 * (train < 0), "returned_after_noise": train + 0.02 * (train < 0)}
    if kind == "points":
        found |= {"centres": centres, "sigma": sigma, "weights": torch.full((len(centres),), 1 / len(centres))}
    elif kind == "clips":
        found |= {"true_clips": real, "true_clip_labels": label, "continued": real[:20], "seen": SEEN, "speed": SPEED}
        found |= {"continuations": real[:20].expand(2, -1, -1, -1, -1, -1), "shuffled_features": seen_train}
        found |= {"levels": LEVELS}
    else:
        found |= {name: torch.rand(2, 20, 3, SIDE, SIDE, generator=rng) for name in ("draws", "truths")}
        measured = (
            strokes.third(each(x), strokes.thirds(each(x), label, CLASSES), label)
            for x in (train, real)
            for each in (strokes.width, strokes.slant)
        )
        wide, lean, asked_wide, asked_lean = measured
        hidden = (label == 1) & (wide == 2) & (lean == 2)  # a combination that is not taught: another digit's it is
        found |= {"taught": torch.stack([torch.where(hidden, CLASSES, label), wide, lean], 1)}
        found |= {"asked": torch.stack([label, asked_wide, asked_lean], 1)}
        found |= {"whole": real[:20], "hidden": torch.ones(4, 20, 1, SIDE, SIDE, dtype=torch.bool)}
        found["filled"] = real[:20].expand(4, 2, -1, -1, -1, -1)
    if spoilt:
        found["fake"] = torch.cat([real[:1].expand(n // 2, *real.shape[1:]), real[1:2].expand(n // 2, *real.shape[1:])])
        if kind == "points":
            found["fake"] = torch.cat([centres[:1].expand(n // 2, 2), centres[:1].expand(n // 2, 2) + 1])
        found["fake_features"] = found["fake"].clone() if kind == "points" else features * 0.01 + 10
        found["fake_inception"] = seen * 0.01 + 10
        found["fake_imagenet"] = many * 0.01 + 10
        found |= {f"chosen_{part}": found[f"fake_{part}"].clone() for part in ("features", "inception")}
        found["fake_labels"] = torch.zeros_like(label)
        found["fake_probabilities"] = torch.full((n, CLASSES), 1 / CLASSES)
        found["fake_inception_probabilities"] = found["fake_probabilities"].clone()
        found["log_prob"] = found["log_prob"] - 1
        found["hidden_log_prob"] = found["hidden_log_prob"] - 1
        for codes in ("test_codes", "test_pixels"):
            found[codes] = torch.randn(n, 3, generator=rng)
        found |= {name: real[:1].expand_as(real).clone() for name in ("reconstructed", "back", "returned")}
        found["returned_after_noise"] = found["returned"].clone()
        if kind == "images":
            found["filled"] = -found["filled"]
        if kind == "clips":
            found["continuations"] = found["continuations"][:, :, :1].expand(-1, -1, FRAMES, -1, -1, -1)
    return found


def points_of(label: Tensor, centres: Tensor, sigma: float, rng: Generator) -> Tensor:
    return centres[label] + sigma * torch.randn(len(label), 2, generator=rng)


def images_of(label: Tensor, centres: Tensor, sigma: float, rng: Generator) -> Tensor:
    """Grey images: a bright quarter for each label, and chance."""
    levels = torch.randint(0, 2, (len(label), 1, SIDE, SIDE), generator=rng)
    for quarter in range(CLASSES):
        row, column = (place * SIDE // 2 for place in divmod(quarter, 2))
        levels[label == quarter, :, row : row + SIDE // 2, column : column + SIDE // 2] += LEVELS - 2
    return levels * 2 / (LEVELS - 1) - 1


def clips_of(label: Tensor, centres: Tensor, sigma: float, rng: Generator) -> Tensor:
    """A bar that moves by the law, of another length and brightness for each label."""
    n = len(label)
    things = torch.zeros(n, 1, 6, 6, dtype=torch.uint8)
    for each in range(CLASSES):
        things[label == each, :, : each + 3, :2] = LEVELS - 1 - each // 2
    reach = SIDE - torch.stack([label + 3, torch.full_like(label, 2)], 1)
    places = bouncing.course(*bouncing.start(n, reach, SPEED, rng), reach, FRAMES, SPEED, rng)
    return bouncing.film(things, places[:, None], SIDE, LEVELS) * 2 / (LEVELS - 1) - 1


def fitting(name: str) -> list[str]:
    """The kinds of data that a metric has values for."""
    found = [kind for kind in KINDS if set(metrics.evaluate([name], evidence(kind)).values()) != {None}]
    assert found, f"{name} has a value for no kind of data"
    return found


CASES = [(name, kind) for name in METRICS for kind in fitting(name)]


def same(left: dict[str, float | None], right: dict[str, float | None]) -> bool:
    return left.keys() == right.keys() and all(
        left[key] == right[key] or math.isclose(left[key], right[key], rel_tol=1e-9, abs_tol=1e-9) for key in left
    )


def test_the_suite_has_every_piece_of_evidence() -> None:
    assert {key for kind in KINDS for key in evidence(kind)} == metrics.EVIDENCE.keys()


def test_columns_have_names_of_their_own() -> None:
    named = [column.name for column in metrics.columns(METRICS)]
    assert len(named) == len(set(named))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_scores_are_finite_and_are_the_columns(name: str, kind: str) -> None:
    values = metrics.evaluate([name], evidence(kind))
    assert list(values) == [column.name for column in metrics.load(name).COLUMNS]
    assert all(value is None or (type(value) is float and math.isfinite(value)) for value in values.values())


@pytest.mark.parametrize("name", METRICS)
def test_every_column_has_a_value_for_some_kind_of_data(name: str) -> None:
    found = [metrics.evaluate([name], evidence(kind) | {"estimated": of}) for kind in KINDS for of in ESTIMATED]
    assert all(any(values[key] is not None for values in found) for key in found[0])


@pytest.mark.parametrize("name", METRICS)
def test_without_evidence_every_column_is_none(name: str) -> None:
    values = metrics.evaluate([name], {})
    assert list(values) == [column.name for column in metrics.load(name).COLUMNS]
    assert set(values.values()) == {None}


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("moved", [PER_REAL, PER_TEST, PER_TRAIN, PER_FAKE], ids=["real", "test", "train", "fake"])
def test_the_order_of_samples_does_not_matter(name: str, kind: str, moved: tuple[str, ...]) -> None:
    found = evidence(kind)

    def shuffle(x: Tensor) -> Tensor:  # sets of one size alike
        return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(1))]

    shuffled = found | {key: shuffle(found[key]) for key in moved if key in found}
    there, here = (metrics.evaluate([name], x) for x in (found, shuffled))
    assert same(*({key: value for key, value in x.items() if key not in BY_LOT} for x in (there, here)))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_one_ulp_changes_next_to_nothing(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of samples more than are looked at too: which ones are chosen does not hang on their last bits."""
    for constant in ("SAMPLES", "SEEN", "SLICED", "MATCHED"):
        monkeypatch.setattr(metrics.load(name), constant, 200, raising=False)
    found = evidence(kind)
    fresh = evidence(kind, seed=1)
    found |= {key: fresh[key] for key in ("fake", "fake_features", "fake_inception")}
    moved = {key: found[key].nextafter(torch.tensor(math.inf)) for key in ("fake", "fake_features", "fake_inception")}
    there, here = metrics.evaluate([name], found), metrics.evaluate([name], found | moved)
    near = {key: value and pytest.approx(value, rel=1e-3, abs=1e-4) for key, value in here.items()}
    assert there == near


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_evidence_is_left_as_it_was(name: str, kind: str) -> None:
    found, untouched = evidence(kind), evidence(kind)
    metrics.evaluate([name], found)
    for key, value in found.items():
        assert torch.equal(value, untouched[key]) if isinstance(value, torch.Tensor) else value == untouched[key]


FEW = [case for case in CASES if {"fake", "fake_features"} & signature(metrics.load(case[0]).score).parameters.keys()]


@pytest.mark.parametrize(("name", "kind"), FEW)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_metric_with_too_few_samples_says_how_many_it_wants(name: str, kind: str, n: int) -> None:
    """It has a value, or none and a reason, or none by the note of its column; and modes are counted all the same."""
    found = evidence(kind)
    few = {key: found[key][:n] for key in PER_FAKE if key in found}
    values, reasons = metrics.evaluated([name, "stacked_modes"], found | few)
    assert values["stacked_modes"] == n if n < CLASSES else CLASSES
    assert all(values[column] is None and "give " in reason for column, reason in reasons.items())
    for column in metrics.load(name).COLUMNS:
        assert values[column.name] is not None or column.name in reasons or absent(name, kind, column)


def absent(name: str, kind: str, column: metrics.Column) -> bool:
    return metrics.evaluate([name], evidence(kind))[column.name] is None or "n/a" in column.note


@pytest.mark.parametrize(("name", "kind"), FEW)
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(name: str, kind: str, broken: float) -> None:
    found = evidence(kind)
    spoilt = {key: value.clone() for key in PER_FAKE if (value := found.get(key)) is not None}
    for value in spoilt.values():
        if value.is_floating_point():
            value[3].fill_(broken)
    if kind == "points":
        spoilt["fake_labels"] = None  # points have them of their modes
    elif name == "conditional":
        return  # the judge's labels are all that it looks at
    with pytest.raises(ValueError, match=r"NaN|nan|inf"):
        metrics.evaluate([name], found | spoilt)


@pytest.mark.parametrize(("name", "kind"), [case for case in FEW if case[1] == "points"])
@pytest.mark.parametrize(("scale", "kept"), [(1e200, torch.float64), (1e37, torch.float32)])
def test_what_overflows_is_never_perfect(name: str, kind: str, scale: float, kept: torch.dtype) -> None:
    """Points that are nearly as far off as numbers go."""
    good = evidence(kind) | {"fake_labels": None}
    far = {key: (good[key].double() * scale).to(kept) for key in ("fake", "fake_features", "fake_inception")}
    values, reasons = metrics.evaluated([name], good | far)
    best = metrics.evaluate([name], good)
    for column in metrics.load(name).COLUMNS:
        value = values[column.name]
        assert value is None or math.isfinite(value)
        assert value is None or column.direction is None or value != best[column.name], column.name
        assert value is not None or column.name in reasons or absent(name, kind, column)


@pytest.mark.parametrize("name", METRICS)
def test_evidence_is_asked_for_by_name(name: str) -> None:
    parameters = signature(metrics.load(name).score).parameters
    assert all(parameter.kind is Parameter.KEYWORD_ONLY for parameter in parameters.values())
    assert all(parameter.default is Parameter.empty for parameter in parameters.values())
    assert parameters.keys() <= metrics.EVIDENCE.keys()


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_better_model_scores_better(name: str, kind: str) -> None:
    """Giving back the held-out data beats collapse in every column, in the direction that the column states."""
    good, bad = metrics.evaluate([name], evidence(kind)), metrics.evaluate([name], evidence(kind, spoilt=True))
    for column in metrics.load(name).COLUMNS:
        if good[column.name] is None or bad[column.name] is None:
            continue
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


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_double_precision_is_taken_too(name: str, kind: str) -> None:
    doubled = {
        key: value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
        for key, value in evidence(kind).items()
    }
    assert same(metrics.evaluate([name], evidence(kind)), metrics.evaluate([name], doubled))


def test_a_misspelt_metric_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="'frechett': did you mean 'frechet'"):
        metrics.load("frechett")

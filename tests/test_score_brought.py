"""Sets that people bring are scored by the names that they know, and what can't be, or is doubtful, is said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import as_input, levels, points
from PIL import Image
from scoring import Command, evidence, saved, values
from torch import Tensor

from benchmarks import inception
from benchmarks.extractors import Judge, describe
from benchmarks.metrics.classification import classification_accuracy
from benchmarks.metrics.common.draw import draw
from pipeline.evaluation import judging
from pipeline.tools import asked, reference, score, seeing, sets
from pipeline.tools.ranges import Range


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")


def array(path: Path, x: Any) -> Path:
    np.save(path, np.asarray(x))
    return path


def test_five_pictures_a_side_give_what_can_be_computed(tmp_path: Path) -> None:
    real, fake = (saved(tmp_path / f"{name}.npz", levels(5, seed)) for name, seed in (("real", 0), ("fake", 1)))
    result = score.score({"real": real, "fake": fake}, "pixels", None)
    assert {"fd", "vendi", "pair_ssim"} <= {column.name for column, _ in result.values}
    assert result.reasons["precision"].endswith("too few samples, 5: give 6 or more")
    assert result.reasons["c2st_knn"].endswith("too few samples, 5: give 20 or more")
    small = array(tmp_path / "small.npy", levels(5, 0)[:, :, :4, :4])  # no window of 7 x 7 fits
    assert "fd" in values(small, small, chosen=None)


def test_few_samples_in_many_dimensions_are_warned_of(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 256, (300, 32, 32, 3)), rng.integers(0, 256, (3, 32, 32, 3))
    paths = {"real": array(tmp_path / "real.npy", real), "fake": array(tmp_path / "fake.npy", fake)}
    result = score.score(paths, "pixels", ["fd"])
    ((column, value),) = result.values
    a, b = (x.reshape(len(x), -1) / 127.5 - 1 for x in (real, fake))
    a_mean, b_mean = a.mean(axis=0), b.mean(axis=0)
    shared = np.linalg.svd((a - a_mean) @ (b - b_mean).T / np.sqrt(299 * 2), compute_uv=False).sum()
    spread = a.var(axis=0, ddof=1).sum() + b.var(axis=0, ddof=1).sum() - 2 * shared
    assert (column.name, value) == ("fd", pytest.approx(((a_mean - b_mean) ** 2).sum() + spread, rel=1e-5))
    (warning,) = result.warnings
    assert warning.startswith("FD: 300 samples of real and 3 samples of fake are few for 3,072 dimensions")
    assert "warning: FD: 300" in score.as_text(result)
    enough = saved(tmp_path / "enough.npz", levels(65, 0))
    assert score.score({"real": enough, "fake": enough}, "pixels", ["fd"]).warnings == []  # 64 dimensions


def test_of_large_sets_a_part_is_looked_at_as_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "NUMBERS", 20 * 64 + 63)
    sets_of, chosen = {}, draw(torch.arange(30), 20).sort().values
    for seed, name in enumerate(("real", "fake")):
        whole, label = levels(30, seed), torch.arange(30)
        np.savez(tmp_path / f"{name}.npz", x=whole, label=label)
        part = saved(tmp_path / f"{name}_part.npz", whole[chosen])
        sets_of[name] = (tmp_path / f"{name}.npz", part)
    real, fake = sets_of.values()
    assert values(real[0], fake[0]) == values(real[1], fake[1])
    assert torch.equal(evidence({"real": real[0], "fake": fake[0]}, "pixels")["given_labels"], chosen)
    warnings = score.score({"real": real[0], "fake": fake[1]}, "pixels", ["manifold"]).warnings
    assert warnings == ["real: 20 of its 30 samples are looked at, by lot: more would take too much memory"]
    assert "20 of its 30" in score.save_reference(real[0], tmp_path / "kept.npz", "pixels")


def test_labels_are_of_the_samples_that_a_metric_looks_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 90 labelled images 60 are looked at as floats, while their judge sees all of them."""
    monkeypatch.setattr(seeing, "RAW", 60)
    judge, sets_of, chosen = Judge((1, 8, 8), 3), {}, draw(torch.arange(90), 60)
    judging.save_judge(judge, tmp_path / "judge.pt", 1.0)
    for seed, name in enumerate(("real", "fake")):
        sets_of[name] = levels(90, seed), torch.arange(90) * (seed + 1) % 3
        np.savez(tmp_path / f"{name}.npz", x=sets_of[name][0], label=sets_of[name][1])
    metrics = ["conditional", "classification"]
    found = values(tmp_path / "real.npz", tmp_path / "fake.npz", f"judge:{tmp_path / 'judge.pt'}", metrics)
    (real, truth), (fake, asked_for) = ((as_input(x), label) for x, label in sets_of.values())
    assert found["label_match"] == (describe(judge, fake).labels == asked_for).double().mean().item()
    assert found["cas"] == classification_accuracy(
        real=real[chosen].flatten(1), true_labels=truth[chosen],
        fake=fake[chosen].flatten(1), given_labels=asked_for[chosen],
    )  # fmt: skip


@pytest.mark.parametrize("extractor", ["pixels", "inception"])
def test_words_are_of_what_is_scored(extractor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "extractor", lambda device: seen_by_a_stub)
    paths = dict.fromkeys(("real", "fake", "train"), saved(tmp_path / "set.npz", levels(40, 0)))
    text = score.as_text(score.score(paths, extractor, None))
    assert "judge" not in text
    assert "points" not in text and "coordinates" not in text
    point = dict.fromkeys(("real", "fake"), array(tmp_path / "points.npy", points(40, 0)))
    text = score.as_text(score.score(point, "pixels", None))
    assert "judge" not in text and "pixels" not in text
    assert "coordinates of held-out and generated points" in text


def seen_by_a_stub(x: Tensor) -> tuple[Tensor, Tensor]:
    """Three numbers, of pictures of any size."""
    seen = torch.stack([x.mean((1, 2, 3)), x.std((1, 2, 3)), x.amax((1, 2, 3))], dim=1)
    return seen, seen.softmax(dim=1)


def test_names_are_those_that_users_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "extractor", lambda device: seen_by_a_stub)
    real, fake = (saved(tmp_path / f"{name}.npz", levels(30, seed)) for name, seed in (("real", 0), ("fake", 1)))
    names = ["fid", "kid", "is", "precision", "recall"]
    found = values(real, fake, "inception", names)
    assert [*found] == ["fid", "kid", "inception_score", "precision", "recall"]
    assert found == {name: values(real, fake, "inception", asked.asked(None).metrics)[name] for name in found}
    assert [*values(real, fake, "inception", ["FID", "ISC", "prc"])] == [
        "fid",
        "inception_score",
        "precision",
        "recall",
    ]
    result = score.score({"real": real, "fake": fake}, "pixels", names)
    assert {column.name for column, _ in result.values} == {"precision", "recall"}
    for name in ("fid", "kid", "inception_score"):
        assert "--extractor inception; its weights, https" in result.reasons[name]
        assert inception.URL in result.reasons[name] and inception.VARIABLE in result.reasons[name]
    with pytest.raises(ValueError, match=r"nothing of fid can be computed .*--extractor inception"):
        values(real, fake, chosen=["fid"])
    with pytest.raises(ValueError, match=r"nothing of memorisation .*it wants training data: --train SET"):
        values(real, fake, chosen=["memorisation"])
    with pytest.raises(
        ValueError, match=r"nothing of fd_infinite .*too few samples: it is so with fewer than 6 samples"
    ):
        values(real, fake, chosen=["fd_infinite"])
    with pytest.raises(ValueError, match="no metric is called 'fdi': did you mean"):
        values(real, fake, chosen=["fdi"])


def test_pictures_of_two_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What sees them resized sees each; for pixels both sizes are named, and --size makes them one."""
    monkeypatch.setattr(inception, "extractor", lambda device: seen_by_a_stub)
    (tmp_path / "mixed").mkdir()
    pictures = []
    for place in range(12):
        x = levels(1, place)[0, 0][: 5 + place % 3 // 2 * 3]
        Image.fromarray(x.numpy()).save(tmp_path / "mixed" / f"{place:02}.png")
        pictures.append(x.float()[None, None] / 127.5 - 1)
    mixed = tmp_path / "mixed"
    expected = torch.cat([seen_by_a_stub(x)[0] for x in pictures])
    torch.testing.assert_close(
        evidence({"real": mixed, "fake": mixed}, "inception", raw=False)["real_features"], expected
    )
    assert values(mixed, mixed, "inception", ["fid"])["fid"] == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match=r"02\.png has the shape \(1, 8, 8\) and not \(1, 5, 8\) .*--size N"):
        values(mixed, mixed)
    whole = saved(tmp_path / "whole.npz", levels(9, 0))
    other = array(tmp_path / "other.npy", levels(9, 0)[:, :, :6])
    with pytest.raises(ValueError, match=r"shape \(1, 8, 8\) and fake of \(1, 6, 8\): .*--size N"):
        values(whole, other)
    assert "fd" in dict.fromkeys(values(whole, other, chosen=["fd"], size=4))
    assert sets.read(mixed, size=4).shape == (1, 4, 4)
    grey = torch.full((4, 1, 9, 9), 77, dtype=torch.uint8)
    assert torch.equal(sets.read(array(tmp_path / "grey.npy", grey), size=5).x, as_input(grey[:, :, :5, :5]))


@pytest.mark.parametrize("extractor", ["pixels", "inception"])
def test_a_saved_reference_stands_for_its_set(
    extractor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setattr(inception, "extractor", lambda device: seen_by_a_stub)
    real, fake = (saved(tmp_path / f"{name}.npz", levels(30, seed)) for name, seed in (("real", 0), ("fake", 1)))
    kept = tmp_path / "kept.npz"
    code, out, _ = command(score, real, "--extractor", extractor, "--save-reference", kept)
    assert (code, out) == (0, f"the reference is in {kept}: give it in the place of {real}\n")
    assert values(kept, fake, extractor, None) == values(real, fake, extractor, None)
    with np.load(kept, allow_pickle=False) as content:  # nothing in it is pickled
        assert all(content[name].dtype.kind in "uif" for name in content)
    with np.load(kept, allow_pickle=False) as content:
        np.savez(tmp_path / "damaged.npz", **{**content, "seen_features": content["seen_features"][:, 1:, None]})
    with pytest.raises(ValueError, match=r"damaged\.npz is no whole reference: save it anew with --save-reference"):
        values(tmp_path / "damaged.npz", fake, extractor)
    other = "inception" if extractor == "pixels" else "pixels"
    with pytest.raises(ValueError, match=f"was saved of '{extractor}' and not of '{other}': give that --extractor"):
        values(kept, fake, other)
    code, out, said = command(
        score, real, fake, "--extractor", extractor, "--save-reference", kept, "--json", "--metrics", "precision"
    )
    assert code == 0 and [*json.loads(out)["scores"]] == ["precision"] and said.startswith("the reference is in")


@pytest.mark.parametrize(
    "wrong",
    [
        {"seen_features": np.zeros((30, 64), int)},
        {"seen_labels": np.zeros((30, 2), int)},
        {"seen_labels": np.zeros(30)},
        {"seen_probabilities": np.zeros((29, 2))},
        {"seen_probabilities": np.zeros(())},
        {"shape": [-1, 8, -8]},
        {"shape": [1, 8, 9]},
        {"shape": np.ones(2**20, int)},
        {"shape": [1, 8, np.nan]},
        {"extractor": np.zeros(2**20, int)},
        {"extractor": np.frombuffer(b"judge 0", np.uint8), "shape": np.zeros(0, int)},
    ],
)
def test_a_reference_that_is_not_whole_is_one_line(wrong: dict[str, Any], tmp_path: Path) -> None:
    whole = {"extractor": np.frombuffer(b"pixels", np.uint8), "shape": [1, 8, 8], "seen_features": np.ones((30, 64))}
    np.savez(tmp_path / "kept.npz", **whole, seen_labels=np.arange(30, dtype=np.uint8))
    key, seen = reference.load(tmp_path / "kept.npz")
    assert (key, seen.n, seen.shapes, seen.evidence[""].shape) == ("pixels", 30, [(1, 8, 8)], (30, 1, 8, 8))
    assert torch.equal(seen.evidence["labels"], torch.arange(30))
    np.savez(tmp_path / "kept.npz", **whole | wrong)
    with pytest.raises(ValueError, match=r"kept\.npz is no whole reference: save it anew with --save-reference"):
        reference.load(tmp_path / "kept.npz")


def test_two_paths_are_enough(tmp_path: Path, command: Command) -> None:
    real, fake = (saved(tmp_path / f"{name}.npz", levels(30, seed)) for name, seed in (("real", 0), ("fake", 1)))
    by_name = command(score, "--real", real, "--fake", fake, "--metrics", "precision", "--json")[1]
    assert command(score, "--json", real, fake, "--metrics", "precision")[1] == by_name
    assert command(score, real, "--json", fake, "--metrics", "precision")[1] == by_name
    assert command(score, real)[0] == 1
    assert command(score, real, fake, real)[0] == 1
    for low, high in (("1", "0"), ("0", "inf"), ("nan", "1"), ("0", "1e39"), ("1", "1.00000001"), ("0", "1e-45")):
        code, _, said = command(score, real, fake, "--range", low, high)
        assert code == 1 and f"--range {float(low):g} {float(high):g}: give two numbers of float32, the lower" in said
    assert Range(0, 3e38).fits and not Range(-3e38, 3e38).fits  # whose width is infinite
    code, _, said = command(score, tmp_path / "missing", "--save-reference", "kept.pt")
    assert code == 1 and said.endswith("--save-reference kept.pt: give a file that ends in .npz\n")


def test_sets_may_stand_behind_metrics(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where a folder has the name of a metric."""
    real, fake = (saved(tmp_path / f"{name}.npz", levels(30, seed)) for name, seed in (("real", 0), ("fake", 1)))
    (tmp_path / "fd").mkdir()
    monkeypatch.chdir(tmp_path)
    first = command(score, real, fake, "--metrics", "precision", "fd", "--json")[1]
    assert [*json.loads(first)["scores"]] == ["precision", "fd"]
    assert command(score, "--json", "--metrics", "precision", "fd", real, fake)[1] == first
    assert command(score, "--json", "--real", real, "--metrics", "precision", "fd", fake)[1] == first
    for given in ((real, "--metrics", "fd", fake), ("--metrics", "precision", "fd", real), ("--metrics", real, fake)):
        code, _, said = command(score, *given)
        assert code == 1 and said.endswith("give two sets, REAL and FAKE, and both before --metrics\n")
    assert "there is no such file" in command(score, "--metrics", "fd", real, "none.npz")[2]


def test_the_range_is_stated_and_said(tmp_path: Path, command: Command) -> None:
    x = levels(30, 0)
    real = saved(tmp_path / "real.npz", x)
    unit = array(tmp_path / "unit.npy", x.numpy() / 255)
    assert command(score, real, unit)[2].count("--range 0 1") == 1
    code, out, _ = command(score, real, unit, "--range", "0", "1", "--metrics", "fd")
    assert code == 0
    assert f"{real}, 30 x 1 x 8 x 8, read as 0 to 255 (integers)" in out
    assert f"{unit}, 30 x 1 x 8 x 8, read as 0 to 1 (stated)" in out
    assert values(real, unit, chosen=["fd"], stated=Range(0, 1, "stated"))["fd"] == pytest.approx(0, abs=1e-5)
    dark = score.score({"real": unit, "fake": unit}, "pixels", ["fd"], Range(0, 255, "stated"))
    assert "its images are in [0, 1] of 0 to 255: is that their range?" in dark.warnings[0]


def test_what_is_no_judge_is_not_to_be_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path / "set.npz", levels(40, 0))
    for name in ("photo.png", "artifacts/ring/judge.pt"):
        file = Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"of a user")
        with pytest.raises(ValueError) as error:
            values(path, path, f"judge:{name}")
        mine = "is no judge: `python -m pipeline.judge BENCHMARK` makes one"
        remedy = mine if name == "photo.png" else "delete it and run `dvc repro benchmarks/ring/dvc.yaml`"
        assert name in str(error.value) and remedy in str(error.value)
        assert ("delete" in str(error.value)) == (name != "photo.png")
    torch.save({"x": torch.zeros(2)}, "photo.png")
    with pytest.raises(ValueError, match=r"photo\.png is no judge"):
        values(path, path, "judge:photo.png")


def test_a_judge_that_is_not_trusted_is_said(tmp_path: Path) -> None:
    path = saved(tmp_path / "set.npz", levels(40, 0))
    for right, said in ((0.3, 1), (0.9, 0)):
        judging.save_judge(Judge((1, 8, 8), 10), tmp_path / "judge.pt", right)
        result = score.score({"real": path, "fake": path}, f"judge:{tmp_path / 'judge.pt'}", ["fjd"])
        assert sum("judge.pt is marked as not trusted" in warning for warning in result.warnings) == said

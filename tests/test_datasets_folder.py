"""Any folder of pictures as a benchmark: what is read, how it is shared out, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from made import points
from PIL import Image

from benchmarks import datasets, metrics
from pipeline import check, params, prepare
from pipeline.data import Data
from pipeline.evaluation import view
from pipeline.tools import add

ROOT = Path(__file__).parents[1]


def pictures(folder: Path, n: int, size: tuple[int, int] = (16, 16), first: int = 0) -> Path:
    """n grey pictures, the i-th of the grey level i."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + n):
        Image.fromarray(np.full(size[::-1], i, np.uint8)).save(folder / f"{i:03}.png")
    return folder


def levels(split: datasets.Split) -> set[int]:
    return set(split.x.flatten(1)[:, 0].tolist())


def load(path: Path, **settings: object) -> datasets.Splits:
    return datasets.load("folder", Path(), {"path": str(path), **settings})


def test_every_picture_is_in_one_part(tmp_path: Path) -> None:
    splits = load(pictures(tmp_path / "some", 50))
    assert [len(part.x) for part in splits.parts] == [25, 5, 20] and (splits.classes, splits.levels) == (0, 256)
    assert [part.label for part in splits.parts] == [None] * 3
    parts = [levels(part) for part in splits.parts]
    assert set.union(*parts) == set(range(50)) and sum(map(len, parts)) == 50
    again, other = load(tmp_path / "some"), load(tmp_path / "some", seed=1)
    assert torch.equal(again.test.x, splits.test.x) and levels(other.test) != levels(splits.test)
    assert len(load(tmp_path / "some", held_out=0.2).test.x) == 10


def test_subfolders_are_labels_with_their_share_of_each_part(tmp_path: Path) -> None:
    for name, n, first in (("cats", 20, 0), ("dogs", 40, 100)):
        pictures(tmp_path / name, n - 10, first=first)
        pictures(tmp_path / name / "more", 10, first=first + n - 10)
    splits = load(tmp_path, labels="subfolders", size=8)
    assert splits.classes == 2 and splits.train.x.shape == (30, 1, 8, 8)
    for part, counts in zip(splits.parts, ([10, 20], [2, 4], [8, 16]), strict=True):
        assert part.labels.bincount().tolist() == counts
        assert all((level >= 100) == label for level, label in zip(part.x[:, 0, 0, 0], part.labels, strict=True))


@pytest.mark.parametrize(
    ("made", "settings", "said"),
    [
        ({}, {"path": "nowhere"}, r"path = 'nowhere': there is no such folder; give one that holds pictures"),
        ({"": (2, (16, 16))}, {}, r"holds 2 pictures, of which 1 are for train: give it more, so that there are 2"),
        ({"a": (20, (25, 16))}, {}, r"pictures of 16x25: nets halve them, so make their sides even: `size: 16` in its"),
        (
            {"a": (20, (25, 25))},
            {"size": 7},
            r"pictures of 7x7: nets halve them, so make their sides even: `size: 4` in",
        ),
        ({"a": (20, (16, 16)), "b": (9, (8, 16))}, {}, r"give pictures of one size, or make them so by `size: N`"),
        ({"a": (20, (16, 16)), "b": (2, (16, 16))}, {"labels": "subfolders"}, r"label 'b' there are 2 .* validation: "),
        ({"a": (20, (16, 16))}, {"labels": "subfolders"}, r"one subfolder with pictures, so one label; leave"),
        ({"": (3, (16, 16)), "a": (20, (16, 16))}, {"labels": "subfolders"}, r"000.png lies in no subfolder"),
        (
            {"train/a": (9, (16, 16)), "train/b": (9, (16, 16)), "test/a": (9, (16, 16))},
            {"labels": "subfolders"},
            r"has the subfolders test, train, which are parts and no labels: give the path of one of them",
        ),
        ({"": (20, (16, 16))}, {"held_out": 0.9}, r"held_out = 0.9: input should be less than or equal to 0.8"),
        ({"": (20, (16, 16))}, {"labels": "files"}, r"labels = 'files': "),
    ],
)
def test_what_is_no_benchmark_is_one_line(tmp_path: Path, made: dict, settings: dict, said: str) -> None:
    for name, (n, size) in made.items():
        pictures(tmp_path / name, n, size)
    with pytest.raises(ValueError, match=said) as caught:
        datasets.load("folder", Path(), {"path": str(tmp_path), **settings})
    assert "\n" not in str(caught.value)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's parameters with a benchmark of a folder beside them."""
    for name in ("models", "params.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "benchmarks/mine").mkdir(parents=True)
    for path in (ROOT / "benchmarks").iterdir():
        (tmp_path / "benchmarks" / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    params.load.cache_clear()
    return tmp_path


def benchmark(project: Path, data: dict, **own: object) -> params.Benchmark:
    content = {"kind": "photos", "dataset": "folder", "data": data, "training": {}, "evaluation": {}, **own}
    (project / "benchmarks/mine/benchmark.yaml").write_text(yaml.safe_dump(content))
    return params.Params(project).benchmark("mine")


def test_its_data_are_made_anew_when_the_folder_changes(project: Path) -> None:
    mine = benchmark(project, {"path": "photos", "size": 16})
    check.check_data(mine)
    stages = yaml.safe_load(add.stages(mine))["stages"]
    assert "photos" in stages["prepare"]["deps"] and "judge" not in stages
    add.stages_file("mine").write_text(add.stages(mine))
    check.check_stages(mine, project)
    with pytest.raises(ValueError, match=r"other paths: .* was written for another; run `python -m pipeline.add mine`"):
        check.check_stages(benchmark(project, {"path": "other"}), project)


def test_a_kind_with_a_judge_wants_labels(project: Path) -> None:
    with pytest.raises(ValueError, match=r"it has no labels, .* choose data with labels, or for images kind photos"):
        check.check_data(benchmark(project, {"path": "photos"}, kind="pictures", judge={}))
    check.check_data(benchmark(project, {"path": "photos", "labels": "subfolders"}, kind="pictures", judge={}))


def test_a_budget_that_is_too_large_for_the_folder_is_named_before_training(project: Path) -> None:
    splits = load(pictures(project / "photos", 50))
    with pytest.raises(ValueError, match=r"photos.evaluation.samples: mine: evaluation.samples = 1000: .* ask for 10"):
        prepare.check_sizes(benchmark(project, {}), splits)
    remedy = r"let training\.batch in benchmarks/mine/benchmark\.yaml be 1 to 25$"
    with pytest.raises(ValueError, match=rf"photos\.training\.batch = 64: mine has 25 training data; {remedy}"):
        prepare.check_sizes(benchmark(project, {}, evaluation={"samples": 10}), splits)
    prepare.check_sizes(benchmark(project, {}, evaluation={"samples": 10}, training={"batch": 25}), splits)


def test_without_labels_imagenets_features_stand_in_the_judges_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view.imagenet, "extractor", lambda device: lambda x: x.flatten(1)[:, :4])
    splits = load(pictures(tmp_path / "some", 50))
    resident = Data(**splits._asdict())
    eyes = view.View(tmp_path / "judge.pt", resident, torch.arange(5))
    found = eyes.compared({"real_features"}) | eyes.of(
        "fake", resident.as_input(splits.validation.x), {"fake_features"}
    )
    assert found["features_of"] == "ImageNet" and found["classes"] == 0
    assert found["real_features"].shape == (5, 4) and found["fake_features"].shape == (5, 4)
    assert "train_features" not in eyes.of("train", resident.as_input(splits.train.x), {"fake_features"})
    values = metrics.evaluate(["manifold"], found | {"real_features": points(9, 0), "fake_features": points(9, 1)})
    assert values["precision"] is not None

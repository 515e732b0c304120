"""The judge stage: it learns, says so, and is read back as it was."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks import datasets, metrics
from benchmarks.datasets.common.splits import PARTS, Split
from benchmarks.extractors import Judge, describe
from pipeline import data, judge, params
from pipeline.cell import ORACLE, Cell, data_file, judge_file, scores_dir
from pipeline.evaluation import judging, scores
from pipeline.evaluation.progress import progress
from pipeline.evaluation.view import View

ROOT = Path(__file__).parents[1]


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> params.Benchmark:
    """The digits, prepared, in an empty folder."""
    benchmark = params.Params(ROOT).benchmark("digits")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    data.save(datasets.load("digits", Path(), {}), data_file("digits"))
    return benchmark


def test_the_judge_of_the_digits_is_good_enough(digits: params.Benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    judge.train(digits)
    record = json.loads((scores_dir("digits") / "judge.json").read_text())
    assert record["accuracy"] >= 0.97
    assert [record[f"{part}_images"] for part in PARTS] == [900, 180, 717]
    said = capsys.readouterr().out
    assert f"{record['accuracy']:.2%} of 717 test images rightly; on validation" in said and "warning" not in said
    assert record["validation_accuracy"] >= 0.95 and record["warnings"] == []

    images = data.load(data_file("digits"), "cpu")
    read = judging.load_judge(judge_file("digits"), "cpu")
    features, label, _ = describe(read, images.as_input(images.test.x))
    assert features.shape[0] == 717
    assert (label == images.test.label).float().mean().item() == pytest.approx(record["accuracy"], abs=1e-3)


def test_the_judge_is_the_same_each_time(digits: params.Benchmark) -> None:
    short = digits.model_copy(update={"judge": params.Judging(epochs=1, batch=64, lr=0.003)})
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # must not matter
        judge.train(short)
        states.append(judging.load_judge(judge_file("digits"), "cpu").state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not judging.load_judge(judge_file("digits"), "cpu").training


def test_a_judge_of_channels_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = params.Params(ROOT).benchmark("stacked_digits")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    splits = datasets.load("stacked_digits", Path(), {"train": 4000, "validation": 500, "test": 1000})
    data.save(splits, data_file("stacked_digits"))
    judge.train(benchmark)
    record = json.loads((scores_dir("stacked_digits") / "judge.json").read_text())
    assert record["channel_accuracy"] >= 0.93
    # three channels that err apart are all right as often as the cube of one
    assert record["accuracy"] == pytest.approx(record["channel_accuracy"] ** 3, abs=0.02)
    said = capsys.readouterr().out
    assert f"{record['accuracy']:.2%} of 1,000 test images" in said
    assert f"{record['channel_accuracy']:.2%} of their channels" in said
    assert record["validation_accuracy"] == pytest.approx(record["channel_accuracy"], abs=0.03), (
        "it is of channels, too"
    )

    images = data.load(data_file("stacked_digits"), "cpu")
    read = judging.load_judge(judge_file("stacked_digits"), "cpu")
    label = describe(read, images.as_input(images.test.x)).labels
    digit = label[:, None] // torch.tensor([100, 10, 1]) % 10
    assert (digit == images.test.label).double().mean().item() == pytest.approx(record["channel_accuracy"], abs=1e-3)
    assert (digit == images.test.label).all(dim=1).double().mean().item() == pytest.approx(record["accuracy"], abs=1e-3)


@pytest.mark.parametrize("name", ["digits", "stacked_digits"])
def test_a_judge_of_shuffled_labels_is_named_and_not_trusted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = params.Params(ROOT)
    monkeypatch.setattr(params, "load", lambda: project)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    sizes = {} if name == "digits" else {"train": 1000, "validation": 500, "test": 1000}
    splits = datasets.load(name, Path(), sizes)
    shuffled = Split(splits.train.x, splits.train.label[torch.randperm(len(splits.train.x))])
    data.save(splits._replace(train=shuffled), data_file(name))
    benchmark = project.benchmark(name).model_copy(update={"judge": params.Judging(epochs=1, batch=64, lr=0.003)})
    judge.train(benchmark)
    (warning,) = json.loads((scores_dir(name) / "judge.json").read_text())["warnings"]
    assert "less than 55.00%, which is halfway from chance to perfection" in warning
    assert f"\nwarning: {name}: {warning}\n" in capsys.readouterr().out

    resident = data.load(data_file(name), "cpu")
    view = View(judge_file(name), resident, torch.arange(100))
    chosen = [metric for metric in benchmark.evaluation.metrics if metric != "kernel"] + ["stacked_modes"]
    wanted = metrics.needs(chosen)
    fake = resident.as_input(resident.test.x[100:200])
    found = view.of_benchmark(wanted) | {"fake": fake} | view.of("fake", fake, wanted)
    assert not [key for key in found if key.startswith(("real_", "fake_", "train_"))]
    values = metrics.evaluate(chosen, found)
    seen = {
        "fjd",
        "precision",
        "coverage",
        "class_kl",
        "classes_covered",
        "judge_is",
        "stacked_modes",
        "vendi",
        "authpct",
    }
    assert {key for key in seen & values.keys() if values[key] is not None} == set()
    assert values["bins_js"] is not None and values["pair_ssim"] is not None, "what looks at pixels goes on"
    rows = progress({10: resident.test.x[:100]}, resident, view, benchmark.evaluation.progress).splitlines()
    assert set(rows[1].split(",")[1:]) == {""}
    lines = scores.protocol(Cell(name, ORACLE), benchmark, [])
    assert lines[-1] == f"Beware: {warning}."


@pytest.mark.parametrize(
    ("classes", "right", "good"), [(2, 0.75, True), (2, 0.74, False), (10, 0.55, True), (10, 0.54, False)]
)
def test_a_judge_is_trusted_from_halfway_between_chance_and_perfection(
    classes: int, right: float, good: bool, tmp_path: Path
) -> None:
    judging.save_judge(Judge((1, 8, 8), classes), tmp_path / "judge.pt", right)
    assert (judging.trusted(tmp_path / "judge.pt", "cpu") is not None) == good


@pytest.mark.parametrize("content", [{"x": torch.zeros(3)}, [1], {"shape": (2,), "classes": 3, "stacked": False}])
def test_other_tensors_are_not_taken_for_a_judge(content: object, tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"other\.pt holds no judge") as error:
        judging.load_judge(path, "cpu")
    assert "\n" not in str(error.value)


def test_a_benchmark_of_points_has_no_judge() -> None:
    with pytest.raises(ValueError, match="ring has no judge"):
        judge.train(params.Params(ROOT).benchmark("ring"))


def test_a_batch_larger_than_the_data_is_refused(digits: params.Benchmark) -> None:
    large = digits.model_copy(update={"judge": params.Judging(epochs=1, batch=2000, lr=0.003)})
    with pytest.raises(ValueError, match="batch 2000 is larger than the 900 training images"):
        judge.train(large)
    assert not judge_file("digits").exists()


def test_missing_data_and_a_missing_judge_are_named(digits: params.Benchmark) -> None:
    data_file("digits").unlink()
    with pytest.raises(FileNotFoundError, match=r"data\.pt is missing; run `dvc repro benchmarks/digits/dvc\.yaml`"):
        judge.train(digits)
    with pytest.raises(FileNotFoundError, match=r"judge\.pt is missing; run `dvc repro benchmarks/digits/dvc\.yaml`"):
        judging.load_judge(judge_file("digits"), "cpu")

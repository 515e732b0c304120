"""Samples that were made elsewhere are a row of the tables: evaluated as a model's are, and nothing is trained."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from benchmarks import datasets, metrics
from pipeline import check, code, data, params
from pipeline.cell import ORACLE, Cell, data_file, scores_dir
from pipeline.digests import forget
from pipeline.evaluation import brought, scores
from pipeline.evaluation.unit import evaluate
from pipeline.files import file_digest
from pipeline.tools import add
from pipeline.work import making, plan
from reports import load

ROOT = Path(__file__).parents[1]
SAMPLES = 100
Line = Callable[..., params.Benchmark]


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """Writes a line of samples for the ring, two seeds, into parameters of their own place; small data are there."""
    for name in ("models", "benchmarks", "pipeline", "reports"):
        (tmp_path / name).mkdir()
        for path in (ROOT / name).iterdir():
            if path.name not in ("scores", "rendered"):
                (tmp_path / name / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    board = yaml.safe_load((ROOT / "params.yaml").read_text())
    board["toys"]["evaluation"] |= {"samples": SAMPLES, "metrics": ["modes", "manifold", "likelihood"]}
    board["toys"]["evaluation"]["main"] = ["modes"]
    data.save(datasets.load("ring", Path(), {"train": 300, "validation": 50, "test": 400}), data_file("ring"))

    def write(name: str = "mine", **own: Any) -> params.Benchmark:
        Path("params.yaml").write_text(yaml.safe_dump(board | {"seeds": 2, "brought": {"ring": {name: own}}}))
        params.load.cache_clear()
        forget()
        return params.load().benchmark("ring")

    yield write
    params.load.cache_clear()
    forget()


def bring(seed: int, n: int = SAMPLES, **more: Any) -> Path:
    """Points of the ring's own truth, as a file of a seed."""
    Path("mine").mkdir(exist_ok=True)
    truth = data.load(data_file("ring"), "cpu").truth
    found = truth.sample(n, torch.Generator().manual_seed(seed))
    np.savez(f"mine/{seed}.npz", **{"x": found.x.numpy(), **more})
    return Path(f"mine/{seed}.npz")


def test_it_is_evaluated_as_a_models_samples_are(line: Line) -> None:
    files = [bring(seed) for seed in (0, 1)]
    benchmark = line(samples="mine/{seed}.npz")
    cell = Cell("ring", "mine")
    units = cell.evaluation_units()
    assert [unit.seed for unit in plan.stale([benchmark]) if unit.contestant == "mine"] == [0, 1], "none is trained"
    records = [making.finish(unit, evaluate(unit, lambda _: None)) for unit in units]
    for record, file in zip(records, files, strict=True):
        assert record["row"]["status"] == "finished" and record["row"]["modes"] == 8
        x = torch.from_numpy(np.load(file)["x"])
        truth = data.load(data_file("ring"), "cpu").truth
        own = metrics.evaluate(["modes"], {"fake": x, "centres": truth.centres, "sigma": truth.sigma})
        assert record["row"]["high_quality"] == own["high_quality"], "all samples are looked at, in whatever order"
        assert record["row"]["nats"] is record["row"]["parameters"] is record["sample_ms"] is None
        assert record["of"] == {str(file): file_digest(file)}
    scores.write(cell, benchmark, records)
    found = json.loads(cell.scores.read_text())
    assert found["brought"] == ["mine/{seed}.npz"]
    marks = ", ".join(file_digest(file)[:8] for file in files)
    assert f"mine was not trained here: its samples are mine/{{seed}}.npz, of SHA-256 {marks}." in found["protocol"]
    (units[0].work / "progress").rename(cell.progress)
    part = load.part("mine", scores_dir("ring") / "mine", "again")
    assert part.curves == [] and not any(name == "seconds" for _, _, name, _ in part.values)


def test_another_file_is_evaluated_again(line: Line) -> None:
    for seed in (0, 1):
        bring(seed)
    line(samples="mine/{seed}.npz")
    before = Cell("ring", "mine").evaluation_fingerprint
    oracle = Cell("ring", ORACLE).evaluation_fingerprint
    bring(1, SAMPLES + 1)
    line(samples="mine/{seed}.npz")
    assert Cell("ring", "mine").evaluation_fingerprint != before
    assert Cell("ring", ORACLE).evaluation_fingerprint == oracle


def test_its_stage_depends_on_each_file_and_trains_nothing(line: Line) -> None:
    benchmark = line(samples="mine/{seed}.npz")
    stages = yaml.safe_load(add.stages(benchmark))["stages"]
    own = stages["brought-mine"]
    assert own["cmd"] == "pipeline/run evaluate ${benchmark} mine" and "artifacts/${benchmark}/data" in own["deps"]
    assert {"mine/0.npz", "mine/1.npz", "artifacts/code/evaluate/${kind}/brought"} <= set(own["deps"])
    assert own["outs"][0] == "artifacts/${benchmark}/mine/samples" and "oracle" not in str(own["outs"])
    assert stages["train"]["foreach"] == "${toys.models}" and "mine" not in benchmark.models
    assert {"evaluate/mine", "train/mine"} & code.settings(benchmark).keys() == {"evaluate/mine"}


def test_a_folder_of_pictures_a_seed(line: Line, tmp_path: Path) -> None:
    for i in range(6):
        (tmp_path / "faces/0").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 50 * i, np.uint8)).save(tmp_path / f"faces/0/{i}.png")
    digits = data.Data(**datasets.load("digits", Path(), {})._asdict())
    found = brought.evidence({"samples": "faces/{seed}", "range": None}, 0, digits, 6)
    levels = sorted(digits.to_levels(found["fake"]).flatten(1)[:, 0].tolist())
    assert levels == [round(50 * i * 16 / 255) for i in range(6)], "scored on the data's own grey levels"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"n": 99}, "mine/0.npz holds 99 samples, and 100 are compared: bring as many, or ask for fewer"),
        ({"x": np.zeros((100, 3))}, r"mine/0.npz holds samples of the shape \(3,\), and the data are of \(2,\): bring"),
        ({"x": np.full((100, 2), np.nan)}, r"mine/0.npz"),
        ({"label": np.full(100, 8)}, "mine/0.npz has the label 8: give 0 to 7, or none"),
        (None, "mine/0.npz is missing: bring samples for each seed, or ask for fewer seeds"),
    ],
)
@pytest.mark.usefixtures("line")
def test_what_cannot_be_compared_is_one_line(made: dict | None, said: str) -> None:
    if made is not None:
        bring(0, **made)
    with pytest.raises(ValueError, match=said) as caught:
        brought.evidence({"samples": "mine/{seed}.npz", "range": None}, 0, data.load(data_file("ring"), "cpu"), SAMPLES)
    assert "\n" not in str(caught.value)


def test_a_range_that_is_not_sure_is_asked_for(tmp_path: Path) -> None:
    digits = data.Data(**datasets.load("digits", Path(), {})._asdict())
    np.savez(tmp_path / "0.npz", x=np.random.default_rng(0).random((20, 1, 8, 8)))
    asked = {"samples": str(tmp_path / "{seed}.npz"), "range": None}
    with pytest.raises(ValueError, match=r"may be of \[0, 1\] or of \[-1, 1\]: give in its line range: 0 1 or"):
        brought.evidence(asked, 0, digits, 20)
    found = brought.evidence(asked | {"range": [0, 1]}, 0, digits, 20)
    assert found["fake"].min() < -0.8


@pytest.mark.parametrize(
    ("name", "own", "said"),
    [
        (
            "mine",
            {"samples": "mine.npz"},
            r"brought.ring.mine.samples = 'mine.npz': \{seed\} is not in it, and ring has 2",
        ),
        (
            "mine",
            {"samples": "mine/{seed}.npz"},
            r"brought.ring.mine: mine/1.npz is missing: bring samples for each of",
        ),
        ("mine", {"samples": "mine/{seed}.npz", "range": [1, 0]}, r"range = \[1.0, 0.0\]: give the lower number first"),
        ("gan", {"samples": "mine/{seed}.npz"}, r"brought.ring.gan: a model of kind toys is called so; choose another"),
        ("mine", {"sample": "mine/{seed}.npz"}, r"brought.ring.mine.samples is missing"),
        ("data", {"samples": "mine/{seed}.npz"}, r"brought.ring.data: the name of the folder of the data"),
    ],
)
def test_a_wrong_line_is_named_before_anything_runs(line: Line, name: str, own: dict, said: str) -> None:
    bring(0)
    with pytest.raises(ValueError, match=said):
        check.check_brought(line(name, **own), Path())

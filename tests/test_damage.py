"""A damaged file is one line that names it and what makes it anew; and what makes it anew does."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_reports import MODELS, POINTS, fabricate, read
from test_tracking import curve, finish, gan, project, write  # noqa: F401  (a fixture)

from benchmarks import datasets
from benchmarks.extractors import Judge
from pipeline import data
from pipeline.cell import Cell, data_file, judge_file
from pipeline.evaluation import judging
from pipeline.evaluation.sampling import packed
from pipeline.files import atomic_write, file_digest
from pipeline.stage import describe
from pipeline.tensors import load_tensors, save_tensors
from pipeline.tools import export
from pipeline.tools.add import stages_file
from pipeline.tracking import results
from pipeline.work import making, sound, units
from pipeline.work.units import Unit, publish

Damage = Callable[[bytes], bytes]


def half(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def by_a_line(raw: bytes) -> bytes:
    """Cut at the end of a line, which shows in no line."""
    return b"".join(raw.splitlines(keepends=True)[:-1])


def in_the_middle(raw: bytes) -> bytes:
    """As long as it was."""
    return raw[: len(raw) // 2] + bytes(20) + raw[len(raw) // 2 + 20 :]


def a_list(raw: bytes) -> bytes:
    return b"[1, 2]"


def noise(raw: bytes) -> bytes:
    return np.random.default_rng(0).bytes(300)


def falling(raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    return b"".join([lines[0], lines[2], lines[1]])


def of_another_kind(raw: bytes) -> bytes:
    return packed(y=np.zeros(3))


def without(name: str) -> Damage:
    return lambda raw: json.dumps({key: value for key, value in json.loads(raw).items() if key != name}).encode()


def spoil(path: Path, damage: Damage) -> None:
    path.write_bytes(damage(path.read_bytes()))


def told(caught: "pytest.ExceptionInfo[Exception]", path: Path) -> str:
    """What a stage says of it."""
    line = describe(caught.value)
    assert line and "\n" not in line and str(path) in line and "dvc repro benchmarks/" in line and "delete it" in line
    assert "allow_pickle" not in line and "weights_only" not in line and line.count("`") == 2  # those of the remedy
    return line


@pytest.mark.parametrize("damage", [half, a_list, noise, without("seeds"), without("cell")])
@pytest.mark.usefixtures("project")
def test_a_record_of_training_in_the_tracking(damage: Damage) -> None:
    finish(gan())
    spoil(gan().training, damage)
    with pytest.raises(ValueError) as caught:
        results.finished(gan())
    told(caught, gan().training)
    assert units.published("train", "ring", "gan", gan().fingerprint) == {}


@pytest.mark.parametrize("damage", [half, a_list, noise, without("seeds")])
@pytest.mark.usefixtures("project")
def test_scores_in_the_tracking(damage: Damage) -> None:
    finish(gan())
    spoil(gan().scores, damage)
    with pytest.raises(ValueError) as caught:
        results.finished(gan())
    told(caught, gan().scores)


@pytest.mark.parametrize("damage", [half, noise, falling, lambda raw: b""])
@pytest.mark.parametrize("kind", ["curves", "progress"])
@pytest.mark.usefixtures("project")
def test_a_curve_in_the_tracking(damage: Damage, kind: str) -> None:
    finish(gan())
    write(gan().progress / "1.csv", curve())
    spoil(getattr(gan(), kind) / "0.csv" if kind == "curves" else gan().progress / "1.csv", damage)
    write(gan().progress / "0.csv", curve())
    with pytest.raises(ValueError) as caught:
        results.finished(gan())
    told(caught, gan().curves / "0.csv" if kind == "curves" else gan().progress / "1.csv")


@pytest.mark.parametrize("kind", ["curves", "progress"])
@pytest.mark.usefixtures("project")
def test_a_curve_cut_at_the_end_of_a_line_is_known_by_its_digest(kind: str) -> None:
    finish(gan())
    write(gan().progress / "0.csv", curve())
    write(gan().progress / "1.csv", curve())
    path, record = (gan().curves, gan().training) if kind == "curves" else (gan().progress, gan().scores)
    known_by_digest(record, 0, path / "0.csv")
    assert len(results.finished(gan())) == 2
    spoil(path / "0.csv", by_a_line)
    with pytest.raises(ValueError, match="it is not what was written") as caught:
        results.finished(gan())
    told(caught, path / "0.csv")


def known_by_digest(record: Path, seed: int, path: Path) -> None:
    """A record says what the file is."""
    content = json.loads(record.read_text())
    content["seeds"][seed]["files"] = {f"{path.parent.name}/{path.name}": file_digest(path)}
    record.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *((name, damage) for name in ("scores.json", "training.json") for damage in (half, a_list, noise)),
        *(("curves/1.csv", damage) for damage in (half, noise, falling, lambda raw: b"")),
        *(("samples/0.npz", damage) for damage in (half, a_list, noise, in_the_middle, of_another_kind)),
    ],
)
def test_a_file_of_a_report(tmp_path: Path, name: str, damage: Damage) -> None:
    fabricate(tmp_path, POINTS)
    spoil(tmp_path / "plain" / name, damage)
    with pytest.raises(ValueError) as caught:
        read(tmp_path)
    told(caught, tmp_path / "plain" / name)
    assert "plain" in MODELS


@pytest.mark.parametrize(("name", "record"), [("curves", "training.json"), ("progress", "scores.json")])
def test_a_curve_of_a_report_is_known_by_its_digest(tmp_path: Path, name: str, record: str) -> None:
    fabricate(tmp_path, POINTS)
    shutil.copytree(tmp_path / "plain/curves", tmp_path / "plain/progress")
    path = tmp_path / "plain" / name / "1.csv"
    known_by_digest(tmp_path / "plain" / record, 1, path)
    read(tmp_path)
    spoil(path, by_a_line)
    with pytest.raises(ValueError, match="it is not what was written") as caught:
        read(tmp_path)
    told(caught, path)


def content_of(path: Path, **other: Any) -> None:
    save_tensors(path, load_tensors(path) | other)


def fewer_labels(path: Path) -> None:
    kept = load_tensors(path)
    save_tensors(path, kept | {"test": {"x": kept["test"]["x"], "label": kept["test"]["label"][:3]}})


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


PREPARED: dict[str, Callable[[Path], None]] = {
    "a folder": a_folder,
    "half": lambda path: spoil(path, half),
    "noise": lambda path: spoil(path, noise),
    "a list": lambda path: save_tensors(path, [1, 2]),
    "a tensor": lambda path: save_tensors(path, torch.zeros(3)),
    "no truth": lambda path: save_tensors(path, {k: v for k, v in load_tensors(path).items() if k != "truth"}),
    "a part is a number": lambda path: content_of(path, test=3),
    "a part is empty": lambda path: content_of(path, test={"x": torch.zeros(0, 2), "label": None}),
    "fewer labels": fewer_labels,
    "levels of points": lambda path: content_of(path, levels=17),
    "more than it holds": lambda path: content_of(path, more=1),
}


@pytest.mark.parametrize("damage", PREPARED)
def test_prepared_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = data_file("ring")
    data.save(datasets.load("ring", Path(), {"train": 80, "validation": 20, "test": 40}), path)
    assert sound.damage(path) == ""
    PREPARED[damage](path)
    with pytest.raises(ValueError) as caught, sound.explained(path):
        raise KeyError("a reader who trusts it")
    told(caught, path)


@pytest.mark.parametrize("damage", ["half", "noise", "a list", "a folder", "another"])
def test_a_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.chdir(tmp_path)
    data.save(datasets.load("digits", Path(), {}), data_file("digits"))
    path = judge_file("digits")
    judging.save_judge(Judge((1, 8, 8), 10), path, 1.0)
    assert sound.damage(path) == ""
    if damage == "another":
        judging.save_judge(Judge((3, 8, 8), 10), path, 1.0)
    else:
        PREPARED[damage](path)
    line = sound.damage(path)
    assert str(path) in line and line.count("`") == 2 and "`dvc repro benchmarks/digits/dvc.yaml`" in line


@pytest.mark.parametrize("damage", [half, a_list, noise, of_another_kind])
def test_samples_and_data_that_are_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Damage) -> None:
    monkeypatch.chdir(tmp_path)
    atomic_write(stages_file("ring"), b"stages: {}")
    cell, file = Cell("ring", "gan"), data_file("ring")
    data.save(datasets.load("ring", Path(), {"train": 80, "validation": 20, "test": 40}), file)
    atomic_write(samples := cell.samples / "0.npz", packed(x=np.zeros((5, 2), np.float32), levels=0))
    assert export.generated(cell, 0)[0].shape == (5, 2) and export.real("ring", "test")[0].shape == (40, 2)
    for path, use in ((samples, lambda: export.generated(cell, 0)), (file, lambda: export.real("ring", "test"))):
        spoil(path, damage)
        with pytest.raises(ValueError) as caught:
            use()
        told(caught, path)


def test_an_error_of_its_own_is_not_put_down_to_whole_files(tmp_path: Path) -> None:
    save_tensors(tmp_path / "artifacts/ring/gan/weights/0.pt", {"status": "", "step": 0, "player": "", "state": {}})
    with pytest.raises(KeyError, match="ours"), sound.explained(tmp_path / "artifacts/ring/gan/weights/0.pt"):
        raise KeyError("ours")


FILES = {"weights/0.pt": b"weights", "snapshots/0.npz": b"snapshots", "curves/0.csv": b"curves"}


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Unit:
    """A seed that is trained, its record written."""
    monkeypatch.chdir(tmp_path)
    unit = Unit("train", "ring", "gan", 0, "f" * 64, {})
    for name, raw in FILES.items():
        write(unit.work / name, raw.decode())
    making.finish(unit, {"status": "finished"})
    return unit


def published(unit: Unit) -> Cell:
    """As the train stage does it."""
    publish([unit])
    cell = Cell("ring", "gan")
    write(cell.training, json.dumps({"seeds": [unit.record()], "cell": [{"fingerprint": unit.fingerprint}]}))
    units.forget_work("ring", "gan", "train")
    return cell


def evaluation(unit: Unit) -> Unit:
    return Unit("evaluate", "ring", "gan", 0, "e" * 64, {}, unit.fingerprint)


@pytest.mark.parametrize("name", [*FILES, "0.json"])
def test_what_was_damaged_in_the_work_folder_is_made_again_and_not_published(trained: Unit, name: str) -> None:
    spoil(trained.work / name, half)
    assert trained.record() is None and not trained.taken_up()
    with pytest.raises(ValueError, match=r"seed 0: a file in artifacts/work/ring/gan/train-f+ is damaged"):
        publish([trained])
    assert not Cell("ring", "gan").weights.exists()


@pytest.mark.parametrize("name", ["weights/0.pt", "snapshots/0.npz"])
@pytest.mark.parametrize("stage", ["in the work folder", "published"])
def test_damaged_weights_are_not_evaluated_and_the_remedy_works(trained: Unit, name: str, stage: str) -> None:
    """Once it is deleted, training finds the seed unmade, and takes no damaged file for it."""
    cell = published(trained) if stage == "published" else None
    file = evaluation(trained).training_files()[name.split("/")[0]]
    sound.check_trained(evaluation(trained))
    spoil(file, in_the_middle if stage == "published" else half)
    with pytest.raises(ValueError, match="it is not what training made") as caught:
        sound.check_trained(evaluation(trained))
    told(caught, file)
    assert trained.record() is None and not trained.taken_up()
    file.unlink()
    assert trained.record() is None and not trained.taken_up()
    if cell:  # and with the file as it was, the seed is taken up
        file.write_bytes(FILES[name])
        assert trained.taken_up() and trained.record()


@pytest.mark.parametrize("damage", ["half", "noise", "a list", "a folder", "another", "a snapshot"])
def test_a_damaged_checkpoint_lets_the_seed_begin_anew(trained: Unit, damage: str, monkeypatch: Any) -> None:
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    whole = {"step": 3, "seconds": 1.0, "model": {}, "optimizers": {}, "random": {"cpu": torch.zeros(1)}, "rows": []}
    path = trained.file(".checkpoint")
    save_tensors(path, whole)
    atomic_write(snapshot := trained.file(".snapshots") / "1.npz", packed(x=np.zeros(3)))
    making.begin_anew_elsewhere(trained)
    assert path.exists()
    if damage == "a snapshot":
        spoil(snapshot, half)
    elif damage == "another":
        save_tensors(path, {"random": 3})
    else:
        PREPARED[damage](path)
    making.begin_anew_elsewhere(trained)
    assert not path.exists() and not snapshot.exists()

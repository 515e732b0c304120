"""Files are whole or absent, and a checkpoint is gone on from where it was made."""

import errno
import os
from pathlib import Path

import pytest
import torch

import models
from benchmarks import datasets
from pipeline import data, stage
from pipeline.evaluation.sampling import packed
from pipeline.files import atomic_write
from pipeline.tensors import save_tensors
from pipeline.training import engine
from pipeline.training.settings import Training
from pipeline.work.making import begin_anew_elsewhere
from pipeline.work.units import Unit

CPU = torch.device("cpu")


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    atomic_write(path, "first")
    atomic_write(path, b"second")
    assert path.read_bytes() == b"second" and os.listdir(path.parent) == ["file"]


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    atomic_write(path, "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError) as caught:
        atomic_write(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]
    line = stage.describe(caught.value)
    assert "no space left" in line and str(path) in line and "\n" not in line


@pytest.mark.parametrize(
    ("place", "remedy"),
    [
        ("artifacts/made", " is a folder where a file belongs; delete it, and `dvc repro` makes it anew"),
        ("mine", " is a folder; give the name of a file"),
    ],
)
def test_a_folder_in_the_place_of_a_file_is_named_with_a_remedy(
    place: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user has made is never to be deleted."""
    monkeypatch.chdir(tmp_path)
    path = Path(place)
    path.mkdir(parents=True)
    for use in (lambda path: atomic_write(path, "new"), lambda path: path.read_bytes()):
        with pytest.raises(OSError) as caught:
            use(path)
        assert stage.describe(caught.value) == place + remedy


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("artifacts/none", "artifacts/none is missing; `dvc repro` makes it"),
        ("none", "none: there is no such file or folder"),
        ("file/none", "file/none: cannot be written or read (Not a directory); give another place"),
    ],
)
def test_a_file_that_is_not_there_is_told_as_whose_it_is(
    place: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    with pytest.raises(OSError) as caught:
        Path(place).read_bytes()
    assert stage.describe(caught.value) == said


@pytest.mark.parametrize(("made_on", "goes_on"), [("cpu", True), ("cuda", False)])
def test_a_seed_is_made_on_one_kind_of_device(
    made_on: str, goes_on: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    unit = Unit("train", "ring", "gan", 0, "f", {})
    random = dict.fromkeys(["cpu", made_on], torch.zeros(1))
    kept = {"step": 10, "seconds": 1.0, "model": {}, "optimizers": {}, "average": None, "random": random, "rows": []}
    save_tensors(unit.file(".checkpoint"), kept)
    atomic_write(unit.file(".snapshots") / "10.npz", packed(x=torch.zeros(2)))
    begin_anew_elsewhere(unit)
    assert unit.file(".checkpoint").exists() == unit.file(".snapshots").exists() == goes_on


@pytest.mark.parametrize("change", ["model", "optimizers", "average", "random"])
def test_a_checkpoint_of_another_model_is_a_line_with_a_remedy(change: str, tmp_path: Path) -> None:
    def run(name: str) -> engine.Run:
        model = models.build(name, resident.spec, {"width": 8})
        return engine.Run(model, resident, Training(2, 50, 0.9, "fp32", False), 0, CPU, tmp_path / "0")

    data.save(datasets.load("ring", Path(), {"train": 100, "test": 100}), tmp_path / "data.pt")
    resident = data.load(tmp_path / "data.pt", "cpu")
    path, other = tmp_path / "0.checkpoint", {"optimizers": {}, "average": None, "random": {"cpu": torch.zeros(1)}}
    save_tensors(path, run("gan").state() | ({} if change == "model" else {change: other[change]}))
    with pytest.raises(ValueError, match="another model or other settings") as caught:
        run("vae" if change == "model" else "gan").train()
    line = stage.describe(caught.value)
    assert str(path) in line and "delete it and run the same command again" in line and "\n" not in line
    path.unlink()
    run("gan").train()

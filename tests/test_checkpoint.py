"""Files are whole or absent, and a checkpoint is gone on from where it was made."""

import errno
import os
from pathlib import Path

import pytest
import torch

from pipeline import stage
from pipeline.evaluation.sampling import packed
from pipeline.files import atomic_write
from pipeline.tensors import save_tensors
from pipeline.work.making import begin_anew_elsewhere
from pipeline.work.units import Unit


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


def test_a_folder_in_the_place_of_a_file_is_named_with_a_remedy(tmp_path: Path) -> None:
    for use in (lambda path: atomic_write(path, "new"), lambda path: path.read_bytes()):
        with pytest.raises(OSError) as caught:
            use(tmp_path)
        line = stage.describe(caught.value)
        assert line == f"{tmp_path} is a folder where a file belongs; delete it, and `dvc repro` makes it anew"


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

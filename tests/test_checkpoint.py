"""Files are whole or absent."""

import errno
import os
from pathlib import Path

import pytest

from pipeline import stage
from pipeline.files import atomic_write


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

"""Weights of others: downloaded whole or not at all, and read only when they are what they should be."""

import hashlib
import io
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from benchmarks import weights

CONTENT = b"the weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were asked; each answers with the right content."""
    seen: list[str] = []
    monkeypatch.setattr(weights.urllib.request, "urlopen", lambda url, timeout: seen.append(url) or io.BytesIO(CONTENT))
    return seen


def test_a_file_is_downloaded_once(tmp_path: Path, asked: list[str]) -> None:
    file = tmp_path / "new" / "a.pth"
    for _ in range(2):
        weights.ensure(file, "https://example.org/a.pth", SHA256[:8])
    assert file.read_bytes() == CONTENT
    assert asked == ["https://example.org/a.pth"]


def test_a_file_that_came_before_is_not_asked_for(tmp_path: Path, asked: list[str]) -> None:
    (tmp_path / "a.pth").write_bytes(b"mine")
    weights.ensure(tmp_path / "a.pth", "https://example.org/a.pth", SHA256)
    assert not asked and (tmp_path / "a.pth").read_bytes() == b"mine"


def test_a_disk_without_room_is_told_before_anything_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer(io.BytesIO):
        headers = {"Content-Length": str(2**50)}

        def read(self, *_: object) -> bytes:
            raise AssertionError("nothing is read")

    monkeypatch.setattr(weights.urllib.request, "urlopen", lambda url, timeout: Answer())
    with pytest.raises(OSError, match=r"it takes 1,073,741,824 MiB and the disk of .* has [\d,]+ MiB free"):
        weights.ensure(tmp_path / "a.pth", "https://example.org/a.pth", SHA256)


def test_what_is_not_the_right_file_is_not_kept(tmp_path: Path, asked: list[str]) -> None:
    with pytest.raises(OSError, match=f"what came has the SHA-256 {SHA256[:8]}, not 00000000"):
        weights.ensure(tmp_path / "a.pth", "https://example.org/a.pth", "0" * 64)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth.lock"]


@pytest.mark.parametrize("error", [URLError("no route"), TimeoutError("timed out"), IncompleteRead(b"the")])
def test_a_download_that_fails_is_an_oserror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(url: str, timeout: float) -> None:
        raise error

    monkeypatch.setattr(weights.urllib.request, "urlopen", fail)
    with pytest.raises(OSError):
        weights.ensure(tmp_path / "a.pth", "https://example.org/a.pth", SHA256)
    assert not (tmp_path / "a.pth").exists()


def test_tensors_are_read_and_nothing_else(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "good.pth")
    assert weights.tensors("Its", tmp_path / "good.pth", "", "ask again")["a"].tolist() == [1, 1]
    torch.save({"a": Path("x")}, tmp_path / "bad.pth")
    with pytest.raises(OSError, match=r"Its weights .*bad.pth hold something other than tensors: ask again"):
        weights.tensors("Its", tmp_path / "bad.pth", "", "ask again")
    with pytest.raises(OSError, match=r"good.pth are damaged: SHA-256 [0-9a-f]{8}, not 00000000; ask again"):
        weights.tensors("Its", tmp_path / "good.pth", "0" * 64, "ask again")
    with pytest.raises(OSError, match=r"gone.pth cannot be read \(No such file or directory\): ask again"):
        weights.tensors("Its", tmp_path / "gone.pth", "", "ask again")

"""Two DVC at once: what starts DVC waits for another one, and says so."""

import fcntl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipeline.work import plan


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], check=True)
    (tmp_path / "dvc.yaml").write_text("stages: {one: {cmd: touch one, outs: [one]}}")
    return tmp_path


def test_it_waits_for_the_repository(repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Much longer than DVC's own three seconds."""
    (repository / ".dvc/tmp").mkdir(exist_ok=True)
    with plan.LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        codes: list[int] = []
        thread = threading.Thread(target=lambda: codes.append(plan.dvc("repro", "--quiet")))
        thread.start()
        time.sleep(25)
        assert not codes and not (repository / "one").exists()
    thread.join()
    assert codes == [0] and (repository / "one").exists()
    assert capfd.readouterr().err.splitlines()[0] == plan.WAITING


@pytest.mark.parametrize("left", ["", '{"read": {"/a": [{"pid": 1'])
def test_half_a_list_that_a_kill_has_left_is_no_lock(repository: Path, left: str) -> None:
    """DVC alone fails on it: its JSON structure is corrupted."""
    (repository / ".dvc/tmp").mkdir(exist_ok=True)
    plan.LISTED.write_text(left)
    assert plan.dvc("repro", "--quiet") == 0 and (repository / "one").exists()


def stand_in(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_it_waits_for_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plan, "AGAIN", 0.1)
    busy = "if [ -e second ]; then echo done >&2; exit 0; fi; touch second; echo \"ERROR: 'x' is busy, it is being "
    busy += 'blocked by:" >&2; exit 255'
    monkeypatch.setattr(sys, "executable", stand_in(tmp_path / "python", busy))
    assert plan.dvc("repro") == 0
    assert capfd.readouterr().err.splitlines() == [plan.WAITING, "done"]


def test_any_other_failure_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", stand_in(tmp_path / "python", "echo 'error: no' >&2; exit 1"))
    assert plan.dvc("repro") == 1
    assert capfd.readouterr().err == "error: no\n"

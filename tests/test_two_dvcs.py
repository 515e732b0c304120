"""How DVC is started: it waits for another one, and says so; its locks are what DVC writes, and never half of one."""

import fcntl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import ruamel.yaml
from dvc.utils.serialize import dumps_yaml

from pipeline.work import plan, quick_dvc

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
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


@pytest.mark.parametrize("lock", sorted(ROOT.glob("benchmarks/*/dvc.lock")), ids=lambda lock: lock.parent.name)
def test_a_lock_that_is_kept_reads_as_dvc_reads_it(lock: Path) -> None:
    assert quick_dvc.parsed(lock.read_text()) == ruamel.yaml.YAML(typ="safe").load(lock.read_text())


def test_text_that_could_be_a_number_is_written_as_dvc_writes_it() -> None:
    """A digest of digits and one `e` among them, which YAML 1.1 takes for text and 1.2 for a number."""
    texts = [
        "12e4",
        "0899",
        "0123",
        "1e-3",
        ".5e1",
        "1_000",
        "yes",
        "null",
        "~",
        "12:30",
        "a: b",
        "#",
        "0x1f",
        "0o17",
        "",
    ]
    content = {"stages": {"no": {"cmd": "x " * 60, "outs": [{"md5": text, "size": 3} for text in texts]}}}
    assert quick_dvc.written(content) == dumps_yaml(content)
    assert quick_dvc.parsed(dumps_yaml(content)) == content


def test_a_stage_is_locked_as_by_dvc_alone(repository: Path) -> None:
    stages = "one: {cmd: touch one, outs: [one]}, two: {cmd: cp one two, deps: [one], outs: [two]}"
    (repository / "dvc.yaml").write_text(f"stages: {{{stages}}}")
    assert plan.dvc("repro", "--quiet") == 0
    ours = (repository / "dvc.lock").read_text()
    (repository / "dvc.lock").unlink()
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], check=True)
    assert ours == (repository / "dvc.lock").read_text() and "two:" in ours


def test_a_lock_is_never_half_written(repository: Path) -> None:
    """What fails while it is written leaves the one before."""
    lock = repository / "dvc.lock"
    lock.write_text("schema: '2.0'\nstages: {}\n")
    with pytest.raises(Exception, match="cannot represent"), quick_dvc.modified(lock) as content:
        content["stages"]["one"] = object()
    assert lock.read_text() == "schema: '2.0'\nstages: {}\n" and not list(repository.glob(".dvc.lock*"))

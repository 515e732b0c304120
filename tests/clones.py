"""Clones of the project for tests that run it: copies of the working tree with small budgets."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).parents[1]
PATIENCE = 600.0  # seconds that a busy machine may take for what takes some


def tree() -> list[str]:
    """The files that a clone of the working tree would hold."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    made = ("reports/scores/", "reports/rendered/")
    return [name for name in listed if (ROOT / name).is_file() and not name.startswith(made) and "dvc.lock" not in name]


def copy(place: Path) -> None:
    """A repository like a fresh clone that nothing has run in."""
    for name in tree():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    for file in place.glob("benchmarks/*/benchmark.yaml"):  # tests leave models out that some benchmarks name
        lines = file.read_text().splitlines(keepends=True)
        others = [line for line in lines if not line.startswith("contestants: ")]
        file.write_text("".join(others))
        if others != lines:  # whose stages are of those models
            file.with_name("dvc.yaml").unlink(missing_ok=True)
    succeed(place, "git", "init", "-q")


def leave(place: Path, *names: str) -> None:
    """Only these benchmarks are DVC's."""
    for file in place.glob("benchmarks/*/dvc.yaml"):
        if file.parent.name not in names:
            file.unlink()


def variables(**environment: str) -> dict[str, str]:
    found = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment}
    found.pop("MLFLOW_TRACKING_URI", None)
    return found


def run(clone: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=clone, env=variables(**environment), capture_output=True, text=True)


def succeed(clone: Path, *command: str, **environment: str) -> str:
    done = run(clone, *command, **environment)
    ended = f"{command} ended with {done.returncode}"
    assert done.returncode == 0, f"{ended}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def edit_params(clone: Path, change: Callable[[dict[str, Any]], None]) -> None:
    board = yaml.safe_load((clone / "params.yaml").read_text())
    change(board)
    (clone / "params.yaml").write_text(yaml.safe_dump(board))


def processes_in(clone: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()) == clone and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end_all(clone: Path) -> None:
    """A test that fails leaves no process behind for the next one to stumble over."""
    for process in processes_in(clone):
        with contextlib.suppress(psutil.Error):
            process.kill()


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)

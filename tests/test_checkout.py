"""A checkout on a machine with other habits, and in other places than its root."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clones import ROOT, copy, run, succeed

ME = ("-c", "user.name=test", "-c", "user.email=test@example.org")


def test_a_checkout_with_crlf_habits_has_the_same_bytes(tmp_path: Path) -> None:
    """With a carriage return in its first line `pipeline/run` would not start, and digests would be others."""
    origin, crlf = tmp_path / "origin", tmp_path / "crlf"
    origin.mkdir()
    copy(origin)
    succeed(origin, "git", "add", "-A")
    succeed(origin, "git", *ME, "commit", "-qm", "all")
    succeed(tmp_path, "git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", "clone", "-q", "origin", "crlf")
    names = subprocess.run(["git", "ls-files"], cwd=crlf, capture_output=True, text=True, check=True).stdout.split()
    assert "pipeline/run" in names and any(name.endswith(".png") for name in names)
    assert not [name for name in names if (crlf / name).read_bytes() != (origin / name).read_bytes()]


def stand_in(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A place with a Python of its own that says where it runs and what."""
    (tmp_path / "pipeline").mkdir()
    shutil.copy(ROOT / "pipeline/run", tmp_path / "pipeline/run")
    stand_in(tmp_path / ".venv/bin/python", 'echo "$PWD" "$@" "$PYTHONIOENCODING"')
    return tmp_path


def test_a_stage_runs_from_any_folder(project: Path) -> None:
    (project / "models").mkdir()
    for folder, command in ((project, "pipeline/run"), (project / "models", "../pipeline/run")):
        assert run(folder, command, "train", "ring", PYTHONIOENCODING="").stdout.split() == [
            str(project), "-m", "pipeline.train", "ring",
        ]  # fmt: skip


def test_an_experiments_copy_runs_with_the_projects_environment(project: Path) -> None:
    copied = project / ".dvc/tmp/exps/tmp1234"
    (copied / "pipeline").mkdir(parents=True)
    shutil.copy(project / "pipeline/run", copied / "pipeline/run")
    assert run(copied, "pipeline/run", "train").stdout.split()[:3] == [str(copied), "-m", "pipeline.train"]


def test_a_stage_says_what_ascii_cannot(project: Path) -> None:
    for given, meant in (("ascii", "ascii:replace"), ("utf-8:strict", "utf-8:strict")):
        assert run(project, "pipeline/run", "train", PYTHONIOENCODING=given).stdout.split()[-1] == meant
    code = "from pipeline.terminal import forgiving; forgiving(); print('1 \u00b1 2 \u2191')"
    assert run(ROOT, sys.executable, "-c", code, PYTHONIOENCODING="ascii").stdout == "1 ? 2 ?\n"


def test_make_installs_for_another_lock_file_not_for_a_newer_one(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    lock = tmp_path / "requirements.lock"
    lock.write_text("one==1\n")
    stand_in(tmp_path / ".venv/bin/python", 'echo ran "$@"')
    stand_in(tmp_path / ".venv/bin/pip", "")
    installer = stand_in(tmp_path / "bin/uv", "echo installed")

    def installed() -> bool:
        path = f"{installer.parent}:{os.environ['PATH']}"
        command = ["make", "ui", f"PYTHON={sys.executable}"]
        done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True)
        assert done.returncode == 0 and "ran -m pipeline.tracking --ui --port 5000" in done.stdout, done.stderr
        return "\ninstalled\n" in done.stdout

    assert installed() and not installed()
    os.utime(lock, (2e9, 2e9))
    assert not installed()
    lock.write_text("one==2\n")
    assert installed() and not installed()


def python(path: Path, version: str = "3.12.1", **fails: str) -> Path:
    """A Python that says it is of a version, and whose modules end as given: venv="exit 1"."""
    told = f"tuple(map(int, {version!r}.split('.'))), {version!r}"
    tell = f"import sys; sys.version_info, sys.version = {told}; exec(sys.argv[1])"
    cases = "".join(f'if [ "$2" = {module} ]; then {end}; fi\n' for module, end in fails.items())
    return stand_in(path, f'{cases}if [ "$1" = -c ]; then exec {sys.executable} -c "{tell}" "$2"; fi\necho "$@"')


def make(folder: Path, asked: Path, uv: str = "exit 0") -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements.lock").write_text("one==1\n")
    path = f"{stand_in(folder / 'bin/uv', uv).parent}:{os.environ['PATH']}"
    command = ["make", "-s", "ui", f"PYTHON={asked}"]
    return subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True)


def test_a_python_that_is_too_old_is_told(tmp_path: Path) -> None:
    done = make(tmp_path, python(tmp_path / "old", "3.9.1"))
    assert done.returncode and "Python 3.11 to 3.13 is needed, this is 3.9.1; say make PYTHON=python3.12" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_python_without_venv_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    done = make(tmp_path, python(tmp_path / "bare", venv="mkdir -p .venv/bin; exit 1"))
    assert done.returncode and "cannot make a virtual environment; install its venv and pip" in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_packages_that_do_not_come_are_told_and_asked_for_again(tmp_path: Path) -> None:
    """No network, or no room: the same command goes on."""
    python(tmp_path / ".venv/bin/python")
    first = make(tmp_path, python(tmp_path / "python"), uv="echo no route to host; exit 1")
    assert first.returncode and "why stands above; connect, or free some disk, and run the same command" in first.stdout
    again = make(tmp_path, python(tmp_path / "python"))
    assert again.returncode == 0 and "-m pipeline.tracking --ui" in again.stdout


@pytest.mark.parametrize("broken", ["gone", "old", "no pip"])
def test_an_environment_that_is_broken_is_made_anew(tmp_path: Path, broken: str) -> None:
    inside, fresh = tmp_path / ".venv/bin/python", python(tmp_path / "fresh")
    if broken == "gone":  # what it linked to was removed
        inside.parent.mkdir(parents=True)
        inside.symlink_to(tmp_path / "removed")
    else:
        python(inside, "3.9.1" if broken == "old" else "3.12.1", **({"pip": "exit 1"} if broken == "no pip" else {}))
    maker = python(tmp_path / "maker", venv=f"rm -rf .venv; mkdir -p .venv/bin; cp {fresh} .venv/bin/python; exit 0")
    done = make(tmp_path, maker)
    assert done.returncode == 0 and "-m pipeline.tracking --ui" in done.stdout, done.stderr
    assert inside.read_text() == fresh.read_text()

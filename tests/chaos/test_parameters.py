"""Mutated parameter files by the command that everything begins with: one line each, and nothing has changed."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from clones import ROOT, copy, variables
from edits import BOARD, FILES, RING, WRONG
from soak import TRIES, some, tried

SIDE_BY_SIDE = 2


class Mutation(NamedTuple):
    file: str
    old: str  # empty: the whole file
    new: str | bytes | None  # None: a folder in its place
    message: str

    def __str__(self) -> str:
        return f"{MUTATIONS.index(self)} {self.file}: {str(self.new)[:60]!r}"

    def make(self, project: Path) -> None:
        path = project / self.file
        text = path.read_bytes()
        path.unlink()
        if self.new is None:
            path.mkdir()
        elif isinstance(self.new, bytes):
            path.write_bytes(self.new)
        else:
            assert self.old.encode() in text
            path.write_bytes(text.replace(self.old.encode(), self.new.encode(), 1))


MUTATIONS = [Mutation(*edit) for edit in WRONG]
MUTATIONS += [Mutation(file, "", content, message) for file in (BOARD, RING) for content, message in FILES]


def files(project: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(project)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in project.rglob("*")
        if "__pycache__" not in path.parts
    }


def checked(project: Path, mutation: Mutation) -> str:
    """What is wrong with how the mutation is refused."""
    kept = (project / mutation.file).read_bytes()
    mutation.make(project)
    before = files(project)
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.check"], cwd=project, env=variables(), capture_output=True, text=True
    )
    faults = [f"exit status {done.returncode}"] * (done.returncode != 1)
    faults += [f"{len(done.stderr.splitlines())} lines: {done.stderr[-200:]}"] * (done.stderr.count("\n") != 1)
    start = done.stderr.removeprefix("error: ").partition(": ")[0]
    faults += [f"names no file: {done.stderr[:200]}"] * (".yaml" not in start or not done.stderr.startswith("error: "))
    faults += [f"says other things: {done.stderr[:200]}"] * (mutation.message not in done.stderr)
    faults += ["prints something"] * bool(done.stdout) + ["something has changed"] * (files(project) != before)
    path = project / mutation.file
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.write_bytes(kept)
    return "; ".join(faults)


def test_mutated_parameters(tmp_path: Path) -> None:
    mutations = some(MUTATIONS, "parameters")
    assert len(mutations) >= min(120, TRIES)
    said: dict[str, str] = {}

    def check(number: int) -> None:
        project = tmp_path / str(number)
        copy(project)
        for file in {mutation.file for mutation in mutations}:  # with the lines that a copy leaves out
            shutil.copy(ROOT / file, project / file)
        for mutation in mutations[number::SIDE_BY_SIDE]:
            said[str(mutation)] = fault = checked(project, mutation)
            print(f"\n  {len(said)} {mutation}: {fault or 'held'}", end="", flush=True)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(check, range(SIDE_BY_SIDE)))
    assert len(said) == len(mutations)
    tried("parameters", mutations, lambda mutation: said[str(mutation)])

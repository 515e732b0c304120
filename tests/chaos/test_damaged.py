"""Damaged artifacts of every kind: one line that names the file and what makes it anew, and that does.

What only an unfinished seed needs, a checkpoint or a record in its work folder, is made again without a word.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from clones import run, succeed, variables
from soak import TRIES, chance, changed, results, tried

from pipeline.evaluation.sampling import packed
from pipeline.tensors import save_tensors

DAMAGED = min(40, TRIES)
RING, DIGITS, SCORES = "artifacts/ring", "artifacts/digits", "reports/scores"
READERS: dict[str, tuple[str, ...]] = {  # a file, and who reads it
    f"{RING}/data/data.pt": ("train ring vae", "evaluate ring oracle", "report ring", "export ring test"),
    f"{DIGITS}/judge/judge.pt": ("evaluate digits cgan", "evaluate digits oracle"),
    f"{RING}/vae/weights/1.pt": ("evaluate ring vae",),
    f"{DIGITS}/cgan/snapshots/0.npz": ("report digits", "evaluate digits cgan"),
    f"{RING}/wgan/samples/0.npz": ("report ring", "export ring wgan"),
    f"{RING}/oracle/samples/0.npz": ("export ring oracle", "report ring"),
    f"{SCORES}/ring/vae/curves/0.csv": ("report ring", "tracking ring"),
    f"{SCORES}/ring/vae/progress/0.csv": ("tracking ring", "report ring"),
    f"{SCORES}/ring/wgan/training.json": ("evaluate ring wgan", "report ring", "tracking ring"),
    f"{SCORES}/digits/cgan/scores.json": ("report digits", "tracking digits"),
    f"{SCORES}/digits/judge.json": ("report digits", "evaluate digits cgan"),
    "0.checkpoint": ("train ring wgan",),
    "0.json": ("train ring wgan",),
}
OURS = ("0.checkpoint", "0.json")  # of an unfinished seed, in its work folder


def truncated(path: Path) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])


def of_other_structure(path: Path) -> None:
    contents = {".npz": packed(y=np.zeros(3)), ".json": b"[1, 2]", ".csv": b"a,b\n1\n"}
    if path.suffix in contents:
        path.write_bytes(contents[path.suffix])
    else:
        save_tensors(path, {"state": {"a": torch.zeros(3)}, "random": [1, 2]})


def empty(path: Path) -> None:
    path.write_bytes(b"")


def random_bytes(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(300))


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "more").write_text("in it")


class Case(NamedTuple):
    file: str
    reader: str
    damage: Callable[[Path], None]

    def __str__(self) -> str:
        return f"{self.file}, {self.damage.__name__.replace('_', ' ')}, read by {self.reader}"


def cases() -> Iterator[Case]:
    """A damage to each file, then another one to each, and so on, each read by the next who reads it."""
    rng, damages = chance("damaged"), [truncated, of_other_structure, empty, random_bytes, a_directory]
    columns = []
    for file, readers in READERS.items():
        order, first = rng.sample(damages, len(damages)), rng.randrange(len(readers))
        columns.append([Case(file, readers[(first + at) % len(readers)], damage) for at, damage in enumerate(order)])
    yield from chain.from_iterable(zip(*columns, strict=True))


def unfinished(clone: Path) -> Path:
    """The work folder of a seed that is about to be trained, its record and a checkpoint in it."""
    code = "from pipeline.cell import Cell; print(Cell('ring', 'wgan').work)"
    work = clone / succeed(clone, sys.executable, "-c", code).strip()
    succeed(clone, sys.executable, "-m", "pipeline.train", "ring", "wgan")
    record = (clone / SCORES / "ring/wgan/training.json").read_text()
    for folder in (clone / RING / "wgan/weights", clone / SCORES / "ring/wgan/curves"):
        shutil.rmtree(folder)
    work.mkdir(parents=True)
    (work / "0.json").write_text(record)
    save_tensors(work / "0.checkpoint", {"step": 3, "seconds": 1.0, "model": {}, "optimizers": {}, "rows": []})
    return work


def test_damaged_artifacts(clone: Path, whole: dict[str, str], tmp_path: Path) -> None:
    numbers = count()

    def read(case: Case) -> subprocess.CompletedProcess[str]:
        command = case.reader.split() + [f"--to={tmp_path}/{next(numbers)}"] * case.reader.startswith("export")
        return run(clone, sys.executable, "-m", f"pipeline.{command[0]}", *command[1:])

    def attempt(case: Case) -> str:
        file = unfinished(clone) / case.file if case.file in OURS else clone / case.file
        case.damage(file)
        done = read(case)
        said = (done.stderr.splitlines() or [""])[-1]
        print(f"  {case}: {said or 'nothing said'}", flush=True)
        faults = ["a traceback"] * ("Traceback" in done.stderr)
        if done.returncode or case.file not in OURS:
            named = str(file.relative_to(clone)) in said and said.startswith("error: ") and "delete it" in said
            found = re.findall("`([^`]+)`", said)
            faults += [f"exit status {done.returncode}"] * (done.returncode != 1)
            faults += [f"no line of file and remedy: {done.stderr[-300:]}"] * (not named or len(found) != 1)
            remedy = found[0] if found else "dvc repro -q"
            shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
            mended = subprocess.run(remedy, shell=True, cwd=clone, env=variables(), capture_output=True, text=True)
            faults += [f"`{remedy}` then fails: {mended.stderr[-300:]}"] * bool(mended.returncode)
        rest = run(clone, "dvc", "repro", "-q")
        faults += [f"`dvc repro` then fails: {rest.stderr[-300:]}"] * bool(rest.returncode)
        return "; ".join([*faults, *filter(None, [changed(whole, results(clone))])])

    tried("damaged", list(cases())[:DAMAGED], attempt)

"""Files that people bring, by the command that scores them: the right number, or a line that says what is the matter.

The right number is a Frechet distance to other images, worked out here in float64 from what the file holds.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from clones import ROOT, variables
from made import levels, points
from soak import some, tried
from test_brought import BAD, READ
from torch import Tensor

SIDE_BY_SIDE = 2
COARSE = {"float16 npy": 1e-2, "bfloat16 pt": 1e-2}  # half floats


class Brought(NamedTuple):
    name: str
    read: bool

    def __str__(self) -> str:
        return self.name


def distance(one: np.ndarray, two: np.ndarray) -> float:
    """Between Gaussians fitted to (n, D) and (m, D): |a - b|^2 + tr(A + B - 2 (AB)^(1/2))."""
    shift = one.mean(axis=0) - two.mean(axis=0)
    a, b = ((x - x.mean(axis=0)) / np.sqrt(len(x) - 1) for x in (one, two))
    return float(shift @ shift + (a**2).sum() + (b**2).sum() - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum())


def flat(x: Tensor) -> np.ndarray:
    return x.flatten(1).double().numpy()


def scored(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.score", *map(str, arguments)]
    environment = variables(BENCHMARK_DEVICE="cpu")
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def against(folder: Path, x: Tensor) -> tuple[Path, np.ndarray]:
    """Other samples of the same shape, of a range that the file says, and what they are in [-1, 1]."""
    if x.dim() == 2:
        other = points(20, 5, x.shape[1])
        np.save(folder / "other.npy", other.numpy())
        return folder / "other.npy", flat(other)
    image = levels(20, 5, x.shape[1])[..., : x.shape[2], : x.shape[3]]
    np.savez(folder / "other.npz", x=image.numpy(), levels=256)
    return folder / "other.npz", flat(image) / 127.5 - 1


def right_number(name: str, folder: Path) -> str:
    make, stated, expected = READ[name]
    other, samples = against(folder, expected)
    ends = ["--range", stated.low, stated.high] if stated else []
    done = scored(make(folder), other, "--metrics", "fd", "--json", *ends)
    if done.returncode:
        return f"exit status {done.returncode}: {done.stderr[-300:]}"
    found, wanted = json.loads(done.stdout), distance(flat(expected), samples)
    value = found["scores"]["fd"]
    return "" if value == pytest.approx(wanted, rel=COARSE.get(name, 1e-4)) else f"{value}, and {wanted} is right"


def right_line(name: str, folder: Path) -> str:
    make, stated, message = BAD[name]
    path = make(folder)
    ends = ["--range", stated.low, stated.high] if stated else []
    np.savez(folder / "other.npz", x=levels(20, 5).numpy(), levels=256)
    done = scored(path, folder / "other.npz", "--metrics", "fd", *ends)
    whole = done.returncode == 1 and not done.stdout and done.stderr.count("\n") == 1
    named = done.stderr.startswith("error: ") and message in done.stderr and str(path) in done.stderr
    return "" if whole and named else f"exit status {done.returncode}: {done.stderr[-300:]}"


def test_brought_files(tmp_path: Path) -> None:
    every = [Brought(name, True) for name in READ] + [Brought(name, False) for name in BAD]
    brought = some(every, "brought")

    def said(one: Brought) -> str:
        folder = tmp_path / str(every.index(one))
        folder.mkdir()
        fault = (right_number if one.read else right_line)(one.name, folder)
        print(f"\n  {one}: {fault or 'held'}", end="", flush=True)
        return fault

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        found = dict(zip(map(str, brought), pool.map(said, brought), strict=True))
    tried("brought", brought, lambda one: found[str(one)])

"""Seeds in parallel: eight on two cores against one, and against the usual loop with its default threads."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from test_training import points, usual_gan, wasserstein

import models
from models.common.protocol import Spec

ROOT = Path(__file__).parents[2]
STEPS = 3000


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    """A project of its own with the ring prepared."""
    for folder in ("models", "benchmarks", "pipeline"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    subprocess.run([sys.executable, "-m", "pipeline.prepare", "ring"], cwd=tmp_path, check=True)
    return tmp_path


def seconds(project: Path, seeds: int) -> float:
    """How long the whole stage takes, processes and all."""
    board = yaml.safe_load((project / "params.yaml").read_text())
    board["seeds"] = seeds
    board["toys"]["training"]["steps"] = STEPS
    board["toys"]["models"]["wgan_gp"] = {"model": "wgan_gp", "latent": 2}
    (project / "params.yaml").write_text(yaml.safe_dump(board))
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pipeline.train", "ring", "wgan_gp"], cwd=project, check=True)
    return time.perf_counter() - began


def test_eight_seeds(ring: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cores)  # the processes started from here inherit it
    torch.set_num_threads(len(cores))
    nets = models.load("wgan_gp")(Spec((2,)), latent=2)
    loop = usual_gan(nets, points(), 256, 1e-4, (0.0, 0.9), wasserstein, critics=5)
    ratios, gains = [], []
    for _ in range(3):
        one, eight = seconds(ring, 1), seconds(ring, 8)
        ratios.append(eight / one)
        began = time.perf_counter()
        loop(STEPS // 3)
        usual = (STEPS // 3) / (time.perf_counter() - began)
        gains.append(8 * STEPS / eight / usual)
    print(f"\neight seeds take {sorted(ratios)[1]:.2f} times as long as one, at most 4.5 wanted")
    print(f"eight seeds: {sorted(gains)[1]:.2f}x the seed-steps/s of the usual loop on two threads, 1.9x wanted")
    assert sorted(ratios)[1] <= 4.5 and sorted(gains)[1] >= 1.9

"""What recording saves, and what several seeds on one card cost: ratios, printed; on a GPU a shortfall fails."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from on_device import GPU, images, new_run, points

from pipeline.data import Data
from pipeline.training import engine

STEPS = 2000 if GPU else 12


def ready(run: engine.Run) -> object:
    """Its turns, once all that is recorded has been."""
    turns = run.turns(run.windows())
    next(turns), next(turns)
    return turns


def seconds_a_step(runs: Sequence[engine.Run]) -> float:
    """Of all runs in turns, a step of each."""
    waiting = [ready(run) for run in runs]
    wait()
    began, left = time.perf_counter(), runs[0].settings.steps - 2 * runs[0].window
    while waiting:
        waiting = [turns for turns in waiting if next(turns, turns) is not turns]
    wait()
    return (time.perf_counter() - began) / left


def wait() -> None:
    if GPU:
        torch.cuda.synchronize()


def ring() -> Data:
    return points(100_000 if GPU else 300)


def digits() -> Data:
    return images(10_000 if GPU else 100, size=28, levels=256)


SIZES = {"ring": (ring, 256, {"width": 128, "depth": 3}), "28x28": (digits, 128, {"width": 128})}


@pytest.mark.parametrize(
    ("name", "place", "wanted"),
    [
        ("gan", "ring", 5), ("wgan_gp", "ring", 5), ("unrolled_gan", "ring", 5),
        ("gan", "28x28", 2), ("wgan_gp", "28x28", 2), ("vae", "28x28", 2),
    ],
)  # fmt: skip
def test_recorded_against_one_by_one(name: str, place: str, wanted: float, tmp_path: Path, eager: Callable) -> None:
    load, batch, sizes = SIZES[place]
    data, numerics = load(), {"batch": batch if GPU else 32, "ema": 0.999}
    recorded = seconds_a_step([new_run(name, data, tmp_path / "0", model=sizes, steps=STEPS, **numerics)])
    eager()
    steps = max(12, STEPS // 5)
    one_by_one = seconds_a_step([new_run(name, data, tmp_path / "1", model=sizes, steps=steps, **numerics)])
    took = f"recorded {recorded * 1e3:.3f} ms a step, one by one {one_by_one * 1e3:.3f} ms"
    print(f"\n{place} {name}: {one_by_one / recorded:.2f}x ({took}), wanted {wanted}x", end="")
    assert not GPU or one_by_one / recorded >= wanted


@pytest.mark.parametrize(("name", "place"), [("gan", "ring"), ("wgan_gp", "ring"), ("vae", "28x28")])
def test_eight_seeds_on_one_card(name: str, place: str, tmp_path: Path) -> None:
    load, batch, sizes = SIZES[place]
    data, settings = load(), {"model": sizes, "batch": batch if GPU else 32, "steps": STEPS}
    one = seconds_a_step([new_run(name, data, tmp_path / "alone", **settings)])
    eight = seconds_a_step([new_run(name, data, tmp_path / str(seed), seed, **settings) for seed in range(8)])
    took = f"one {one * 1e3:.3f} ms a step, eight {eight * 1e3:.3f} ms"
    print(
        f"\n{place} {name}: eight seeds take {eight / one:.2f} times as long as one ({took}), wanted at most 2", end=""
    )
    assert not GPU or eight / one <= 2

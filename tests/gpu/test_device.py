"""Training on the device: recorded steps against the same steps one by one, resumed runs, runs that take turns.

Kernels of a GPU may add up in any order, so numbers are compared to rounding; whether bits are equal is printed.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from on_device import DEVICE, GPU, binary, images, new_run, points

import models
from benchmarks import extractors
from models.common.protocol import Batch, Losses
from pipeline.data import Data
from pipeline.training import engine
from pipeline.training.stream import Shuffle, stream


def curves(run: engine.Run) -> torch.Tensor:
    return torch.tensor([value for row in run.meters.rows for value in row.values()], dtype=torch.float64)


def trained(run: engine.Run) -> torch.Tensor:
    run.train()
    return curves(run)


def alike(what: str, one: torch.Tensor, other: torch.Tensor) -> None:
    print(f"\n{what}: {'equal bits' if torch.equal(one, other) else f'within {(one - other).abs().max():.1e}'}", end="")
    assert torch.allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.fixture(autouse=True)
def equal_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)


@pytest.fixture(autouse=True)
def recorded_indeed(capfd: pytest.CaptureFixture[str]) -> None:
    yield
    assert "cannot be recorded" not in capfd.readouterr().err


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("data", [points, images])
def test_recorded_steps_are_the_steps(data: Callable, name: str, tmp_path: Path, eager: Callable) -> None:
    replayed = trained(new_run(name, data(), tmp_path / "replayed"))
    eager()
    alike(f"{name}, {data.__name__}", replayed, trained(new_run(name, data(), tmp_path / "eager")))


@pytest.mark.parametrize("name", ["gan", "wgan_gp", "vae"])
@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_in_other_numbers_too(precision: str, name: str, tmp_path: Path, eager: Callable) -> None:
    numerics = {"precision": precision, "channels_last": True}
    replayed = trained(new_run(name, images(), tmp_path / "replayed", **numerics))
    eager()
    one_by_one = trained(new_run(name, images(), tmp_path / "eager", **numerics))
    print(f"\n{name}, {precision}: {'equal bits' if torch.equal(replayed, one_by_one) else ''}", end="")
    assert torch.allclose(replayed, one_by_one, rtol=5e-2, atol=1e-2)


def test_moves_without_losses(tmp_path: Path, eager: Callable) -> None:
    dense = {"nets": "dense", "width": 16, "depth": 1}
    replayed = new_run("vae", binary(), tmp_path / "replayed", model=dense, ema=0.0)
    replayed.train()
    eager()
    one_by_one = new_run("vae", binary(), tmp_path / "eager", model=dense, ema=0.0)
    one_by_one.train()
    alike("vae, its first bias", replayed.model.decoder[-2].bias.cpu(), one_by_one.model.decoder[-2].bias.cpu())


@pytest.mark.parametrize(("name", "data"), [("wgan_gp", points), ("unrolled_gan", points), ("sngan", images)])
def test_a_run_resumes(name: str, data: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshots = {"snapshots": 3, "snapshot_samples": 8}
    whole = trained(new_run(name, data(), tmp_path / "whole", **snapshots))
    monkeypatch.setattr(engine, "CHECKPOINT_EVERY", 0.0)
    turns = new_run(name, data(), tmp_path / "killed", **snapshots).turns()
    for _ in range(8):
        next(turns)
    turns.close()
    alike(f"{name} resumed", trained(new_run(name, data(), tmp_path / "killed", seed=9, **snapshots)), whole)


def test_a_seed_is_one_result(tmp_path: Path) -> None:
    first, second, other = (trained(new_run("gan", points(), tmp_path / str(i), i // 2)) for i in range(3))
    alike("gan, a seed again", first, second)
    assert not torch.allclose(first, other)


def test_runs_that_take_turns_are_each_as_alone(tmp_path: Path) -> None:
    cells = [("gan", points()), ("wgan_gp", points()), ("vae", images())]
    alone = [trained(new_run(name, data, tmp_path / f"alone{i}", i)) for i, (name, data) in enumerate(cells)]
    runs = [new_run(name, data, tmp_path / f"turns{i}", i) for i, (name, data) in enumerate(cells)]
    assert dict(engine.together(runs)) == dict.fromkeys(range(3))
    for (name, _), run, expected in zip(cells, runs, alone, strict=True):
        alike(f"{name} in turns", curves(run), expected)


def test_the_device_sees_the_batches_that_a_cpu_sees() -> None:
    data = images()
    split = type(data.train)(*(None if each is None else each.cpu() for each in data.train))
    shuffle, batches = Shuffle(data, 32, 1), stream(Data(split, split, split, 3, 17, paired=True), 32, 1)
    for step in range(8):
        shuffle.fill(step)
        found, expected = shuffle.batch(torch.tensor(step, device=DEVICE)), next(batches)
        assert torch.allclose(found.x.cpu(), expected.x, atol=1e-6) and torch.equal(found.label.cpu(), expected.label)
        assert torch.allclose(found.partner.cpu(), expected.partner, atol=1e-6)


def test_seconds_are_the_devices(tmp_path: Path) -> None:
    run = new_run("gan", points(), tmp_path)
    run.train()
    assert run.clock.unit == ("gpu" if GPU else "cpu") and 0 < run.seconds < 60


@pytest.mark.skipif(not GPU, reason="only a GPU refuses to record")
def test_what_reads_a_value_goes_on_step_by_step(
    tmp_path: Path, eager: Callable, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    gan = models.load("gan")
    move = gan.generator_move

    def looking(self: torch.nn.Module, batch: Batch) -> Losses:
        losses = move(self, batch)
        return losses if losses["generator"].item() < 1e9 else {}

    monkeypatch.setattr(gan, "generator_move", looking)
    beside = new_run("vae", points(), tmp_path / "beside", 1)
    failing = new_run("gan", points(), tmp_path / "failing")
    assert dict(engine.together([failing, beside])) == dict.fromkeys(range(2))
    assert "models.gan: its steps cannot be recorded" in capfd.readouterr().err
    after = trained(new_run("vae", points(), tmp_path / "after", 1))
    eager()
    alike("gan that cannot be recorded", curves(failing), trained(new_run("gan", points(), tmp_path / "eager")))
    alike("vae beside it", curves(beside), after)


def test_the_judge_learns(tmp_path: Path) -> None:
    data = images(200)
    x, states = data.as_input(data.train.x), []
    label = (x.mean((1, 2, 3)) > 0).long()
    for _ in range(2):
        judge = extractors.Judge(data.spec.shape, 2).to(DEVICE)
        extractors.fit(judge, x, label, epochs=6, batch=20, lr=0.01, seed=0)
        states.append(torch.cat([value.flatten().double().cpu() for value in judge.state_dict().values()]))
    assert extractors.accuracy(judge, x, label) > 0.8
    alike("the judge", *states)

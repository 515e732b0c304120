"""The training loop: who moves, what is averaged, what diverges, and that a resumed run is the same run."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import models
from benchmarks import datasets
from benchmarks.datasets import Split
from models.common.protocol import Batch, Losses, Spec
from pipeline import data
from pipeline.training import engine, meters
from pipeline.training.players import Average
from pipeline.training.settings import Training

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> data.Data:
    path = tmp_path_factory.mktemp("ring") / "data.pt"
    data.save(datasets.load("ring", Path("unused"), {"train": 1000, "test": 100}), path)
    return data.load(path, CPU)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> data.Data:
    path = tmp_path_factory.mktemp("digits") / "data.pt"
    data.save(datasets.load("digits", Path("unused"), {}), path)
    return data.load(path, CPU)


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> data.Data:
    path = tmp_path_factory.mktemp("turned") / "data.pt"
    data.save(datasets.load("digits_turned", Path("unused"), {}), path)
    return data.load(path, CPU)


def training(**changes: object) -> Training:
    settings = {"steps": 30, "batch": 50, "ema": 0.0, "precision": "fp32", "channels_last": False}
    return Training(**{**settings, **changes})


def small(name: str, spec: Spec) -> nn.Module:
    """A model of few weights that does all that a large one does."""
    constructor, sizes = models.load(name), {"width": 16, "prior_epochs": 1}
    known = models.hyperparameters(constructor)
    return constructor(spec, **{key: value for key, value in sizes.items() if key in known})


def new_run(model: str | nn.Module, data: data.Data, folder: Path, settings: Training, init: int = 0) -> engine.Run:
    torch.manual_seed(init)
    built = small(model, data.spec) if isinstance(model, str) else model
    return engine.Run(built, data, settings, 0, CPU, folder / "0")


class Two(nn.Module):
    """Two players that move together, towards one another's place; made to be computed by hand."""

    given = "nothing"

    def __init__(self, explode_at: int = 10**9, value: float = float("nan")) -> None:
        super().__init__()
        self.left, self.right = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(2.0))
        self.bystander = nn.Parameter(torch.tensor(5.0))
        self.explode_at, self.value = explode_at, value

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {name: torch.optim.SGD([getattr(self, name)], lr=0.125) for name in ("left", "right")}

    def moves(self, step: int) -> Sequence[Callable[[Batch], Losses]]:
        return [self.both]

    def both(self, batch: Batch) -> Losses:
        product = self.left * self.right * self.bystander
        bad = torch.where(batch.step == self.explode_at, self.value, 0.0)
        return {"left": product, "right": -product + bad}


def test_each_loss_moves_its_own_player_and_those_of_a_move_move_together(ring: data.Data, tmp_path: Path) -> None:
    run = new_run(Two(), ring, tmp_path, training(steps=1))
    run.train()
    assert run.model.left.item() == 1 - 0.125 * 2 * 5  # d(left right bystander)/d(left) at the old right
    assert run.model.right.item() == 2 + 0.125 * 1 * 5  # and at the old left
    assert run.model.bystander.item() == 5 and run.model.bystander.grad is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e7])
def test_divergence_names_the_step_and_the_player(ring: data.Data, tmp_path: Path, value: float) -> None:
    class Still(Two):
        def optimizers(self) -> dict[str, torch.optim.Optimizer]:
            return {name: torch.optim.SGD([getattr(self, name)], lr=0.0) for name in ("left", "right")}

    run = new_run(Still(explode_at=137, value=value), ring, tmp_path, training(steps=1000))
    with pytest.raises(engine.Divergence) as caught:
        run.train()
    assert (caught.value.step, caught.value.player) == (137, "right")
    assert run.meters.last == 130  # the curve ends with the last whole window


def test_meters_average_over_the_window(tmp_path: Path) -> None:
    record = meters.Meters(window=3)
    alone, both = (print,), (print, repr)  # what moved does not matter, only whether it was the same
    for step, loss in enumerate([1.0, 2.0, 6.0]):
        write(record, both if step == 1 else alone, step, {"a": loss} | ({"b": -1.0} if step == 1 else {}))
    record.read(3)
    write(record, alone, 3, {"a": 4.0})
    record.read(4)
    assert record.csv() == "step,a,b\n3,3,-1\n4,4,\n"


def write(record: meters.Meters, moves: tuple, step: int, losses: dict, watched: dict | None = None) -> None:
    losses, watched = (
        [(name, torch.tensor(value)) for name, value in (part or {}).items()] for part in (losses, watched)
    )
    record.write(moves, step, losses, watched)
    record.taken.append(moves)


def test_the_average_is_the_exponential_mean_of_the_weights() -> None:
    model = nn.Linear(1, 1, bias=False).double()
    average = Average(model, decay=0.9)
    expected = model.weight.item()
    for step in range(1, 50):
        with torch.no_grad():
            model.weight.add_(1.0)
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.weight.item()
    average.install()
    assert model.weight.item() == pytest.approx(expected, rel=1e-12)  # fifty roundings of 1e-16


def test_a_row_that_was_not_written_is_not_a_number() -> None:
    record = meters.Meters(window=3)
    write(record, (print,), 1, {"a": 2.0})
    assert record.tables[(print,)].values.flatten().isnan().tolist() == [True, False, True]


def test_the_average_makes_room_again_whatever_happens() -> None:
    model = nn.Linear(1, 1)
    average, last = Average(model, decay=0.9), model.weight.item()
    average.mean[0].fill_(5.0)
    with pytest.raises(KeyboardInterrupt), average.installed():
        assert model.weight.item() == 5
        raise KeyboardInterrupt
    assert model.weight.item() == last


def test_what_counts_as_exploded_grows_with_the_datum(tmp_path: Path) -> None:
    assert meters.exploded(Spec((2,))) == meters.exploded(Spec((1, 28, 28), levels=2)) == 1e6
    assert meters.exploded(Spec((3, 32, 32), levels=256)) == pytest.approx(100 * 3072 * math.log(256))
    x = torch.randint(256, (4, 3, 256, 256), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    large = data.Data(Split(x), Split(x), Split(x), levels=256)
    run = new_run(models.load("vae")(large.spec, width=4, latent=2), large, tmp_path, training(steps=1, batch=2))
    run.train()
    assert 1e6 < run.meters.rows[0]["model"] < 1e7, "nats of a whole image, and no divergence"


def test_seconds_are_of_computing_and_not_of_waiting(ring: data.Data, tmp_path: Path) -> None:
    run = new_run("gan", ring, tmp_path, training(steps=3))
    unhurried = run.model.moves
    run.model.moves = lambda step: (time.sleep(0.2), unhurried(step))[1]
    began = time.process_time()
    run.train()
    assert 0 < run.seconds <= time.process_time() - began < 0.6 and run.clock.unit == "cpu"
    assert run.state()["seconds"] == run.seconds


def test_denormals_may_be_flushed_as_long_as_they_always_are(
    ring: data.Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_flush_denormal(True)
    try:
        whole = new_run("ae", ring, tmp_path / "whole", training())
        whole.train()
        monkeypatch.setattr(engine, "CHECKPOINT_EVERY", 0.0)
        turns = new_run("ae", ring, tmp_path / "killed", training()).turns()
        for _ in range(9):
            next(turns)
        resumed = new_run("ae", ring, tmp_path / "killed", training(), init=77)
        resumed.train()
    finally:
        torch.set_flush_denormal(False)
    found = resumed.model.state_dict()
    assert all(torch.equal(tensor, found[key]) for key, tensor in whole.model.state_dict().items())


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("dataset", ["ring", "digits", "turned"])
def test_a_killed_run_resumes_to_the_same_bits(
    dataset: str, name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (getattr(models.load(name), "given", "") == "partner") != (dataset == "turned"):  # of clips it is the data's
        pytest.skip("translations are learnt from two domains, the rest from one")
    resident = request.getfixturevalue(dataset)
    settings = training(steps=30, ema=0.9, channels_last=True, lr_decay="linear", snapshots=3, snapshot_samples=4)
    try:
        whole = new_run(name, resident, tmp_path / "whole", settings)
    except ValueError as refusal:
        pytest.skip(str(refusal))
    whole.train()

    monkeypatch.setattr(engine, "CHECKPOINT_EVERY", 0.0)
    killed = new_run(name, resident, tmp_path / "killed", settings)
    reached = []

    def kill(steps: int) -> None:
        reached.append(steps)
        if len(reached) == 17:
            raise KeyboardInterrupt

    killed.advance = kill
    with pytest.raises(KeyboardInterrupt):
        killed.train()
    resumed = new_run(name, resident, tmp_path / "killed", settings, init=77)  # its own initialisation is overwritten
    resumed.train()
    assert resumed.meters.csv() == whole.meters.csv()
    found = resumed.model.state_dict()
    assert snapshots(tmp_path / "killed") == snapshots(tmp_path / "whole")
    assert all(torch.equal(tensor, found[key]) for key, tensor in whole.model.state_dict().items())


def snapshots(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.rglob("*.npz")}


@pytest.mark.parametrize("name", ["gan", "cgan", "vae"])
def test_snapshots_leave_training_as_it_was(name: str, digits: data.Data, tmp_path: Path) -> None:
    plain = new_run(name, digits, tmp_path / "plain", training(ema=0.9))
    plain.train()
    kept = new_run(name, digits, tmp_path / "kept", training(ema=0.9, snapshots=4, snapshot_samples=6))
    kept.train()
    assert [parameter.tolist() for parameter in kept.model.parameters()] == [
        parameter.tolist() for parameter in plain.model.parameters()
    ]
    assert sorted(snapshots(tmp_path / "kept"), key=lambda name: int(name[:-4])) == [
        "8.npz",
        "15.npz",
        "23.npz",
        "30.npz",
    ]
    assert snapshots(tmp_path / "plain") == {}


def test_a_snapshot_shows_the_averaged_weights_from_one_noise(ring: data.Data, tmp_path: Path) -> None:
    run = new_run("gan", ring, tmp_path, training(steps=20, ema=0.9, snapshots=2, snapshot_samples=5))
    run.train()  # which leaves the averaged weights
    run.step = 99
    run.snapshot()
    last, again = (np.load(tmp_path / "0.snapshots" / f"{step}.npz")["x"] for step in (20, 99))
    assert np.allclose(last, again, atol=1e-6)


def test_who_learns_from_pairs_is_finished_on_pairs(turned: data.Data, tmp_path: Path) -> None:
    run = new_run("nearest", turned, tmp_path, training(steps=1))
    run.train()
    partner, x = (part.view(-1, 1, 8, 8) for part in run.model.pairs.chunk(2, 1))
    assert len(x) == len(turned.train.x) // 2 and torch.equal(partner.rot90(dims=(2, 3)), x)


class Straight(Two):
    """Whose losses have one slope wherever the players are."""

    def both(self, batch: Batch) -> Losses:
        return {"left": self.left, "right": 2 * self.right}


def test_what_is_left_of_training_is_the_average(ring: data.Data, tmp_path: Path) -> None:
    run = new_run(Straight(), ring, tmp_path, training(steps=6, ema=0.3))
    run.train()
    left = mean = 1.0
    for step in range(1, 7):
        left, decay = left - 0.125, min(0.3, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * left
    assert run.model.left.item() == pytest.approx(mean, rel=1e-6)


def test_learning_rates_fall_to_zero(ring: data.Data, tmp_path: Path) -> None:
    run = new_run(Straight(), ring, tmp_path, training(steps=4, lr_decay="linear"))
    run.train()
    assert run.model.left.item() == 1 - 0.125 * (1 + 0.75 + 0.5 + 0.25)
    assert run.model.right.item() == 2 - 2 * 0.125 * (1 + 0.75 + 0.5 + 0.25)


def test_what_a_model_lets_be_watched_is_drawn_and_stops_nothing() -> None:
    record = meters.Meters(window=2)
    for step, value in enumerate((1.0, 2.0)):
        write(record, (print,), step, {"a": 0.5}, {"kl": value, "huge": float("inf")})
    record.read(2)
    assert record.csv() == "step,a,kl,huge\n2,0.5,1.5,inf\n"


def test_weights_that_the_last_step_broke_are_divergence_before_they_are_used(ring: data.Data, tmp_path: Path) -> None:
    run = new_run("ae", ring, tmp_path, training(steps=1))
    run.loop()
    with torch.no_grad():
        next(run.model.parameters()).fill_(float("nan"))
    with pytest.raises(engine.Divergence, match="weights"):
        run.train()


@pytest.mark.parametrize("settings", [{"precision": "bf16"}, {"channels_last": True}, {"ema": 0.99}])
def test_numerics_are_settings(digits: data.Data, tmp_path: Path, settings: dict) -> None:
    run = new_run("gan", digits, tmp_path, training(steps=3, **settings))
    run.train()
    assert run.meters.last == 3 and all(parameter.dtype == torch.float32 for parameter in run.model.parameters())


def test_the_device_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    assert data.chosen_device() == CPU
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpuu")
    with pytest.raises(ValueError, match="BENCHMARK_DEVICE = 'cpuu'"):
        data.chosen_device()


def test_tensors_only(tmp_path: Path) -> None:
    from pipeline.tensors import load_tensors

    (tmp_path / "bad.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"bad.pt is damaged .* delete it"):
        load_tensors(tmp_path / "bad.pt")
    torch.save({"code": Tensor.add}, tmp_path / "code.pt")
    with pytest.raises(ValueError, match="damaged"):
        load_tensors(tmp_path / "code.pt")

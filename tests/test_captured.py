"""Recorded steps and runs that take turns, as far as a CPU can show them: all but the recording itself is run here.

What needs a GPU stands in tests/gpu.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

import models
from benchmarks.datasets import Split
from models.common import optimizers
from pipeline.data import Data
from pipeline.training import captured, engine
from pipeline.training.captured import Work
from pipeline.training.checkpoint import Chance
from pipeline.training.meters import Meters
from pipeline.training.numerics import products
from pipeline.training.players import Average, Players
from pipeline.training.settings import Training
from pipeline.training.stream import Shuffle, stream

CPU = torch.device("cpu")


def points(dtype: torch.dtype = torch.float32) -> Data:
    rng = torch.Generator().manual_seed(0)
    x, label = torch.randn(130, 2, generator=rng, dtype=dtype), torch.randint(3, (130,), generator=rng)
    split = Split(x, label, partner=1 - x)
    return Data(split, split, split, classes=3, paired=True)


def images(dtype: torch.dtype = torch.float32, channels: int = 1) -> Data:
    """Continuous ones, since those of levels become float32."""
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(70, channels, 8, 8, generator=rng, dtype=dtype) * 2 - 1
    label, caption = torch.randint(3, (70,), generator=rng), torch.randint(1, 4, (70, 2), generator=rng)
    split = Split(x, label, partner=-x, caption=caption)
    return Data(split, split, split, classes=3, paired=True, vocabulary=("", "a", "b", "c"))


class Doubled(Data):
    """Levels as float64."""

    def as_input(self, x: Tensor) -> Tensor:
        return super().as_input(x).double()


def clips(dtype: torch.dtype = torch.float64) -> Data:
    """Of levels, which models of clips are for."""
    x = torch.randint(17, (70, 5, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return Doubled(*[Split(x)] * 3, levels=17, seen=2)


def new_run(name: str, data: Data, folder: Path, init: int = 0, **changes: object) -> engine.Run:
    torch.manual_seed(init)
    settings = {"steps": 11, "batch": 16, "ema": 0.9, "precision": "fp32", "channels_last": False} | changes
    noise = settings.pop("noise", 7)
    constructor = models.load(name)
    small = {"width": 16} if "width" in models.hyperparameters(constructor) else {}
    try:
        model = constructor(data.spec, **small)
    except ValueError as refusal:
        pytest.skip(str(refusal))
    model.to(data.as_input(data.train.x[:1]).dtype)
    return engine.Run(model, data, Training(**settings), 0, CPU, folder / "0", noise=noise)


def result(run: engine.Run) -> tuple[str, list[Tensor]]:
    run.train()
    return left(run)


def left(run: engine.Run) -> tuple[str, list[Tensor]]:
    """What a run leaves behind."""
    return run.meters.csv(), list(run.model.state_dict().values())


def same(one: tuple[str, list[Tensor]], other: tuple[str, list[Tensor]]) -> bool:
    return one[0] == other[0] and all(torch.equal(a, b) for a, b in zip(one[1], other[1], strict=True))


@pytest.fixture
def resident(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps as a GPU takes them, not recorded."""
    monkeypatch.setattr(engine, "way", lambda device: engine.Resident)


@pytest.fixture
def replayed(resident: None, monkeypatch: pytest.MonkeyPatch) -> list[Work]:
    """The same, with recordings that are the work itself; the list of them."""
    recordings: list[Work] = []
    monkeypatch.setattr(captured, "wanted", lambda device: True)
    monkeypatch.setattr(captured, "record", lambda work: recordings.append(work) or work)
    return recordings


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("data", [points, images, clips])
def test_both_ways_to_take_steps_give_the_same_losses(
    data: Callable, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = []
    for way in (engine.Streamed, engine.Resident):
        monkeypatch.setattr(engine, "way", lambda device, way=way: way)
        run = new_run(name, data(torch.float64), tmp_path, lr_decay="linear", channels_last=True)
        run.loop()
        rows = torch.tensor([value for row in run.meters.rows for value in row.values()], dtype=torch.float64)
        means = run.average.mean if run.average else []
        weights = [*run.model.parameters(), *run.model.buffers(), *means]
        numbers.append(torch.cat([rows, *(weight.detach().double().flatten() for weight in weights)]))
    assert torch.allclose(*numbers, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", models.names())
def test_a_recording_changes_nothing(name: str, resident: None, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    kinds = {
        **dict.fromkeys(("masked_vae", "vq_vae", "cyclegan_warp"), images),
        **dict.fromkeys(("svg", "frame_vae", "conv_lstm"), clips),
    }
    data = kinds.get(name, points)()
    plain = result(new_run(name, data, tmp_path / "plain", lr_decay="linear"))
    recordings = request.getfixturevalue("replayed")
    run = new_run(name, data, tmp_path / "replayed", lr_decay="linear")
    assert same(result(run), plain)
    assert len(recordings) == len({tuple(run.model.moves(step)) for step in range(11)}), "one for each pattern"


def test_a_recorded_run_resumes_to_the_same_bits(
    replayed: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = result(new_run("wgan_gp", points(), tmp_path / "whole"))
    monkeypatch.setattr(engine, "CHECKPOINT_EVERY", 0.0)
    killed = new_run("wgan_gp", points(), tmp_path / "killed")
    cut_off(killed, 6)
    assert same(result(new_run("wgan_gp", points(), tmp_path / "killed", init=5)), whole)


def cut_off(run: engine.Run, windows: int) -> None:
    turns = run.turns()
    for _ in range(windows):
        next(turns)


@pytest.mark.parametrize("good", [0, 1])
def test_what_cannot_be_recorded_is_taken_step_by_step_and_said(
    good: int, replayed: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(work: Work) -> Work:
        if len(replayed) < good:
            replayed.append(work)
            return work
        try:
            work()  # moves the model before it fails
            raise RuntimeError("operation not\npermitted")
        finally:
            raise RuntimeError("capture is invalid")

    expected = result(new_run("wgan_gp", points(), tmp_path / "plain"))
    replayed.clear()
    monkeypatch.setattr(captured, "record", fail)
    assert same(result(new_run("wgan_gp", points(), tmp_path / "failing")), expected)
    said = capsys.readouterr().err.splitlines()
    assert said == ["models.wgan_gp: its steps cannot be recorded and are taken one by one (operation not permitted)"]


def test_recording_is_for_gpus_and_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    monkeypatch.delenv("BENCHMARK_CAPTURE", raising=False)
    assert captured.wanted(gpu) and not captured.wanted(CPU)
    monkeypatch.setenv("BENCHMARK_CAPTURE", "0")
    assert not captured.wanted(gpu)


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_step_gathers_the_batch_that_a_stream_gives(channels_last: bool) -> None:
    data = images(channels=3)
    shuffle, batches = Shuffle(data, 16, 3, channels_last), stream(data, 16, 3, 2, channels_last)
    for step in range(2, 15):  # through several epochs
        shuffle.fill(step)
        found, expected = shuffle.batch(torch.tensor(step)), next(batches)
        assert torch.equal(found.x, expected.x) and found.x.stride() == expected.x.stride()
        assert torch.equal(found.label, expected.label) and found.step == expected.step == step


# ---- runs that take turns


@pytest.mark.parametrize("mode", ["streamed", "replayed"])
def test_runs_that_take_turns_are_each_as_alone(
    mode: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode == "replayed":
        request.getfixturevalue("replayed")
    names, seeds = ("gan", "vae", "gan"), (1, 2, 3)
    cells = [(name, points(), {"init": seed, "noise": seed}) for name, seed in zip(names, seeds, strict=True)]
    alone = [result(new_run(name, data, tmp_path / f"alone{i}", **of)) for i, (name, data, of) in enumerate(cells)]
    assert not same(alone[0], alone[2])

    before = torch.get_rng_state()
    runs = [new_run(name, data, tmp_path / f"turns{i}", **of) for i, (name, data, of) in enumerate(cells)]
    assert dict(engine.together(runs)) == dict.fromkeys(range(3))
    assert all(same(left(run), found) for run, found in zip(runs, alone, strict=True))

    monkeypatch.setattr(engine, "CHECKPOINT_EVERY", 0.0)
    runs = [new_run(name, data, tmp_path / f"cut{i}", **of) for i, (name, data, of) in enumerate(cells)]
    for windows, run in zip((3, 9, 6), runs, strict=True):
        cut_off(run, windows)
    runs = [new_run(name, data, tmp_path / f"cut{i}", init=9, noise=9) for i, (name, data, _) in enumerate(cells)]
    assert dict(engine.together(runs)) == dict.fromkeys(range(3))
    assert all(same(left(run), found) for run, found in zip(runs, alone, strict=True))
    torch.set_rng_state(before)


def test_a_run_that_diverges_leaves_the_others_alone(tmp_path: Path) -> None:
    runs = [new_run("ae", points(), tmp_path / str(i), noise=i) for i in range(3)]
    with torch.no_grad():
        next(runs[1].model.parameters()).fill_(float("nan"))
    ends = dict(engine.together(runs))
    assert ends.keys() == {0, 1, 2} and ends[0] is ends[2] is None and (ends[1].step, ends[1].player) == (0, "model")


def test_a_run_that_fails_leaves_the_others_alone_and_short_ones_end_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [new_run("ae", points(), tmp_path / str(i), noise=i, steps=steps) for i, steps in enumerate((30, 20, 10))]
    error = RuntimeError("no such thing")
    monkeypatch.setattr(runs[1].model, "reconstruction_move", Mock(side_effect=error))
    assert list(engine.together(runs)) == [(1, error), (2, None), (0, None)]


def test_where_memory_is_short_all_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [new_run("ae", points(), tmp_path / str(i), noise=i) for i in range(2)]
    monkeypatch.setattr(
        runs[1].model, "reconstruction_move", Mock(side_effect=torch.OutOfMemoryError("CUDA out of memory"))
    )
    with pytest.raises(torch.OutOfMemoryError):
        list(engine.together(runs))


def test_runs_that_take_turns_need_noise_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Run\(noise=...\)"):
        list(engine.together([new_run("ae", points(), tmp_path, noise=None) for _ in range(2)]))


def test_a_runs_chance_is_its_own() -> None:
    torch.manual_seed(1)
    outside, chance, drawn = torch.get_rng_state(), Chance(CPU, 5), []
    for _ in range(2):
        with chance.installed():
            drawn.append(torch.rand(3))
        assert torch.equal(torch.get_rng_state(), outside)
    torch.manual_seed(5)
    assert torch.equal(torch.cat(drawn), torch.cat([torch.rand(3), torch.rand(3)]))


# ---- what a GPU is asked for


def test_nothing_beside_the_moves_waits_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """On tensors that have a device and no content; none can be read."""
    gpu = torch.device("cuda")
    with FakeTensorMode():
        step, weights = torch.zeros((), dtype=torch.int64, device=gpu), nn.Linear(2, 3, device=gpu)
        lr = optimizers.rate(0.1, list(weights.parameters()))
        assert lr.device.type == "cuda", "a number would be recorded as it is"
        monkeypatch.setattr(optimizers, "rate", lambda lr, owned: lr)  # their constructors look at it
        for make in (optimizers.adam, optimizers.rmsprop):
            weights.optimizers = lambda make=make: {"it": make(weights.parameters(), 0.1)}
            players = Players(weights)
            (group,), players.rates = players.optimizers["it"].param_groups, [lr.clone()]
            group["lr"] = lr
            for parameter in weights.parameters():
                parameter.grad = torch.ones_like(parameter)
            players.slow_down(1 - step.double() / 10)
            if make is optimizers.rmsprop:  # the other's step is one operation, which knows no such tensors
                players.optimizers["it"].step()
            assert group["capturable"] and all(state.device.type == "cuda" for state in players.tensors())
        Average(weights, 0.9).update(step + 1)
        meters, loss = Meters(window=5), torch.zeros((), device=gpu)
        meters.write((print,), step, [("a", loss)], [("b", loss)])
        assert meters.tables[(print,)].values.device.type == "cuda"
        x = torch.zeros(20, 1, 8, 8, dtype=torch.uint8, device=gpu)
        data = Data(Split(x), Split(x), Split(x), levels=256)
        assert Shuffle(data, 5, 0).batch(step).x.shape == (5, 1, 8, 8)


def test_tf32_is_a_choice_and_full_precision_is_full() -> None:
    places = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [place.allow_tf32 for place in places]
    for precision, allowed in (("fp32", False), ("tf32", True), ("bf16", False)):
        with products(precision, torch.device("cuda")):
            assert [place.allow_tf32 for place in places] == [allowed] * 2
        with products(precision, CPU):
            assert [place.allow_tf32 for place in places] == before
    assert [place.allow_tf32 for place in places] == before


def test_training_needs_no_more_than_torch() -> None:
    """So that it runs where the rest of the project does not."""
    absent = ("pydantic", "ruamel", "dvc", "mlflow", "yaml", "matplotlib", "jinja2")
    code = f"import sys; sys.modules |= dict.fromkeys({absent}); import pipeline.training.engine, models"
    code += "; [models.load(name) for name in models.names()]; assert 'pipeline.params' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=True)

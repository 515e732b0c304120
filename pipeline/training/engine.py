"""The one training loop: whoever moves in a step moves, and nothing else happens between two meter readings.

A model says who moves and what each player lessens (`models.common.protocol`); the engine sends each loss to its
player's parameters only, steps those optimizers, and keeps averages, checkpoints and the record. Losses are read back
once per meter window, never per step, so that a GPU is not made to wait; there, steps are recorded and replayed
(`pipeline.training.captured`). Several runs can take turns in one process (`together`).
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.common.protocol import Batch, Finishes, Model, Supervised
from pipeline.data import Data
from pipeline.evaluation.sampling import asked, generate, packed
from pipeline.files import atomic_write
from pipeline.seeds import seed_for
from pipeline.tensors import load_tensors, save_tensors
from pipeline.training import captured
from pipeline.training.checkpoint import Chance, random_state, restore_random_state
from pipeline.training.meters import Divergence, Meters, Pattern, exploded
from pipeline.training.numerics import Clock, autocast, products
from pipeline.training.players import Average, Players
from pipeline.training.settings import Training
from pipeline.training.stream import Shuffle, batches_once, check_batch, drawn_from, stream

WINDOWS = 100  # meter readings in a run
CHECKPOINT_EVERY = 20.0  # seconds, or BENCHMARK_CHECKPOINT_EVERY

__all__ = ["Divergence", "Run", "Training", "together"]


def checkpoint_every() -> float:
    """Seconds between checkpoints."""
    asked = os.environ.get("BENCHMARK_CHECKPOINT_EVERY", str(CHECKPOINT_EVERY))
    try:
        return float(asked)
    except ValueError:
        raise ValueError(f"BENCHMARK_CHECKPOINT_EVERY = {asked!r}: a number of seconds is wanted") from None


@dataclass
class Run:
    """One seed of one cell in training, and all that a checkpoint must hold to continue it exactly."""

    model: Model
    data: Data
    settings: Training
    seed: int  # of the minibatches, and of the noise that every snapshot is drawn from
    device: torch.device
    files: Path  # the checkpoint, the live curves and the folder of snapshots are this path with a suffix
    advance: Callable[[int], None] = lambda steps: None
    noise: int | None = None  # seed of training's own chance; None: the global generators as they stand

    def __post_init__(self) -> None:
        self.pairs = isinstance(self.model, Supervised)
        check_batch(drawn_from(self.data, self.pairs), self.settings.batch)
        layout = torch.channels_last if self.settings.channels_last else torch.preserve_format
        self.model.to(device=self.device, memory_format=layout).train()
        self.players = Players(self.model)
        averaged = self.settings.ema and list(self.model.parameters())
        self.average = Average(self.model, self.settings.ema) if averaged else None
        self.window = max(1, self.settings.steps // WINDOWS)
        self.meters = Meters(self.window, exploded(self.data.spec))
        self.step = 0
        self.clock = Clock(self.device)
        self.chance = Chance(self.device, self.noise)
        self.stream = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
        self.due = set() if isinstance(self.model, Finishes) else self.snapshot_steps()

    @property
    def seconds(self) -> float:
        """Of computing, in `clock.unit` seconds."""
        return self.clock.seconds

    def train(self) -> None:
        """Take the steps that are left, then let the model `finish`. Raises Divergence."""
        for _ in self.turns():
            pass

    def loop(self) -> None:
        """Take the steps that are left."""
        for _ in self.turns(self.windows()):
            pass

    def turns(self, work: Iterator[None] | None = None) -> Iterator[None]:
        """The whole of training, handing over wherever it would wait for the device. Raises Divergence."""
        work = self.work() if work is None else work
        if self.stream:  # what was made so far was made on another one
            self.stream.wait_stream(torch.cuda.current_stream(self.device))
        try:
            while self.turn(work):
                yield
        finally:
            if self.stream:
                torch.cuda.current_stream(self.device).wait_stream(self.stream)

    def turn(self, work: Iterator[None]) -> bool:
        """Go on to where the work hands over; whether there is more."""
        with self.installed():
            return next(work, work) is not work

    @contextmanager
    def installed(self) -> Iterator[None]:
        """All that is global as this run wants it."""
        with ExitStack() as stack:
            stack.enter_context(self.chance.installed())
            stack.enter_context(products(self.settings.precision, self.device))
            if self.stream:
                stack.enter_context(torch.cuda.stream(self.stream))
            yield

    def work(self) -> Iterator[None]:
        checkpoint = self.files.with_suffix(".checkpoint")
        if checkpoint.exists():
            self.restore(checkpoint)
            self.advance(self.step)
        yield from self.windows()
        if self.average:
            self.average.install()
        self.model.eval()
        self.check_weights()
        if isinstance(self.model, Finishes):
            with torch.no_grad():
                self.model.finish(batches_once(self.data, self.settings.batch, self.pairs))
            self.check_weights()

    def check_weights(self) -> None:
        """The last step's move shows in no loss any more. Raises Divergence."""
        if not all(bool(value.isfinite().all()) for value in self.model.state_dict().values()):
            raise Divergence(self.step, "weights")

    def windows(self) -> Iterator[None]:
        steps, saved, every = self.settings.steps, time.monotonic(), checkpoint_every()
        take = way(self.device)(self)
        while self.step < steps:
            first, upto = self.step, min(steps, self.step - self.step % self.window + self.window)
            self.clock.start()
            for self.step in range(first, upto):
                moves = tuple(self.model.moves(self.step))
                take(moves)
                self.meters.taken.append(moves)
            self.step = upto
            self.clock.stop()
            yield
            self.meters.read(upto)
            self.clock.add()
            self.advance(upto - first)
            if upto in self.due:
                self.snapshot()
            if time.monotonic() - saved > every:
                save_tensors(self.files.with_suffix(".checkpoint"), self.state())
                atomic_write(self.files.with_suffix(".csv"), self.meters.csv())
                saved = time.monotonic()

    def snapshot_steps(self) -> set[int]:
        """`settings.snapshots` steps, evenly spaced up to the last, each at the end of a meter window."""
        steps, count = self.settings.steps, self.settings.snapshots
        return {min(steps, math.ceil(steps * i / count / self.window) * self.window) for i in range(1, count + 1)}

    def snapshot(self) -> None:
        """Keep samples of the model as it stands, from the same noise every time; training goes on as if not asked."""
        rng = torch.Generator(self.device).manual_seed(seed_for("snapshots", self.seed))
        n = self.settings.snapshot_samples
        self.model.eval()
        with torch.no_grad(), self.average.installed() if self.average else nullcontext():
            x = generate(self.model, n, asked(self.model, self.data, n, rng), rng)
        self.model.train()
        atomic_write(self.files.with_suffix(".snapshots") / f"{self.step}.npz", packed(x=self.data.to_levels(x)))

    def state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "optimizers": {player: optimizer.state_dict() for player, optimizer in self.players.optimizers.items()},
            "average": self.average.mean if self.average else None,
            "random": random_state(self.device),
            "rows": self.meters.rows,
        }

    def restore(self, checkpoint: Path) -> None:
        """Go on where a checkpoint was made. Raises ValueError, in one line, if that was of another model."""
        state = load_tensors(checkpoint, self.device)
        try:
            self.take_up(state)
        except torch.OutOfMemoryError:
            raise
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{checkpoint} is of another model or other settings; delete it and run the same command again"
            ) from error

    def take_up(self, state: dict[str, Any]) -> None:
        self.step, self.clock.seconds = state["step"], state["seconds"]
        self.model.load_state_dict(state["model"])
        for player, optimizer in self.players.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][player])
        if self.average:
            torch._foreach_copy_(self.average.mean, state["average"])
        self.meters.rows = state["rows"]
        restore_random_state(state["random"], self.device)


class Streamed:
    """Takes the steps of a run one by one, the fastest way on a CPU."""

    recorded = False

    def __init__(self, run: Run) -> None:
        settings = run.settings
        self.run, self.last = run, settings.steps
        self.autocast = autocast(settings.precision, run.device, recorded=self.recorded)
        self.batches = stream(run.data, settings.batch, run.seed, run.step, settings.channels_last, run.pairs)

    def __call__(self, moves: Pattern) -> None:
        self.take(moves, next(self.batches), self.run.step)

    def take(self, moves: Pattern, batch: Batch, step: int | Tensor) -> None:
        """Every player that moves in this step, in order, on one minibatch. Nothing here waits for the device."""
        run, losses, watched = self.run, [], []
        if run.settings.lr_decay == "linear":
            run.players.slow_down(1 - (step.double() if isinstance(step, Tensor) else step) / self.last)
        for move in moves:
            with self.autocast:
                found = move(batch)
            losses += [(player, loss.detach()) for player, loss in found.items()]
            watched += [(name, value.detach()) for name, value in getattr(run.model, "watched", {}).items()]
            run.players.move(found)
        run.meters.write(moves, step, losses, watched)
        if run.average:
            run.average.update(step + 1)


class Resident(Streamed):
    """Takes them with all that changes from step to step on the device: recorded and replayed, if that is wanted."""

    recorded = True

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        settings = run.settings
        self.shuffle = Shuffle(run.data, settings.batch, run.seed, settings.channels_last, run.pairs)
        self.at = torch.tensor(run.step, device=run.device)
        self.go = self.whole
        if captured.wanted(run.device):
            name = type(run.model).__module__
            self.go = captured.Captured(self.whole, self.changing, run.players.forget, run.device, name)

    def __call__(self, moves: Pattern) -> None:
        self.shuffle.fill(self.run.step)
        self.go(moves)

    def whole(self, moves: Pattern) -> None:
        self.take(moves, self.shuffle.batch(self.at), self.at)
        self.at += 1

    def changing(self) -> Sequence[Tensor]:
        """All that a step changes, but for the losses it writes down."""
        mean = self.run.average.mean if self.run.average else []
        return [self.at, *mean, *self.run.model.parameters(), *self.run.model.buffers(), *self.run.players.tensors()]


def way(device: torch.device) -> type[Streamed]:
    """How steps are taken on a device."""
    return Resident if device.type == "cuda" else Streamed


def together(runs: Sequence[Run]) -> Iterator[tuple[int, Exception | None]]:
    """Train several runs in turns, so that one computes while the host waits for another: the place of each as it
    ends, with what ended it before its last step.

    Each draws from its own chance, so that its result is what it would be alone. Without memory none goes on.
    """
    if len(runs) > 1 and any(run.noise is None for run in runs):
        raise ValueError("runs that take turns need a seed each for their noise: give Run(noise=...)")
    waiting = {place: run.turns() for place, run in enumerate(runs)}
    while waiting:
        for place, turns in list(waiting.items()):
            end: Exception | None = None
            try:
                if next(turns, turns) is not turns:
                    continue
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                end = error
            del waiting[place]
            yield place, end

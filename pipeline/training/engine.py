"""The one training loop: whoever moves in a step moves, and nothing else happens between two meter readings.

A model says who moves and what each player lessens (`models.common.protocol`); the engine sends each loss to its
player's parameters only, steps those optimizers, and keeps averages, checkpoints and the record. Losses are read back
once per meter window, never per step, so that a GPU is not made to wait.
"""

import itertools
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from models.common.protocol import Batch, Losses
from pipeline.data import Data
from pipeline.evaluation.sampling import asked, generate, packed
from pipeline.files import atomic_write
from pipeline.params import Training
from pipeline.seeds import seed_for
from pipeline.tensors import load_tensors, save_tensors
from pipeline.training.checkpoint import random_state, restore_random_state
from pipeline.training.stream import batches_once, stream

WINDOWS = 100  # meter readings in a run
EXPLODED = 1e6  # no loss of ours comes near it (nats of a 32x32x3 image are below 2e4); beyond it training has diverged
CHECKPOINT_EVERY = 20.0  # seconds, or BENCHMARK_CHECKPOINT_EVERY


def checkpoint_every() -> float:
    """Seconds between checkpoints."""
    asked = os.environ.get("BENCHMARK_CHECKPOINT_EVERY", str(CHECKPOINT_EVERY))
    try:
        return float(asked)
    except ValueError:
        raise ValueError(f"BENCHMARK_CHECKPOINT_EVERY = {asked!r}: a number of seconds is wanted") from None


class Divergence(Exception):
    """A player's loss stopped being a number, or exploded, at a step."""

    def __init__(self, step: int, player: str) -> None:
        super().__init__(f"{player} diverged at step {step}")
        self.step, self.player = step, player


@dataclass
class Meters:
    """Losses by player: kept as tensors until read, then averaged over the window and checked, every step of them."""

    rows: list[dict[str, float]] = field(default_factory=list)
    pending: dict[str, list[tuple[int, Tensor]]] = field(default_factory=dict)
    beside: dict[str, list[Tensor]] = field(default_factory=dict)  # what a model lets be watched; no ground to stop

    def add(self, step: int, losses: Losses, watched: Mapping[str, Tensor] = MappingProxyType({})) -> None:
        for player, loss in losses.items():
            self.pending.setdefault(player, []).append((step, loss.detach()))
        for name, value in watched.items():
            self.beside.setdefault(name, []).append(value.detach())

    def read(self, step: int) -> None:
        """Close the window after ``step`` steps. Raises Divergence with the first bad step in it and the player."""
        row: dict[str, float] = {"step": step}
        bad: list[tuple[int, str]] = []
        for player, entries in self.pending.items():
            values = torch.stack([loss for _, loss in entries]).double().tolist()
            bad += [(at, player) for (at, _), value in zip(entries, values, strict=True) if not abs(value) < EXPLODED][
                :1
            ]
            row[player] = math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.nan
        row |= {name: torch.stack(values).double().mean().item() for name, values in self.beside.items()}
        self.pending.clear()
        self.beside.clear()
        if bad:
            raise Divergence(*min(bad, key=lambda entry: entry[0]))
        self.rows.append(row)

    @property
    def last(self) -> int:
        """The step that the last reading closed."""
        return int(self.rows[-1]["step"]) if self.rows else 0

    def csv(self) -> str:
        """Wide: the step, then a column a player (and a watched quantity); empty where none came in the window."""
        players = list(dict.fromkeys(name for row in self.rows for name in row if name != "step"))
        lines = [",".join(["step", *players])]
        for row in self.rows:
            lines.append(",".join([str(row["step"]), *(f"{row[name]:.6g}" if name in row else "" for name in players)]))
        return "\n".join(lines) + "\n"


class Players:
    """The players of a model: their optimizers, and the parameters that each owns."""

    def __init__(self, model: nn.Module) -> None:
        self.optimizers = model.optimizers()
        self.parameters = {
            player: [parameter for group in optimizer.param_groups for parameter in group["params"]]
            for player, optimizer in self.optimizers.items()
        }
        self.rates = {player: [group["lr"] for group in o.param_groups] for player, o in self.optimizers.items()}
        self.constrain: Callable[[], None] | None = getattr(model, "constrain", None)

    def slow_down(self, share: float) -> None:
        """Set every learning rate to ``share`` of the model's own."""
        for player, optimizer in self.optimizers.items():
            for group, rate in zip(optimizer.param_groups, self.rates[player], strict=True):
                group["lr"] = share * rate

    def move(self, losses: Losses) -> None:
        """Those named in ``losses`` move together: all gradients first, then all steps."""
        last = len(losses) - 1
        for order, (player, loss) in enumerate(losses.items()):
            for parameter in self.parameters[player]:
                parameter.grad = None
            loss.backward(inputs=self.parameters[player], retain_graph=order < last)
        for player in losses:
            self.optimizers[player].step()
        if self.constrain is not None:
            self.constrain()


class Average:
    """Exponential moving average of the weights (buffers are copied), evaluated instead of the last ones."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.live = [parameter.detach() for parameter in model.parameters()]
        self.mean = [parameter.clone() for parameter in self.live]

    def update(self, step: int) -> None:
        # The first steps would otherwise weigh the initialisation for 1 / (1 - decay) steps.
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.mean, self.live, 1 - decay)

    def install(self) -> None:
        torch._foreach_copy_(self.live, self.mean)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """The mean in the model's place for a while."""
        last = [parameter.clone() for parameter in self.live]
        self.install()
        yield
        torch._foreach_copy_(self.live, last)


@dataclass
class Run:
    """One seed of one cell in training, and all that a checkpoint must hold to continue it exactly."""

    model: nn.Module
    data: Data
    settings: Training
    seed: int  # of the minibatches, and of the noise that every snapshot is drawn from
    device: torch.device
    files: Path  # the checkpoint, the live curves and the folder of snapshots are this path with a suffix
    advance: Callable[[int], None] = lambda steps: None

    def __post_init__(self) -> None:
        layout = torch.channels_last if self.settings.channels_last else torch.preserve_format
        self.model.to(device=self.device, memory_format=layout).train()
        self.players = Players(self.model)
        self.average = (
            Average(self.model, self.settings.ema) if self.settings.ema and list(self.model.parameters()) else None
        )
        self.meters = Meters()
        self.step = 0
        self.seconds = 0.0
        self.window = max(1, self.settings.steps // WINDOWS)
        self.due = set() if hasattr(self.model, "finish") else self.snapshot_steps()

    def train(self) -> None:
        """Take the steps that are left, then let the model `finish`. Raises Divergence."""
        checkpoint = self.files.with_suffix(".checkpoint")
        if checkpoint.exists():
            self.restore(load_tensors(checkpoint, self.device))
            self.advance(self.step)
        self.loop()
        if self.average:
            self.average.install()
        self.model.eval()
        self.check_weights()
        if hasattr(self.model, "finish"):
            with torch.no_grad():
                self.model.finish(batches_once(self.data, self.settings.batch))
            self.check_weights()

    def check_weights(self) -> None:
        """The last step's move shows in no loss any more. Raises Divergence."""
        if not all(bool(value.isfinite().all()) for value in self.model.state_dict().values()):
            raise Divergence(self.step, "weights")

    def loop(self) -> None:
        steps, saved, every = self.settings.steps, time.monotonic(), checkpoint_every()
        batches = stream(self.data, self.settings.batch, self.seed, self.step, self.settings.channels_last)
        while self.step < steps:
            upto = min(steps, self.step - self.step % self.window + self.window)
            began, first = time.monotonic(), self.step
            for batch in itertools.islice(batches, upto - first):
                self.take_step(batch)
            self.meters.read(upto)
            now = time.monotonic()
            self.seconds += now - began
            self.advance(upto - first)
            if upto in self.due:
                self.snapshot()
            if now - saved > every:
                save_tensors(self.files.with_suffix(".checkpoint"), self.state())
                atomic_write(self.files.with_suffix(".csv"), self.meters.csv())
                saved = now

    def take_step(self, batch: Batch) -> None:
        """Every player that moves in this step, in order, on one minibatch."""
        autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16")
        if self.settings.lr_decay == "linear":
            self.players.slow_down(1 - self.step / self.settings.steps)
        for move in self.model.moves(self.step):
            with autocast:
                losses = move(batch)
            self.meters.add(self.step, losses, getattr(self.model, "watched", {}))
            self.players.move(losses)
        self.step += 1
        if self.average:
            self.average.update(self.step)

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

    def restore(self, state: dict[str, Any]) -> None:
        self.step, self.seconds = state["step"], state["seconds"]
        self.model.load_state_dict(state["model"])
        for player, optimizer in self.players.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][player])
        if self.average:
            torch._foreach_copy_(self.average.mean, state["average"])
        self.meters.rows = state["rows"]
        restore_random_state(state["random"], self.device)

"""The record of a run: losses by player, read back once a window, and the end of a run whose losses are none any more.

Every step writes its losses into a row of its window, where it was computed; nothing is read before the window ends.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.common.protocol import Move, Spec

Pattern = tuple[Move, ...]  # who moves in a step, in order
Entries = Sequence[tuple[str, Tensor]]  # a player may stand in a step more than once


class Divergence(Exception):
    """A player's loss stopped being a number, or exploded, at a step."""

    def __init__(self, step: int, player: str) -> None:
        super().__init__(f"{player} diverged at step {step}")
        self.step, self.player = step, player


def exploded(spec: Spec) -> float:
    """A loss beyond which training has diverged.

    The largest losses of sane models are nats of a whole datum at the first step. A guess costs log(levels) a number,
    and a bad start a few times that; a hundred times is past any, and a million is for data of few numbers.
    """
    return max(1e6, 100 * math.prod(spec.shape) * math.log(spec.levels or 256))


class Table(NamedTuple):
    """What steps of one pattern write."""

    players: list[str]
    watched: list[str]  # what a model lets be seen beside its losses; no ground to stop
    values: Tensor  # (window, players + watched), NaN where nothing was written


class Meters:
    """Curves, a row a window, and the rows of the window that is open."""

    def __init__(self, window: int = 1, limit: float = 1e6) -> None:
        self.window, self.limit = window, limit
        self.rows: list[dict[str, float]] = []
        self.tables: dict[Pattern, Table] = {}
        self.taken: list[Pattern] = []  # the steps of this window

    def write(self, moves: Pattern, step: int | Tensor, losses: Entries, watched: Entries) -> None:
        """Keep what a step has computed; the step may be a tensor on the device."""
        entries = [*losses, *watched]
        if not entries:
            return
        row = torch.stack([value for _, value in entries])
        if moves not in self.tables:
            blank = row.new_full((self.window, len(row)), math.nan)
            self.tables[moves] = Table([name for name, _ in losses], [name for name, _ in watched], blank)
        slot, values = step % self.window, self.tables[moves].values
        if isinstance(slot, Tensor):
            values.index_copy_(0, slot.view(1), row[None])
        else:
            values[slot] = row

    def read(self, step: int) -> None:
        """Close the window after ``step`` steps. Raises Divergence with the first bad step in it and the player."""
        found = {moves: table.values.tolist() for moves, table in self.tables.items() if moves in self.taken}
        losses: dict[str, list[float]] = {}
        beside: dict[str, list[float]] = {}
        steps, self.taken = list(enumerate(self.taken, step - len(self.taken))), []
        for at, moves in steps:
            if moves not in found:
                continue  # moves without losses
            table, values = self.tables[moves], found[moves][at % self.window]
            for player, value in zip(table.players, values, strict=False):
                if not abs(value) < self.limit:
                    raise Divergence(at, player)
                losses.setdefault(player, []).append(value)
            for name, value in zip(table.watched, values[len(table.players) :], strict=True):
                beside.setdefault(name, []).append(value)
        self.rows.append({"step": step, **averages(losses), **averages(beside)})

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


def averages(values: dict[str, list[float]]) -> dict[str, float]:
    # fsum refuses infinities, which a watched quantity may be
    return {name: (math.fsum if all(map(math.isfinite, v)) else sum)(v) / len(v) for name, v in values.items()}

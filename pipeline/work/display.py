"""How far units of work are: one line for all of them, rewritten in a terminal and repeated now and then elsewhere."""

import sys
import time
from collections.abc import Collection, Mapping
from typing import Any

from tqdm import tqdm

from pipeline.work.units import Unit

REFRESH = 0.5 if sys.stderr.isatty() else 10.0  # seconds between two looks
FORM = "{desc} {percentage:3.0f}% |{bar}| {elapsed} gone, {remaining} left{postfix}"


class Display:
    """Units done of all, the time that is left for all of them, and how fast those go that are running."""

    def __init__(self, label: str, units: Collection[Unit], cost: Mapping[Unit, float] | None = None) -> None:
        """cost: the seconds that a unit is expected to take; where they are known for none, all weigh the same."""
        self.label, self.units = label, units
        self.cost = {unit: (cost or {}).get(unit, 1.0) for unit in units}
        self.began: dict[Unit, float] = {}
        self.done: dict[Unit, int] = {}
        self.resumed: dict[Unit, int] = {}  # of those a kill had interrupted: how far they were
        self.there = 0.0  # the cost of what was there already
        self.shown = 0.0
        self.bar: tqdm[Any] | None = None

    def begin(self, units: Collection[Unit]) -> None:
        if self.bar is None:  # not before: to find that all is there takes no bar
            total = sum(self.cost.values())
            self.bar = tqdm(total=total, desc=self.label, bar_format=FORM, mininterval=REFRESH, dynamic_ncols=True)
        for unit in units:
            self.began[unit], self.done[unit] = time.monotonic(), 0
            self.resumed.pop(unit, None)
            if unit.file(".checkpoint").exists():
                self.resumed[unit] = 0

    def advance(self, unit: Unit, steps: int) -> None:
        if self.resumed.get(unit) == 0:  # the first that it says
            self.began[unit], self.resumed[unit] = time.monotonic(), steps
        self.done[unit] = self.done.get(unit, 0) + steps

    def end(self, units: Collection[Unit]) -> None:
        for unit in units:
            self.began.pop(unit, None)
            self.done.pop(unit, None)

    def show(self, records: Collection[Unit], failures: Collection[Unit], now: bool = False) -> None:
        """Draw the line, if it is time or must be ``now``."""
        if self.bar is None or (time.monotonic() - self.shown < REFRESH and not now):
            return
        over = [unit for unit in self.cost if unit in records or unit in failures]
        if not self.shown:  # what was there already tells nothing of how long the rest takes
            self.there = sum(self.cost[unit] for unit in over)
        self.shown = time.monotonic()
        self.bar.initial = self.there + sum(
            self.cost[unit] * steps / unit.steps for unit, steps in self.resumed.items()
        )
        begun = sum(self.cost[unit] * min(1.0, done / unit.steps) for unit, done in self.done.items())
        self.bar.n = min(sum(self.cost.values()), sum(self.cost[unit] for unit in over) + begun)
        self.bar.set_description_str(f"{self.label}: {len(over)}/{len(self.cost)} units", refresh=False)
        self.bar.set_postfix_str("; ".join(map(self.speed, self.began)), refresh=True)

    def speed(self, unit: Unit) -> str:
        name = f"{unit.benchmark}/{unit.contestant} {unit.seed}"
        if unit.task == "evaluate":
            return f"evaluating {name}"
        rate = (self.done[unit] - self.resumed.get(unit, 0)) / max(time.monotonic() - self.began[unit], 1e-9)
        return f"{name} {self.done[unit] / unit.steps:.0%} ({rate:.3g} steps/s)"

    def say(self, line: str) -> None:
        """A line of its own, above the bar."""
        tqdm.write(line, file=sys.stderr)

    def close(self, records: Collection[Unit], failures: Collection[Unit]) -> None:
        if self.bar is not None:
            self.show(records, failures, now=True)
            self.bar.close()

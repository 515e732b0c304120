"""Which unit is next."""

from collections.abc import Collection
from dataclasses import dataclass, field

from pipeline.work.units import Record, Unit


@dataclass
class Outcome:
    """What has become of units: records of those that are finished, a line for each that failed."""

    records: dict[Unit, Record] = field(default_factory=dict)
    failures: dict[Unit, str] = field(default_factory=dict)


class Schedule:
    """Units in the order given, an evaluation after the training that it looks at; none of a training that failed."""

    def __init__(self, units: Collection[Unit], outcome: Outcome, together: int = 1) -> None:
        """together: how many of a benchmark are trained side by side by one process."""
        self.waiting = [unit for unit in units if unit not in outcome.records]
        self.outcome, self.together = outcome, together

    def take(self, running: Collection[Unit]) -> list[Unit]:
        """The next units for one process while others are ``running``; none where all that is left waits for these."""
        lost = {unit.key for unit in self.outcome.failures}
        self.waiting = [unit for unit in self.waiting if unit.after not in lost]
        unmade = {unit.key for unit in (*self.waiting, *running)}
        ready = [unit for unit in self.waiting if unit.after not in unmade]
        side_by_side = self.together if ready and ready[0].task != "evaluate" else 1
        alike = [unit for unit in ready if (unit.task, unit.benchmark) == (ready[0].task, ready[0].benchmark)]
        taken = alike[:side_by_side]
        self.waiting = [unit for unit in self.waiting if unit not in taken]
        return taken

    def put_back(self, units: Collection[Unit]) -> None:
        """These were not made, and are to be tried again."""
        self.waiting = [*units, *self.waiting]

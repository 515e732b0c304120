"""A contestant as the page of a search shows it: its trials, its final, and what these say together."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np

from reports.trials import BEFORE, Record, chosen, values


class Contestant(NamedTuple):
    name: str
    trials: list[dict[str, Any]]
    found: np.ndarray  # (n,) values, infinite where diverged
    finals: list[dict[str, Any]]  # of the best trial, and of the one that it met; none: there was no final
    best: Mapping[str, Any] | None  # what is found

    def of(self, origin: str) -> float:
        """The value of the trial with the settings of the paper, or of before: which are one where they do not
        differ."""
        by_origin = dict(self.tried)
        return by_origin.get(origin, by_origin.get("paper", inf))

    @property
    def tried(self) -> list[tuple[str, float]]:
        """Whose each trial's settings are, and its value."""
        return [(named(trial), value) for trial, value in zip(self.trials, self.found.tolist(), strict=True)]

    @property
    def equal(self) -> list[float]:
        """The values of the trials that all contestants have alike: the paper's, and those of the sequence."""
        return [value for origin, value in self.tried if origin != "before"]

    @property
    def minutes(self) -> float:
        runs = [*self.trials, *(seed for each in self.finals for seed in each["seeds"])]
        return float(sum(run["seconds"] for run in runs) / 60)

    @property
    def highest(self) -> list[str]:
        """Of what is found, the numbers that no trial had larger."""
        ends = {name: max(trial["settings"][name] for trial in self.trials) for name in self.trials[0]["settings"]}
        return [name for name, end in ends.items() if self.best and self.best["settings"][name] == end]

    @property
    def met(self) -> list[float]:
        """The values in the final, infinite where diverged: of the best trial, and of the other."""
        return values(self.finals) or [inf, inf]

    @property
    def gained(self) -> tuple[float, float]:
        """The final's values of the settings of before, and of those found."""
        met = {named(trial): trial for trial in self.finals}
        before = met.get("before", met.get("paper"))
        ends = [values([each])[0] if each is not None and self.finals else inf for each in (before, self.best)]
        return ends[0], ends[1]


def named(trial: Mapping[str, Any]) -> str:
    """Whose a trial's settings are: before, paper or drawn."""
    return "before" if trial["of"] in BEFORE else str(trial["of"])


def contestants(record: Record) -> list[Contestant]:
    """The best first."""
    found = [
        Contestant(name, each["trials"], np.array(values(each["trials"])), each["finals"], chosen(each))
        for name, each in record["contestants"].items()
    ]
    return sorted(found, key=lambda each: (each.found.min(), each.name))


def ranks(found: list[Contestant]) -> dict[str, tuple[int, ...]]:
    """Of each contestant that met another in a final the places by the settings of before, and by those found."""
    ends = {each.name: each.gained for each in found if each.finals}
    return {
        name: tuple(1 + sum(other[place] < value for other in ends.values()) for place, value in enumerate(own))
        for name, own in ends.items()
    }


def fewest(found: Sequence[Contestant]) -> int:
    """Of how many trials all have as many to draw from."""
    return min(len(each.equal) for each in found)

"""A kind's search: the range of each number, and the trials of each contestant.

Trial 0 has the paper's values, trial 1 those of params.yaml where these differ; all others are points of one sequence,
which says where in its range each number lies. The sequence is Sobol's, scrambled by one seed for all (Optuna's
QMCSampler): a point hangs on its number alone, not on which trials have ended before, so trials run beside each other
and a search of more trials begins with those of a smaller one; all contestants get the same points; and eight of them
lie in the eight parts of a range, where eight by lot leave three parts empty.

Two of the trials meet in a final, at full length: the best, and the settings that there were before.
"""

import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import models
from benchmarks import metrics
from pipeline import params
from pipeline.search import spaces
from pipeline.search.spaces import Rule, Setting
from reports.trials import ranked

SEED = 0  # of the sequence
TENFOLD = 10.0  # either way of the paper's value
DIGITS = 3  # of a number drawn: it is read by people, and written into a file


class Range(NamedTuple):
    """Where a search looks for a number."""

    low: float
    high: float
    log: bool
    whole: bool  # of whole numbers


@dataclass(frozen=True)
class Trial:
    contestant: str
    number: int
    origin: str  # whose settings: paper, house (params.yaml), or drawn
    settings: Setting  # of the numbers that are searched


@dataclass(frozen=True)
class Contestant:
    """What is searched of a contestant, and around what. Raises ValueError for a space that does not fit its model."""

    kind: str
    name: str
    line: params.Contestant
    rule: Rule

    @cached_property
    def space(self) -> spaces.Space | str:
        return spaces.space_of(self.line.model)

    @property
    def searched(self) -> list[str]:
        return spaces.searched(self.space, self.rule.keep)

    @property
    def why_not(self) -> str:
        """Why nothing is searched; nothing where something is."""
        if isinstance(self.space, str):
            return self.space
        return "" if self.searched else f"all contestants keep {', '.join(self.rule.keep)}, and nothing else is varied"

    @cached_property
    def defaults(self) -> Setting:
        """Of the model; those in the space are seen to be its numbers."""
        taken = models.hyperparameters(models.load(self.line.model))
        for setting in self.space if isinstance(self.space, dict) else {}:
            where = f"{spaces.SPACES}: {self.line.model}"
            params.known(setting, list(taken), where, "setting")
            if type(taken[setting].default) not in (int, float):
                raise ValueError(
                    f"{where}.{setting} = {taken[setting].default!r}: is no number, a search varies numbers"
                )
        return {name: each.default for name, each in taken.items()}

    @property
    def paper(self) -> Setting:
        """The paper's values of the numbers that are searched."""
        said = {**self.defaults, **self.rule.paper.get(self.line.model, {})}
        return {setting: type(self.defaults[setting])(said[setting]) for setting in self.searched}

    @property
    def house(self) -> Setting:
        """Those of params.yaml, and where it says none the model's own."""
        said = {**self.defaults, **self.line.settings}
        return {setting: type(self.defaults[setting])(said[setting]) for setting in self.searched}

    @property
    def ranges(self) -> dict[str, Range]:
        words = self.space if isinstance(self.space, dict) else {}
        return {setting: self.range(setting, words[setting]) for setting in self.searched}

    def range(self, setting: str, word: str | list[float]) -> Range:
        value = self.paper[setting]
        whole = type(value) is int
        if isinstance(word, list):
            if not word[0] <= value <= word[1]:
                raise ValueError(f"{spaces.SPACES}: {self.line.model}.{setting} = {word}: without the paper's {value}")
            return Range(word[0], word[1], False, whole)
        if not value > 0:
            raise ValueError(
                f"{spaces.SPACES}: {self.line.model}.{setting} = {word}: the paper's value is {value}, and a decade "
                "about it is empty; write [low, high]"
            )
        low, high = value / TENFOLD, value * TENFOLD
        return Range(math.ceil(low), round(high), True, True) if whole else Range(low, high, True, False)

    def trials(self, count: int) -> list[Trial]:
        """The paper's settings, those of params.yaml where they differ, and drawn points. One that params.yaml has
        gives way to the one whose number that took."""
        found = [Trial(self.name, 0, "paper", self.paper)]
        drawn = points(self.ranges, self.paper, count - 1)
        if self.house != self.paper:
            found.append(Trial(self.name, 1, "house", self.house))
            drawn = [each if each != self.house else drawn[0] for each in drawn]
        rest = range(len(found), count)
        return [*found, *(Trial(self.name, number, "drawn", drawn[number - 1]) for number in rest)]

    def finalists(self, trials: Sequence[Mapping[str, Any]]) -> list[Trial]:
        """Of the trials on record the best, and the settings that there were before; if these are the best, the second
        best. Fewer than two where no two settings have a value: there is nothing to decide."""
        found = ranked(trials)
        before = next(each for origin in ("house", "paper") for each in trials if each["of"] == origin)
        others = [each for each in found[1:] if each["settings"] != found[0]["settings"]]
        others.sort(key=lambda each: each is not before)
        met = [*found[:1], *others[:1]]
        return [Trial(self.name, each["trial"], each["of"], each["settings"]) for each in met]

    def hyperparameters(self, trial: Trial, shorter: int) -> Setting:
        """All settings of a trial; what is counted in steps of training is as many times smaller as the trial."""
        words = self.space if isinstance(self.space, dict) else {}
        said = {**self.defaults, **self.line.settings}
        counted = {name: said[name] for name, word in words.items() if word == "steps"}
        scaled = {name: max(1, round(steps / shorter)) for name, steps in counted.items() if steps}
        return {**self.line.settings, **scaled, **trial.settings}


def points(ranges: dict[str, Range], within: Setting, count: int) -> list[Setting]:
    """The first points of the sequence, each a number for every range; ``within``: some point, which tells the sampler
    what it samples."""
    import optuna  # here: only a search needs it
    from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

    known: dict[str, BaseDistribution] = {
        name: IntDistribution(int(each.low), int(each.high), log=each.log)
        if each.whole
        else FloatDistribution(each.low, each.high, log=each.log)
        for name, each in ranges.items()
    }
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        study = optuna.create_study(sampler=optuna.samplers.QMCSampler(scramble=True, seed=SEED))
    pruned = optuna.trial.TrialState.PRUNED
    study.add_trial(optuna.trial.create_trial(state=pruned, params=within, distributions=known))
    asked = [study.ask(known).params for _ in range(count)]
    return [{name: short(value) for name, value in each.items()} for each in asked]


def short(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


class Study:
    """The search of a kind. Raises ValueError, one line, for a rule or a space that does not fit."""

    def __init__(self, kind: str, trials: int | None = None, only: Collection[str] = ()) -> None:
        rules = spaces.rules()
        self.kind, self.rule = kind, spaces.rule_of(kind, rules)
        self.trials, self.shorter, self.finals, self.only = trials or rules.trials, rules.shorter, rules.finals, only
        board = params.load().board.kinds[kind]
        lines = board.models if board.settings == "found" else params.load().stated[kind].models
        self.board = {name: line for name, line in lines.items() if not line.of}
        self.check(only)
        self.contestants = [Contestant(kind, name, line, self.rule) for name, line in self.board.items()]
        self.varied = [each for each in self.contestants if not each.why_not and (not only or each.name in only)]
        self.ranges = {each.name: each.ranges for each in self.varied}  # seen to be right, before anything runs

    def check(self, only: Collection[str]) -> None:
        where = f"{spaces.RULES}: kinds.{self.kind}"
        parameters = params.load()
        for name in self.rule.benchmarks:
            params.known(name, parameters.benchmarks(), f"{where}.benchmarks", "benchmark")
            if (kind := parameters.benchmark(name).kind) != self.kind:
                raise ValueError(f"{where}.benchmarks: {name} is of kind {kind}, not {self.kind}")
        params.known(self.rule.by, [each.name for each in metrics.columns(metrics.names())], f"{where}.by", "column")
        if self.column.direction != "lower":
            raise ValueError(f"{where}.by = {self.rule.by!r}: lower is not better there; choose a distance, or nats")
        for name in self.rule.paper:
            params.known(name, models.names(), f"{where}.paper", "model")
        for name in self.rule.notes:
            params.known(name, list(self.board), f"{where}.notes", "contestant")
        for name in only:
            params.known(name, list(self.board), "--only", "contestant")

    @property
    def metric(self) -> str:
        """The metric that has the column."""
        return next(name for name in metrics.names() if self.rule.by in [each.name for each in metrics.columns([name])])

    @property
    def column(self) -> metrics.Column:
        return next(each for each in metrics.columns([self.metric]) if each.name == self.rule.by)

"""A kind's search: the range of each number, and the trials of each contestant.

Trial 0 has the paper's values, trial 1 those that there were before where these differ (of params.yaml, or of an
earlier search); all others are points of one sequence, which says where in its range each number lies. The sequence is
Sobol's, scrambled by one seed for all (Optuna's QMCSampler): a point hangs on its number alone, not on which trials
have ended before, so trials run beside each other and a search of more trials begins with those of a smaller one; and
all contestants get the same points. Eight of them lie in the eight parts of a range, where eight by lot leave three
parts empty; of eight trials six or seven are points, which leaves the highest part of a range of one number empty.

Two of the trials meet in a final, at full length: the best, and the settings that there were before. What these were is
on record: the same command once more makes the same trials, and `--anew` begins with what was found.
"""

import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import models
from benchmarks import metrics
from pipeline import params
from pipeline.search import spaces
from pipeline.search.spaces import Rule, Setting
from pipeline.work.units import scores_dir
from reports.trials import BEFORE, ranked, read

SEED = 0  # of the sequence
TENFOLD = 10.0  # either way of the paper's value
DIGITS = 3  # of a number drawn: it is read by people, and written into a file


def file_of(kind: str) -> Path:
    """The record of a kind's search."""
    return scores_dir("search") / f"{kind}.json"


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
    origin: str  # whose settings: paper, house (params.yaml), found (by an earlier search), or drawn
    settings: Setting  # of the numbers that are searched


@dataclass(frozen=True)
class Contestant:
    """What is searched of a contestant, and around what. Raises ValueError for a space that does not fit its model."""

    kind: str
    name: str
    line: params.Contestant
    rule: Rule
    known: Mapping[str, Any] = field(default_factory=dict)  # what is on record of it, where that is to go on

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
    def before(self) -> Setting:
        """Those that there were before the search, and where there were none the model's own."""
        if self.goes_on:
            return dict(self.known["house"])
        return self.of(self.line.settings)

    @property
    def goes_on(self) -> bool:
        """Whether it is on record, and of the numbers that are searched now."""
        return bool(self.known) and self.known["house"].keys() == set(self.searched)

    @property
    def whose(self) -> str:
        """Whose those are."""
        if self.goes_on:
            return next((str(each["of"]) for each in self.known["trials"] if each["of"] in BEFORE), "house")
        stated = params.load().stated[self.kind].models[self.name].settings
        return "house" if self.before == self.of(stated) else "found"

    def of(self, settings: Setting) -> Setting:
        said = {**self.defaults, **settings}
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
        """The paper's settings, those of before where they differ, and drawn points. One that is tried as those of
        before gives way to the one whose number they took."""
        found = [Trial(self.name, 0, "paper", self.paper)]
        drawn = points(self.ranges, self.paper, count - 1)
        if (before := self.before) != self.paper:
            found.append(Trial(self.name, 1, self.whose, before))
            drawn = [each if each != before else drawn[0] for each in drawn]
        rest = range(len(found), count)
        return [*found, *(Trial(self.name, number, "drawn", drawn[number - 1]) for number in rest)]

    def finalists(self, trials: Sequence[Mapping[str, Any]]) -> list[Trial]:
        """Of the trials on record the best, and the settings that there were before; if these are the best, the second
        best. Fewer than two where no two settings have a value: there is nothing to decide."""
        found = ranked(trials)
        before = next((each for each in trials if each["of"] in BEFORE), trials[0])  # the paper's, where they are one
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

    def __init__(self, kind: str, trials: int | None = None, only: Collection[str] = (), *, anew: bool = False) -> None:
        rules = spaces.rules()
        self.kind, self.rule = kind, spaces.rule_of(kind, rules)
        self.trials, self.shorter, self.finals, self.only = trials or rules.trials, rules.shorter, rules.finals, only
        board = params.load().board.kinds[kind]
        lines = board.models if board.settings == "found" else params.load().stated[kind].models
        self.board = {name: line for name, line in lines.items() if not line.of}
        self.check(only)
        known, rule = {} if anew else self.on_record(), self.rule
        self.contestants = [
            Contestant(kind, name, line, rule, known.get(name, {})) for name, line in self.board.items()
        ]
        self.varied = [each for each in self.contestants if not each.why_not and (not only or each.name in only)]
        self.ranges = {each.name: each.ranges for each in self.varied}  # seen to be right, before anything runs

    def on_record(self) -> dict[str, Any]:
        """The contestants on record, if they were searched by this rule."""
        path = file_of(self.kind)
        with suppress(OSError, ValueError):  # what cannot be read is searched anew
            record = read(path, list(self.board)) if path.exists() else {}
            now = (self.rule.benchmarks, self.rule.by, self.shorter)
            if record and (record["benchmarks"], record["by"]["column"], record["shorter"]) == now:
                return dict(record["contestants"])
        return {}

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

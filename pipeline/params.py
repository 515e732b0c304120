"""params.yaml and benchmarks/*/benchmark.yaml: checked as a whole before anything runs.

The models' own hyperparameters are checked against their constructors by `pipeline.check`, which is the first stage.
"""

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipeline import rows
from pipeline.sections import EMBEDDED as EMBEDDED  # whoever reads parameters finds what they are made of in here
from pipeline.sections import NAME, Evaluation, Floors, Folder, Judging, Plainest, Switchboard, TrainingSection
from pipeline.sections import Brought as Brought
from pipeline.sections import Contestant as Contestant
from pipeline.training.settings import Training
from pipeline.validation import known as known  # of the names in here, whoever asks
from pipeline.validation import shown, validated
from pipeline.work.units import MEASURED
from pipeline.yaml_files import read

PARAMS = Path("params.yaml")
QUICK = "quick"  # the suite for a first look, whose results are no part of what is kept
# What lies beside benchmarks' folders.
ARTIFACTS = ("code", "settings", "checked", "work", "mlflow", "downloads", "search")


class Benchmark(BaseModel):
    """A benchmark with its kind's settings and its own merged."""

    model_config = ConfigDict(frozen=True)
    name: str
    kind: str
    dataset: str
    data: dict[str, Any]
    plainest: Plainest = Field(exclude=True)  # of its kind's data
    seeds: int
    training: Training
    evaluation: Evaluation
    judge: Judging | None
    ranked: list[str]
    floors: Floors
    models: dict[str, Contestant]
    brought: dict[str, Brought] = {}  # rows beside those of the models
    own: dict[str, Any] = Field(default={}, exclude=True)  # what benchmark.yaml itself says

    def place(self, section: str, key: str) -> str:
        """Where a setting stands: in the benchmark's own file, or in its kind's part of params.yaml."""
        if key in (self.own.get(section) or {}):
            return f"{file_of(self.name)}: {section}.{key}"
        return f"{PARAMS}: {self.kind}.{section}.{key}"

    def check_batch(self, size: int) -> None:
        """Raise ValueError if so many training data are fewer than a batch, or than one of the judge's."""
        batches = {"training": self.training.batch} | ({"judge": self.judge.batch} if self.judge else {})
        for section, batch in batches.items():
            if batch > size:
                where = self.place(section, "batch")
                remedy = f"let {section}.batch in {file_of(self.name)} be 1 to {size}"
                raise ValueError(f"{where} = {batch}: {self.name} has {size} training data; {remedy}")

    @property
    def rows(self) -> list[str]:
        """The names of all that are compared."""
        return [*self.models, *self.brought]

    @property
    def metrics(self) -> set[str]:
        """All that its evaluation computes."""
        return {metric for part in MEASURED for metric in getattr(self.evaluation, part)}


class Params:
    """All parameters, checked against one another and against the folders of models, data sets and metrics.

    Raises ValueError, one line that names the key, the value and the nearest right one.
    """

    def __init__(self, root: Path = Path()) -> None:
        self.root = root
        board: Switchboard = validated(Switchboard, read(root / PARAMS), PARAMS)
        self.stated = board.kinds  # as they stand there
        for name in board.kinds:
            if not NAME.fullmatch(name):
                raise ValueError(f"{PARAMS}: no kind can be called {shown(name)}; small letters, digits and _ fit")
        self.board = board.model_copy(update=rows.settled(board.kinds, root))
        self.suite = self.board.suites[EMBEDDED]
        self.read: dict[str, Benchmark] = {}
        for suite, names in self.board.suites.items():
            for name in names:
                known(name, self.benchmarks(), f"{PARAMS}: suites.{suite}", "benchmark")
        for name in self.board.brought:
            known(name, self.benchmarks(), f"{PARAMS}: brought", "benchmark")
        for name in self.suite:
            self.benchmark(name)
        files = stems(root / "models")
        self.family_of = self.members(files)
        for name, kind in self.board.kinds.items():
            for contestant, line in kind.models.items():
                known(line.model, files, f"{PARAMS}: {name}.models.{contestant}", "model")

    def benchmark(self, name: str) -> Benchmark:
        """The benchmark of that name, read once."""
        if name not in self.read:
            self.read[name] = self.merged(name)
        return self.read[name]

    def merged(self, name: str) -> Benchmark:
        known(name, self.benchmarks(), "benchmark", "benchmark")
        path = file_of(name)
        if name in ARTIFACTS or not NAME.fullmatch(name):
            raise ValueError(f"{path}: no benchmark can be called {shown(name)}; give its folder another name")
        own: Folder = validated(Folder, read(self.root / path), path)
        kind = self.board.kinds[known(own.kind, list(self.board.kinds), f"{path}: kind", "kind")]
        if kind.judge and own.judge is None:
            raise ValueError(f"{path}: judge is missing; write judge: {{}} for the one of kind {own.kind}")
        training = {**kind.training.model_dump(), **own.training}
        judge = {**(kind.judge.model_dump() if kind.judge else {}), **(own.judge or {})}
        merged = Benchmark(
            name=name,
            kind=own.kind,
            dataset=known(own.dataset, stems(self.root / "benchmarks/datasets"), f"{path}: dataset", "data set"),
            data=own.data,
            plainest=kind.data,
            seeds=own.own_seeds or self.board.seeds,
            training=Training(**validated(TrainingSection, training, path, "training").model_dump()),
            evaluation=validated(Evaluation, {**kind.evaluation.model_dump(), **own.evaluation}, path, "evaluation"),
            judge=validated(Judging, judge, path, "judge") if judge else None,
            ranked=kind.ranked,
            floors={**kind.floors, **own.floors},
            models=self.chosen(own, path),
            brought=self.of_others(name, own),
            own=own.model_dump(),
        )
        self.fits(merged)
        return merged

    def chosen(self, own: Folder, path: Path) -> dict[str, Contestant]:
        """The contestants of a benchmark: all of its kind's, or those that it names."""
        models = rows.contestants(own.kind, self.stated[own.kind], self.root, own.dataset)
        for name in own.contestants or []:
            known(name, list(models), f"{path}: contestants", f"contestant of kind {own.kind}")
        return {name: models[name] for name in own.contestants or models}

    def of_others(self, name: str, own: Folder) -> dict[str, Brought]:
        """What was brought to a benchmark, under names of its own."""
        found = self.board.brought.get(name, {})
        if taken := [each for each in found if each in self.board.kinds[own.kind].models]:
            raise ValueError(
                f"{PARAMS}: brought.{name}.{taken[0]}: a model of kind {own.kind} is called so; choose another"
            )
        return found

    def of_suite(self, name: str) -> list[str]:
        """The benchmarks of a suite."""
        return self.board.suites[known(name, list(self.board.suites), "suite", "suite")]

    def fits(self, benchmark: Benchmark) -> None:
        """Raise ValueError unless the settings of a benchmark fit one another, and its metrics are there."""
        if (snapshots := benchmark.training.snapshots) > (steps := benchmark.training.steps):
            where = benchmark.place("training", "snapshots")
            raise ValueError(f"{where} = {snapshots}: more than {benchmark.name}'s {steps} steps; ask for fewer")
        files = stems(self.root / "benchmarks/metrics")
        for part in MEASURED:
            for metric in getattr(benchmark.evaluation, part):
                known(metric, files, benchmark.place("evaluation", part), "metric")

    def metrics(self, kind: str) -> set[str]:
        """All that evaluations of a kind compute, whatever its benchmarks say of their own."""
        return {
            metric for each in map(self.benchmark, self.benchmarks()) if each.kind == kind for metric in each.metrics
        }

    def members(self, files: list[str]) -> dict[str, str]:
        """The family of each file. Raises ValueError unless they are ``files`` in models/, each in one family."""
        of: dict[str, str] = {}
        for family, members in self.board.families.items():
            for member in members:
                known(member, files, f"{PARAMS}: families.{family}", "model")
                if (other := of.setdefault(member, family)) != family:
                    raise ValueError(f"{PARAMS}: families: {member} is in {other} and in {family}; leave it in one")
        return of

    def families(self) -> dict[str, str]:
        """All contestants, each once, and the family of the file that each is made from; none, as for samples that were
        brought: an empty word."""
        lines = [line for kind in self.board.kinds.values() for line in kind.models.items()]
        brought = {name: "" for found in self.board.brought.values() for name in found}
        return {contestant: self.family_of.get(line.model, "") for contestant, line in lines} | brought

    def benchmarks(self) -> list[str]:
        return sorted(path.parent.name for path in (self.root / "benchmarks").glob("*/benchmark.yaml"))

    def cell(self, benchmark: str, model: str) -> dict[str, Any]:
        """The settings of one cell, for records: model settings, budget, data."""
        found = self.benchmark(benchmark)
        if model != "oracle":
            known(model, found.rows, f"{found.kind}.models", "model")
        return {
            "model": found.models[model].settings if model in found.models else {},
            "training": asdict(found.training),
            "data": found.data,
            "evaluation": found.evaluation.model_dump(),
        }


@cache
def load() -> Params:
    """The parameters of the project in the current folder."""
    return Params()


def file_of(benchmark: str) -> Path:
    return Path("benchmarks") / benchmark / "benchmark.yaml"


def stems(folder: Path) -> list[str]:
    """The contestants in a folder: its files without leading underscore."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))

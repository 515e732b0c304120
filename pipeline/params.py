"""params.yaml and benchmarks/*/benchmark.yaml: typed, and checked as a whole before anything runs.

The models' own hyperparameters are checked against their constructors by `pipeline.check`, which is the first stage.
"""

import math
import re
from dataclasses import MISSING, asdict, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator

from pipeline.training.settings import Training
from pipeline.validation import known as known  # of the names in here, whoever asks
from pipeline.validation import shown, validated
from pipeline.work.units import MEASURED
from pipeline.yaml_files import read

PARAMS = Path("params.yaml")
EMBEDDED = "embedded"  # the suite that plain `dvc repro` runs
QUICK = "quick"  # the one for a first look, whose results are no part of what is kept
KindName = Literal[
    "toys", "images", "pictures", "stacked", "captions", "binary", "published", "clips", "clips_free",
    "point_pairs", "unpaired_points", "image_pairs", "unpaired_images",
]  # fmt: skip
KINDS: tuple[KindName, ...] = get_args(KindName)
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")  # a folder's, and a part of a path in MLflow
ARTIFACTS = ("code", "settings", "checked", "work", "mlflow", "downloads")  # what lies beside benchmarks' folders
BESIDE = {  # what has a place beside the contestants
    "oracle": "the name of the real data's row",
    "data": "the name of the folder of the data",
    "judge": "the name of the folder of the judge",
}


def name_of_folder(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError("a name has small letters, digits and _, begins with a letter and is 64 long at most")
    return name


def name_of_contestant(name: str) -> str:
    if name in BESIDE:
        raise ValueError(f"{BESIDE[name]}; choose another")
    return name_of_folder(name)


def once(names: list[str]) -> list[str]:
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise ValueError(f"{shown(twice[0])} stands there twice; name it once")
    return names


def with_the_embedded_one(suites: dict[str, list[str]]) -> dict[str, list[str]]:
    if EMBEDDED not in suites:
        raise ValueError(f"none is called {EMBEDDED!r}, which is what `dvc repro` runs; name its benchmarks")
    return suites


def floor(value: Any) -> Any:
    if isinstance(value, str) or (type(value) in (int, float) and math.isfinite(value)):
        return value
    raise ValueError("a floor is a finite number, or the name of the contestant whose mean it is")


Names = Annotated[list[str], AfterValidator(once)]
Floors = dict[str, Annotated[float | str, BeforeValidator(floor)]]  # column -> what scores 0, or whose mean does


class Section(BaseModel):
    """A part of the parameters: every key known, every value of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Seeds = Annotated[int, Field(ge=1, le=10_000)]
BOUNDS = {  # of the fields of Training; their types are its own
    "steps": {"ge": 1, "le": 10**9},
    "batch": {"ge": 1},
    "ema": {"ge": 0, "lt": 1},
    "snapshots": {"ge": 0, "le": 100},
    "snapshot_samples": {"ge": 2},
}
if TYPE_CHECKING:

    class TrainingSection(Section):
        """The fields of Training, within BOUNDS."""

else:
    TrainingSection = create_model(
        "TrainingSection",
        __base__=Section,
        **{
            part.name: (part.type, Field(... if part.default is MISSING else part.default, **BOUNDS.get(part.name, {})))
            for part in fields(Training)
        },
    )


class Evaluation(Section):
    """How much is generated, and what is computed from it."""

    samples: int = Field(ge=2)  # generated per seed
    metrics: Names = Field(min_length=1)
    progress: Names = []  # the metrics of the snapshots taken during training
    sweeps: Names = []  # the metrics of samples made in other ways: in fewer evaluations, with more guidance
    main: Names = []  # columns of the main table, the others stand in the full one; none: as each metric says


class Judging(Section):
    """The classifier whose features and labels the image metrics use."""

    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    lr: float = Field(gt=0)


class Contestant(Section):
    """A line of a kind's models: a name, and under it the file in models/ and what differs from its defaults."""

    model: str
    settings: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def apart(cls, line: Any) -> Any:
        """`{model: aae, latent: 2}` is aae with the settings `{latent: 2}`."""
        if not isinstance(line, dict) or "model" not in line:
            raise ValueError("names no model; write {model: FILE, ...} with the name of a file in models/")
        return {"model": line["model"], "settings": {key: value for key, value in line.items() if key != "model"}}


class Kind(Section):
    """What the benchmarks of a kind share: budget, evaluation and the list of models."""

    training: TrainingSection
    evaluation: Evaluation
    judge: Judging | None = None
    ranked: Names = []  # columns that a model's score counts: such as every model can have, each with a floor
    floors: Floors = {}
    models: dict[Annotated[str, AfterValidator(name_of_contestant)], Contestant] = Field(min_length=1)


class Switchboard(Section):
    """params.yaml."""

    suites: Annotated[
        dict[Annotated[str, AfterValidator(name_of_folder)], Annotated[Names, Field(min_length=1)]],
        AfterValidator(with_the_embedded_one),
    ]
    seeds: Seeds
    families: dict[str, Names] = {}  # of the files in models/, as pages colour them
    toys: Kind
    images: Kind
    pictures: Kind
    stacked: Kind
    captions: Kind
    binary: Kind
    published: Kind
    point_pairs: Kind
    unpaired_points: Kind
    image_pairs: Kind
    unpaired_images: Kind
    clips: Kind
    clips_free: Kind

    @property
    def kinds(self) -> dict[str, Kind]:
        return {name: getattr(self, name) for name in KINDS}


class Folder(Section):
    """benchmarks/<name>/benchmark.yaml: the data, and what differs from the kind."""

    kind: KindName
    dataset: str
    data: dict[str, Any]
    training: dict[str, Any]
    evaluation: dict[str, Any]
    judge: dict[str, Any] | None = None  # of kinds that have a judge; {}: as theirs
    contestants: Annotated[Names, Field(min_length=1)] | None = None  # some of its kind's; none named: all
    own_seeds: Seeds | None = None  # `seeds` is a key of params.yaml, and DVC reads both as one
    floors: Floors = {}


class Benchmark(BaseModel):
    """A benchmark with its kind's settings and its own merged."""

    model_config = ConfigDict(frozen=True)
    name: str
    kind: str
    dataset: str
    data: dict[str, Any]
    seeds: int
    training: Training
    evaluation: Evaluation
    judge: Judging | None
    ranked: list[str]
    floors: Floors
    models: dict[str, Contestant]
    own: dict[str, Any] = Field(default={}, exclude=True)  # what benchmark.yaml itself says

    def place(self, section: str, key: str) -> str:
        """Where a setting stands: in the benchmark's own file, or in its kind's part of params.yaml."""
        if key in (self.own.get(section) or {}):
            return f"{file_of(self.name)}: {section}.{key}"
        return f"{PARAMS}: {self.kind}.{section}.{key}"

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
        self.board: Switchboard = validated(Switchboard, read(root / PARAMS), PARAMS)
        self.suite = self.board.suites[EMBEDDED]
        self.read: dict[str, Benchmark] = {}
        for suite, names in self.board.suites.items():
            for name in names:
                known(name, self.benchmarks(), f"{PARAMS}: suites.{suite}", "benchmark")
        for name in self.suite:
            self.benchmark(name)
        files = stems(root / "models")
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
        kind = self.board.kinds[own.kind]
        if kind.judge and own.judge is None:
            raise ValueError(f"{path}: judge is missing; write judge: {{}} for the one of kind {own.kind}")
        training = {**kind.training.model_dump(), **own.training}
        judge = {**(kind.judge.model_dump() if kind.judge else {}), **(own.judge or {})}
        merged = Benchmark(
            name=name,
            kind=own.kind,
            dataset=known(own.dataset, stems(self.root / "benchmarks/datasets"), f"{path}: dataset", "data set"),
            data=own.data,
            seeds=own.own_seeds or self.board.seeds,
            training=Training(**validated(TrainingSection, training, path, "training").model_dump()),
            evaluation=validated(Evaluation, {**kind.evaluation.model_dump(), **own.evaluation}, path, "evaluation"),
            judge=validated(Judging, judge, path, "judge") if judge else None,
            ranked=kind.ranked,
            floors={**kind.floors, **own.floors},
            models=self.chosen(own, path),
            own=own.model_dump(),
        )
        self.fits(merged)
        return merged

    def chosen(self, own: Folder, path: Path) -> dict[str, Contestant]:
        """The contestants of a benchmark: all of its kind's, or those that it names."""
        models = self.board.kinds[own.kind].models
        for name in own.contestants or []:
            known(name, list(models), f"{path}: contestants", f"contestant of kind {own.kind}")
        return {name: models[name] for name in own.contestants or models}

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

    def families(self) -> dict[str, str]:
        """All contestants, each once, and the family of the file that each is made from; none: an empty word."""
        of = {file: family for family, files in self.board.families.items() for file in files}
        lines = [line for kind in self.board.kinds.values() for line in kind.models.items()]
        return {contestant: of.get(line.model, "") for contestant, line in lines}

    def benchmarks(self) -> list[str]:
        return sorted(path.parent.name for path in (self.root / "benchmarks").glob("*/benchmark.yaml"))

    def cell(self, benchmark: str, model: str) -> dict[str, Any]:
        """The settings of one cell, for records: model settings, budget, data."""
        found = self.benchmark(benchmark)
        if model != "oracle":
            known(model, list(found.models), f"{found.kind}.models", "model")
        return {
            "model": {} if model == "oracle" else found.models[model].settings,
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

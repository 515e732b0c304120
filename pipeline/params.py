"""params.yaml and benchmarks/*/benchmark.yaml: typed, and checked as a whole before anything runs.

The models' own hyperparameters are checked against their constructors by `pipeline.check`, which is the first stage.
"""

import difflib
import inspect
from dataclasses import MISSING, asdict, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import ruamel.yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from pipeline.training.settings import Training

if TYPE_CHECKING:  # importing torch takes seconds
    from models.common.protocol import Model

PARAMS = Path("params.yaml")
KindName = Literal["toys", "images", "stacked", "binary", "published"]
KINDS: tuple[KindName, ...] = get_args(KindName)


class Section(BaseModel):
    """A part of the parameters: every key known, every value of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


BOUNDS = {  # of the fields of Training; their types are its own
    "steps": {"ge": 1},
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
    metrics: list[str] = Field(min_length=1)
    progress: list[str] = []  # the metrics of the snapshots taken during training
    main: list[str] = []  # columns of the main table, the others stand in the full one; none: as each metric says


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
    models: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Contestant]  # names are folders


class Switchboard(Section):
    """params.yaml."""

    suite: list[str] = Field(min_length=1)
    seeds: int = Field(ge=1)
    toys: Kind
    images: Kind
    stacked: Kind
    binary: Kind
    published: Kind

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
    judge: dict[str, Any] = {}


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
    models: dict[str, Contestant]

    @property
    def metrics(self) -> set[str]:
        """All that its evaluation computes."""
        return {*self.evaluation.metrics, *self.evaluation.progress}


class Params:
    """All parameters, checked against one another and against the folders of models, data sets and metrics.

    Raises ValueError, one line that names the key, the value and the nearest right one.
    """

    def __init__(self, root: Path = Path()) -> None:
        self.root = root
        self.board: Switchboard = validated(Switchboard, read(root / PARAMS), PARAMS)
        self.suite = self.board.suite
        self.read: dict[str, Benchmark] = {}
        for name in self.suite:
            self.benchmark(name)
        for name, kind in self.board.kinds.items():
            for contestant, line in kind.models.items():
                known(line.model, stems(root / "models"), f"{PARAMS}: {name}.models.{contestant}", "model")
                if contestant == "oracle":
                    raise ValueError(f"{PARAMS}: {name}.models.oracle: the name of the real data's row; choose another")

    def benchmark(self, name: str) -> Benchmark:
        """The benchmark of that name, read once."""
        if name not in self.read:
            self.read[name] = self.merged(name)
        return self.read[name]

    def merged(self, name: str) -> Benchmark:
        known(name, self.benchmarks(), "benchmark", "benchmark")
        path = Path("benchmarks") / name / "benchmark.yaml"
        own: Folder = validated(Folder, read(self.root / path), path)
        kind = self.board.kinds[own.kind]
        training = {**kind.training.model_dump(), **own.training}
        evaluation = {**kind.evaluation.model_dump(), **own.evaluation}
        evaluation["metrics"] = [*evaluation["metrics"], *evaluation.pop("also", [])]
        judge = {**(kind.judge.model_dump() if kind.judge else {}), **own.judge}
        merged = Benchmark(
            name=name,
            kind=own.kind,
            dataset=known(own.dataset, stems(self.root / "benchmarks/datasets"), f"{path}: dataset", "data set"),
            data=own.data,
            seeds=self.board.seeds,
            training=Training(**validated(TrainingSection, training, path, "training").model_dump()),
            evaluation=validated(Evaluation, evaluation, path, "evaluation"),
            judge=validated(Judging, judge, path, "judge") if judge else None,
            models=kind.models,
        )
        for part in ("metrics", "progress"):
            for metric in getattr(merged.evaluation, part):
                known(metric, stems(self.root / "benchmarks/metrics"), f"{own.kind}.evaluation.{part}", "metric")
        return merged

    def metrics(self, kind: str) -> set[str]:
        """All that evaluations of a kind compute, whatever its benchmarks say of their own."""
        return {
            metric for each in map(self.benchmark, self.benchmarks()) if each.kind == kind for metric in each.metrics
        }

    def contestants(self) -> list[str]:
        """The names of all contestants, each once."""
        return list(dict.fromkeys(model for kind in self.board.kinds.values() for model in kind.models))

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


def hyperparameters(model: "type[Model]", settings: dict[str, Any], where: str) -> dict[str, Any]:
    """``settings`` checked against the signature of ``model``'s constructor: names, types, literals."""
    arguments: dict[str, Any] = {
        name: (parameter.annotation, parameter.default)
        for name, parameter in inspect.signature(model, eval_str=True).parameters.items()
        if name != "spec"
    }
    schema = create_model("Hyperparameters", __config__=ConfigDict(extra="forbid", strict=True), **arguments)
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    validated(schema, given, PARAMS, where)
    return given


def validated(schema: type[BaseModel], content: Any, path: Path, where: str = "") -> Any:
    """``content`` as a ``schema``, or a ValueError of one line for its first fault."""
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        faults = error.errors()
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise ValueError(f"{path}: {explain(faults[0], schema, where)}{more}") from None


def explain(fault: Any, schema: type[BaseModel], where: str) -> str:
    """One fault of pydantic's in our words: the key, the value, what fits."""
    place = ".".join([where] * bool(where) + [str(part) for part in fault["loc"]]) or "the file"
    if fault["type"] == "extra_forbidden":
        keys = list(owner(schema, fault["loc"][:-1]).model_fields)
        return f"{place}: unknown key{nearest(str(fault['loc'][-1]), keys)}"
    if fault["type"] == "missing":
        return f"{place} is missing"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{place} = {fault['input']!r}: {message[0].lower()}{message[1:]}"


def owner(schema: type[BaseModel], location: tuple[str, ...]) -> type[BaseModel]:
    """The schema of the section at ``location``."""
    for part in location:
        annotation = schema.model_fields[part].annotation
        options = [option for option in (annotation, *getattr(annotation, "__args__", ())) if isinstance(option, type)]
        schema = next(option for option in options if issubclass(option, BaseModel))
    return schema


def known(name: str, names: list[str], where: str, what: str) -> str:
    if name not in names:
        raise ValueError(f"{where}: unknown {what} {name!r}{nearest(name, names)}")
    return name


def nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(names))}"


def stems(folder: Path) -> list[str]:
    """The contestants in a folder: its files without leading underscore."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def read(path: Path) -> Any:
    try:
        return ruamel.yaml.YAML(typ="safe", pure=True).load(path.read_text())  # as DVC: 1e-4 is a number
    except FileNotFoundError:
        raise ValueError(f"{path} is missing; run this in the project's folder") from None
    except ruamel.yaml.error.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None

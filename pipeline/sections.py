"""The sections of params.yaml and of benchmarks/*/benchmark.yaml: which keys there are, their types and bounds."""

import math
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, create_model, model_validator

from pipeline.rows import ROWS, Row
from pipeline.training.settings import Training
from pipeline.validation import Section, shown

EMBEDDED = "embedded"  # the suite that plain `dvc repro` runs
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")  # a folder's, and a part of a path in MLflow
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


def of_some_data(shape: list[int]) -> list[int]:
    if len(shape) not in (1, 3, 4):
        raise ValueError("points have 1 dimension, images 3 and clips 4")
    return shape


Names = Annotated[list[str], AfterValidator(once)]
Floors = dict[str, Annotated[float | str, BeforeValidator(floor)]]  # column -> what scores 0, or whose mean does


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

    epochs: int = Field(ge=1, le=10_000)
    batch: int = Field(ge=1)
    lr: float = Field(gt=0, le=1)


class Contestant(Section):
    """A line of a kind's models: a name, and under it the file in models/ and what differs from its defaults."""

    model: str
    settings: dict[str, Any]
    row: Row = Field(default="house", exclude=True)  # of another line: which of its rows this one is
    of: str = Field(default="", exclude=True)

    @model_validator(mode="before")
    @classmethod
    def apart(cls, line: Any) -> Any:
        """`{model: aae, latent: 2}` is aae with `{latent: 2}`, `{model: gan, found: gan}` a row of gan's line."""
        if not isinstance(line, dict) or "model" not in line:
            raise ValueError("names no model; write {model: FILE, ...} with the name of a file in models/")
        row = [{"row": key, "of": line[key]} for key in ROWS if key in line][:1]  # a second one is no model's setting
        apart = ["model", *(each["row"] for each in row)]
        settings = {key: value for key, value in line.items() if key not in apart}
        return {"model": line["model"], "settings": settings, **(row[0] if row else {})}


class Brought(Section):
    """Samples that were made elsewhere, in a contestant's place: an .npz file, or a folder of pictures, a seed."""

    samples: str = Field(min_length=1)  # its path; {seed} stands for 0, 1, ...
    range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None  # of images: black and white

    def file(self, seed: int) -> Path:
        return Path(self.samples.replace("{seed}", str(seed))).expanduser()


class Plainest(Section):
    """Of a kind's data the plainest: the fields of a model's Spec, and whether the true partner of each is known."""

    shape: Annotated[list[Annotated[int, Field(ge=1)]], AfterValidator(of_some_data)]
    classes: int = Field(default=0, ge=0)
    levels: int = Field(default=0, ge=0)
    partner: list[int] = []
    seen: int = Field(default=0, ge=0)
    words: int = Field(default=0, ge=0)
    paired: bool = False

    @property
    def spec(self) -> dict[str, Any]:
        return {**self.model_dump(exclude={"paired"}), "shape": tuple(self.shape), "partner": tuple(self.partner)}


class Kind(Section):
    """What the benchmarks of a kind share: budget, evaluation and the list of models."""

    data: Plainest
    training: TrainingSection
    evaluation: Evaluation
    judge: Judging | None = None
    ranked: Names = []  # columns that a model's score counts: such as every model can have, each with a floor
    floors: Floors = {}
    settings: Row = "house"  # of its contestants: as its lines say, or with what a search found, or the papers'
    models: dict[Annotated[str, AfterValidator(name_of_contestant)], Contestant] = Field(min_length=1)


class Switchboard(Section):
    """params.yaml: beside what all share, every key is a kind of benchmarks."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Kind] = Field(init=False)

    suites: Annotated[
        dict[Annotated[str, AfterValidator(name_of_folder)], Annotated[Names, Field(min_length=1)]],
        AfterValidator(with_the_embedded_one),
    ]
    brought: dict[str, dict[Annotated[str, AfterValidator(name_of_contestant)], Brought]] = {}
    seeds: Seeds
    families: dict[str, Names] = {}  # of the files in models/, as pages colour them

    @property
    def kinds(self) -> dict[str, Kind]:
        return dict(self.__pydantic_extra__)


class Folder(Section):
    """benchmarks/<name>/benchmark.yaml: the data, and what differs from the kind."""

    kind: str
    dataset: str
    data: dict[str, Any]
    training: dict[str, Any]
    evaluation: dict[str, Any]
    judge: dict[str, Any] | None = None  # of kinds that have a judge; {}: as theirs
    contestants: Annotated[Names, Field(min_length=1)] | None = None  # some of its kind's; none named: all
    own_seeds: Seeds | None = None  # `seeds` is a key of params.yaml, and DVC reads both as one
    floors: Floors = {}

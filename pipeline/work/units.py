"""Units of work: one seed of one cell, to train or to evaluate, or one trial of other settings, told in plain values.

What a unit makes lies in a work folder that is named by all that its result depends on. It is finished once its record
is there; whoever comes by, a stage, `pipeline.launch` or another machine, then takes it as it is. A lock sees to it
that no two processes make the same unit at once.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from pipeline.files import atomic_write, file_digest

WORK = Path("artifacts/work")

DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError)  # no record, or one that is damaged
Record = dict[str, Any]  # what a unit says of itself, in plain values
Task = Literal["train", "evaluate", "trial"]
MEASURED = ("metrics", "progress", "sweeps")  # the settings of an evaluation that name metrics


def data_file(benchmark: str) -> Path:
    return Path("artifacts") / benchmark / "data" / "data.pt"


def judge_file(benchmark: str) -> Path:
    return Path("artifacts") / benchmark / "judge" / "judge.pt"


def scores_dir(benchmark: str) -> Path:
    return Path("reports/scores") / benchmark


def outputs(task: Task, benchmark: str, contestant: str) -> dict[str, Path]:
    """The folders that a stage's outputs lie in, by the names that they have in a work folder."""
    large, small = Path("artifacts") / benchmark / contestant, scores_dir(benchmark) / contestant
    if task == "trial":  # leaves its record alone
        return {}
    if task == "train":
        return {"weights": large / "weights", "snapshots": large / "snapshots", "curves": small / "curves"}
    return {"samples": large / "samples", "progress": small / "progress"}


def record_file(task: Task, benchmark: str, contestant: str) -> Path:
    return scores_dir(benchmark) / contestant / ("training.json" if task == "train" else "scores.json")


def published(task: Task, benchmark: str, contestant: str, fingerprint: str) -> dict[int, Record]:
    """What the outputs of a stage say of each seed, if they are of that very fingerprint; nothing if not."""
    with suppress(*DAMAGED):
        content = json.loads(record_file(task, benchmark, contestant).read_text())
        if content["cell"][0]["fingerprint"] == fingerprint:
            return {record["seed"]: record for record in content["seeds"]}
    return {}


@dataclass(frozen=True)
class Unit:
    """One seed of one cell, to train, to evaluate or to try settings on; `fingerprint` is a digest of all that its
    result depends on."""

    task: Task
    benchmark: str
    contestant: str
    seed: int
    fingerprint: str
    settings: dict[str, Any] = field(hash=False)  # as the task reads them; plain values
    trained: str = ""  # of an evaluation: the fingerprint of the training it looks at
    origin: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)  # the commit it is made from

    @property
    def name(self) -> str:
        return f"{self.task} {self.benchmark}/{self.contestant} seed {self.seed}"

    @property
    def work(self) -> Path:
        return work_folder(self.task, self.benchmark, self.contestant, self.fingerprint)

    @property
    def steps(self) -> int:
        """How far there is to go, in what the task advances by."""
        return 1 if self.task == "evaluate" else self.settings["training"]["steps"]

    @property
    def metrics(self) -> set[str]:
        """All that the task computes; nothing where it trains."""
        asked = self.settings.get("evaluation", {})
        return {metric for part in MEASURED for metric in asked.get(part, [])}

    def file(self, suffix: str) -> Path:
        """A file beside what the unit makes: `.json` is its record, `.log` what it printed, `.lock` whose it is."""
        return self.work / f"{self.seed}{suffix}"

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What the training of a seed is known by to its evaluation."""
        return self.benchmark, self.contestant, self.fingerprint, self.seed

    @property
    def after(self) -> tuple[str, str, str, int]:
        """The key of the training that must have been before."""
        return self.benchmark, self.contestant, self.trained, self.seed

    @property
    def data(self) -> Path:
        return data_file(self.benchmark)

    @property
    def judge(self) -> Path:
        return judge_file(self.benchmark)

    def training_files(self) -> dict[str, Path]:
        """The weights and snapshots that an evaluation looks at, just trained or among the outputs of the stage; none
        that the oracle's looks at."""
        if not self.trained:
            return {}
        fresh = work_folder("train", self.benchmark, self.contestant, self.trained)
        place = {} if self.freshly_trained else outputs("train", self.benchmark, self.contestant)
        suffixes = {"weights": ".pt", "snapshots": ".npz"}
        return {name: place.get(name, fresh / name) / f"{self.seed}{suffix}" for name, suffix in suffixes.items()}

    @property
    def freshly_trained(self) -> bool:
        """Whether the work folder holds what an evaluation looks at, and not yet the outputs of the stage."""
        fresh = work_folder("train", self.benchmark, self.contestant, self.trained)
        return (fresh / "weights" / f"{self.seed}.pt").exists()  # which is written last

    def training_record(self) -> Record | None:
        """What the training says of itself that an evaluation looks at; None where that is not on record."""
        if self.freshly_trained:
            return _read(work_folder("train", self.benchmark, self.contestant, self.trained) / f"{self.seed}.json")
        return published("train", self.benchmark, self.contestant, self.trained).get(self.seed)

    @property
    def log(self) -> Path:
        return self.file(".log")

    def files(self) -> list[Path]:
        """What a finished unit has made: a file or more in folders named as the outputs of its stage."""
        folders = [self.work / name for name in outputs(self.task, self.benchmark, self.contestant)]
        return sorted(file for folder in folders for file in folder.rglob(f"{self.seed}.*"))

    def record(self) -> Record | None:
        """What a finished unit says of itself, provided that all its files are there and whole; else None."""
        record = _read(self.file(".json"))
        with suppress(OSError):
            if record and all(file_digest(self.work / name) == known for name, known in record["files"].items()):
                return record
        return None

    def taken_up(self) -> bool:
        """Whether a trained seed of the very same fingerprint stands among the stage's outputs, undamaged; then it is
        put into the work folder. So asking for more seeds trains only those."""
        record = published("train", self.benchmark, self.contestant, self.fingerprint).get(self.seed)
        if self.task != "train" or record is None:
            return False
        folders = outputs("train", self.benchmark, self.contestant)
        with suppress(*DAMAGED):
            for name, known in record["files"].items():
                source = folders[Path(name).parts[0]] / Path(name).name
                if file_digest(source) != known:
                    return False
                atomic_write(self.work / name, source.read_bytes())
            atomic_write(self.file(".json"), json.dumps(record) + "\n")
            return True
        return False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def work_folder(task: Task, benchmark: str, contestant: str, fingerprint: str) -> Path:
    return WORK / benchmark / contestant / f"{task}-{fingerprint[:16]}"


def _read(file: Path) -> Record | None:
    """A unit's record; None where there is none, or a damaged one."""
    with suppress(*DAMAGED):
        record = json.loads(file.read_text())
        if isinstance(record["seed"], int) and isinstance(record["files"], dict):
            return record
    return None


def _is_still_there(path: Path, lock: IO[str]) -> bool:
    """Whoever held the lock may have tidied its folder away."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def locked(path: Path) -> Iterator[IO[str]]:
    """Hold the lock ``path``; waits while another process does. It is let go when its process ends, however it ends."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_still_there(path, lock):
                yield lock
                return


def publish(units: list[Unit]) -> None:
    """Make what the finished units of a cell have made the outputs of its stage, in place of what lies there.

    Raises ValueError for a file that was damaged since it was made: once among the outputs it would be DVC's for good.
    """
    for unit in units:
        if unit.record() is None:
            raise ValueError(f"{unit.name}: a file in {unit.work} is damaged; the same command, run again, mends it")
    folders = outputs(units[0].task, units[0].benchmark, units[0].contestant)
    for folder in folders.values():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)  # an output of the stage, also if every seed diverged
    for unit in units:
        for file in unit.files():
            place, *rest = file.relative_to(unit.work).parts
            atomic_write(folders[place].joinpath(*rest), file.read_bytes())


def forget_work(benchmark: str, contestant: str, task: Task) -> None:
    """Drop the work folders of a cell whose outputs are there, those of older code and parameters included."""
    for folder in (WORK / benchmark / contestant).glob(f"{task}-*"):
        shutil.rmtree(folder, ignore_errors=True)

"""A cell: one contestant on one benchmark. Where its files lie, what its units are, and what they depend on."""

import hashlib
import json
import os
import subprocess
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pipeline import entries, params
from pipeline.digests import digest, digests, forget
from pipeline.files import file_digest
from pipeline.work.units import Task, Unit, data_file, judge_file, outputs, record_file, scores_dir, work_folder

__all__ = ["ORACLE", "RENDERED", "Cell", "data_file", "judge_file", "origin", "rendered_dir", "scores_dir"]

ORACLE = "oracle"  # fresh real samples in a generator's place: a row of every table, never a model's name


@cache
def origin() -> dict[str, Any]:
    """The commit that is checked out, and whether code or parameters differ from it; None where git cannot say."""
    sources = ["models", "pipeline", "benchmarks/datasets", "benchmarks/metrics", "benchmarks/*.py", "params.yaml"]
    sources += ["benchmarks/*/benchmark.yaml"]
    commit = git("rev-parse", "--verify", "HEAD")
    edited = git("status", "--porcelain", "--untracked-files=normal", "--", *sources)
    return {"commit": commit, "dirty": None if edited is None else bool(edited)}


def git(*arguments: str) -> str | None:
    try:
        shown = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return shown.stdout.strip()


RENDERED = Path("reports/rendered")  # holds the index of all pages


def rendered_dir(benchmark: str) -> Path:
    # A folder of their own for the pages, so that the index can depend on all of them and still lie above them; the
    # index does not show those that are for a first look.
    quick = benchmark in params.load().board.suites.get(params.QUICK, [])
    return RENDERED / (params.QUICK if quick else "benchmarks") / benchmark


@dataclass(frozen=True)
class Cell:
    """One model (or the oracle) on one benchmark, with the paths of everything it makes."""

    benchmark: str
    model: str

    @property
    def name(self) -> str:
        return f"{self.benchmark}/{self.model}"

    @property
    def weights(self) -> Path:
        return outputs("train", self.benchmark, self.model)["weights"]

    @property
    def snapshots(self) -> Path:
        return outputs("train", self.benchmark, self.model)["snapshots"]

    @property
    def curves(self) -> Path:
        return outputs("train", self.benchmark, self.model)["curves"]

    @property
    def samples(self) -> Path:
        return outputs("evaluate", self.benchmark, self.model)["samples"]

    @property
    def progress(self) -> Path:
        return outputs("evaluate", self.benchmark, self.model)["progress"]

    @property
    def training(self) -> Path:
        return record_file("train", self.benchmark, self.model)

    @property
    def scores(self) -> Path:
        return record_file("evaluate", self.benchmark, self.model)

    @property
    def architecture(self) -> str | None:
        """The file in models/ that the contestant is made from; None for the oracle."""
        return None if self.model == ORACLE else self.board.models[self.model].model

    @property
    def board(self) -> params.Benchmark:
        return params.load().benchmark(self.benchmark)

    @property
    def work(self) -> Path:
        """Where a running cell keeps checkpoints, live curves and finished seeds; gone when the cell is done."""
        return work_folder("train", self.benchmark, self.model, self.fingerprint)

    @property
    def contestant(self) -> dict[str, Any]:
        """The model and what differs from its defaults, in plain values."""
        line = None if self.model == ORACLE else self.board.models[self.model]
        return {"model": line and line.model, "hyperparameters": line.settings if line else {}}

    @cached_property
    def state(self) -> dict[str, str]:
        """What the result of training depends on, by name; as first seen. The number of seeds is not among it: seed i
        is the same in any."""
        assert self.architecture is not None, "the oracle is not trained"
        return {
            **digests(entries.train(self.architecture)),
            "params.yaml": settings_digest(self.training_settings),
            str(data_file(self.benchmark)): of_file(data_file(self.benchmark)),
        }

    @cached_property
    def evaluation_state(self) -> dict[str, str]:
        """What the result of evaluation depends on, by name; as first seen."""
        board = self.board
        state = {
            **digests(entries.evaluate(params.load().metrics(board.kind), self.architecture)),
            "params.yaml": settings_digest(self.evaluation_settings),
            str(data_file(self.benchmark)): of_file(data_file(self.benchmark)),
            "training": "" if self.model == ORACLE else self.fingerprint,
        }
        return state | ({str(file): of_file(file)} if board.judge and (file := judge_file(self.benchmark)) else {})

    @property
    def fingerprint(self) -> str:
        """A digest of all that a trained seed depends on."""
        return settings_digest(self.state)

    @property
    def evaluation_fingerprint(self) -> str:
        """A digest of all that an evaluated seed depends on, but for the weights, which its record names."""
        return settings_digest(self.evaluation_state)

    @property
    def training_settings(self) -> dict[str, Any]:
        return {**self.contestant, "training": asdict(self.board.training)}

    @property
    def evaluation_settings(self) -> dict[str, Any]:
        board = self.board
        snapshot = {"snapshot_samples": board.training.snapshot_samples} if self.model == ORACLE else {}
        return {**self.contestant, "evaluation": board.evaluation.model_dump(), **snapshot}

    def training_units(self) -> list[Unit]:
        made = (self.fingerprint, self.training_settings)
        seeds = range(self.board.seeds)
        return [Unit("train", self.benchmark, self.model, seed, *made, origin=origin()) for seed in seeds]

    def evaluation_units(self) -> list[Unit]:
        made = (self.evaluation_fingerprint, self.evaluation_settings)
        trained = "" if self.model == ORACLE else self.fingerprint
        seeds = range(self.board.seeds)
        return [Unit("evaluate", self.benchmark, self.model, seed, *made, trained, origin()) for seed in seeds]

    def unchanged(self, task: Task) -> None:
        """Raise ValueError if something that the task depends on was edited while it ran.

        DVC hashes dependencies after a run, and would take the result for that of the edited code.
        """
        board = self.board
        params.load.cache_clear()
        forget()
        again = Cell(self.benchmark, self.model)
        before, now = (each.state if task == "train" else each.evaluation_state for each in (self, again))
        if again.board.seeds != board.seeds:
            now["params.yaml"] = "another number of seeds"
        edited = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
        if not edited and "DVC_STAGE" in os.environ:
            edited = self.edited_since_code_ran(task)
        if edited:
            doing = "training" if task == "train" else "evaluated"
            raise ValueError(f"{', '.join(edited)} changed while {self.name} was {doing}; run the same command again")

    def edited_since_code_ran(self, task: Task) -> list[str]:
        """What DVC will record is what the code stage wrote down."""
        entry, roots = entries.of_task(task, self.board.kind, self.architecture, params.load())
        return [] if (entries.CODE / entry).read_text().strip() == digest(roots) else ["the code"]

    @cached_property
    def position(self) -> str:
        """`cell 7 of 19`, counted over the suite (or over the benchmark, if it is not in the suite)."""
        everything = params.load()
        benchmarks = everything.suite if self.benchmark in everything.suite else [self.benchmark]
        cells = [(name, model) for name in benchmarks for model in everything.benchmark(name).models]
        return f"cell {cells.index((self.benchmark, self.model)) + 1} of {len(cells)}"


def settings_digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def of_file(path: Path) -> str:
    """The digest of a file, computed once for each version of it."""
    seen = path.stat()
    return _of_file(path, seen.st_mtime_ns, seen.st_size)


@cache
def _of_file(path: Path, changed: int, size: int) -> str:
    return file_digest(path)

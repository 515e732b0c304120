"""A cell: one model on one benchmark. Where its files lie, what its seeds are, and what its result depends on."""

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from pipeline import params

ORACLE = "oracle"  # fresh real samples in a generator's place: a row of every table, never a model's name


def commit() -> str | None:
    """The commit that is checked out; None where git or a commit is missing."""
    try:
        shown = subprocess.run(["git", "rev-parse", "--verify", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return shown.stdout.strip()


def data_file(benchmark: str) -> Path:
    return Path("artifacts") / benchmark / "data" / "data.pt"


def judge_file(benchmark: str) -> Path:
    return Path("artifacts") / benchmark / "judge" / "judge.pt"


def scores_dir(benchmark: str) -> Path:
    return Path("reports/scores") / benchmark


RENDERED = Path("reports/rendered")  # holds the index of all pages


def rendered_dir(benchmark: str) -> Path:
    # A folder of their own for the pages, so that the index can depend on all of them and still lie above them.
    return RENDERED / "benchmarks" / benchmark


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
        return Path("artifacts") / self.benchmark / self.model / "weights"

    @property
    def snapshots(self) -> Path:
        return Path("artifacts") / self.benchmark / self.model / "snapshots"

    @property
    def samples(self) -> Path:
        return Path("artifacts") / self.benchmark / self.model / "samples"

    @property
    def scores(self) -> Path:
        return scores_dir(self.benchmark) / self.model / "scores.json"

    @property
    def training(self) -> Path:
        return scores_dir(self.benchmark) / self.model / "training.json"

    @property
    def curves(self) -> Path:
        return scores_dir(self.benchmark) / self.model / "curves"

    @property
    def progress(self) -> Path:
        return scores_dir(self.benchmark) / self.model / "progress"

    @property
    def work(self) -> Path:
        """Where a running cell keeps checkpoints, live curves and finished seeds; gone when the cell is done."""
        return Path("artifacts/work") / self.benchmark / self.model / self.fingerprint[:16]

    @property
    def architecture(self) -> str:
        """The file in models/ that the contestant is made from."""
        return params.load().benchmark(self.benchmark).models[self.model].model

    @cached_property
    def settings(self) -> dict:
        """The parameters that a seed's result depends on; their number is not among them: seed i is the same in any."""
        benchmark = params.load().benchmark(self.benchmark)
        return {
            "training": benchmark.training.model_dump(),
            "model": {} if self.model == ORACLE else benchmark.models[self.model].model_dump(),
        }

    def dependencies(self) -> list[Path]:
        """The files that the cell's training depends on; the train stage in dvc.yaml names the same."""
        code = [
            Path(f"models/{self.architecture}.py"),
            Path("models/__init__.py"),
            *sorted(Path("models/common").glob("*.py")),
        ]
        modules = ("train", "workers", "stage", "cell", "params", "data", "seeds", "tensors", "files")
        code += [Path(f"pipeline/{module}.py") for module in modules]
        code += [*sorted(Path("pipeline/training").glob("*.py")), Path("pipeline/evaluation/sampling.py")]
        code += [Path("benchmarks/datasets/common/splits.py")]
        return [*code, data_file(self.benchmark)]

    @cached_property
    def state(self) -> dict[str, str]:
        """What the result depends on, by name: digests of each file and of the settings, as first seen."""
        digests = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in self.dependencies()}
        digests["params.yaml"] = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()
        digests["torch"] = version("torch")
        # Asking torch for the device would cost a process that needs it for nothing else seconds of imports.
        digests["device"] = os.environ.get("BENCHMARK_DEVICE") or ("cuda" if shutil.which("nvidia-smi") else "cpu")
        return digests

    @cached_property
    def fingerprint(self) -> str:
        """A digest of everything that the result of a seed depends on."""
        return hashlib.sha256(json.dumps(self.state, sort_keys=True).encode()).hexdigest()

    @cached_property
    def position(self) -> str:
        """`cell 7 of 19`, counted over the suite (or over the benchmark, if it is not in the suite)."""
        everything = params.load()
        benchmarks = everything.suite if self.benchmark in everything.suite else [self.benchmark]
        cells = [(name, model) for name in benchmarks for model in everything.benchmark(name).models]
        return f"cell {cells.index((self.benchmark, self.model)) + 1} of {len(cells)}"

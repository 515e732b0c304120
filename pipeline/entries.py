"""What stages run: the name of each entry, and the files that its code begins with (`pipeline.digests`)."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline import params
from pipeline.work.units import Task, Unit

CODE = Path("artifacts/code")
TRAINING = [Path("pipeline/training/unit.py")]  # what a process runs that trains a seed
EVALUATION = [Path("pipeline/evaluation/unit.py"), Path("pipeline/evaluation/scores.py")]
ORACLE = "oracle"  # fresh real samples in a generator's place: a row of every table, never a model's name
BROUGHT = "brought"  # samples that were made elsewhere
JUDGING = [Path("pipeline/evaluation/judging.py")]


def entries(parameters: params.Params) -> Iterator[tuple[str, list[Path]]]:
    """The name of each entry and the files that it begins with; what these import is the rest."""
    yield "check", [Path("pipeline/check.py")]
    yield "judge", JUDGING
    yield "report", report()
    for dataset in {parameters.benchmark(name).dataset for name in parameters.benchmarks()}:
        yield f"prepare/{dataset}", [Path("pipeline/data.py"), Path(f"benchmarks/datasets/{dataset}.py")]
    for kind, board in parameters.board.kinds.items():
        for model in {contestant.model for contestant in board.models.values()}:
            yield of_task("train", kind, model, parameters)
            yield of_task("evaluate", kind, model, parameters)
        yield of_task("evaluate", kind, ORACLE, parameters)
        if any(parameters.benchmark(name).kind == kind for name in parameters.board.brought):
            yield of_task("evaluate", kind, BROUGHT, parameters)


def of_task(task: Task, kind: str, row: str, parameters: params.Params) -> tuple[str, list[Path]]:
    """The entry of a kind's model, of its oracle, or of what is brought, and the files that it begins with."""
    if task == "train":
        return f"train/{row}", train(row)
    return f"evaluate/{kind}/{row}", evaluate(parameters.metrics(kind), row)


def roots_of(unit: Unit) -> tuple[str, list[Path]]:
    """The entry that a unit runs, and the files that it begins with."""
    if unit.task == "trial":
        from pipeline.search import trials

        return f"trial/{unit.settings['model']}", trials.roots(unit.settings["model"], unit.metrics)
    kind = params.load().benchmark(unit.benchmark).kind
    row = unit.settings["model"] or (BROUGHT if BROUGHT in unit.settings else ORACLE)
    return of_task(unit.task, kind, row, params.load())


def train(model: str) -> list[Path]:
    return [*TRAINING, Path(f"models/{model}.py")]


def evaluate(metrics: Iterable[str], row: str) -> list[Path]:
    """An evaluation runs the metrics that its kind names, and the model, or what reads samples in its place."""
    instead = {ORACLE: [], BROUGHT: [Path("pipeline/evaluation/brought.py")]}
    return [
        *EVALUATION,
        *(Path(f"benchmarks/metrics/{metric}.py") for metric in metrics),
        *instead.get(row, [Path(f"models/{row}.py")]),
    ]


def report() -> list[Path]:
    """Sections and templates are found by looking into their folders."""
    folders = [Path("reports/sections").glob("*.py"), Path("reports/templates").glob("*")]
    return [Path("pipeline/report.py"), Path("reports/published.csv"), *(file for found in folders for file in found)]

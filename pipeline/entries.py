"""What stages run: the name of each entry, and the files that its code begins with (`pipeline.digests`)."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline import params
from pipeline.work.units import Task, Unit

CODE = Path("artifacts/code")
TRAINING = [Path("pipeline/training/unit.py")]  # what a process runs that trains a seed
EVALUATION = [Path("pipeline/evaluation/unit.py"), Path("pipeline/evaluation/scores.py")]
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
        yield of_task("evaluate", kind, None, parameters)


def of_task(task: Task, kind: str, model: str | None, parameters: params.Params) -> tuple[str, list[Path]]:
    """The entry of a kind's model, or of its oracle, and the files that it begins with."""
    if task == "train":
        assert model is not None, "the oracle is not trained"
        return f"train/{model}", train(model)
    return f"evaluate/{kind}/{model or 'oracle'}", evaluate(parameters.metrics(kind), model)


def roots_of(unit: Unit) -> tuple[str, list[Path]]:
    """The entry that a unit runs, and the files that it begins with."""
    if unit.task == "trial":
        from pipeline.search import trials

        return f"trial/{unit.settings['model']}", trials.roots(unit.settings["model"], unit.metrics)
    kind = params.load().benchmark(unit.benchmark).kind
    return of_task(unit.task, kind, unit.settings["model"], params.load())


def train(model: str) -> list[Path]:
    return [*TRAINING, Path(f"models/{model}.py")]


def evaluate(metrics: Iterable[str], model: str | None) -> list[Path]:
    """An evaluation runs the metrics that its kind names, and the model unless it is the oracle's."""
    return [*EVALUATION, *(Path(f"benchmarks/metrics/{metric}.py") for metric in metrics), *_model(model)]


def _model(model: str | None) -> list[Path]:
    return [] if model is None else [Path(f"models/{model}.py")]


def report() -> list[Path]:
    """Sections and templates are found by looking into their folders."""
    folders = [Path("reports/sections").glob("*.py"), Path("reports/templates").glob("*")]
    return [Path("pipeline/report.py"), Path("reports/published.csv"), *(file for found in folders for file in found)]

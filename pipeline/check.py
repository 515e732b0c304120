"""The check stage, which everything waits for: all that can be wrong with the parameters before any data are there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import ConfigDict, Field, create_model

import models
from benchmarks import datasets, metrics
from models.common.protocol import Model, Spec, Supervised
from pipeline import floors, memory, params
from pipeline.evaluation.sampling import check_samples
from pipeline.files import atomic_write
from pipeline.stage import Parser, run_stage
from pipeline.tools.add import brought, contestants, stages_file
from pipeline.validation import shown, validated

CHECKED = Path("artifacts/checked")
Count = Annotated[int, Field(le=10**6)]  # widths, depths, draws: a list of a billion layers fills the memory unbuilt


def main() -> None:
    about = "Check params.yaml and every benchmark.yaml: one line that all is right, or the first fault."
    Parser(prog="python -m pipeline.check", description=about).parse_args()
    parameters = params.load()
    check(parameters)
    cells = sum(len(parameters.benchmark(name).models) for name in parameters.suite)
    print(f"parameters are right: {len(parameters.suite)} benchmarks, {cells} cells of {parameters.board.seeds} seeds")
    if not CHECKED.exists():
        atomic_write(CHECKED, "The parameters fit one another and the code.\n")


def check(parameters: params.Params) -> None:
    """Raise ValueError, in one line, for the first thing that is wrong."""
    benchmarks = [parameters.benchmark(name) for name in parameters.benchmarks()]
    packings: dict[str, dict[str, int]] = {}  # kind -> contestant -> how many data its critic sees at once
    taught: dict[str, list[str]] = {}  # kind -> contestants that learn from pairs
    for kind, board in parameters.board.kinds.items():
        spec, contestants = Spec(**board.data.spec), board.models.items()
        batch = max((each.training.batch for each in benchmarks if each.kind == kind), default=1)
        built = {name: build(contestant, spec, f"{kind}.models.{name}", batch) for name, contestant in contestants}
        packings[kind] = {name: getattr(model, "packing", 1) for name, model in built.items()}
        taught[kind] = [name for name, model in built.items() if isinstance(model, Supervised)]
    every = [column.name for column in metrics.columns(metrics.names())]
    for benchmark in benchmarks:
        check_data(benchmark)
        check_packing(benchmark, packings[benchmark.kind])
        check_pairs(benchmark, taught[benchmark.kind])
        floors.check(benchmark, every, models.names())
        columns = [column.name for column in metrics.columns(benchmark.evaluation.metrics)]
        for column in benchmark.evaluation.main:
            params.known(column, columns, benchmark.place("evaluation", "main"), "column of the chosen metrics")
        check_brought(benchmark, parameters.root)
        check_stages(benchmark, parameters.root)


def check_brought(benchmark: params.Benchmark, root: Path) -> None:
    """Raise ValueError for samples made elsewhere that are not there; what is in them is seen once they are read."""
    for name, line in benchmark.brought.items():
        where = f"{params.PARAMS}: brought.{benchmark.name}.{name}"
        if "{seed}" not in line.samples and benchmark.seeds > 1:
            raise ValueError(
                f"{where}.samples = {shown(line.samples)}: {{seed}} is not in it, and {benchmark.name} has "
                f"{benchmark.seeds} seeds: bring samples for each"
            )
        if line.range and not line.range[0] < line.range[1]:
            raise ValueError(f"{where}.range = {line.range}: give the lower number first")
        for file in map(line.file, range(benchmark.seeds)):
            if not (root / file).exists():
                raise ValueError(f"{where}: {file} is missing: bring samples for each of the {benchmark.seeds} seeds")


def check_data(benchmark: params.Benchmark) -> None:
    """Raise ValueError for settings of the data set that it does not take, or that do not fit the other ones."""
    own = params.file_of(benchmark.name)
    with told(f"{own}: data"):
        datasets.check(benchmark.dataset, benchmark.data)
    sizes = datasets.defaults(benchmark.dataset) | benchmark.data
    memory.check(benchmark, Spec(**benchmark.plainest.spec), sizes)
    if "test" in sizes:  # of other data sets the files say it
        with told(benchmark.place("evaluation", "samples")):
            check_samples(benchmark.name, benchmark.evaluation.samples, sizes["test"])
    if "train" in sizes:
        benchmark.check_batch(sizes["train"])
    unlabelled = getattr(import_module(f"benchmarks.datasets.{benchmark.dataset}"), "CLASSES", None) == 0
    if benchmark.judge and (unlabelled or sizes.get("labels", "") is None):
        raise ValueError(
            f"{own}: dataset = {benchmark.dataset!r}: it has no labels, and a judge of kind {benchmark.kind!r} learns "
            "them; choose data with labels, or for images kind photos"
        )


def check_stages(benchmark: params.Benchmark, root: Path) -> None:
    """Raise ValueError for a dvc.yaml that was written while the benchmark had another kind or other contestants, or a
    judge or none."""
    file = stages_file(benchmark.name)
    text = (root / file).read_text() if (root / file).exists() else None
    if text is None:
        return
    judged = benchmark.judge is not None
    lines = [f"foreach: {contestants(benchmark)}", *(f"- {json.dumps(path)}" for path in brought(benchmark))]
    if any(f"{line}\n" not in text for line in lines) or ("pipeline/run judge" in text) != judged:
        chosen = ", other contestants" * bool(benchmark.own.get("contestants")) + ", other paths" * bool(lines[1:])
        raise ValueError(
            f"{params.file_of(benchmark.name)}: kind = {benchmark.kind!r}, {'a' if judged else 'no'} judge{chosen}: "
            f"{file} was written for another; run `python -m pipeline.add {benchmark.name}`, or change it back"
        )


@contextmanager
def told(where: str) -> Iterator[None]:
    """A ValueError from within gets told where its cause stands in the parameters."""
    try:
        yield
    except ValueError as error:
        said = str(error)  # with a value that may be of any length
        raise ValueError(f"{where}: {said if len(said) <= 400 else said[:300] + '...' + said[-100:]}") from None


def check_packing(benchmark: params.Benchmark, packings: dict[str, int]) -> None:
    for name, packing in packings.items():
        if (batch := benchmark.training.batch) % packing:
            where = f"{params.PARAMS}: {benchmark.kind}.models.{name}"
            raise ValueError(
                f"{where}: packing = {packing} does not divide {benchmark.name}'s batch of {batch}: choose a divisor"
            )


def check_pairs(benchmark: params.Benchmark, taught: list[str]) -> None:
    """Raise ValueError for a contestant that learns from pairs on data that have none."""
    unpaired = getattr(import_module(f"benchmarks.datasets.{benchmark.dataset}"), "PAIRED", None) is False
    if unpaired and taught:
        raise ValueError(
            f"{params.file_of(benchmark.name)}: dataset = {benchmark.dataset!r}: its data have no true partners, and "
            f"{benchmark.kind}.models.{taught[0]} in {params.PARAMS} learns from pairs; choose a kind without such "
            "models, or data with pairs"
        )


def build(contestant: params.Contestant, spec: Spec, where: str, batch: int = 1) -> Model:
    """Build the model without memory; an error of its own gets told where it stands in the parameters."""
    architecture = models.load(contestant.model)
    settings = hyperparameters(architecture, contestant.settings, where)
    where = f"{params.PARAMS}: {where}"
    with told(where), memory.watched("its settings", batch), torch.device("meta"):
        try:
            model = architecture(spec, **settings)
        except (RuntimeError, ArithmeticError, TypeError, IndexError) as error:  # torch's, for sizes that are none
            raise ValueError(f"no model can be built of {shown(settings)}: {str(error).splitlines()[0]}") from None
        memory.drawn(model, spec, "its settings", batch)
        return model


def hyperparameters(model: type[Model], settings: dict[str, Any], where: str) -> dict[str, Any]:
    """``settings`` checked against what ``model``'s constructor takes: names, types, literals."""
    taken = models.hyperparameters(model).items()
    types = ((key, Count if each.annotation is int else each.annotation, each.default) for key, each in taken)
    arguments: dict[str, Any] = {key: (annotation, default) for key, annotation, default in types}
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    schema = create_model("Hyperparameters", __config__=config, **arguments)
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    validated(schema, given, params.PARAMS, where)
    return given


if __name__ == "__main__":
    run_stage(main)

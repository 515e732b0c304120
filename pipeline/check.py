"""The check stage, which everything waits for: all that can be wrong with the parameters before any data are there."""

from pathlib import Path

import torch

import models
from benchmarks import datasets, metrics
from models.common.protocol import Model, Spec
from pipeline import floors, params
from pipeline.evaluation.sampling import check_samples
from pipeline.files import atomic_write
from pipeline.stage import run_stage

CHECKED = Path("artifacts/checked")
POINTS = Spec((2,), classes=8)
SPECS = {  # of their kind the plainest
    "toys": POINTS,
    "published": POINTS,
    "images": Spec((1, 8, 8), classes=10, levels=17),
    "pictures": Spec((1, 28, 28), classes=10, levels=256),
    "stacked": Spec((3, 8, 8), levels=17),
    "binary": Spec((1, 28, 28), classes=10, levels=2),
}


def main() -> None:
    parameters = params.load()
    packings: dict[str, dict[str, int]] = {}  # kind -> contestant -> how many data its critic sees at once
    for kind, spec in SPECS.items():
        contestants = parameters.board.kinds[kind].models.items()
        built = {name: build(contestant, spec, f"{kind}.models.{name}") for name, contestant in contestants}
        packings[kind] = {name: getattr(model, "packing", 1) for name, model in built.items()}
    every = [column.name for column in metrics.columns(metrics.names())]
    for name in parameters.benchmarks():
        benchmark = parameters.benchmark(name)
        check_packing(benchmark, packings[benchmark.kind])
        datasets.check(benchmark.dataset, benchmark.data)
        sizes = datasets.defaults(benchmark.dataset) | benchmark.data
        if "test" in sizes:  # of other data sets the files say it
            check_samples(name, benchmark.evaluation.samples, sizes["test"])
        floors.check(benchmark, every, models.names())
        columns = [column.name for column in metrics.columns(benchmark.evaluation.metrics)]
        for column in benchmark.evaluation.main:
            params.known(column, columns, f"{benchmark.kind}.evaluation.main", "column of the chosen metrics")
    cells = sum(len(parameters.benchmark(name).models) for name in parameters.suite)
    print(f"parameters are right: {len(parameters.suite)} benchmarks, {cells} cells of {parameters.board.seeds} seeds")
    atomic_write(CHECKED, "The parameters fit one another and the code.\n")


def check_packing(benchmark: params.Benchmark, packings: dict[str, int]) -> None:
    for name, packing in packings.items():
        if (batch := benchmark.training.batch) % packing:
            where = f"{params.PARAMS}: {benchmark.kind}.models.{name}"
            raise ValueError(
                f"{where}: packing = {packing} does not divide {benchmark.name}'s batch of {batch}: choose a divisor"
            )


def build(contestant: params.Contestant, spec: Spec, where: str) -> Model:
    """Build the model without memory; a ValueError of its own gets told where it stands in the parameters."""
    architecture = models.load(contestant.model)
    settings = params.hyperparameters(architecture, contestant.settings, where)
    try:
        with torch.device("meta"):
            return architecture(spec, **settings)
    except ValueError as error:
        raise ValueError(f"{params.PARAMS}: {where}: {error}") from None


if __name__ == "__main__":
    run_stage(main)

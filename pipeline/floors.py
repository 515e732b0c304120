"""Floors: what scores 0 in a column of a benchmark, fixed in params.yaml and benchmark.yaml whoever competes."""

from collections.abc import Sequence

from pipeline import params
from pipeline.cell import Cell
from reports.files import read_json


def check(benchmark: params.Benchmark, columns: Sequence[str], models: Sequence[str]) -> None:
    """Raise ValueError for a floor of no column, for one that no model gives, and for a ranked column without one."""
    for column, floor in benchmark.floors.items():
        where = benchmark.place("floors", column)
        params.known(column, list(columns), where, "column")
        if isinstance(floor, str):
            params.known(floor, list(dict.fromkeys([*benchmark.models, *models])), where, "contestant")
    for column in benchmark.ranked:
        where = f"{params.PARAMS}: {benchmark.kind}.ranked"
        params.known(column, list(benchmark.floors), where, f"column with a floor in {benchmark.name}")


def resolved(benchmark: params.Benchmark) -> dict[str, float]:
    """Every floor as a number; without those of contestants that have not been run, or have no such number."""
    found: dict[str, float | None] = {}
    for column, floor in benchmark.floors.items():
        found[column] = mean(benchmark.name, floor, column) if isinstance(floor, str) else floor
    return {column: floor for column, floor in found.items() if floor is not None}


def mean(benchmark: str, contestant: str, column: str) -> float | None:
    path = Cell(benchmark, contestant).scores
    remedy = f"`dvc repro benchmarks/{benchmark}/dvc.yaml`"
    found = read_json(path, remedy).get("mean", {}) if path.exists() else {}
    return found.get(column)

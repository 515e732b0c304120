"""The evaluate stage: every metric of one cell, `python -m pipeline.evaluate BENCHMARK MODEL`.

MODEL may be `oracle`: fresh real samples in a generator's place, which is what a perfect model would score.
"""

import argparse
import json
import shutil
from statistics import mean, stdev
from typing import Any

from pipeline import params
from pipeline.cell import ORACLE, Cell, scores_dir
from pipeline.files import atomic_write
from pipeline.stage import run_stage
from pipeline.workers import run_seeds


def main() -> None:
    parser = argparse.ArgumentParser(description="Compute every metric of one trained model on one benchmark.")
    parser.add_argument("benchmark")
    parser.add_argument("model", help=f"a model of the benchmark, or {ORACLE}")
    arguments = parser.parse_args()
    benchmark = params.load().benchmark(arguments.benchmark)
    params.known(arguments.model, [*benchmark.models, ORACLE], f"{benchmark.kind}.models", "model")
    cell = Cell(benchmark.name, arguments.model)
    shutil.rmtree(cell.samples, ignore_errors=True)
    cell.samples.mkdir(parents=True)  # an output of the stage, also if every seed diverged
    shutil.rmtree(cell.progress, ignore_errors=True)
    seeds = range(benchmark.seeds)
    results = run_seeds(evaluate_seed, cell, seeds, len(seeds), f"evaluate {cell.name}", "seed")
    write(cell, benchmark, [result["row"] for result in results], results[0]["columns"])


def evaluate_seed(cell: Cell, seed: int) -> dict[str, Any]:
    """`pipeline.evidence.evaluate_seed`, imported by the worker: this process needs no torch, which takes seconds."""
    from pipeline.evaluation import evidence

    return evidence.evaluate_seed(cell, seed)


def write(cell: Cell, benchmark: params.Benchmark, rows: list[dict], columns: list[dict]) -> None:
    """scores.json: means for `dvc metrics`, every seed's row, and how to print and read the columns."""
    values = {
        column["name"]: [row[column["name"]] for row in rows if row.get(column["name"]) is not None]
        for column in columns
    }
    content = {
        "mean": {name: mean(found) for name, found in values.items() if found},
        "sd": {name: stdev(found) for name, found in values.items() if len(found) > 1},
        "seeds": rows,  # lists are what `dvc metrics` passes over
        "columns": columns,
        "protocol": protocol(cell, benchmark, rows),
    }
    atomic_write(cell.scores, json.dumps(content, indent=1) + "\n")
    shown = [f"{column['label']} {summary(column, values[column['name']])}" for column in columns if column["main"]]
    print(f"{cell.name}: {', '.join(shown)}", flush=True)


def summary(column: dict, found: list[float]) -> str:
    """A column's mean as the table shows it."""
    return f"{mean(found) * (100 if column['percent'] else 1):.{column['decimals']}f}" if found else "n/a"


def protocol(cell: Cell, benchmark: params.Benchmark, rows: list[dict]) -> list[str]:
    """The sentences under a table that the cell stands in."""
    training = benchmark.training
    lines = [f"{benchmark.evaluation.samples:,} samples generated per seed."]
    if cell.model != ORACLE:
        rate = ", learning rates falling linearly to 0" * (training.lr_decay == "linear")
        lines.append(f"{benchmark.seeds} training seeds, {training.steps:,} steps of {training.batch} each{rate}.")
    if any(row.get("given") == "label" for row in rows):
        lines.append(f"{cell.model} is told labels, as often as they occur in training; the others are told nothing.")
    if any(row.get("given") == "image" for row in rows):
        lines.append(
            f"{cell.model} is shown held-out images and completes their hidden part; its samples hold real pixels, so "
            "its scores do not compare."
        )
    if benchmark.judge is None:
        lines.append("Oracle: fresh samples of the true density, at the same n; its likelihood is the true one.")
        return lines
    lines.append(
        "Reference: the held-out images. Oracle: as many training images, which the judge has been trained on."
    )
    record = scores_dir(benchmark.name) / "judge.json"
    if record.exists():
        right = json.loads(record.read_text())["accuracy"]
        lines.append(f"Judge: a classifier trained on the training images, {right:.2%} right on the held-out ones.")
    return lines


if __name__ == "__main__":
    run_stage(main)

"""The train stage: all seeds of one cell, `python -m pipeline.train BENCHMARK MODEL`.

Seeds are units of work (`pipeline.work`), made in processes of their own. What a finished seed has made and the
checkpoints of the others wait in the cell's work folder, so that a killed cell carries on; only when every seed is
there do the stage's outputs appear.
"""

import json
from typing import Any

from pipeline import params
from pipeline.cell import Cell
from pipeline.files import atomic_write
from pipeline.stage import Parser, run_stage
from pipeline.tracking.following import following
from pipeline.work.units import Unit, forget_work, locked, publish
from pipeline.work.workers import made


def main() -> None:
    parser = Parser(prog="python -m pipeline.train", description="Train all seeds of one model on one benchmark.")
    parser.add_argument("benchmark")
    parser.add_argument("model")
    arguments = parser.parse_args()
    benchmark = params.load().benchmark(arguments.benchmark)
    params.known(arguments.model, list(benchmark.models), f"{benchmark.kind}.models", "model")
    train(Cell(benchmark.name, arguments.model))


def train(cell: Cell) -> None:
    """Train every seed of ``cell`` and write its outputs: weights, snapshots, curves, training record."""
    with locked(cell.work.with_name("train.lock")):  # of two who train one cell, the second finds it trained
        units = cell.training_units()
        there = sum(unit.record() is not None or unit.taken_up() for unit in units)
        if there == len(units):
            records = made(units, "")
        else:
            with following(cell.benchmark, cell.model):
                records = made(units, f"{cell.position}: train {cell.name}")
        cell.unchanged("train")
        write(cell, units, records)
    diverged = [record for record in records if record["status"] == "diverged"]
    ends = [f"seed {record['seed']} diverged ({record['player']}, step {record['step']})" for record in diverged]
    before = f", of which {there} were there" if there else ""
    print("; ".join([f"{cell.name}: {len(records)} seeds trained{before}", *ends]), flush=True)


def write(cell: Cell, units: list[Unit], records: list[dict[str, Any]]) -> None:
    """Turn the work folder of a trained cell into the stage's outputs."""
    publish(units)
    finished = [record for record in records if record["status"] == "finished"]
    training = {
        "diverged": len(records) - len(finished),
        "seconds": mean([record["seconds"] for record in finished]),
        "steps_per_second": mean([record["step"] / max(record["seconds"], 1e-9) for record in finished]),
        "seeds": records,
        "cell": [{"fingerprint": cell.fingerprint}],  # in a list, which `dvc metrics` passes over
    }
    atomic_write(cell.training, json.dumps(training, indent=1) + "\n")
    forget_work(cell.benchmark, cell.model, "train")


def mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 2) if values else None


if __name__ == "__main__":
    run_stage(main)

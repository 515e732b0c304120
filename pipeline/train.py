"""The train stage: all seeds of one cell, `python -m pipeline.train BENCHMARK MODEL`.

Seeds run in worker processes (`pipeline.workers`). A finished seed and the checkpoints of the others wait in the cell's
work folder, so that a killed cell carries on; only when every seed is there do the stage's outputs appear.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.cell import Cell, commit, data_file
from pipeline.files import atomic_write
from pipeline.seeds import seed_for
from pipeline.stage import run_stage
from pipeline.workers import advance, run_seeds

OUTPUTS = (("weights", ".pt"), ("curves", ".csv"), ("snapshots", ".npz"))  # a file a seed in these folders of a cell


def main() -> None:
    parser = argparse.ArgumentParser(description="Train all seeds of one model on one benchmark.")
    parser.add_argument("benchmark")
    parser.add_argument("model")
    arguments = parser.parse_args()
    benchmark = params.load().benchmark(arguments.benchmark)
    params.known(arguments.model, list(benchmark.models), f"{benchmark.kind}.models", "model")
    train(Cell(benchmark.name, arguments.model), benchmark)


def train(cell: Cell, benchmark: params.Benchmark) -> None:
    """Train every seed of ``cell`` and write its outputs: weights, curves, training record."""
    cell.work.mkdir(parents=True, exist_ok=True)
    there = take_up(cell)
    seeds, steps = range(benchmark.seeds), benchmark.training.steps
    with tracked(cell):
        records = run_seeds(train_seed, cell, seeds, steps * len(seeds), f"{cell.position}: train {cell.name}", "step")
        unchanged(cell, benchmark.seeds)
        publish(cell, records)
    diverged = [record for record in records if record["status"] == "diverged"]
    ends = [f"seed {record['seed']} diverged ({record['player']}, step {record['step']})" for record in diverged]
    before = f", of which {there} were there" if there else ""
    print("; ".join([f"{cell.name}: {len(records)} seeds trained{before}", *ends]), flush=True)


def take_up(cell: Cell) -> int:
    """Put the seeds of an earlier run of the very same cell, if its outputs are there, with the finished ones.

    So asking for more seeds trains only those. DVC keeps the outputs for this (`persist` in the stage). Returns how
    many seeds are finished, those of a run that was cut off included.
    """
    with suppress(OSError, ValueError, LookupError):  # none, or damaged: they are made anew
        earlier = json.loads(cell.training.read_text())
        if earlier["cell"][0]["fingerprint"] != cell.fingerprint:
            earlier["seeds"] = []
        for seed in (record["seed"] for record in earlier["seeds"]):
            for folder, suffix in reversed(OUTPUTS):  # a seed counts as finished once its weights are there
                atomic_write(cell.work / f"{seed}{suffix}", (getattr(cell, folder) / f"{seed}{suffix}").read_bytes())
    return len(list(cell.work.glob("*.pt")))


def train_seed(cell: Cell, seed: int) -> dict[str, Any]:
    """Train one seed in this process, or find it trained; its record. Divergence is a result, not an error."""
    import torch  # here and not above: only workers need it, and its import takes seconds

    import models
    from pipeline import data
    from pipeline.tensors import load_tensors, model_state, save_tensors
    from pipeline.training import engine

    training = params.Training(**cell.settings["training"])
    ready = cell.work / f"{seed}.pt"
    if ready.exists():
        advance(training.steps)
        return {key: value for key, value in load_tensors(ready).items() if key != "state"}
    device = data.chosen_device()
    resident = data.load(data_file(cell.benchmark), device)
    contestant = params.load().benchmark(cell.benchmark).models[cell.model]
    architecture = models.load(contestant.model)
    settings = params.hyperparameters(architecture, contestant.settings, cell.name)
    torch.manual_seed(seed_for("init", cell.name, seed))
    run = engine.Run(
        model=architecture(resident.spec, **settings),
        data=resident,
        settings=training,
        seed=seed_for("batches", cell.benchmark, seed),
        device=device,
        files=cell.work / str(seed),
        advance=advance,
    )
    torch.manual_seed(seed_for("noise", cell.name, seed))
    record = {"seed": seed, "status": "finished", "step": training.steps, "player": ""}
    try:
        run.train()
    except engine.Divergence as divergence:
        record |= {"status": "diverged", "step": divergence.step, "player": divergence.player}
        advance(training.steps - run.meters.last)
    record["seconds"] = round(run.seconds, 2)
    atomic_write(cell.work / f"{seed}.csv", run.meters.csv())
    atomic_write(cell.work / f"{seed}.npz", gathered(cell.work / f"{seed}.snapshots", resident.levels))
    state = model_state(run.model) if record["status"] == "finished" else {}
    save_tensors(ready, {**record, "state": state})
    return record


def gathered(folder: Path, levels: int) -> bytes:
    """The snapshots of a seed as one .npz: `step` (S,), `x` (S, n, *shape), `levels`."""
    import numpy as np

    from pipeline.evaluation.sampling import packed

    steps = sorted(int(file.stem) for file in folder.glob("*.npz"))
    taken = [np.load(folder / f"{step}.npz", allow_pickle=False)["x"] for step in steps]
    return packed(step=np.array(steps), x=np.stack(taken) if taken else np.empty(0), levels=levels)


def publish(cell: Cell, records: list[dict[str, Any]]) -> None:
    """Turn the work folder of a trained cell into the stage's outputs."""
    for name, suffix in OUTPUTS:
        folder = getattr(cell, name)
        shutil.rmtree(folder, ignore_errors=True)
        for record in records:
            source = cell.work / f"{record['seed']}{suffix}"
            atomic_write(folder / source.name, source.read_bytes())
    finished = [record for record in records if record["status"] == "finished"]
    training = {
        "diverged": len(records) - len(finished),
        "seconds": mean([record["seconds"] for record in finished]),
        "steps_per_second": mean([record["step"] / max(record["seconds"], 1e-9) for record in finished]),
        "seeds": records,
        "cell": [{"fingerprint": cell.fingerprint, "commit": commit()}],  # in a list, which `dvc metrics` passes over
    }
    atomic_write(cell.training, json.dumps(training, indent=1) + "\n")
    shutil.rmtree(cell.work.parent)


def mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 2) if values else None


def unchanged(cell: Cell, seeds: int) -> None:
    """Raise ValueError if a dependency was edited while the cell ran.

    DVC hashes dependencies after the run, and would take the result for that of the edited code.
    """
    params.load.cache_clear()
    started, now = cell.state, Cell(cell.benchmark, cell.model).state
    if params.load().board.seeds != seeds:
        now["params.yaml"] = "another number of seeds"
    edited = sorted(name for name in started.keys() | now.keys() if started.get(name) != now.get(name))
    if edited:
        raise ValueError(f"{', '.join(edited)} changed while {cell.name} was training; run the same command again")


@contextmanager
def tracked(cell: Cell) -> Iterator[None]:
    """Have a process beside this one bring the live curves into MLflow; it can neither delay nor fail the training."""
    command = [sys.executable, "-m", "pipeline.tracking", cell.benchmark, cell.model, "--follow"]
    follower = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        follower.stdin.close()  # the end of its input is its sign to stop, also when this process is killed


if __name__ == "__main__":
    run_stage(main)

"""The evaluate stage: every metric of one cell, `python -m pipeline.evaluate BENCHMARK MODEL`.

MODEL may be `oracle`: fresh real samples in a generator's place, which is what a perfect model would score.
"""

import argparse
import json
import math
import shutil
from statistics import mean, stdev
from typing import Any

from pipeline import params
from pipeline.cell import ORACLE, Cell, data_file, judge_file, scores_dir, seed_for
from pipeline.stage import run_stage
from pipeline.workers import advance, run_seeds

CHUNK = 2000  # samples generated, or likelihoods computed, at once


def main() -> None:
    parser = argparse.ArgumentParser(description="Compute every metric of one trained model on one benchmark.")
    parser.add_argument("benchmark")
    parser.add_argument("model", help=f"a model of the benchmark, or {ORACLE}")
    arguments = parser.parse_args()
    benchmark = params.load().benchmark(arguments.benchmark)
    params.known(arguments.model, [*benchmark.models, ORACLE], f"{benchmark.kind}.models", "model")
    cell = Cell(benchmark.name, arguments.model)
    shutil.rmtree(cell.samples, ignore_errors=True)
    rows = run_seeds(evaluate_seed, cell, range(benchmark.seeds), benchmark.seeds, f"evaluate {cell.name}", "seed")
    write(cell, benchmark, rows)


def evaluate_seed(cell: Cell, seed: int) -> dict[str, Any]:
    """The row of one seed: its status and, if it finished, every metric. Writes the seed's samples."""
    import torch  # here and not above: only workers need it, and its import takes seconds

    from benchmarks import metrics
    from pipeline import data, engine
    from pipeline.checkpoint import load_tensors

    benchmark = params.load().benchmark(cell.benchmark)
    device = engine.chosen_device()
    resident = data.load(data_file(cell.benchmark), device)
    rng = torch.Generator(device).manual_seed(seed_for("sampling", cell.benchmark, seed))
    row = {"seed": seed, "status": "finished"}
    with torch.no_grad():
        if cell.model == ORACLE:
            evidence = oracle_evidence(resident, benchmark.evaluation.samples, rng)
        else:
            trained = load_tensors(cell.weights / f"{seed}.pt", device)
            if trained["status"] == "diverged":
                advance(1)
                return {key: trained[key] for key in ("seed", "status", "step", "player")}
            evidence = model_evidence(cell, benchmark, trained["state"], resident, rng)
        save_samples(cell, seed, resident, evidence)
        if judge_file(cell.benchmark).exists():
            evidence |= judged(cell.benchmark, resident, evidence["fake"])
        evidence |= known_facts(resident)
        row |= metrics.evaluate(benchmark.evaluation.metrics, evidence)
    advance(1)
    return row | {"estimator": evidence.get("estimator")}


def model_evidence(cell: Cell, benchmark: params.Benchmark, state: dict, resident: Any, rng: Any) -> dict[str, Any]:
    """Samples of a trained model, and its likelihood of the held-out data where it states one."""
    import torch

    import models

    architecture = models.load(cell.model)
    settings = params.hyperparameters(architecture, benchmark.models[cell.model], cell.name)
    model = architecture(resident.spec, **settings).to(rng.device)
    model.load_state_dict(state)
    model.eval()
    given = None
    if model.given == "label":  # labels as often as in the training data
        drawn = torch.randint(
            len(resident.train.label), (benchmark.evaluation.samples,), generator=rng, device=rng.device
        )
        given = resident.train.label[drawn]
    fake = generate(model, benchmark.evaluation.samples, given, rng)
    evidence = {"fake": resident.as_input(resident.to_levels(fake)), "given_labels": given}
    if hasattr(model, "log_prob"):
        held_out = resident.as_input(resident.test.x)
        evidence["log_prob"] = torch.cat([model.log_prob(chunk) for chunk in held_out.split(CHUNK)])
        evidence |= {"bound": model.bound, "estimator": model.estimator}
    return evidence


def generate(model: Any, n: int, given: Any, rng: Any) -> Any:
    """``n`` samples of ``model``, a chunk at a time."""
    import torch

    counts = [min(CHUNK, n - start) for start in range(0, n, CHUNK)]
    labels = [None] * len(counts) if given is None else given.split(CHUNK)
    return torch.cat([model.sample(count, label, rng) for count, label in zip(counts, labels, strict=True)])


def oracle_evidence(resident: Any, n: int, rng: Any) -> dict[str, Any]:
    """Fresh real samples: of the truth where it is known, or else training data, which the reference does not hold."""
    import torch

    if resident.truth is not None:
        exact = resident.truth.log_density(resident.as_input(resident.test.x))
        return {
            "fake": resident.truth.sample(n, rng).x,
            "log_prob": exact,
            "bound": False,
            "estimator": "exact",
        }
    if n > len(resident.train.x):
        raise ValueError(
            f"evaluation.samples = {n}: the oracle draws from {len(resident.train.x)} training images; ask for fewer"
        )
    drawn = torch.randperm(len(resident.train.x), generator=rng, device=rng.device)[:n]
    labels = None if resident.train.label is None else resident.train.label[drawn]
    return {"fake": resident.as_input(resident.train.x[drawn]), "given_labels": labels}


def judged(benchmark: str, resident: Any, fake: Any) -> dict[str, Any]:
    """What the judge sees in held-out and in generated images."""
    from benchmarks.extractors import describe
    from pipeline.judge import load_judge

    judge = load_judge(judge_file(benchmark), fake.device)
    real_features, real_labels = describe(judge, resident.as_input(resident.test.x))
    fake_features, fake_labels = describe(judge, fake)
    return {
        "real_features": real_features,
        "fake_features": fake_features,
        "real_labels": real_labels,
        "fake_labels": fake_labels,
    }


def known_facts(resident: Any) -> dict[str, Any]:
    """What the benchmark knows of itself."""
    facts = {
        "real": resident.as_input(resident.test.x),
        "classes": resident.classes,
        "levels": resident.levels,
        "dims": math.prod(resident.spec.shape),
    }
    if resident.truth is not None:
        facts |= {"centres": resident.truth.centres, "sigma": resident.truth.sigma}
    return facts


def save_samples(cell: Cell, seed: int, resident: Any, evidence: dict[str, Any]) -> None:
    """Write what was generated as an .npz that other tools read: points as they are, images as grey levels."""
    import io

    import numpy as np

    from pipeline.checkpoint import atomic_write

    arrays = {"x": resident.to_levels(evidence["fake"]).cpu().numpy(), "levels": np.array(resident.levels)}
    if evidence.get("given_labels") is not None:
        arrays["label"] = evidence["given_labels"].cpu().numpy()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    atomic_write(cell.samples / f"{seed}.npz", buffer.getvalue())


def write(cell: Cell, benchmark: params.Benchmark, rows: list[dict[str, Any]]) -> None:
    """scores.json: means for `dvc metrics`, every seed's row, and how to print and read the columns."""
    from benchmarks import metrics
    from pipeline.checkpoint import atomic_write

    columns = metrics.columns(benchmark.evaluation.metrics)
    values = {column.name: [row[column.name] for row in rows if row.get(column.name) is not None] for column in columns}
    content = {
        "mean": {name: mean(found) for name, found in values.items() if found},
        "sd": {name: stdev(found) for name, found in values.items() if len(found) > 1},
        "seeds": rows,
        "columns": [column._asdict() for column in columns],
        "protocol": protocol(benchmark),
    }
    atomic_write(cell.scores, json.dumps(content, indent=1) + "\n")
    shown = [f"{column.label} {summary(column, values[column.name])}" for column in columns if column.main]
    print(f"{cell.name}: {', '.join(shown)}", flush=True)


def summary(column: Any, found: list[float]) -> str:
    """A column's mean as the table shows it."""
    return f"{mean(found) * (100 if column.percent else 1):.{column.decimals}f}" if found else "n/a"


def protocol(benchmark: params.Benchmark) -> list[str]:
    """The sentences under every table of the benchmark."""
    training, n = benchmark.training, benchmark.evaluation.samples
    budget = f"{benchmark.seeds} training seeds, {training.steps:,} steps of {training.batch} each"
    lines = [f"{budget}; {n:,} samples generated per seed."]
    if benchmark.kind == "toys":
        lines.append("Oracle: fresh samples of the true density, at the same n; its likelihood is the true one.")
        return lines
    lines.append("Reference: the held-out images. Oracle: as many training images, which the reference has not seen.")
    record = scores_dir(benchmark.name) / "judge.json"
    if record.exists():
        right = json.loads(record.read_text())["accuracy"]
        lines.append(f"Judge: a classifier trained on the training images, {right:.2%} right on the held-out ones.")
    return lines


if __name__ == "__main__":
    run_stage(main)

"""One seed of one cell under evaluation: what is generated and known, and what the metrics make of it."""

import io
import math
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

import models
from benchmarks import metrics
from benchmarks.extractors import describe
from pipeline import data, params
from pipeline.cell import ORACLE, Cell, data_file, judge_file, seed_for
from pipeline.checkpoint import load_tensors
from pipeline.data import Data
from pipeline.files import atomic_write
from pipeline.judge import load_judge
from pipeline.workers import advance

CHUNK = 2000  # samples generated at once, and likelihoods computed at most
LOGITS = 2**26  # numbers in memory when a likelihood has one for every level of every pixel

Evidence = dict[str, Any]  # by the names in benchmarks.metrics.EVIDENCE


@torch.no_grad()
def evaluate_seed(cell: Cell, seed: int) -> dict[str, Any]:
    """A seed's row (its status and, if it finished, every metric) and the columns it fills. Writes its samples."""
    benchmark = params.load().benchmark(cell.benchmark)
    device = data.chosen_device()
    resident = data.load(data_file(cell.benchmark), device)
    rng = Generator(device).manual_seed(seed_for("sampling", cell.benchmark, seed))
    row: dict[str, Any] = {"seed": seed, "status": "finished"}
    if cell.model == ORACLE:
        evidence = of_oracle(resident, benchmark.evaluation.samples, rng)
    else:
        trained = load_tensors(cell.weights / f"{seed}.pt", device)
        row |= {key: trained[key] for key in ("status", "step", "player")}
        evidence = of_model(cell, benchmark, trained["state"], resident, rng) if row["status"] == "finished" else {}
    if evidence.pop("broken", None):  # finite weights that compute no numbers have diverged as well
        row |= {"status": "diverged", "player": "samples or likelihood"}
    if row["status"] == "finished":
        save_samples(cell, seed, resident, evidence)
        evidence |= of_benchmark(resident) | of_judge(cell.benchmark, resident, evidence["fake"])
        row |= metrics.evaluate(benchmark.evaluation.metrics, evidence)
        row |= {key: evidence.get(key) for key in ("estimator", "given")}
    advance(1)
    return {"row": row, "columns": [column._asdict() for column in metrics.columns(benchmark.evaluation.metrics)]}


def of_model(
    cell: Cell, benchmark: params.Benchmark, state: dict[str, Tensor], resident: Data, rng: Generator
) -> Evidence:
    """Samples of a trained model, and its likelihood of the held-out data where it states one."""
    architecture = models.load(cell.model)
    settings = params.hyperparameters(architecture, benchmark.models[cell.model], cell.name)
    model = architecture(resident.spec, **settings).to(rng.device)
    model.load_state_dict(state)
    model.eval()
    n, given = benchmark.evaluation.samples, None
    if model.given == "label":  # labels as often as in the training data
        given = resident.train.label[torch.randint(len(resident.train.x), (n,), generator=rng, device=rng.device)]
    fake = generate(model, n, given, rng)
    broken = not bool(fake.isfinite().all())
    # Images are scored as they would be stored: on the data's own grey levels.
    evidence = {"fake": resident.as_input(resident.to_levels(fake)), "given": model.given, "given_labels": given}
    if hasattr(model, "log_prob"):
        held_out = resident.as_input(resident.test.x)
        at_once = max(1, min(CHUNK, LOGITS // (math.prod(resident.spec.shape) * max(1, resident.levels))))
        evidence["log_prob"] = torch.cat([model.log_prob(chunk) for chunk in held_out.split(at_once)])
        broken |= bool((evidence["log_prob"].isnan() | evidence["log_prob"].isposinf()).any())
        evidence["estimator"] = f"{model.estimator}, a lower bound" if model.bound else model.estimator
    return evidence | {"broken": broken}


def generate(model: nn.Module, n: int, given: Tensor | None, rng: Generator) -> Tensor:
    """``n`` samples of ``model``, a chunk at a time."""
    counts = [min(CHUNK, n - start) for start in range(0, n, CHUNK)]
    labels = [None] * len(counts) if given is None else given.split(CHUNK)
    return torch.cat([model.sample(count, label, rng) for count, label in zip(counts, labels, strict=True)])


def of_oracle(resident: Data, n: int, rng: Generator) -> Evidence:
    """Fresh real samples: of the truth where it is known, or else training data, which the reference does not hold."""
    if resident.truth is not None:
        exact = resident.truth.log_density(resident.as_input(resident.test.x))
        return {"fake": resident.truth.sample(n, rng).x, "log_prob": exact, "estimator": "exact"}
    held = len(resident.train.x)
    if n > held:
        raise ValueError(f"evaluation.samples = {n}: the oracle has {held} training images to draw; ask for no more")
    drawn = torch.randperm(held, generator=rng, device=rng.device)[:n]
    labels = None if resident.train.label is None else resident.train.label[drawn]
    return {"fake": resident.as_input(resident.train.x[drawn]), "given_labels": labels}


def of_benchmark(resident: Data) -> Evidence:
    """What the benchmark knows of itself."""
    known = {
        "real": resident.as_input(resident.test.x),
        "classes": resident.classes,
        "levels": resident.levels,
        "dims": math.prod(resident.spec.shape),
    }
    truth = resident.truth
    return known if truth is None else known | {"centres": truth.centres, "sigma": truth.sigma}


def of_judge(benchmark: str, resident: Data, fake: Tensor) -> Evidence:
    """What the judge, where there is one, sees in held-out and in generated images."""
    if not judge_file(benchmark).exists():
        return {}
    judge = load_judge(judge_file(benchmark), fake.device)
    real_features, real_labels = describe(judge, resident.as_input(resident.test.x))
    fake_features, fake_labels = describe(judge, fake)
    return {
        "real_features": real_features,
        "fake_features": fake_features,
        "real_labels": real_labels,
        "fake_labels": fake_labels,
    }


def save_samples(cell: Cell, seed: int, resident: Data, evidence: Evidence) -> None:
    """Write what was generated as an .npz that other tools read: points as they are, images as grey levels."""
    arrays = {"x": resident.to_levels(evidence["fake"]).cpu().numpy(), "levels": np.array(resident.levels)}
    if evidence.get("given_labels") is not None:
        arrays["label"] = evidence["given_labels"].cpu().numpy()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    atomic_write(cell.samples / f"{seed}.npz", buffer.getvalue())

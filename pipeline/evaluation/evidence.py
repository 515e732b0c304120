"""One seed of one cell under evaluation: what is generated and known, and what the metrics make of it."""

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn

import models
from benchmarks import metrics
from pipeline import data, params
from pipeline.cell import ORACLE, Cell, data_file
from pipeline.data import Data
from pipeline.evaluation import uses
from pipeline.evaluation.progress import progress, taken
from pipeline.evaluation.sampling import asked, generate, packed
from pipeline.evaluation.view import Evidence, View
from pipeline.files import atomic_write
from pipeline.seeds import seed_for
from pipeline.tensors import load_tensors
from pipeline.workers import advance

CHUNK = 2000  # data whose likelihoods, reconstructions or divergence are computed at once, at most
LOGITS = 2**26  # numbers in memory when a likelihood has one for every level of every pixel


@torch.no_grad()
def evaluate_seed(cell: Cell, seed: int) -> dict[str, Any]:
    """A seed's row (its status and, if it finished, every metric) and the columns it fills. Writes its samples."""
    benchmark = params.load().benchmark(cell.benchmark)
    device = data.chosen_device()
    resident = data.load(data_file(cell.benchmark), device)
    rng = Generator(device).manual_seed(seed_for("sampling", cell.benchmark, seed))
    chosen = benchmark.evaluation.metrics
    wanted = metrics.needs(chosen)
    row: dict[str, Any] = {"seed": seed, "status": "finished"}
    if cell.model == ORACLE:
        evidence = of_oracle(resident, benchmark.evaluation.samples, rng)
    else:
        trained = load_tensors(cell.weights / f"{seed}.pt", device)
        row |= {key: trained[key] for key in ("status", "step", "player")}
        evidence = {}
        if row["status"] == "finished":
            evidence = of_model(built(cell, benchmark, trained["state"], resident), benchmark, resident, rng, wanted)
    if evidence.pop("broken", None):  # finite weights that compute no numbers have diverged as well
        row |= {"status": "diverged", "player": "samples, reconstructions or likelihood"}
    view = View(cell.benchmark, resident)
    if row["status"] == "finished":
        save_samples(cell, seed, resident, evidence)
        uses.save(cell, seed, resident, evidence)
        evidence |= view.of_benchmark(wanted) | view.of("fake", evidence["fake"], wanted)
        row |= metrics.evaluate(chosen, evidence)
        row |= {key: evidence.get(key) for key in ("estimator", "given", "task")}
    if cell.model == ORACLE:  # as many as a snapshot has
        snapshots = {0: resident.to_levels(evidence["fake"][: benchmark.training.snapshot_samples])}
    else:
        snapshots = taken(cell, seed)
    record = progress(snapshots, resident, view, benchmark.evaluation.progress)
    atomic_write(cell.progress / f"{seed}.csv", record)
    advance(1)
    main = benchmark.evaluation.main
    columns = [column._replace(main=column.name in main if main else column.main) for column in metrics.columns(chosen)]
    return {"row": row, "columns": [column._asdict() for column in columns]}


def built(cell: Cell, benchmark: params.Benchmark, state: dict[str, Tensor], resident: Data) -> nn.Module:
    """The trained model, on the data's device."""
    contestant = benchmark.models[cell.model]
    architecture = models.load(contestant.model)
    settings = params.hyperparameters(architecture, contestant.settings, cell.name)
    model = architecture(resident.spec, **settings).to(resident.train.x.device)
    model.load_state_dict(state)
    return model.eval()


def of_model(
    model: nn.Module, benchmark: params.Benchmark, resident: Data, rng: Generator, wanted: set[str]
) -> Evidence:
    """Samples of a trained model, and of its abilities what is wanted."""
    n = benchmark.evaluation.samples
    given = asked(model, resident, n, rng)
    fake = generate(model, n, given, rng)
    broken = not bool(fake.isfinite().all())
    # Images are scored as they would be stored: on the data's own grey levels.
    evidence = {"fake": resident.as_input(resident.to_levels(fake)), "given": model.given}
    evidence["given_labels"] = given if model.given == "label" else None
    held_out = resident.as_input(resident.test.x)
    if hasattr(model, "log_prob"):
        at_once = max(1, min(CHUNK, LOGITS // (math.prod(resident.spec.shape) * max(1, resident.levels))))
        evidence["log_prob"] = torch.cat([model.log_prob(chunk) for chunk in held_out.split(at_once)])
        broken |= bool((evidence["log_prob"].isnan() | evidence["log_prob"].isposinf()).any())
        evidence["estimator"] = f"{model.estimator}, a lower bound" if model.bound else model.estimator
        if hasattr(model, "pixel_nats"):
            label = resident.test.label if model.given == "label" else None
            evidence["pixels"] = of_pixels(model, held_out, label, evidence["log_prob"])
    if hasattr(model, "reconstruct") and "reconstructed" in wanted:
        evidence["reconstructed"] = torch.cat([model.reconstruct(chunk) for chunk in held_out.split(CHUNK)])
        broken |= not bool(evidence["reconstructed"].isfinite().all())
    if hasattr(model, "estimate") and "estimate" in wanted:
        n = min(len(fake), len(held_out), CHUNK)
        evidence |= {"estimate": model.estimate(held_out[:n], fake[:n]).item(), "estimated": model.divergence}
    terms = of_terms(model, held_out, wanted)
    broken |= any(bool(value.isnan().any()) for value in terms.values() if isinstance(value, Tensor))
    evidence |= terms
    if "filled" in wanted and not broken:
        evidence |= uses.inpainted(model, benchmark.name, resident, rng)
        broken |= "filled" in evidence and bool(evidence["filled"].isinf().any())
    return evidence | {"broken": broken, "walks": uses.walks(model, resident)}


def of_terms(model: nn.Module, x: Tensor, wanted: set[str]) -> Evidence:
    """The two terms of a bound, and the likelihood of a hidden part, of held-out x where a model states them."""
    evidence: Evidence = {}
    chunks = x.split(CHUNK)
    if hasattr(model, "rate_distortion") and "rate" in wanted:
        rates, distortions = zip(*(model.rate_distortion(chunk) for chunk in chunks), strict=True)
        evidence |= {"rate": torch.cat(rates), "distortion": torch.cat(distortions)}
        if hasattr(model, "encode"):
            evidence["codes"] = torch.cat([model.encode(chunk) for chunk in chunks])
    if hasattr(model, "conditional_log_prob") and "hidden_log_prob" in wanted:
        evidence["hidden_log_prob"] = torch.cat([model.conditional_log_prob(chunk) for chunk in chunks])
        evidence["task"] = f"{model.task}, {model.conditional_estimator}"
    return evidence


def of_pixels(model: nn.Module, x: Tensor, label: Tensor | None, log_prob: Tensor) -> dict[str, Tensor]:
    """The likeliest and the least likely of the images x, and the nats that each of their pixels costs, given the label
    where there is one."""
    chosen = torch.stack([log_prob.argmax(), log_prob.argmin()])
    told = () if label is None else (label[chosen],)
    return {"x": x[chosen], "nats": -model.pixel_nats(x[chosen], *told)}  # (2, C, H, W)


def of_oracle(resident: Data, n: int, rng: Generator) -> Evidence:
    """Fresh real samples: of the truth where it is known, or else training data, which the reference does not hold."""
    if resident.truth is not None:
        exact = resident.truth.log_density(resident.as_input(resident.test.x))
        return {"fake": resident.truth.sample(n, rng).x, "log_prob": exact, "estimator": "exact"}
    held = len(resident.train.x)
    if n > held:
        raise ValueError(f"evaluation.samples = {n}: the oracle has {held} training images to draw; ask for no more")
    drawn = torch.randperm(held, generator=rng, device=rng.device)[:n]
    labels = resident.train.label[drawn] if resident.spec.classes else None
    return {"fake": resident.as_input(resident.train.x[drawn]), "given_labels": labels}


def save_samples(cell: Cell, seed: int, resident: Data, evidence: Evidence) -> None:
    """Write what was generated as an .npz that other tools read: points as they are, images as grey levels."""
    x, label = resident.to_levels(evidence["fake"]), evidence.get("given_labels")
    atomic_write(cell.samples / f"{seed}.npz", packed(x=x, levels=resident.levels, label=label))
    if pixels := evidence.get("pixels"):
        content = packed(x=resident.to_levels(pixels["x"]), nats=pixels["nats"], levels=resident.levels)
        atomic_write(cell.samples / "pixels" / f"{seed}.npz", content)

"""What clips are scored by beside their samples: draws that continue the same frames, the truth, and shuffled clips."""

from pathlib import Path

import torch
from torch import Generator, Tensor

from benchmarks.datasets.common import bouncing
from benchmarks.metrics.prediction import CLIPS, DRAWS, best, by_frame
from models.common.protocol import Model
from pipeline.data import Data
from pipeline.evaluation.sampling import asked, generate, packed
from pipeline.evaluation.view import Evidence
from pipeline.files import atomic_write

SHOWN, STRIPS = 6, 3  # clips in a picture, and draws of each


def predicted(model: Model | None, resident: Data, half: Tensor, rng: Generator) -> Evidence:
    """The true clips that samples continue, and several draws for the first of them: a model's, or without one the
    law's, where it is known. Nothing for data of which nothing is given."""
    if not resident.seen:
        return {}
    test, few = resident.test, half[:CLIPS]
    found: Evidence = {
        "true_clips": resident.as_input(test.x[half]),
        "true_clip_labels": None if test.label is None else test.label[half],
        "continued": resident.as_input(test.x[few]),
        "seen": resident.seen,
        "speed": resident.speed,
    }
    drawn = lawful(resident, few, rng) if model is None else drawn_by(model, resident, few, rng)
    return found if drawn is None else found | {"continuations": drawn}


def drawn_by(model: Model, resident: Data, few: Tensor, rng: Generator) -> Tensor | None:
    """(DRAWS, m, T, C, H, W) as they would be stored; NaN where a model is broken."""
    if model.given != "clip":
        return None
    given = asked(model, resident, DRAWS * len(few), rng, few.repeat(DRAWS))
    fake = generate(model, DRAWS * len(few), given, rng)
    stored = resident.as_input(resident.to_levels(fake))
    return torch.where(fake.isfinite(), stored, torch.nan).unflatten(0, (DRAWS, -1))


def lawful(resident: Data, few: Tensor, rng: Generator) -> Tensor | None:
    """The same of the true law."""
    if not resident.speed:
        return None
    given = resident.test.x[few.repeat(DRAWS), : resident.seen].cpu()
    chance = Generator().manual_seed(int(torch.randint(2**32, (1,), generator=rng, device=rng.device)))
    clips = bouncing.continued(given, resident.spec.shape[0], resident.speed, resident.levels, chance)
    return resident.as_input(clips.to(rng.device)).unflatten(0, (DRAWS, -1))


def shuffled(resident: Data, half: Tensor) -> Tensor:
    """The real clips that ``half`` names, each with its frames in an order by chance, the same for every model."""
    x = resident.test.x[half]  # (n, T, C, H, W)
    rng = Generator().manual_seed(len(half))
    order = torch.rand(x.shape[:2], generator=rng).argsort(1).to(x.device)
    return resident.as_input(x[torch.arange(len(x), device=x.device)[:, None], order])


def save(samples: Path, seed: int, resident: Data, evidence: Evidence) -> None:
    """Write what the report's strips and curves show, beside the samples."""
    if "continuations" not in evidence:
        return
    true, draws = evidence["continued"], evidence["continuations"]
    curves = by_frame(continued=true, draws=draws, seen=resident.seen, levels=resident.levels)
    content = {"true": resident.to_levels(true[:SHOWN]), "draws": resident.to_levels(draws[:STRIPS, :SHOWN])}
    for name, (mean, each) in zip(("psnr", "ssim"), curves, strict=True):
        content |= {f"{name}_mean": mean.mean(0), f"{name}_best": best(each).mean(0)}  # (T - seen,)
    atomic_write(samples / "clips" / f"{seed}.npz", packed(**content, seen=resident.seen, levels=resident.levels))

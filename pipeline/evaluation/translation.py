"""Translations: what a model makes of held-out data of the other domain, there and back, and what is true of them."""

from pathlib import Path

import torch
from torch import Generator, Tensor

from models.common.protocol import Model, TranslatesBack
from pipeline.data import Data
from pipeline.evaluation.sampling import CHUNK, generate, packed
from pipeline.evaluation.view import Evidence
from pipeline.files import atomic_write

DRAWS = 4  # translations of one datum
DRAWN = 256  # data that are translated several times
STEP = 0.01  # of the spread of points: noise on a translation
SHOWN = {True: 12, False: 1000}  # translations that pictures show: of images, of points


def truth(resident: Data, half: Tensor) -> Evidence:
    """What is known of the test data that ``half`` names, and of their partners; nothing where there are none."""
    test = resident.test
    if test.partner is None:
        return {}
    x, known = resident.as_input(test.x[half]), half[:DRAWN]
    found: Evidence = {"source": resident.as_input(test.partner[half])}
    found["source_labels"] = None if test.label is None else test.label[half]
    found["target"] = x if resident.paired else None
    if test.again is not None:
        found["truths"] = torch.stack([x[:DRAWN], resident.as_input(test.again[known])])
    return found


def of_oracle(resident: Data, half: Tensor) -> Evidence:
    """The true map in a model's place: it draws true translations, and leads back to where data came from."""
    found = truth(resident, half)
    if found and resident.paired:
        found |= {"back": found["source"], "returned": found["source"], "draws": found.get("truths")}
    return found


def of_model(model: Model, resident: Data, half: Tensor, rng: Generator, wanted: set[str]) -> Evidence:
    """What is true, and of what the model does what is wanted, on the data's own grey levels."""
    found = truth(resident, half)
    if not found or model.given != "partner":
        return {}
    source = found["source"]
    if "draws" in wanted:
        draws = torch.stack([generate(model, len(source[:DRAWN]), source[:DRAWN], rng) for _ in range(DRAWS)])
        found["draws"] = stored(resident, draws)
    if isinstance(model, TranslatesBack) and not wanted.isdisjoint({"back", "returned", "returned_after_noise"}):
        found["back"] = stored(resident, led_back(model, resident.as_input(resident.test.x[half]), rng))
        middle = generate(model, len(source), source, rng)
        found["returned"] = stored(resident, led_back(model, middle, rng))
        found["returned_after_noise"] = stored(resident, led_back(model, disturbed(resident, middle, rng), rng))
    return found


def stored(resident: Data, x: Tensor) -> Tensor:
    """Data as they would be kept; what is not finite stays so, and is seen."""
    return torch.where(x.isfinite(), resident.as_input(resident.to_levels(x)), x)


def led_back(model: TranslatesBack, x: Tensor, rng: Generator) -> Tensor:
    return torch.cat([model.translate_back(part, rng) for part in x.split(CHUNK)])


def disturbed(resident: Data, x: Tensor, rng: Generator) -> Tensor:
    """Data with noise on every number: as much as one grey level is from the next, or a STEP of their spread."""
    noise = torch.randn(x.shape, generator=rng, device=x.device)
    if resident.levels:
        return (x + 2 / (resident.levels - 1) * noise).clamp(-1, 1)
    return x + STEP * resident.test.x.std(0) * noise


def broken(evidence: Evidence) -> bool:
    """Whether a model of finite weights translated to what is no number."""
    made = (evidence.get(name) for name in ("draws", "back", "returned", "returned_after_noise"))
    return any(not bool(x.isfinite().all()) for x in made if x is not None)


def save(samples: Path, seed: int, resident: Data, evidence: Evidence) -> None:
    """Write what the report's pictures show: the first data, their translation, the true one and the way back."""
    if "source" not in evidence:
        return
    n = SHOWN[resident.levels > 0]
    named = {"source": "source", "translation": "fake", "truth": "target", "returned": "returned"}
    arrays = {name: evidence.get(key) for name, key in named.items()}
    kept = {name: None if x is None else resident.to_levels(x[:n]) for name, x in arrays.items()}
    draws, labels = evidence.get("draws"), evidence.get("source_labels")
    kept["draw"] = None if draws is None or not resident.levels else resident.to_levels(draws[-1][:n])
    kept["label"] = None if labels is None else labels[:n]
    atomic_write(samples / "translations" / f"{seed}.npz", packed(**kept, levels=resident.levels))

"""What a model is good for beside samples: holes in held-out images filled, and walks among the codes of held-out data.

Holes are filled by a model's own `inpaint`, or by its reconstructions in turn (`models.common.repair`), which are draws
where neither encoder nor decoder takes chance. Walks: straight lines between the codes of two images; for codes of two
numbers also a grid of them, as in Kingma, Welling, "Auto-Encoding Variational Bayes", 2013, arXiv:1312.6114, figure 4.
Departure: the inverse CDF that the grid is spaced by is that of a normal with the mean and the standard deviation of
held-out data's codes: the standard normal's where codes are distributed as such a prior, and as wide as any others are.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from benchmarks.metrics.common.damage import DAMAGE, DRAWS, HIT, IMAGES
from models.common.protocol import Encodes, Inpaints, Model
from models.common.repair import alternate
from pipeline.data import Data
from pipeline.evaluation.sampling import packed
from pipeline.evaluation.view import Evidence
from pipeline.files import atomic_write
from pipeline.seeds import seed_for

SHOWN = 6  # damaged images in a picture
WALKS, STEPS = 5, 8  # straight lines between codes, and codes on each, its ends included
CODES = 2000  # held-out data whose codes say where a grid lies
CELLS = 12  # codes in a row and in a column of a grid that is decoded to images
LINES, POINTS = 21, 200  # of a grid that is decoded to points: lines each way, and points on each
REACH = 0.025  # share of the normal outside of such a grid, at either end of a line


class Damaged(NamedTuple):
    """The first held-out images, and the same holes for every model and seed."""

    whole: Tensor  # (n, C, H, W)
    shown: Tensor  # (T, n, C, H, W), grey in the holes, black and white where salt and pepper fell
    hidden: Tensor  # (T, n, 1, H, W) bool


def damaged(benchmark: str, resident: Data) -> Damaged:
    """Every kind of damage in `benchmarks.metrics.inpainting`, by chance from the benchmark's name alone."""
    whole = resident.as_input(resident.test.x[:IMAGES])
    rng = Generator().manual_seed(seed_for("damage", benchmark))  # on the CPU, so that a GPU sees the same holes
    n, _, height, width = whole.shape
    masks = [MASKS[kind](n, height, width, rng).expand(n, height, width) for kind in DAMAGE]
    hidden = torch.stack(masks).unsqueeze(2).to(whole.device)  # (T, n, 1, H, W)
    put = torch.zeros(hidden.shape)
    salt = list(DAMAGE).index("salt_pepper")
    put[salt] = torch.randint(2, put[salt].shape, generator=rng) * 2.0 - 1
    return Damaged(whole, torch.where(hidden, put.to(whole), whole), hidden)


def centre(n: int, height: int, width: int, rng: Generator) -> Tensor:
    rows, columns = (
        (side // 4 <= torch.arange(side)) & (torch.arange(side) < side - side // 4) for side in (height, width)
    )
    return rows[:, None] & columns  # (H, W)


def lower_half(n: int, height: int, width: int, rng: Generator) -> Tensor:
    return (torch.arange(height) >= height // 2)[:, None]  # (H, 1)


def rectangle(n: int, height: int, width: int, rng: Generator) -> Tensor:
    return span(n, height, rng)[:, :, None] & span(n, width, rng)[:, None]  # (n, H, W)


def span(n: int, side: int, rng: Generator) -> Tensor:
    """For each of n images a quarter to three quarters of a side, anywhere: (n, side)"""
    length = torch.randint(-(-side // 4), 3 * side // 4 + 1, (n, 1), generator=rng)
    first = (torch.rand(n, 1, generator=rng) * (side - length + 1)).long()
    place = torch.arange(side)
    return (first <= place) & (place < first + length)


def salt_pepper(n: int, height: int, width: int, rng: Generator) -> Tensor:
    return torch.rand(n, height, width, generator=rng) < HIT  # (n, H, W)


MASKS = {"centre": centre, "lower_half": lower_half, "rectangle": rectangle, "salt_pepper": salt_pepper}


def fills(model: Model, damage: Damaged, rng: Generator) -> Tensor | None:
    """(T, DRAWS, n, C, H, W), NaN where a model does not fill such holes; None where it fills none at all."""
    if isinstance(model, Inpaints):
        fill = model.inpaint
    elif isinstance(model, Encodes):
        fill = partial(alternate, model.reconstruct)
    else:
        return None
    return torch.stack([drawn(fill, x, hidden, rng) for x, hidden in zip(damage.shown, damage.hidden, strict=True)])


def drawn(fill: Callable[[Tensor, Tensor, Generator], Tensor], x: Tensor, hidden: Tensor, rng: Generator) -> Tensor:
    """(n, C, H, W), (n, 1, H, W) -> (DRAWS, n, C, H, W)"""
    try:
        filled = fill(x.repeat(DRAWS, 1, 1, 1), ~hidden.repeat(DRAWS, 1, 1, 1), rng)
    except ValueError as error:
        if "mask" not in str(error):
            raise
        return torch.full_like(x, torch.nan).repeat(DRAWS, 1, 1, 1, 1)
    filled = torch.where(filled.isnan(), torch.inf, filled)  # the model is broken; NaN says that it does not fit
    return filled.unflatten(0, (DRAWS, -1))


def inpainted(model: Model, benchmark: str, resident: Data, rng: Generator) -> Evidence:
    """Evidence of `inpainting`, and the damaged images; nothing for points and for models that fill no holes."""
    if len(resident.spec.shape) != 3:
        return {}
    damage = damaged(benchmark, resident)
    filled = fills(model, damage, rng)
    return {} if filled is None else {**damage._asdict(), "filled": filled}


def walks(model: Model, resident: Data) -> dict[str, Tensor]:
    """What the pictures of a model's codes show; nothing where it has none, or none that can be drawn, as of
    clips.

    Images: `ends` (WALKS, 2, C, H, W), `walk` (WALKS, STEPS, C, H, W) and, of codes of two numbers, `grid` (CELLS,
    CELLS, C, H, W), the first number growing to the right, the second upwards. Points in the plane with codes of two
    numbers: `lines` (2, LINES, POINTS, 2), along the first number and along the second.
    """
    if not isinstance(model, Encodes) or len(resident.spec.shape) == 4:
        return {}
    x = resident.as_input(resident.test.x[:CODES])
    some = model.encode(x[: 2 * WALKS])  # (2 * WALKS, latent)
    codes = model.encode(x) if some.shape[1] == 2 else None  # (CODES, 2)
    if x.dim() == 2:
        return {} if codes is None or x.shape[1] != 2 else {"lines": decoded(model, lines(codes))}
    share = torch.linspace(0, 1, STEPS).to(some)[:, None]
    start, end = some[:WALKS, None], some[WALKS:, None]  # (WALKS, 1, latent)
    found = {
        "ends": torch.stack([x[:WALKS], x[WALKS : 2 * WALKS]], 1),
        "walk": decoded(model, start + share * (end - start)),  # (WALKS, STEPS, latent)
    }
    if codes is not None:
        found["grid"] = decoded(model, cells(codes))
    return {name: resident.to_levels(images) for name, images in found.items()}


def decoded(model: Encodes, z: Tensor) -> Tensor:
    """(..., latent) -> (..., *shape)"""
    return model.decode(z.flatten(0, -2)).unflatten(0, z.shape[:-1])


def cells(codes: Tensor) -> Tensor:
    """Codes in the middle of cells that hold equal shares of each number: (CELLS, CELLS, 2)"""
    across, up = at(codes, (torch.arange(CELLS) + 0.5) / CELLS)
    return torch.stack(torch.meshgrid(across, up.flip(0), indexing="xy"), 2)


def lines(codes: Tensor) -> Tensor:
    """Codes along lines of a grid, the first number running, then the second: (2, LINES, POINTS, 2)"""
    coarse, fine = (at(codes, torch.linspace(REACH, 1 - REACH, count)) for count in (LINES, POINTS))
    along = torch.stack(torch.meshgrid(fine[0], coarse[1], indexing="xy"), 2)  # (LINES, POINTS, 2)
    across = torch.stack(torch.meshgrid(coarse[0], fine[1], indexing="ij"), 2)
    return torch.stack([along, across])


def at(codes: Tensor, shares: Tensor) -> Tensor:
    """Quantiles of normals like each number of the codes: (n, latent), (k,) -> (latent, k)"""
    return codes.mean(0)[:, None] + codes.std(0)[:, None] * torch.special.ndtri(shares.to(codes))


def save(samples: Path, seed: int, resident: Data, evidence: Evidence) -> None:
    """Write what the report's pictures show, in folders beside the samples."""
    if "filled" in evidence and not evidence["filled"].isnan().all():
        filled = evidence["filled"][:, :, :SHOWN]
        arrays = {
            "whole": evidence["whole"][:SHOWN],  # (k, C, H, W)
            "damaged": evidence["shown"][:, :SHOWN],  # (T, k, C, H, W)
            "mean": filled.mean(1),  # (T, k, C, H, W)
            "draw": filled[:, 0],  # (T, k, C, H, W)
        }
        content: dict[str, Any] = {name: resident.to_levels(x) for name, x in arrays.items()}
        fits = ~filled.isnan().flatten(1).all(1)  # (T,)
        names = [name for name, _ in DAMAGE.values()]
        content |= {"fits": fits, "damage": np.array(names), "levels": resident.levels}
        atomic_write(samples / "fills" / f"{seed}.npz", packed(**content))
    if walked := evidence.get("walks"):
        atomic_write(samples / "walks" / f"{seed}.npz", packed(**walked, levels=resident.levels))

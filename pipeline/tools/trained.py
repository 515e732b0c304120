"""A trained model for one's own code: `from pipeline.trained import load`, in the project's folder.

    gan = load("digits", "cgan")
    x = gan.sample(16, given=7)

docs/results.md shows more.
"""

import operator
from contextlib import suppress
from dataclasses import dataclass
from typing import SupportsIndex

import torch
from torch import Generator, Tensor

import models
from models.common.protocol import Model
from pipeline import data, params
from pipeline.cell import Cell, data_file
from pipeline.data import Data
from pipeline.evaluation.sampling import asked, generate
from pipeline.tensors import load_tensors
from pipeline.tools.add import making
from pipeline.work.sound import explained

WORDS = ("label", "caption")  # what a model is given as whole numbers


@dataclass(frozen=True)
class Trained:
    """One seed of a model that was trained here, and the data that it was trained on."""

    model: Model
    data: Data
    benchmark: str
    name: str
    seed: int

    @torch.no_grad()
    def sample(self, n: int, given: Tensor | int | None = None, seed: int = 0) -> Tensor:
        """``n`` samples in the form of the data: images (n, C, H, W) of uint8 levels, points (n, D) of float32.

        What a conditional model is ``given`` (`model.given` says what) is one label for all, or a tensor of n: labels,
        or images, partners, clips as `data.as_input` makes them. Left out, it is drawn as in evaluation.
        """
        whole("n", n, 1)
        device = self.data.train.x.device
        rng = Generator(device).manual_seed(whole("seed", seed, 0))
        if self.model.given == "nothing" and given is not None:
            raise ValueError(f"{self.name} is given nothing: leave `given` out")
        known = asked(self.model, self.data, n, rng) if given is None else self.told(n, given).to(device)
        return self.data.to_levels(generate(self.model, n, known, rng))

    def told(self, n: int, given: Tensor | int) -> Tensor:
        """What the model is given, one for each sample."""
        if isinstance(given, int):
            if self.model.given != "label":
                raise ValueError(f"{self.name} is given a {self.model.given}: give a tensor with one for each sample")
            given = torch.full((n,), given)
        if len(given) != n:
            raise ValueError(f"given has {len(given)} entries for {n} samples; give {n}")
        if self.model.given == "label" and not 0 <= int(given.min()) <= int(given.max()) < self.data.classes:
            raise ValueError(f"labels are 0 to {self.data.classes - 1}, not {given.min()} to {given.max()}")
        return given.long() if self.model.given in WORDS else given


def whole(name: str, value: SupportsIndex, least: int) -> int:
    """``value``, if it is a whole number that is no smaller than ``least``."""
    with suppress(TypeError):
        if (number := operator.index(value)) >= least:
            return number
    raise ValueError(f"{name} is {value!r}: give a whole number, {least} or more")


def load(benchmark: str, model: str, seed: int = 0) -> Trained:
    """A seed of a model as training left it. Raises ValueError or OSError, one line, where it was not trained here."""
    found, seed = params.load().benchmark(benchmark), whole("seed", seed, 0)
    cell = Cell(benchmark, params.known(model, list(found.models), f"{found.kind}.models", "model"))
    first = f"run {making(benchmark, f'train@{model}')} first"
    file = cell.weights / f"{seed}.pt"
    if not file.exists():
        there = ", ".join(sorted(path.stem for path in cell.weights.glob("*.pt")))
        what = f"seed {seed} of {cell.name}" if there else cell.name
        raise FileNotFoundError(f"{what} was not trained here: " + (f"there are seeds {there}" if there else first))
    with explained(data_file(benchmark), file):
        resident = data.load(data_file(benchmark), data.chosen_device())
        trained = load_tensors(file, resident.train.x.device)
        status, step, state = trained["status"], trained["step"], trained["state"]
    if status != "finished":
        raise ValueError(f"seed {seed} of {cell.name} diverged at step {step}: choose another seed")
    built = models.build(found.models[model].model, resident.spec, found.models[model].settings)
    built.to(resident.train.x.device)
    try:
        built.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError):
        raise ValueError(f"{file} is of other code or settings than are here now: {first}") from None
    return Trained(built.eval(), resident, benchmark, model, seed)

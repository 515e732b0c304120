"""What a model is given, what it gives back, and what it may be asked for.

A model is an `nn.Module` named `Model` in a file of its own. Nobody inherits from the protocols below: they say in
one place which methods the engine and the evaluator call. B is a batch, `shape` is `spec.shape`. A method that takes
no moves runs in eval mode without gradients, on as many data at once as its caller finds to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, Self, runtime_checkable

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer


class Spec(NamedTuple):
    """All that a model learns about the data."""

    shape: tuple[int, ...]  # (D,) points, (C, H, W) images, or (T, C, H, W) clips
    classes: int = 0  # 0: unlabelled
    levels: int = 0  # grey levels likelihoods are stated for; 0: continuous
    partner: tuple[int, ...] = ()  # the shape of the domain that data are translated from; (): there is none
    seen: int = 0  # frames of a clip that are given, its first; 0: none
    words: int = 0  # in the vocabulary of captions, with 0, which is no word but fills up; 0: no captions


class Batch(NamedTuple):
    """One batch on the model's device. Level k of L reaches a model as 2k/(L-1) - 1."""

    x: Tensor  # (B, *shape) float32; images in [-1, 1]
    label: Tensor | None = None  # (B,) int64 in 0..classes-1
    step: Tensor | None = None  # () int64, the number of the step; None after training
    partner: Tensor | None = None  # (B, *partner) of the other domain: what x is the translation of, or of other data
    caption: Tensor | None = None  # (B, L) int64 in 0..words-1, a word each; 0 after the last


Losses = dict[str, Tensor]  # player -> scalar that this player's parameters are moved to lessen
Move = Callable[[Batch], Losses]


class Variant(Protocol):
    """What every model has."""

    given: Literal["nothing", "label", "image", "partner", "clip", "caption"]  # what sample() is conditioned on

    def __init__(self, spec: Spec, **settings: Any) -> None:
        """Settings are `*, name: type = default, ...`. Raises ValueError for data or values that do not fit it."""
        ...

    def optimizers(self) -> dict[str, Optimizer]:
        """One optimizer a player, over this player's parameters, made by `models.common.optimizers` once the model is
        on its device. Asked again, it makes new ones, which know nothing of the first."""
        ...

    def moves(self, step: int) -> Sequence[Move]:
        """Who moves in step 0, 1, 2, ..., in order; a later move sees the weights an earlier one moved.

        Bound methods of the model and nothing else: the tuple of them is the pattern of the step, equal for steps
        with the same moves, and on a GPU all steps of a pattern are replays of one recording. So a move reads no
        value back, branches on none, and takes what changes over time from `batch.step`.
        """
        ...

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        """(n, *shape) draws, images in [-1, 1], all chance from rng.

        given: (n,) labels, (n, *shape) images to complete, (n, *partner) data to translate, (n, seen, C, H, W) the
        frames that clips begin with, or (n, L) captions.
        """
        ...


class Model(Variant, Protocol):
    """A variant, and what of its being an `nn.Module` the engine and the evaluator call."""

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def buffers(self) -> Iterator[Tensor]: ...

    def to(self, device: torch.device, *, memory_format: torch.memory_format = ...) -> Self: ...

    def train(self) -> Self: ...

    def eval(self) -> Self: ...

    def state_dict(self) -> dict[str, Tensor]: ...

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> object: ...


@runtime_checkable
class Supervised(Protocol):
    """Is shown pairs: `Batch.partner` is what x is the translation of. Other models see partners of other data."""

    needs: Literal["pairs"]


@runtime_checkable
class Constrains(Protocol):
    """Projects its parameters back to where they are allowed after every optimizer step."""

    def constrain(self) -> None: ...


@runtime_checkable
class Finishes(Protocol):
    """Fits what its players do not learn (a density of codes, a prior) once after the last step."""

    def finish(self, batches: Iterable[Batch]) -> None:
        """batches: the training set once; the model is in eval mode, no gradients."""
        ...


@runtime_checkable
class Watched(Protocol):
    """Lets be seen, beside the losses, what a move computed on its way: drawn as curves, averaged over a window."""

    watched: dict[str, Tensor]  # name -> scalar; every move assigns it anew, empty where it has nothing to show


@runtime_checkable
class HasLikelihood(Protocol):
    """Scores data in nats: discrete pixels where spec.levels > 0, else a density."""

    bound: bool  # True: a lower bound
    estimator: str  # for example "exact", "IWAE-50"

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B,) nats, summed over the dimensions of one datum; the same x gives the same answer."""
        ...


@runtime_checkable
class ScoresPixels(Protocol):
    """Says of a likelihood what each pixel adds to it, given those before it."""

    def pixel_nats(self, x: Tensor, *label: Tensor) -> Tensor:
        """(B, C, H, W), and where `given` is "label" (B,) labels -> (B, C, H, W) nats"""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Has a code for every datum, and a datum for every code."""

    def encode(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B, latent)"""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """(B, latent) -> (B, *shape)"""
        ...

    def reconstruct(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B, *shape)"""
        ...


@runtime_checkable
class HasRate(Protocol):
    """Has a bound of two terms (Alemi et al., "Fixing a Broken ELBO", 2018, arXiv:1711.00464)."""

    def rate_distortion(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, *shape) -> KL(q(z | x) | p(z)) and -log p(x | z), (B,) nats each; the same x gives the same answer."""
        ...


@runtime_checkable
class Inpaints(Protocol):
    """Fills holes in images. A model that only encodes and decodes, both without chance, has them filled by
    `models.common.repair`."""

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        """One draw: (B, C, H, W), with anything in the holes, and mask (B, 1, H, W) bool, True where a pixel is
        observed -> (B, C, H, W), equal to x there. Raises ValueError for a mask that does not fit."""
        ...


@runtime_checkable
class Completes(Protocol):
    """Is made for one task: the hidden part of an image given the part it sees. Its `given` is "image"."""

    task: str  # for example "1 of 4 quadrants seen"
    conditional_estimator: str  # for example "importance sampling, 100 draws"

    def conditional_log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,) nats of the hidden part given the seen one; the same x gives the same answer."""
        ...


@runtime_checkable
class Samples(Protocol):
    """Asks its net more than once for a sample."""

    evaluations: int  # how often, for one sample; of models that do not say it is once


@runtime_checkable
class Sweeps(Protocol):
    """Has samples made in several ways: keywords of its `sample`, None by default, and the values that are tried of
    each, such as `{"evaluations": (1, 2, 4, 8), "guidance": (0, 1, 3)}`."""

    sweeps: Mapping[str, Sequence[float]]


@runtime_checkable
class TranslatesBack(Protocol):
    """Maps data of its own domain to the one that `sample` translates from."""

    def translate_back(self, x: Tensor, rng: Generator) -> Tensor:
        """(B, *shape) -> (B, *partner), one draw"""
        ...


@runtime_checkable
class EstimatesDivergence(Protocol):
    """Has a critic whose objective estimates a divergence of data and samples."""

    divergence: str  # "W1" | "KL" (data || samples) | "reverse KL" | "JS" | ... in nats, or in units of the data

    def estimate(self, real: Tensor, fake: Tensor) -> Tensor:
        """(n, *shape), (n, *shape) -> () the estimate, as the critic stands"""
        ...

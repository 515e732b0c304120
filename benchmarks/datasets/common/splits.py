"""What a data set gives: three parts, and for synthetic points the truth that they were drawn from."""

import hashlib
import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor


class Split(NamedTuple):
    """Data with their labels, row by row."""

    x: Tensor  # (N, D) float32 points, (N, C, H, W) images or (N, T, C, H, W) clips as uint8 levels 0..levels-1
    label: Tensor | None = None  # (N,) int64 in 0..classes-1, or (N, C): one a channel; of test also the partners'
    partner: Tensor | None = None  # (M, *partner) of the domain that is translated from, stored as x is
    caption: Tensor | None = None  # (N, L) int64, words by their place in the vocabulary; 0 after the last
    again: Tensor | None = None  # (N, *shape) another true translation of each partner, where it has more than one

    @property
    def labels(self) -> Tensor:
        """The label, where there has to be one."""
        if self.label is None:
            raise ValueError("the data have no labels: choose data that have, or leave out what asks for them")
        return self.label


class Truth(NamedTuple):
    """A mixture of isotropic Gaussians of equal width."""

    centres: Tensor  # (K, D) float32
    sigma: float
    weights: Tensor | None = None  # (K,) shares, which add up to 1; None: equal ones

    @property
    def shares(self) -> Tensor:
        """(K,) float64"""
        modes = len(self.centres)
        return torch.full((modes,), 1 / modes, dtype=torch.float64) if self.weights is None else self.weights.double()

    def log_density(self, x: Tensor) -> Tensor:
        """Nats, in the precision of x: log sum_k share_k N(x; centre_k, sigma^2 I)."""
        dims = self.centres.shape[1]
        # The faster way through a matrix product loses, far from the origin, the digits that matter here.
        distance = torch.cdist(x, self.centres.to(x), compute_mode="donot_use_mm_for_euclid_dist")  # (N, D) -> (N, K)
        exponents = self.shares.log().to(x) - (distance / self.sigma).square() / 2
        return exponents.logsumexp(dim=1) - dims * math.log(self.sigma * math.sqrt(2 * math.pi))

    def sample(self, n: int, rng: Generator) -> Split:
        """n fresh points, labelled with the index of their mode."""
        modes, dims = self.centres.shape
        if self.weights is None:
            mode = torch.randint(modes, (n,), generator=rng, device=rng.device)
        else:
            mode = self.weights.to(rng.device).multinomial(n, replacement=True, generator=rng)
        noise = torch.randn(n, dims, generator=rng, device=rng.device)
        return Split(self.centres.to(rng.device)[mode] + self.sigma * noise, mode)


class Splits(NamedTuple):
    """A data set in three parts."""

    train: Split  # what models and the judge learn from
    validation: Split  # what is chosen, is chosen on it
    test: Split  # what every reported number is of
    classes: int = 0  # of an image, or of a channel; 0: unlabelled
    levels: int = 0  # grey levels of an image; 0: points
    truth: Truth | None = None
    paired: bool = False  # whether each datum is the true translation of its partner
    seen: int = 0  # frames of a clip that are given, its first
    speed: int = 0  # of one thing in each clip that moves by the law in `bouncing`; 0: they move otherwise
    vocabulary: tuple[str, ...] = ()  # the words of captions; the first is "", which fills up

    @property
    def parts(self) -> tuple[Split, Split, Split]:
        return self.train, self.validation, self.test


def aside(split: Split, n: int) -> tuple[Split, Split]:
    """All but the last ``n``, and these."""
    return Split(split.x[:-n], split.labels[:-n]), Split(split.x[-n:], split.labels[-n:])


PARTS = ("train", "validation", "test")


def chance(part: str, seed: int) -> Generator:
    """Each part's own, so that none depends on how large another is."""
    digest = hashlib.sha256(f"{part}/{seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def drawn_from(truth: Truth, sizes: tuple[int, int, int], seed: int) -> Splits:
    """Points of a known density, labelled by mode; ``sizes`` are those of the PARTS."""
    train, validation, test = (truth.sample(size, chance(part, seed)) for part, size in zip(PARTS, sizes, strict=True))
    return Splits(train, validation, test, classes=len(truth.centres), truth=truth)

"""The kernel density estimate: a Gaussian around every training datum, as wide as left-out data ask for.

Parzen, "On Estimation of a Probability Density Function and Mode", The Annals of Mathematical Statistics 33, 1962
(doi:10.1214/aoms/1177704472). The bandwidth is the one of `BANDWIDTHS`, times the data's standard deviation, by
which a tenth of the training data, left out, is likeliest.

Departure: his is of one dimension; here kernels are isotropic. Of images the kernel is discretised to the levels, as
p(x | z) of a VAE is: it has a probability, and a sample is a training image with its pixels blurred. At most `STORED`
data are kept, drawn at random. It has no players and takes no steps. Holes are filled from the training image that is
nearest in what is observed: the baseline of inpainting, and no draw.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, likelihoods
from models.common.pixels import from_levels, to_levels
from models.common.protocol import Batch, Move, Spec
from models.common.repair import check_mask

STORED = 10_000
BANDWIDTHS = torch.logspace(-10, 1, 23, base=2)  # half octaves
PAIRS = 2**20  # of which a kernel is computed at once: few enough to stay in a cache
NUMBERS = 2**24  # of a matrix


class Model(nn.Module):
    given = "nothing"
    bound = False
    estimator = "exact"

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        check.still(spec)
        self.levels = spec.levels
        self.kernel = likelihoods.gaussian(spec).requires_grad_(False)
        self.data: Tensor = nn.Buffer(torch.zeros(1, *spec.shape), persistent=False)  # (M, *shape), M unknown so far

    def get_extra_state(self) -> Tensor:
        return self.data

    def set_extra_state(self, state: Tensor) -> None:
        self.data = state.to(self.data)

    def optimizers(self) -> dict[str, Optimizer]:
        return {}

    def moves(self, step: int) -> Sequence[Move]:
        return []

    def finish(self, batches: Iterable[Batch]) -> None:
        x = torch.cat([batch.x for batch in batches])
        x = x[torch.randperm(len(x))[:STORED].to(x.device)]
        left_out = math.ceil(len(x) / 10)
        self.data = x[left_out:]
        tried = {}
        for log_scale in (BANDWIDTHS * x.std().cpu()).log():
            self.kernel.set_scale(log_scale)
            tried[log_scale] = self.log_prob(x[:left_out]).mean().item()
        self.kernel.set_scale(max(tried, key=tried.__getitem__))
        self.data = x

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, *shape) -> (B,) nats: log 1/M sum_i K(x; x_i)"""
        log_kernel = self.log_kernel_of_pixels if self.levels else self.log_kernel_of_points
        parts = x.split(max(1, PAIRS // len(self.data)))
        return torch.cat([log_kernel(part).logsumexp(1) for part in parts]) - math.log(len(self.data))

    def log_kernel_of_points(self, x: Tensor) -> Tensor:
        """(B, D) -> (B, M)"""
        distance = torch.cdist(x, self.data, compute_mode="donot_use_mm_for_euclid_dist") / self.kernel.log_scale.exp()
        return -0.5 * distance.square() - x.shape[1] * (self.kernel.log_scale + 0.5 * math.log(2 * math.pi))

    def log_kernel_of_pixels(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, M). A pixel's nats depend on two levels: they are computed once for each two levels, and
        added up over P pixels by a matrix product."""
        value = from_levels(torch.arange(self.levels, device=x.device), self.levels, like=x)
        table = self.kernel.log_prob(*torch.cartesian_prod(value, value).split(1, 1)).view(self.levels, -1)
        level, of_data = (to_levels(part, self.levels).flatten(1) for part in (x, self.data))  # (B, P), (M, P)
        one_hot = F.one_hot(level, self.levels).to(x.dtype).flatten(1)  # (B, P * L)
        parts = of_data.split(max(1, NUMBERS // one_hot.shape[1]))
        return torch.cat([one_hot @ table.T[part].flatten(1).T for part in parts], 1)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        chosen = torch.randint(len(self.data), (n,), generator=rng, device=rng.device)
        return self.kernel.draw(self.data[chosen], rng)

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        check_mask(x, mask)
        seen, observed = (part.expand_as(x).flatten(1).to(x.dtype) for part in (torch.where(mask, x, 0), mask))
        data = self.data.flatten(1)  # (M, P)
        distance = observed @ data.square().T - 2 * seen @ data.T  # (B, M) squared, less what depends on x alone
        return torch.where(mask, x, self.data[distance.argmin(1)])

"""The conditional variational autoencoder of structured outputs: the hidden quadrants of an image, given the others.

Sohn, Lee, Yan, "Learning Structured Output Representation using Deep Conditional Generative Models", NeurIPS 2015: the
bound is equation 5, importance sampling 7, the GSNN 8, the hybrid 9; recurrent connection: section 4. x are the pixels
seen: one quadrant is the lower left, two the left half, three all but the lower right. Nets: DCGAN's, arXiv:1511.06434.

Departure: in the generation net features of x enter beside z, and p(y | x, z) follows the data's levels. The baseline's
first guess stands for y before it and the prior net; it is trained beside them, not before, and on the half of the data
that it is not asked about: asked about its own, it was trusted too far (on `digits` with half seen, 37.2 nats of what
is hidden in training and 47.6 of held-out images; now 38.5 and 43.1). No noise in x; one scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, optimizers
from models.common.codes import DECODED_AT_ONCE, Code, importance_weighted
from models.common.generation import Baseline, Generation
from models.common.nets import Form, encoder
from models.common.protocol import Batch, Losses, Move, Spec


def seen_quadrants(spec: Spec, quadrants: int) -> Tensor:
    """(H, W), True where pixels are seen"""
    if quadrants not in (1, 2, 3):
        raise ValueError(f"quadrants = {quadrants}: must be 1, 2 or 3, the number of quadrants seen")
    if len(spec.shape) != 3 or spec.shape[1] % 2 or spec.shape[2] % 2:
        raise ValueError(f"quadrants are of images with even sides, the data are of shape {spec.shape}: pad or resize")
    halves = (torch.arange(side, device="cpu") < side // 2 for side in spec.shape[1:])  # looked into, so never on meta
    upper, left = torch.meshgrid(*halves, indexing="ij")
    return (left & ~upper, left, left | upper)[quadrants - 1]


def divergence(q: Code, p: Code) -> Tensor:
    """KL(q | p), (B,) nats: in the units in which p is N(0, I)"""
    return Code((q.mean - p.mean) * (-0.5 * p.log_variance).exp(), q.log_variance - p.log_variance).kl()


class Model(nn.Module):
    given = "image"

    def __init__(
        self,
        spec: Spec,
        *,
        quadrants: int = 1,
        recurrent: bool = True,
        alpha: float = 1.0,
        latent: int = 16,
        importance: int = 100,
        lr: float = 1e-3,
        nets: Form = "house",
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent, importance=importance)
        check.positive(lr=lr)
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha = {alpha}: must lie in [0, 1], the share of the CVAE's bound in the objective")
        self.seen = nn.Buffer(seen_quadrants(spec, quadrants), persistent=False)  # (H, W)
        coder = partial(encoder, spec, 2 * latent, width=width, depth=depth, nets=nets)
        generation = partial(Generation, spec, self.seen, width=width, depth=depth, nets=nets, lr=lr)
        self.recognition, self.prior = coder(), coder()
        self.generation = generation(latent)
        self.baseline = Baseline(partial(generation, 0), spec.levels) if recurrent else None
        self.alpha, self.importance, self.lr = alpha, importance, lr
        self.task = f"{quadrants} of 4 quadrants seen"
        drawn = "importance sampling" if alpha else "Monte Carlo"
        self.conditional_estimator = f"{drawn}, {importance} draws, a lower bound"
        self.watched: dict[str, Tensor] = {}

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"model": nn.ModuleList([self.recognition, self.prior, self.generation]), "baseline": self.baseline}
        return {name: optimizers.adam(net.parameters(), self.lr) for name, net in players.items() if net}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.baseline_move, self.hybrid_move] if self.baseline else [self.hybrid_move]

    def baseline_move(self, batch: Batch) -> Losses:
        assert self.baseline  # or it would not move
        self.watched = {}
        x = torch.where(self.seen, batch.x, 0.0)
        return {"baseline": -self.baseline.log_prob(batch.x, x).mean()}

    def hybrid_move(self, batch: Batch) -> Losses:
        features, prior = self.condition(batch.x)
        self.watched, bound, gsnn = {}, *features.new_zeros(2)  # () nats each
        if self.alpha > 0:
            code = self.posterior(batch.x, prior)
            distortion, rate = self.distortion(batch.x, features, code), divergence(code, prior).mean()
            self.watched |= {"reconstruction": distortion, "KL": rate}
            bound = distortion + rate
        if self.alpha < 1:
            self.watched["GSNN"] = gsnn = self.distortion(batch.x, features, prior)
        return {"model": self.alpha * bound + (1 - self.alpha) * gsnn}

    def condition(self, image: Tensor) -> tuple[Tensor, Code]:
        """What follows from the seen pixels alone: (B, C, H, W) -> features (B, width), p(z | x) (B, latent) each"""
        x = torch.where(self.seen, image, 0.0)
        if self.baseline:
            with torch.no_grad():
                x = torch.where(self.seen, x, self.baseline(x))
        return self.generation.sight(x), Code(*self.prior(x).chunk(2, dim=1))

    def posterior(self, image: Tensor, prior: Code) -> Code:  # q(z | x, y), in a GSNN p(z | x)
        return Code(*self.recognition(image).chunk(2, dim=1)) if self.alpha else prior

    def distortion(self, image: Tensor, features: Tensor, code: Code) -> Tensor:  # () nats, one draw of z a datum
        return -self.generation.log_prob(image, features, code.draw()).mean()

    def conditional_log_prob(self, x: Tensor) -> Tensor:
        rng = Generator(x.device).manual_seed(0)  # (B, C, H, W) -> (B,) nats
        chunks = x.split(max(1, DECODED_AT_ONCE // self.importance))
        return torch.cat([self.importance_bound(chunk, self.importance, rng) for chunk in chunks])

    def importance_bound(self, image: Tensor, k: int, rng: Generator) -> Tensor:
        """log 1/k sum p(y | x, z) p(z | x) / q(z | x, y) over k draws of z from q: (B, C, H, W) -> (B,)"""
        features, prior = self.condition(image)
        given_z = partial(self.generation.log_prob, *(part.repeat_interleave(k, 0) for part in (image, features)))
        code = self.posterior(image, prior)
        return importance_weighted(given_z, code, k, rng, log_prior=prior.repeated(k).log_prob)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        if given is None or len(given) != n:
            raise ValueError(f"{n} samples of structured_cvae need {n} images to complete: give one for each")
        features, prior = self.condition(given)
        return torch.where(self.seen, given, self.generation.mean(features, prior.draw(rng)))  # (n, C, H, W)

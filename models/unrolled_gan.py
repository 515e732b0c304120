"""The unrolled GAN: the generator is moved against the critic as it will be after some more steps.

Metz, Poole, Pfau, Sohl-Dickstein, "Unrolled Generative Adversarial Networks", 2016, arXiv:1611.02163: surrogate loss
of equation 9 with the update of equation 10. Like there (sections 2.2 and 3), the critic's steps are Adam's and all on
one minibatch of data and samples. They go on from where the critic's own optimizer stands, and the generator's
gradient goes back through them (equation 12). With unrolling = 0 it is `gan` with the same loss. The published
demonstration (github.com/poolio/unrolled_gan) has 5 steps, lr 1e-3 and critic_lr 1e-4 on a ring.

Departure: the nets and Adam settings of DCGAN (arXiv:1511.06434); 5 steps where the paper's figure 1 has 10;
`non_saturating`, the loss of Goodfellow et al. (2014, section 3) at the unrolled critic, is not the paper's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from models.common import check, losses
from models.common.nets import decoder, scorer
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec

Weights = dict[str, Tensor]
MOMENTS = ("exp_avg", "exp_avg_sq")  # torch's names for them


class Model(nn.Module):
    given = "nothing"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 100,
        unrolling: int = 5,
        loss: Literal["minimax", "non_saturating"] = "minimax",
        lr: float = 2e-4,
        critic_lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.at_least(1, latent=latent)
        check.at_least(0, unrolling=unrolling)
        check.positive(lr=lr, critic_lr=critic_lr)
        check.decay(beta1=beta1, beta2=beta2)
        check.one_of(("minimax", "non_saturating"), loss=loss)
        self.latent, self.unrolling, self.loss = latent, unrolling, loss
        self.lr, self.critic_lr, self.betas = lr, critic_lr, (beta1, beta2)
        self.generator = decoder(spec, latent, width=width, depth=depth)
        self.critic = scorer(spec, width=width, depth=depth, gradient_in_loss=True)
        self.critic_adam: Optimizer | None = None  # that moved the critic last

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": (self.generator, self.lr), "critic": (self.critic, self.critic_lr)}
        found = {name: adam(net.parameters(), lr, self.betas) for name, (net, lr) in players.items()}
        found["critic"].register_step_post_hook(self.follow)
        return found

    def follow(self, optimizer: Optimizer, *_: object) -> None:
        self.critic_adam = optimizer  # `unrolled` goes on from where it stands, and never moves it

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move, self.generator_move]

    def critic_move(self, batch: Batch) -> Losses:
        with torch.no_grad():
            fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        return {"critic": self.classification(dict(self.critic.named_parameters()), batch.x, fake)}

    def generator_move(self, batch: Batch) -> Losses:
        fake = self.generator(noise(len(batch.x), self.latent, batch.x))  # (B, latent) -> (B, *shape)
        critic = self.unrolled(batch.x, fake)
        if self.loss == "minimax":
            return {"generator": -self.classification(critic, batch.x, fake)}
        return {"generator": losses.non_saturating(functional_call(self.critic, critic, fake))}

    def classification(self, critic: Weights, real: Tensor, fake: Tensor) -> Tensor:
        on_real, on_fake = functional_call(self.critic, critic, torch.cat([real, fake])).chunk(2)  # one pass: (2B,)
        return losses.classification(on_real, on_fake)

    def unrolled(self, real: Tensor, fake: Tensor) -> Weights:
        """The critic's weights after `unrolling` steps of Adam, as functions of fake."""
        weights: Weights = dict(self.critic.named_parameters())
        states = [self.critic_adam.state[weight] for weight in weights.values()] if self.critic_adam else []
        flat = joined(weights.values())  # one vector of all: ten small operations a step and not ten a layer
        first, second = (joined(s[key] for s in states) if states else torch.zeros_like(flat) for key in MOMENTS)
        taken = states[0]["step"].double() if states else 0  # a tensor: to read it would make a GPU wait
        for ahead in range(1, self.unrolling + 1):
            loss = self.classification(weights, real, fake)
            slope = joined(torch.autograd.grad(loss, list(weights.values()), create_graph=True))
            first = torch.lerp(slope, first, self.betas[0])
            second = torch.lerp(slope.square(), second, self.betas[1])
            flat = self.adam(flat, first, second, taken + ahead)
            parts = flat.split([weight.numel() for weight in weights.values()])
            weights = {name: part.view_as(weights[name]) for name, part in zip(weights, parts, strict=True)}
        return weights

    def adam(self, weight: Tensor, first: Tensor, second: Tensor, step: Tensor | int) -> Tensor:
        """The next value by the moments. The root of a zero, of a unit that never fired, has no gradient."""
        lr = self.critic_adam.param_groups[0]["lr"] if self.critic_adam else self.critic_lr
        root = (second / (1 - self.betas[1] ** step)).clamp(min=1e-30).sqrt()
        return weight - lr / (1 - self.betas[0] ** step) * first / (root + 1e-8)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.generator(noise(n, self.latent, next(self.parameters()), rng))  # (n, latent) -> (n, *shape)


def joined(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])

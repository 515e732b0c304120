"""UNIT: two VAEs that share their code, and a critic of each domain; a translation is encoded in one, decoded in the
other.

Liu, Breuel, Kautz, "Unsupervised Image-to-Image Translation Networks", 2017, arXiv:1703.00848, equations 3 to 7 and
table of weights in section 4, divided by lambda_0 = 10: the code is N(mean, I), the likelihoods are Laplacian, critics
move first. The last layer of both encoders is one, and so is the first of both decoders.

Departure: the house nets, whose code is a vector and no map, and critics of small patches; divergence and likelihoods
are means over numbers, not sums. The divergence of a datum's own code counts once, as in the authors' code; the paper's
cycle term has it again. Sampled is what training sees: a translation of a draw of the code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, losses
from models.common.nets import Net, decoder, encoder
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec
from models.common.translators import critic

WAYS = (("partner", "x"), ("x", "partner"))  # from one domain to the other


class Model(nn.Module):
    given = "partner"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 64,
        kl: float = 0.01,
        reconstruction: float = 10.0,
        cycle: float = 10.0,
        lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check.partner(spec, model="unit")
        check.at_least(1, latent=latent)
        check.at_least(0, kl=kl, reconstruction=reconstruction, cycle=cycle)
        check.positive(lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
        self.latent, self.lr, self.betas = latent, lr, (beta1, beta2)
        self.kl, self.reconstruction, self.cycle = kl, reconstruction, cycle
        domains = {"x": spec, "partner": spec._replace(shape=spec.partner)}
        encoders = {domain: encoder(of, width, width=width, depth=depth) for domain, of in domains.items()}
        decoders = {domain: decoder(of, width, width=width, depth=depth) for domain, of in domains.items()}
        self.encoders, self.decoders = nn.ModuleDict(encoders), nn.ModuleDict(decoders)
        critics = {domain: critic(of.shape, width=width, depth=depth) for domain, of in domains.items()}
        self.critics = nn.ModuleDict(critics)
        self.last = Net(nn.LeakyReLU(0.2), nn.Linear(width, latent))
        self.first = Net(nn.Linear(latent, width), nn.LeakyReLU(0.2))

    def optimizers(self) -> dict[str, Optimizer]:
        vaes = [self.encoders, self.decoders, self.last, self.first]
        return {
            "vaes": adam([own for net in vaes for own in net.parameters()], self.lr, self.betas),
            "critics": adam(self.critics.parameters(), self.lr, self.betas),
        }

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critics_move, self.vaes_move]

    def code(self, domain: str, x: Tensor) -> Tensor:
        return self.last(self.encoders[domain](x))  # (B, *domain) -> (B, latent), the mean of q(z | x)

    def decode(self, domain: str, mean: Tensor, rng: Generator | None = None) -> Tensor:
        z = mean + noise(len(mean), self.latent, mean, rng)  # (B, latent), a draw of the code
        return self.decoders[domain](self.first(z))  # (B, latent) -> (B, *domain)

    def critics_move(self, batch: Batch) -> Losses:
        real = {"x": batch.x, "partner": check.told(batch.partner, "partner")}
        with torch.no_grad():
            fake = {to: self.decode(to, self.code(of, real[of])) for of, to in WAYS}
        scores = {name: self.critics[name](torch.cat([real[name], fake[name]])).chunk(2) for name in real}
        return {"critics": sum_of(losses.classification(*both) for both in scores.values())}

    def vaes_move(self, batch: Batch) -> Losses:
        real = {"x": batch.x, "partner": check.told(batch.partner, "partner")}
        return {"vaes": sum_of(self.one_way(of, to, real[of]) for of, to in WAYS)}

    def one_way(self, of: str, to: str, x: Tensor) -> Tensor:
        """What is lessened on data of one domain: those are rebuilt, translated, and translated back."""
        code = self.code(of, x)  # (B, latent)
        rebuilt, there = self.decode(of, code), self.decode(to, code)  # (B, *of), (B, *to)
        code_there = self.code(to, there)
        back = self.decode(of, code_there)  # (B, *of)
        kl = self.kl * (divergence(code) + divergence(code_there))
        error = self.reconstruction * F.l1_loss(rebuilt, x) + self.cycle * F.l1_loss(back, x)
        return losses.non_saturating(self.critics[to](there)) + kl + error

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.decode("x", self.code("partner", check.partners(given, n)), rng)  # (n, *partner) -> (n, *shape)

    def translate_back(self, x: Tensor, rng: Generator) -> Tensor:
        return self.decode("partner", self.code("x", x), rng)  # (B, *shape) -> (B, *partner)


def divergence(mean: Tensor) -> Tensor:
    """KL(N(mean, I) | N(0, I)) in nats a dimension: (B, latent) -> ()"""
    return 0.5 * mean.square().mean()


def sum_of(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()

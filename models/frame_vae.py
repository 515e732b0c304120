"""A VAE of single frames, a sequence model over their codes, and frames decoded one by one: the recipe of textbooks.

As the vision and the memory of D. Ha, J. Schmidhuber, "World Models", 2018, arXiv:1803.10122, section 2: a VAE (Kingma,
Welling, "Auto-Encoding Variational Bayes", 2013, arXiv:1312.6114) is trained on frames with the prior N(0, I) and knows
no time; an LSTM learns from its codes, drawn from q(z | x), to predict each from those before.

Departure: p(z_t | z_1..t-1) is one Gaussian in place of a mixture; both are trained along, the LSTM on codes as they
stand; no actions. With the LSTM as the prior the bound is one of clips. Given frames have codes drawn from q, and a
prediction is the mean of p(x | z).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, likelihoods
from models.common.clips import AT_ONCE, GaussianLstm, frame
from models.common.codes import Code
from models.common.likelihoods import Likelihood
from models.common.nets import decoder, encoder
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec


class Model(nn.Module):
    bound = True

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 16,
        memory: int = 128,
        width: int = 64,
        likelihood: Likelihood = "fitting",
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        check.clips(spec, model="frame_vae")
        check.at_least(1, latent=latent, memory=memory)
        check.positive(lr=lr)
        (self.frames, *_), self.seen = spec.shape, spec.seen
        self.given, self.evaluations = "clip" if spec.seen else "nothing", self.frames - self.seen
        self.latent, self.lr = latent, lr
        self.encoder = encoder(frame(spec), 2 * latent, width=width, depth=1)
        self.decoder = decoder(frame(spec), latent, width=width, depth=1, bounded=False)
        self.likelihood = likelihoods.of(frame(spec), likelihood, lr)
        self.memory = GaussianLstm(latent, latent, memory)
        self.watched: dict[str, Tensor] = {}

    @property
    def estimator(self) -> str:
        return f"ELBO of the frames after the first {self.seen}" if self.seen else "ELBO"

    def optimizers(self) -> dict[str, Optimizer]:
        vae = [*self.encoder.parameters(), *self.decoder.parameters(), *self.likelihood.parameters()]
        return {"vae": adam(vae, self.lr), "memory": adam(self.memory.parameters(), self.lr)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.both_move]

    def both_move(self, batch: Batch) -> Losses:
        q = self.posterior(batch.x)
        z = q.draw()  # (B * T, latent)
        distortion, rate, code = self.distortion(batch.x, z).mean(), q.kl().mean(), z.detach()
        surprise = -self.prior(code.unflatten(0, batch.x.shape[:2])).log_prob(code).mean()
        self.watched = {"reconstruction": distortion, "KL": rate}
        return {"vae": distortion + rate, "memory": surprise}

    def posterior(self, x: Tensor) -> Code:
        return Code(*self.encoder(x.flatten(0, 1)).chunk(2, 1))  # (B, T, C, H, W) -> (B * T, latent) each

    def distortion(self, x: Tensor, z: Tensor) -> Tensor:
        return -self.likelihood.log_prob(x.flatten(0, 1), self.decoder(z))  # (B * T,) nats

    def prior(self, z: Tensor) -> Code:
        """p(z_t | z_1..t-1) of every frame: (B, T, latent) -> (B * T, latent) each"""
        return self.memory(torch.cat([torch.zeros_like(z[:, :1]), z[:, :-1]], 1))

    def rate_distortion(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of the frames that are not given; the same x gives the same answer."""
        rng = Generator(x.device).manual_seed(0)
        rates, distortions = zip(*(self.terms(chunk, rng) for chunk in x.split(AT_ONCE)), strict=True)
        return torch.cat(rates), torch.cat(distortions)

    def terms(self, x: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        q = self.posterior(x)
        z = q.draw(rng)
        each = (q.kl(self.prior(z.unflatten(0, x.shape[:2]))), self.distortion(x, z))
        rate, distortion = (part.unflatten(0, x.shape[:2])[:, self.seen :].sum(1) for part in each)
        return rate, distortion  # (B,), (B,)

    def log_prob(self, x: Tensor) -> Tensor:
        rate, distortion = self.rate_distortion(x)
        return -rate - distortion  # (B, T, C, H, W) -> (B,)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        seen = [] if not self.seen else [check.told(given, "first frames of a clip")]
        known = [self.posterior(x).draw(rng).unflatten(0, x.shape[:2]) for x in seen]
        states, codes = self.memory.lstm.first(n), []
        z = states.new_zeros(n, self.latent)  # before the first
        for t in range(self.frames):
            law, states = self.memory.step(z, states)
            z = known[0][:, t] if t < self.seen else law.draw(rng)
            codes.append(z)
        drawn = torch.stack(codes[self.seen :], 1)  # (n, T - seen, latent)
        x = self.likelihood.mean(self.decoder(drawn.flatten(0, 1))).unflatten(0, drawn.shape[:2])
        return torch.cat([*seen, x], 1)

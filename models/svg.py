"""Stochastic video generation: each frame from the one before and from a code of what cannot be known of it.

E. Denton, R. Fergus, "Stochastic Video Generation with a Learned Prior", 2018, arXiv:1802.07687, section 3: SVG-FP has
`prior` fixed, N(0, I), SVG-LP a learned one, an LSTM over the frames before. As in its authors' code
(github.com/edenton/svg) the net of a frame sees the true frame before in training and its own prediction after, and
while frames are given their codes are drawn from q. Skips come from the last frame that is seen.

Departure: the likelihood of the data's levels with a learned scale and `beta` 1, a bound in nats, in place of squared
error and 1e-4; small nets, and no linear layer before an LSTM's own. q sees the first frame, too, as in the paper's
equations, and the codes of given frames are drawn from q with the fixed prior, too. A prediction is the mean of
p(x | z). Where `seen` is 0 a learned code stands for the frame before the first, and there are no skips.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check, likelihoods
from models.common.clips import AT_ONCE, FrameDecoder, FrameEncoder, GaussianLstm, Lstm, frame
from models.common.codes import Code
from models.common.likelihoods import Likelihood
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec


class Model(nn.Module):
    bound = True

    def __init__(
        self,
        spec: Spec,
        *,
        prior: Literal["fixed", "learned"] = "learned",
        latent: int = 10,
        beta: float = 1.0,
        features: int = 128,
        memory: int = 128,
        width: int = 64,
        depth: int = 2,
        likelihood: Likelihood = "fitting",
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        check.clips(spec, model="svg")
        check.one_of(("fixed", "learned"), prior=prior)
        check.at_least(1, latent=latent, features=features, memory=memory, width=width, depth=depth)
        check.positive(beta=beta, lr=lr)
        (self.frames, *_), self.seen = spec.shape, spec.seen
        self.given, self.evaluations = "clip" if spec.seen else "nothing", self.frames - self.seen
        self.latent, self.beta, self.lr = latent, beta, lr
        self.encoder = FrameEncoder(frame(spec), features, width)
        self.decoder = FrameDecoder(frame(spec), features, width, skips=spec.seen > 0)
        self.predictor, self.out = Lstm(features + latent, memory, depth), nn.Linear(memory, features)
        self.posterior = GaussianLstm(features, latent, memory)
        self.prior = GaussianLstm(features, latent, memory) if prior == "learned" else None
        self.start = None if spec.seen else nn.Parameter(torch.zeros(features))
        self.likelihood = likelihoods.of(frame(spec), likelihood, lr)
        self.watched: dict[str, Tensor] = {}

    @property
    def estimator(self) -> str:
        return f"ELBO of the frames after the first {self.seen}" if self.seen else "ELBO"

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": adam(self.parameters(), self.lr)}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.bound_move]

    def bound_move(self, batch: Batch) -> Losses:
        distortion, rate = self.terms(batch.x)  # (B, T')
        self.watched = {"reconstruction": distortion.sum(1).mean(), "KL": rate.sum(1).mean()}
        return {"model": (distortion + self.beta * rate).sum(1).mean()}

    def terms(self, x: Tensor, rng: Generator | None = None) -> tuple[Tensor, Tensor]:
        """-log p(x | z) and KL(q | p) of every frame but the first given one, in nats: (B, T') each"""
        g, left = self.encoder(x.flatten(0, 1))
        g = g.unflatten(0, x.shape[:2])  # (B, T, features)
        q = self.posterior(g)
        if self.start is None:
            q = Code(*(part.unflatten(0, x.shape[:2])[:, 1:].flatten(0, 1) for part in q))
            left = [self.until_seen(each.unflatten(0, x.shape[:2])).flatten(0, 1) for each in left]
            before, x = g[:, :-1], x[:, 1:]
        else:
            before, left = torch.cat([self.start.expand(len(x), 1, -1), g[:, :-1]], 1), []
        z = q.draw(rng).unflatten(0, x.shape[:2])
        h = self.out(self.predictor(torch.cat([before, z], 2)).flatten(0, 1)).tanh()
        distortion = -self.likelihood.log_prob(x.flatten(0, 1), self.decoder(h.to(x.dtype), left))
        rate = q.kl(None if self.prior is None else self.prior(before))
        return distortion.unflatten(0, x.shape[:2]), rate.unflatten(0, x.shape[:2])

    def until_seen(self, left: Tensor) -> Tensor:
        """What a frame is told of the one before, or of the last that is seen: (B, T, ...) -> (B, T - 1, ...)"""
        last = left[:, self.seen - 1 : self.seen].expand(-1, self.frames - 1 - self.seen, *left.shape[2:])
        return torch.cat([left[:, : self.seen], last], 1)

    def expected(self, before: Tensor, states: Tensor) -> tuple[Code, Tensor]:
        """p(z) of a frame from the code of the one before, (n, features), and the prior's states."""
        if self.prior is not None:
            return self.prior.step(before, states)
        nothing = before.new_zeros(len(before), self.latent)
        return Code(nothing, nothing), states

    def rate_distortion(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of the frames that are not given; the same x gives the same answer."""
        rng = Generator(x.device).manual_seed(0)
        parts = [self.terms(chunk, rng) for chunk in x.split(AT_ONCE)]
        distortion, rate = (torch.cat(each)[:, self.seen - self.frames :].sum(1) for each in zip(*parts, strict=True))
        return rate, distortion

    def log_prob(self, x: Tensor) -> Tensor:
        rate, distortion = self.rate_distortion(x)
        return -rate - distortion  # (B, T, C, H, W) -> (B,)

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        clip = list(check.told(given, "first frames of a clip").unbind(1)) if self.seen else []
        lstms = self.posterior.lstm, (self.prior or self.posterior).lstm, self.predictor
        past, ahead, states = (lstm.first(n) for lstm in lstms)
        before = None if self.start is None else self.start.expand(n, -1)  # the code of the frame before
        left: list[Tensor] = []
        for t in range(self.frames):
            if t < self.seen:
                now, left = self.encoder(clip[t])
                q, past = self.posterior.step(now, past)
            if before is not None:
                p, ahead = self.expected(before, ahead)
                z = (q if t < self.seen else p).draw(rng)
                h, states = self.predictor.step(torch.cat([before, z], 1), states)
                if t >= self.seen:
                    clip.append(self.likelihood.mean(self.decoder(self.out(h).tanh(), left)))
                    now, _ = self.encoder(clip[t])
            before = now
        return torch.stack(clip, 1)  # (n, T, C, H, W)

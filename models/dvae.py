"""The denoising variational autoencoder: the encoder is shown a corrupted datum, the clean one is scored.

Im, Ahn, Memisevic, Bengio, "Denoising Criterion for Variational Auto-Encoding Framework", 2015, arXiv:1511.06406: the
loss is minus their L_dvae, E[log p(x | z)] - KL(q(z | x~) | p(z)) with x clean, x~ drawn from x, and z from q(z | x~).
For every x~ this bounds log p(x), so their mean does. `level` is the standard deviation of Gaussian noise, in units of
the data (images span [-1, 1]), or the share of pixels that salt and pepper hits: such a pixel is black or white with
probability 1/2 each, in all its colours. At level 0 this is the VAE. Once trained, the encoder is shown the data as
they are: codes, reconstructions and bounds are those of q(z | x). Holes are filled by the VAE's chain, as well: in one
pass the encoder would take whatever stands in a hole for part of the picture, but for the few pixels that it has learnt
to doubt.

Departure: nets and Adam as the VAE beside it has them, in place of 200 softplus units and a falling 1e-4.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor

from models.common import check
from models.common.protocol import Batch, Losses, Spec
from models.common.variational import GaussianVAE

Corruption = Literal["gaussian", "salt_and_pepper"]


class Model(GaussianVAE):
    def __init__(
        self,
        spec: Spec,
        *,
        noise: Corruption = "gaussian",
        level: float = 0.05,
        **base: Any,
    ) -> None:
        check.one_of(get_args(Corruption), noise=noise)
        if noise == "gaussian":
            check.at_least(0, level=level)
        else:
            check.decay(level=level)
            if len(spec.shape) == 1:
                raise ValueError(
                    f"noise = {noise} hits pixels, the data are points of shape {spec.shape}: choose noise = gaussian"
                )
        super().__init__(spec, **base)
        self.noise, self.level = noise, level

    def bound_move(self, batch: Batch) -> Losses:
        distortion, rate = self.terms(batch.x, self.posterior(self.corrupted(batch.x)))  # (B,), (B,)
        self.watched = {"reconstruction": distortion.mean(), "KL": rate.mean()}
        return {"model": (distortion + rate).mean()}

    def corrupted(self, x: Tensor) -> Tensor:
        """x~ from x, (B, *shape) -> (B, *shape)"""
        if self.level == 0:
            return x  # and no chance is taken, so that the VAE's own draws follow
        if self.noise == "gaussian":
            return x + self.level * torch.randn_like(x)
        chance = torch.rand_like(x[:, :1])  # (B, 1, H, W)
        return x.masked_fill(chance < self.level, 1.0).masked_fill(chance < self.level / 2, -1.0)

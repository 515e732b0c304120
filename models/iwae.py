"""The importance weighted autoencoder: a VAE that is trained on the bound by which VAEs are scored.

Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders", 2015, arXiv:1509.00519: the loss is minus equation 8,
log 1/k sum p(x, z) / q(z | x) over k draws of z; its gradient through reparametrised draws weighs every draw by its
share of that sum. At k = 1 this is the VAE's objective, with the same draw in both of its terms: the KL, too, is
estimated by log q(z | x) - log p(z), whose mean over z is the closed form that the VAE has there.

Departure: nets, data and rates are those of the VAE beside it, unless `nets: dense`, `width: 200`, `depth: 2`,
`latent: 50` ask for the paper's with one stochastic layer, whose last bias starts as in `vae`; Adam at one rate, or
falling in a straight line, in place of eight stages; scored by the bound at `importance` draws, 50, in place of 5,000.
"""

from __future__ import annotations

from typing import Any

from models.common import check
from models.common.protocol import Batch, Losses, Spec
from models.common.variational import GaussianVAE


class Model(GaussianVAE):
    def __init__(
        self,
        spec: Spec,
        *,
        k: int = 50,
        **base: Any,
    ) -> None:
        check.at_least(1, k=k)
        super().__init__(spec, **base)
        self.k = k

    def bound_move(self, batch: Batch) -> Losses:
        code = self.posterior(batch.x)
        self.watched = {"KL": code.kl().mean()}  # not a term of the loss: how far q(z | x) goes from the prior
        return {"model": -self.importance_bound(batch.x, code, self.k).mean()}

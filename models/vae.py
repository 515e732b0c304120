"""The variational autoencoder, scored by its importance-weighted bound.

Kingma, Welling, "Auto-Encoding Variational Bayes", 2013, arXiv:1312.6114: loss is equation 10 with one draw a datum.
Likelihood: Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders", 2015, arXiv:1509.00519, equation 8.

Departure: p(x | z) follows the data's levels unless `likelihood` names another (`models.common.likelihoods`): Gaussian
with one learned scale, Bernoulli, or discretised logistic. `nets: dense` with `width: 200`, `depth: 2`, `latent: 50`
are the nets with one stochastic layer of the second paper.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.common.protocol import Batch, Losses, Move
from models.common.variational import GaussianVAE


class Model(GaussianVAE):
    def moves(self, step: int) -> Sequence[Move]:
        return [self.bound_move]

    def bound_move(self, batch: Batch) -> Losses:
        distortion, rate = self.terms(batch.x, self.posterior(batch.x))  # (B,), (B,)
        self.watched = {"reconstruction": distortion.mean(), "KL": rate.mean()}
        return {"model": (distortion + rate).mean()}

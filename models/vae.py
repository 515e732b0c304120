"""The variational autoencoder, scored by its importance-weighted bound.

Kingma, Welling, "Auto-Encoding Variational Bayes", 2013, arXiv:1312.6114: loss is equation 10 with one draw a datum.
Likelihood: Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders", 2015, arXiv:1509.00519, equation 8.

Departure: p(x | z) follows the data's levels unless `likelihood` names another (`models.common.likelihoods`): Gaussian
with one learned scale, Bernoulli, or discretised logistic. `nets: dense` with `width: 200`, `depth: 2`, `latent: 50`
are the nets with one stochastic layer of the second paper. As in its authors' code (github.com/yburda/iwae) their last
bias then starts at the log odds of the mean image, here that of the first hundred minibatches, in which nothing else
moves: started at zero, tanhs saturate while Adam moves that bias, and after 15 passes over binarised MNIST the bound is
16 nats lower.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import nn

from models.common.likelihoods import Bernoulli
from models.common.protocol import Batch, Losses, Move
from models.common.variational import GaussianVAE

START = 100  # minibatches that the mean image is taken from


class Model(GaussianVAE):
    def moves(self, step: int) -> Sequence[Move]:
        dense = isinstance(self.decoder[-1], nn.Unflatten)
        start = step < START and dense and isinstance(self.likelihood, Bernoulli)
        return [partial(self.bias_move, step)] if start else [self.bound_move]

    def bias_move(self, step: int, batch: Batch) -> Losses:
        """No loss: the last bias goes to the log odds of the mean image of the minibatches up to this one."""
        bias = self.decoder[-2].bias.detach()  # (pixels,)
        white = (batch.x > 0).flatten(1).float().mean(0)
        bias.copy_(bias.sigmoid().lerp(white, 1 / (1 + step)).logit(eps=1e-3))
        return {}

    def bound_move(self, batch: Batch) -> Losses:
        distortion, rate = self.terms(batch.x, self.posterior(batch.x))  # (B,), (B,)
        self.watched = {"reconstruction": distortion.mean(), "KL": rate.mean()}
        return {"model": (distortion + rate).mean()}

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

from models.common.protocol import Batch, Losses
from models.common.variational import GaussianVAE


class Model(GaussianVAE):
    def bound_move(self, batch: Batch) -> Losses:
        distortion, rate = self.terms(batch.x, self.posterior(batch.x))  # (B,), (B,)
        self.watched = {"reconstruction": distortion.mean(), "KL": rate.mean()}
        return {"model": (distortion + rate).mean()}

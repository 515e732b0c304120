"""Holes are filled by draws from p(hidden | observed): of models of two pixels, where it is known in closed form.

Both pixels are z + e with z and the two e from N(0, 1). So x2 given x1 has mean x1 / 2 and variance 2 - 1 / 2, and z
given x1 and x2 is N((x1 + x2) / 3, 1 / 3).
"""

import math

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.distributions import Normal

import models
from models.common.codes import Code
from models.common.protocol import Spec
from models.common.repair import alternate

pytestmark = pytest.mark.usefixtures("float64")

SPEC = Spec((1, 1, 2), classes=2)
DRAWS = 40_000
OBSERVED = torch.tensor([True, False]).view(1, 1, 1, 2)


class Linear(nn.Module):
    """z -> both pixels, (B, 1) -> (B, 1, 1, 2); beside a label also that label's loading and centre."""

    def __init__(self, loading: tuple[float, ...] = (), centre: tuple[float, ...] = ()) -> None:
        super().__init__()
        self.loading, self.centre = torch.tensor(loading), torch.tensor(centre)

    def forward(self, code: Tensor) -> Tensor:
        z, label = code[:, :1], code[:, 1:]
        if len(self.loading):
            z = z * (label @ self.loading)[:, None] + (label @ self.centre)[:, None]
        return z[:, :, None, None].expand(-1, 1, 1, 2)


def exact(x: Tensor, *_: object) -> Code:
    """p(z | x1, x2)"""
    mean = x.flatten(1).sum(1, keepdim=True) / 3
    return Code(mean, torch.full_like(mean, math.log(1 / 3)))


def given_shown(x: Tensor, mask: Tensor | None = None) -> Code:
    """p(z | x1)"""
    mean = x[:, 0, 0, :1] / 2
    return Code(mean, torch.full_like(mean, math.log(1 / 2)))


def filled(model: nn.Module, x1: float) -> Tensor:
    """Draws of the second pixel, (DRAWS,)"""
    x = torch.tensor([x1, 77.0]).expand(DRAWS, 1, 1, 2)  # what stands in the hole does not matter
    with torch.no_grad():
        found = model.eval().inpaint(x, OBSERVED.expand(DRAWS, -1, -1, -1), Generator().manual_seed(0))
    assert (found[..., 0] == x1).all()
    return found[:, 0, 0, 1]


def near(draws: Tensor, mean: float, variance: float) -> None:
    """Within five standard errors: of the mean, and of the variance of draws whose fourth moments are a Gaussian's."""
    assert draws.mean().item() == pytest.approx(mean, abs=5 * math.sqrt(variance / DRAWS))
    assert draws.var().item() == pytest.approx(variance, abs=5 * variance * math.sqrt(2 / DRAWS))


@pytest.mark.parametrize("name", ["vae", "beta_vae", "iwae", "dvae", "masked_vae", "vae_mixture"])
def test_what_is_hidden_has_its_conditional_mean_and_variance(name: str) -> None:
    model = models.load(name)(SPEC, latent=1, nets="dense", width=8)
    model.decoder, model.posterior = Linear(), given_shown if name == "masked_vae" else exact
    model.likelihood.set_scale(0.0)
    near(filled(model, 1.6), 0.8, 1.5)


def test_a_black_box_posterior_fills_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.common.nets.pyramid", lambda spec, width: ([1, width], (1, 2)))  # no halving of 1x2
    model = models.load("avb")(SPEC, latent=1, width=8)
    model.likelihood.set_scale(0.0)
    model.decoder, model.draw = Linear(), lambda x, rng: (exact(x).draw(rng), exact(x))
    near(filled(model, 1.6), 0.8, 1.5)


def test_labels_are_drawn_by_bayes_rule_from_what_is_shown() -> None:
    """p(x | z, y) = N(w z + c, 1), of label 0 with w = 0.5, of label 1 with w = 2: p(x1 | y) is N(c, w^2 + 1), and x2
    given both has mean c + w^2 (x1 - c) / (w^2 + 1) and variance 1 + w^2 / (w^2 + 1)."""
    loading, centre, x1 = (0.5, 2.0), (0.0, 1.0), 1.6
    model = models.load("cvae")(SPEC, latent=1, importance=200, nets="dense", width=8)
    model.decoder = Linear(loading, centre)
    model.likelihood.set_scale(0.0)

    def posterior(x: Tensor, label: Tensor) -> Code:
        w, c = torch.tensor(loading)[label][:, None], torch.tensor(centre)[label][:, None]
        variance = 1 / (2 * w.square() + 1)
        return Code(variance * w * (x.flatten(1) - c).sum(1, keepdim=True), variance.log())

    model.posterior = posterior
    w2, c = torch.tensor(loading).square(), torch.tensor(centre)
    share = Normal(c, (w2 + 1).sqrt()).log_prob(torch.tensor(x1)).softmax(0)
    mean, variance = c + w2 * (x1 - c) / (w2 + 1), 1 + w2 / (w2 + 1)
    whole = (share * mean).sum()
    near(filled(model, x1), whole.item(), (share * (variance + (mean - whole).square())).sum().item())


def test_a_chain_starts_from_noise_over_the_whole_range() -> None:
    x, seen = torch.full((DRAWS, 1, 1, 2), 0.5), []
    alternate(lambda filled: seen.append(filled) or filled, x, OBSERVED.expand(DRAWS, -1, -1, -1), Generator())
    hidden = seen[0][..., 1]
    assert (seen[0][..., 0] == 0.5).all() and hidden.mean().item() == pytest.approx(0, abs=0.02)
    assert hidden.var().item() == pytest.approx(2**2 / 12, rel=0.03) and hidden.abs().max() <= 1

"""f-GAN: every row of its table against f itself, and its bound against divergences in closed form."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor, nn

import models
from models.common.protocol import Batch, Spec
from models.fgan import DIVERGENCES

LOG2 = math.log(2)
F = {
    "kl": lambda u: u * u.log(),
    "reverse_kl": lambda u: -u.log(),
    "pearson": lambda u: (u - 1) ** 2,
    "squared_hellinger": lambda u: (u.sqrt() - 1) ** 2,
    "jensen_shannon": lambda u: u * u.log() - (u + 1) * ((u + 1) / 2).log(),
    "gan": lambda u: u * u.log() - (u + 1) * (u + 1).log(),
    "total_variation": lambda u: (u - 1).abs() / 2,
}
# The critic's output at which g(v) = f'(u): the best critic of a datum that is u times as likely as a sample.
BEST = {
    "kl": lambda u: 1 + u.log(),
    "reverse_kl": torch.log,
    "pearson": lambda u: 2 * (u - 1),
    "squared_hellinger": lambda u: u.log() / 2,
    "jensen_shannon": torch.log,
    "gan": torch.log,
    "total_variation": lambda u: 40 * (u - 1).sign(),
}
THRESHOLD = {"kl": 1.0, "reverse_kl": -1.0, "gan": -LOG2}  # f'(1), elsewhere 0
AT_ZERO = {"kl": math.exp(-1), "reverse_kl": -1.0, "gan": LOG2}  # f*(g(0)), elsewhere 0
P, Q = norm(0, 1), norm(0.5, 1.3)


@pytest.fixture(params=sorted(F))
def divergence(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_table_is_complete() -> None:
    assert set(DIVERGENCES) == set(F)


def test_the_conjugate_is_the_supremum(divergence: str) -> None:
    v = torch.linspace(-4, 4, 41, dtype=torch.float64)
    u = torch.linspace(-12, 12, 20_001, dtype=torch.float64).exp()
    if divergence == "pearson":  # the paper's f* is that of f on all numbers, u below 0 included
        u = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    row, f = DIVERGENCES[divergence], F[divergence](u)
    supremum = torch.stack([(u * t - f).max() for t in row.activation(v)])
    torch.testing.assert_close(row.conjugate(v), supremum, rtol=1e-6, atol=1e-6)
    assert row.conjugate(torch.zeros(())).item() == pytest.approx(AT_ZERO.get(divergence, 0.0), abs=1e-6)


def test_the_activation_passes_the_threshold_where_data_are_likelier(divergence: str) -> None:
    one = torch.ones((), dtype=torch.float64, requires_grad=True)
    if divergence != "total_variation":  # |u - 1| has every slope from -1/2 to 1/2 there
        (slope,) = torch.autograd.grad(F[divergence](one), one)
        assert slope.item() == pytest.approx(THRESHOLD.get(divergence, 0.0), abs=1e-12)
    activation, best = DIVERGENCES[divergence].activation, BEST[divergence]
    below, at, above = activation(best(torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)))
    assert below < at < above and at.item() == pytest.approx(THRESHOLD.get(divergence, 0.0), abs=1e-12)


def test_a_sure_critic_does_not_overflow(divergence: str) -> None:
    v, row = torch.tensor([-60.0, 60.0]), DIVERGENCES[divergence]
    assert row.activation(v).isfinite().all() and row.conjugate(v).isfinite().all()


def closed_form(divergence: str) -> float:
    """D(P || Q) of the two normal distributions."""
    (m, s), (n, r) = P.args, Q.args
    x, dx = np.linspace(-12, 12, 200_001, retstep=True)
    p, q = P.pdf(x), Q.pdf(x)
    twice_js = float(dx * (p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))).sum())
    return {
        "kl": math.log(r / s) + (s**2 + (m - n) ** 2) / (2 * r**2) - 0.5,
        "reverse_kl": math.log(s / r) + (r**2 + (m - n) ** 2) / (2 * s**2) - 0.5,
        "pearson": r**2 / (s * math.sqrt(2 * r**2 - s**2)) * math.exp((m - n) ** 2 / (2 * r**2 - s**2)) - 1,
        "squared_hellinger": 2
        - 2 * math.sqrt(2 * s * r / (s**2 + r**2)) * math.exp(-((m - n) ** 2) / (4 * (s**2 + r**2))),
        "jensen_shannon": twice_js,
        "gan": twice_js - 2 * LOG2,
        "total_variation": float(dx * np.abs(p - q).sum() / 2),
    }[divergence]


class BestCritic(nn.Module):
    def __init__(self, divergence: str, sharpness: float = 1.0) -> None:
        super().__init__()
        self.best, self.sharpness = BEST[divergence], sharpness

    def forward(self, x: Tensor) -> Tensor:
        log_ratio = torch.from_numpy(P.logpdf(x[:, 0]) - Q.logpdf(x[:, 0]))
        return self.best((self.sharpness * log_ratio).exp())


def quantiles(distribution: object, n: int = 50_000) -> Tensor:
    """Points whose mean of any function is its expectation: (n, 1)"""
    return torch.from_numpy(distribution.ppf((np.arange(n) + 0.5) / n)).unsqueeze(1)


def test_the_best_critic_estimates_the_divergence(divergence: str) -> None:
    model = models.load("fgan")(Spec((1,)), divergence=divergence, width=8)
    model.critic = BestCritic(divergence)
    best = model.estimate(quantiles(P), quantiles(Q)).item()
    assert best == pytest.approx(closed_form(divergence), abs=1e-3)
    if divergence != "total_variation":  # any critic of the right sign is its best
        model.critic = BestCritic(divergence, sharpness=0.7)
        assert model.estimate(quantiles(P), quantiles(Q)).item() < best - 1e-3


def test_the_names_say_the_direction() -> None:
    names = {key: row.name for key, row in DIVERGENCES.items()}
    assert (names["kl"], names["reverse_kl"]) == ("KL", "reverse KL")  # KL(data || samples) is "KL"
    assert closed_form("kl") != pytest.approx(closed_form("reverse_kl"), abs=0.01)
    assert closed_form("gan") == pytest.approx(closed_form("jensen_shannon") - math.log(4))


class Shift(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 0.7


@pytest.mark.usefixtures("float64")
def test_the_moves_are_the_bound_from_both_sides(divergence: str) -> None:
    batch, row = Batch(torch.randn(6, 2)), DIVERGENCES[divergence]
    for side, raised in (("minimax", row.conjugate), ("alternative", row.activation)):
        model = models.load("fgan")(Spec((2,)), divergence=divergence, generator=side, latent=2, width=8)
        model.generator = Shift()
        torch.manual_seed(3)
        fake = model.critic(torch.randn(6, 2) + 0.7)
        torch.manual_seed(3)
        loss = model.critic_move(batch)["critic"]
        torch.testing.assert_close(loss, row.conjugate(fake).mean() - row.activation(model.critic(batch.x)).mean())
        torch.manual_seed(3)
        torch.testing.assert_close(model.generator_move(batch)["generator"], -raised(fake).mean())


@pytest.mark.parametrize("divergence", ["kl", "reverse_kl"])
def test_a_critic_learns_the_divergence_of_two_gaussians(divergence: str) -> None:
    """N(0, I) against N((0.7, 0.7), I): both are 0.7^2 nats. The estimate is a bound, reached up to noise."""
    torch.manual_seed(0)
    model = models.load("fgan")(Spec((2,)), divergence=divergence, latent=2, lr=3e-3, width=32, depth=2)
    model.generator = Shift()
    optimizer = torch.optim.Adam(model.critic.parameters(), 3e-3)
    for _ in range(300):
        optimizer.zero_grad()
        model.critic_move(Batch(torch.randn(512, 2)))["critic"].backward()
        optimizer.step()
    with torch.no_grad():
        estimate = model.estimate(torch.randn(20_000, 2), torch.randn(20_000, 2) + 0.7)
    assert estimate.item() == pytest.approx(0.49, abs=0.05)


@pytest.mark.parametrize(("key", "value"), [("divergence", "wasserstein"), ("generator", "both")])
def test_unknown_choices_are_refused_in_a_line(key: str, value: str) -> None:
    with pytest.raises(ValueError, match=rf"^{key} = '{value}': must be one of \w+(, \w+)+$"):
        models.load("fgan")(Spec((2,)), **{key: value})

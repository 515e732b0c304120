"""EDM and DDPM against what is known of Gaussians: denoisers, samplers, likelihoods, and what is drawn in holes."""

import math
import re
from typing import Any

import pytest
import torch
from test_models_pixelcnn import all_images
from torch import Generator, Tensor, nn

import models
from models.common import ode
from models.common.pixels import dequantised, from_levels
from models.common.protocol import Batch, Spec
from models.common.timed import along

pytestmark = pytest.mark.usefixtures("float64")
POINTS, LABELLED, BINARY = Spec((2,)), Spec((2,), classes=4), Spec((1, 3, 3), levels=2)
NOISY = (0.01, 0.3, 2.0, 50.0)


def build(name: str, spec: Spec = POINTS, **settings: Any) -> nn.Module:
    model = models.load(name)(spec, **{"width": 16, "depth": 2, "ema": 0.0} | settings)
    return model.eval().requires_grad_(False)


def perturbed(model: nn.Module) -> nn.Module:
    """Further from zero than a new one."""
    for weight in model.net.parameters():
        weight.add_(0.2 * torch.randn_like(weight))
    return model


class Nothing(nn.Module):
    """Answers 0, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.unused = 0, nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        self.asked += 1
        return torch.zeros_like(x)


class Ideal(nn.Module):
    """What a perfect net of DDPM answers for data N(0, covariance), given logarithms of noise over signal / 8."""

    def __init__(self, covariance: Tensor, prediction: str) -> None:
        super().__init__()
        self.covariance, self.prediction = nn.Parameter(covariance), prediction

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        signal = along(1 / (1 + (8 * t).exp()), x)  # (B, 1, ...)
        values, axes = torch.linalg.eigh(self.covariance)
        share = signal.flatten(1).sqrt() * values / (signal.flatten(1) * values + 1 - signal.flatten(1))  # (B, D)
        datum = ((x.flatten(1) @ axes * share) @ axes.T).view_as(x)
        eps = (x - signal.sqrt() * datum) / (1 - signal).sqrt()
        return eps if self.prediction == "eps" else signal.sqrt() * eps - (1 - signal).sqrt() * datum


def ideal(prediction: str = "v", spec: Spec = POINTS, covariance: Tensor | None = None, **settings: Any) -> nn.Module:
    model = build("ddpm", spec, prediction=prediction, **settings)
    model.net = Ideal(torch.eye(math.prod(spec.shape)) if covariance is None else covariance, prediction)
    model.reach.fill_(math.inf)
    return model


# ---- EDM


class OfGaussian(nn.Module):
    """A perfect net of EDM for data N(m, v^2), told x / sqrt(sigma^2 + s^2) and log(sigma) / 4: its answer is
    (D - c_skip x) / c_out (Karras et al., table 1) of D = m + v^2 / (v^2 + sigma^2) (x - m)."""

    def __init__(self, s: float, m: float, v: float) -> None:
        super().__init__()
        self.s, self.m, self.v, self.unused = s, m, v, nn.Parameter(torch.zeros(()))

    def forward(self, u: Tensor, t: Tensor) -> Tensor:
        sigma = along((4 * t).exp(), u)
        total = sigma**2 + self.s**2
        x = u * total.sqrt()
        denoised = self.m + self.v**2 / (self.v**2 + sigma**2) * (x - self.m)
        return (denoised - self.s**2 / total * x) * total.sqrt() / (sigma * self.s)


def of_gaussian(s: float, m: float, v: float, spec: Spec = POINTS, **settings: Any) -> nn.Module:
    model = build("edm", spec, **settings)
    model.net = OfGaussian(s, m, v)
    model.sigma_data.fill_(s)
    return model


@pytest.mark.parametrize("sigma", NOISY)
def test_the_preconditioned_denoiser_of_a_gaussian(sigma: float) -> None:
    model, m, v = of_gaussian(0.7, 0.4, 0.2), 0.4, 0.2
    x = torch.randn(5, 2)
    expected = m + v**2 / (v**2 + sigma**2) * (x - m)
    assert torch.allclose(model.denoise(x, torch.full((5,), sigma)), expected)


def test_what_edms_net_is_to_learn_has_variance_one_at_every_level() -> None:
    """So the loss of a net that answers 0 is 1, and its s.d. that of a square of a normal number, over 2 n of them."""
    model, n = build("edm", Spec((50,)), log_noise=(-1.0, 2.0)), 4000
    model.net = Nothing()
    loss = model.denoising_move(Batch(3.0 * torch.randn(n, 50), step=torch.tensor(0)))["model"]
    assert loss.item() == pytest.approx(1, abs=5 * math.sqrt(2 / (50 * n)))
    assert model.sigma_data.item() == pytest.approx(3, abs=5 * 3 / math.sqrt(2 * 50 * n))
    kept = model.sigma_data.clone()
    model.denoising_move(Batch(torch.randn(n, 50), step=torch.tensor(1)))
    assert torch.equal(model.sigma_data, kept)


def test_edm_learns_at_levels_whose_logarithms_are_normal() -> None:
    model, n, told = build("edm", log_noise=(-1.0, 2.0)), 20_000, []
    model.net = Nothing()
    model.net.register_forward_pre_hook(lambda _, args: told.append(args[1]))
    model.denoising_move(Batch(torch.randn(n, 2), step=torch.tensor(0)))
    log_noise = 4 * told[0]
    assert log_noise.mean().item() == pytest.approx(-1, abs=5 * 2 / math.sqrt(n))
    assert log_noise.std().item() == pytest.approx(2, abs=5 * 2 / math.sqrt(2 * n))


def test_edm_fills_holes_by_heuns_steps_and_a_last_one_of_eulers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.common.repair.REPAINTS", 3)
    model, x = build("edm", BINARY, evaluations=9), torch.ones(2, 1, 3, 3)
    model.net = Nothing()
    model.inpaint(x, x[:, :1] > 2, Generator().manual_seed(0))
    assert model.net.asked == 4 * 3 * 2 + 1


@pytest.mark.parametrize(("m", "v", "steps"), [(0.0, 0.7, 1), (0.4, 0.2, 64)])
def test_edms_likelihood_of_a_gaussian(m: float, v: float, steps: int) -> None:
    """The equation keeps (x - m) / sqrt(v^2 + sigma^2), from sigma_min to N(0, sigma_max^2); where v is sigma_data,
    and m is 0, any grid is exact."""
    model = of_gaussian(0.7, m, v, nodes=steps)
    x = m + v * torch.randn(20, 2)
    growth = math.sqrt((v**2 + model.sigma_max**2) / (v**2 + model.sigma_min**2))
    end = torch.distributions.Normal(0.0, model.sigma_max).log_prob(m + growth * (x - m))
    assert torch.allclose(model.log_prob(x), (end + math.log(growth)).sum(1), rtol=0, atol=1e-4)
    assert not model.bound and f"{steps} divergences" in model.estimator


def test_edms_bound_of_pixels_is_the_density_where_they_are_dequantised_times_their_volume() -> None:
    model = of_gaussian(0.7, 0.4, 0.2, Spec((1, 1, 2), levels=5), nodes=64)
    x = from_levels(torch.randint(5, (20, 1, 1, 2)), 5, like=torch.zeros(()))
    inside = dequantised(x, 5, Generator().manual_seed(0))
    density = torch.distributions.Normal(0.4, math.hypot(0.2, model.sigma_min)).log_prob(inside)
    expected = density.flatten(1).sum(1) + 2 * math.log(1 / 2)
    assert (
        torch.allclose(model.log_prob(x), expected, rtol=3e-3, atol=0.02) and model.bound
    )  # its end is not N(0, 80^2)


def test_large_data_have_a_probe_for_each_divergence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which tells all of a Gaussian's, whose denoiser's Jacobian is a number times the identity."""
    exact, x = of_gaussian(0.7, 0.4, 0.2), torch.randn(20, 2)
    monkeypatch.setattr(ode, "EXACT", 1)
    probed = of_gaussian(0.7, 0.4, 0.2)
    assert torch.allclose(probed.log_prob(x), exact.log_prob(x), rtol=0, atol=1e-4)
    assert torch.equal(probed.log_prob(x), probed.log_prob(x))
    said = "ODE from sigma 0.002, 64 divergences"
    assert (exact.estimator, exact.scored) == (said, None)
    assert (probed.estimator, probed.scored) == (f"{said}, each by one random probe, of 1,000 data", 1000)


def test_edms_samples_of_a_gaussian() -> None:
    model, m, v = of_gaussian(0.7, 0.2, 0.5, evaluations=599, sigma_max=10.0), 0.2, 0.5
    z = torch.randn(7, 2, generator=Generator().manual_seed(3)) * model.sigma_max
    expected = m + (z - m) * v / math.sqrt(v**2 + model.sigma_max**2)
    assert torch.allclose(model.sample(7, None, Generator().manual_seed(3)), expected, rtol=0, atol=1e-4)


def test_noise_falls_as_in_equation_5() -> None:
    model = build("edm", sigma_min=0.01, sigma_max=10.0, rho=3.0)
    by_hand = [(10 ** (1 / 3) + i / 4 * (0.01 ** (1 / 3) - 10 ** (1 / 3))) ** 3 for i in range(5)]
    assert torch.allclose(
        model.spread(torch.linspace(0, 1, 5), model.sigma_max, model.sigma_min), torch.tensor(by_hand)
    )


# ---- DDPM


@pytest.mark.parametrize(("t", "s"), [(50, 49), (50, 20), (2, 1), (100, 99)])
def test_the_posterior_by_bayes_rule(t: int, s: int) -> None:
    noise = build("ddpm", steps=100).noise
    x, datum = torch.randn(4, 2), torch.randn(4, 2)
    of_s, of_t = noise.signal[s], noise.signal[t]
    kept = of_t / of_s  # x_t given x_s is N(sqrt(kept) x_s, 1 - kept), and x_s given the datum N(sqrt(of_s) datum, ...)
    precision = 1 / (1 - of_s) + kept / (1 - kept)
    expected = (of_s.sqrt() * datum / (1 - of_s) + kept.sqrt() * x / (1 - kept)) / precision
    mean, deviation = noise.back(x, datum, t, s, 1.0, torch.zeros(()))
    assert torch.allclose(mean, expected) and torch.allclose(deviation, precision.rsqrt())
    assert noise.back(x, datum, t, s, 0.0, torch.ones(()))[1] == 0


def test_the_schedule_is_the_cosine() -> None:
    noise = build("ddpm", steps=100, offset=0.008).noise
    f = [math.cos((t / 100 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(100)]
    assert torch.allclose(noise.signal[:100], torch.tensor(f) / f[0])
    assert noise.beta.max() == 0.999 and noise.signal[0] == 1 and noise.noise[0] == 0
    assert torch.allclose(noise.signal + noise.noise, torch.ones(101))
    snr = noise.signal / noise.noise
    t = torch.arange(2, 101)
    found = noise.kl(t, torch.ones(99), 2, torch.zeros(99))
    assert torch.allclose(found, 0.5 * (snr[t - 1] - snr[t]))  # Kingma et al., 2021, arXiv:2107.00630, eq. 14


def test_noise_adds_up_on_the_way_and_its_end_is_nearly_the_prior() -> None:
    """From step 20 on to step 60 both parts are what they are of step 60; KL(N(sqrt(a) x, 1 - a) | N(0, 1))."""
    noise, one, none = build("ddpm", steps=100).noise, torch.ones(1, 1), torch.zeros(1, 1)
    assert torch.allclose(noise.forth(noise.signal[20].sqrt() * one, 20, 60, none), noise.signal[60].sqrt())
    kept, added = noise.forth(noise.noise[20].sqrt() * one, 20, 60, none), noise.forth(none, 20, 60, one)
    assert torch.allclose(kept**2 + added**2, noise.noise[60])
    short, x = build("ddpm", steps=2).noise, torch.tensor([[0.0, 0.8], [-2.0, 0.1]])
    a = short.signal[-1]
    end, prior = torch.distributions.Normal(a.sqrt() * x, (1 - a).sqrt()), torch.distributions.Normal(0.0, 1.0)
    assert torch.allclose(short.kl_at_end(x), torch.distributions.kl_divergence(end, prior).sum(1), atol=1e-12)


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_a_net_that_knows_the_noise_gives_the_datum(prediction: str) -> None:
    model = build("ddpm", prediction=prediction)
    model.reach.fill_(math.inf)
    x, eps, t = torch.randn(6, 2), torch.randn(6, 2), torch.tensor([1, 5, 100, 500, 900, 990])
    signal, noise = model.noise.shares(t, x)
    model.net = Known(eps if prediction == "eps" else signal * eps - noise * x)
    assert torch.allclose(model.guess(signal * x + noise * eps, t), x, atol=1e-9)


class Known(nn.Module):
    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.answer


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_the_loss_of_a_perfect_net_is_what_cannot_be_known(prediction: str) -> None:
    """Of data N(0, c) and signal a, given x, eps has the variance a c / (a c + 1 - a), and v has c / (a c + 1 - a); all
    steps are as likely."""
    c, n = 0.3, 40_000
    model = ideal(prediction, Spec((1,)), torch.tensor([[c]]), steps=4)
    a = model.noise.signal[1:]
    unknown = (a if prediction == "eps" else 1) * c / (a * c + 1 - a)
    loss = model.denoising_move(Batch(math.sqrt(c) * torch.randn(n, 1), step=torch.tensor(1)))["model"]
    assert loss.item() == pytest.approx(unknown.mean().item(), abs=5 * 2 * unknown.max().item() / math.sqrt(n))


def test_steps_are_spread_as_asked() -> None:
    noise = build("ddpm", steps=100).noise
    assert noise.timetable(4, 1) == [100, 67, 34, 1] and noise.timetable(4, 2) == [100, 45, 12, 1]
    assert noise.timetable(1, 2) == [100] and noise.timetable(500, 1) == list(range(100, 0, -1))
    assert noise.timetable(100, 2) == list(range(100, 0, -1))
    assert noise.timetable(20, 2)[-4:] == [4, 3, 2, 1], "no step is taken twice"
    model = build("ddpm", steps=100, spacing="quadratic", evaluations=64)
    assert model.evaluations == 64 and model.sweeps["evaluations"] == (1, 2, 4, 8, 16, 32, 64, 100)


def gaussian_bound(model: nn.Module, x: float, variance: float) -> tuple[float, float]:
    """By hand, of one number x: the bound of the ideal DDPM of N(0, variance), and the log-density it bounds."""
    signal = model.noise.signal.tolist()
    gain = [0.0] + [math.sqrt(a) * variance / (a * variance + 1 - a) for a in signal[1:]]
    error = [0.0] + [
        (1 - g * math.sqrt(a)) ** 2 * x**2 + g**2 * (1 - a) for g, a in zip(gain[1:], signal[1:], strict=True)
    ]
    last = 1 - signal[1]  # the variance of the decoder
    bound = -0.5 * math.log(2 * math.pi * last) - 0.5 * error[1] / last
    bound -= 0.5 * (signal[-1] * x**2 - signal[-1] - math.log(1 - signal[-1]))
    marginal = 1.0
    for t in range(len(signal) - 1, 1, -1):
        a, s = signal[t], signal[t - 1]
        bound -= 0.5 * (s / (1 - s) - a / (1 - a)) * error[t]
        beta = 1 - a / s
        slope = math.sqrt(s) * beta / (1 - a) * gain[t] + math.sqrt(a / s) * (1 - s) / (1 - a)
        marginal = slope**2 * marginal + beta * (1 - s) / (1 - a)
    marginal = gain[1] ** 2 * marginal + last
    return bound, -0.5 * math.log(2 * math.pi * marginal) - 0.5 * x**2 / marginal


@pytest.mark.parametrize("prediction", ["eps", "v"])
@pytest.mark.parametrize("terms", [5, 1000])
def test_the_bound_of_a_gaussian(prediction: str, terms: int) -> None:
    """The mean of many estimates is the closed form, whether of all terms or of some, and below the log-density."""
    model = ideal(prediction, Spec((1,)), torch.tensor([[0.3]]), steps=20, terms=terms)
    assert model.estimator == f"variational, {min(terms, 19) + 1} of 20 terms" and model.bound
    for x in (0.0, 0.8):
        bound, exact = gaussian_bound(model, x, 0.3)
        found = model.log_prob(torch.full((20_000, 1), x))
        assert found.mean().item() == pytest.approx(bound, abs=5 * found.std().item() / math.sqrt(20_000))
        assert bound < exact < bound + 1


def test_the_bound_of_pixels() -> None:
    """That of points but for the last term, which is of a grey level: by quadrature, of the decoder's normal between
    the middles to the levels beside, the darkest and the lightest reaching to infinity."""
    model = ideal(spec=Spec((1, 1, 2), levels=5), covariance=0.3 * torch.eye(2), steps=6)
    signal, beta = model.noise.signal[1].item(), model.noise.beta[1].item()
    gain = math.sqrt(signal) * 0.3 / (signal * 0.3 + 1 - signal)
    eps = torch.linspace(-5.5, 5.5, 2001)
    weight = torch.distributions.Normal(0, 1).log_prob(eps).exp()

    def by_hand(x: float) -> float:
        guess = gain * (math.sqrt(signal) * x + math.sqrt(1 - signal) * eps)
        normal = torch.distributions.Normal(guess, math.sqrt(beta))
        above = normal.cdf(torch.tensor(x + 0.25)) if x < 1 else 1.0
        below = normal.cdf(torch.tensor(x - 0.25)) if x > -1 else 0.0
        level = torch.trapezoid(weight * (above - below).log(), eps).item()
        off = (1 - gain * math.sqrt(signal)) ** 2 * x**2 + gain**2 * (1 - signal)
        point = -0.5 * math.log(2 * math.pi * beta) - 0.5 * off / beta
        return gaussian_bound(model, x, 0.3)[0] - point + level

    for one, other in ((-1.0, 0.5), (0.0, 1.0)):
        found = model.log_prob(torch.tensor([one, other]).expand(20_000, 1, 1, 2))
        tolerance = 5 * found.std().item() / math.sqrt(20_000)
        assert found.mean().item() == pytest.approx(by_hand(one) + by_hand(other), abs=tolerance)
        assert tolerance < 0.1


def test_a_widened_posterior_by_hand() -> None:
    """KL(N(0, v) | N(d, w)) of two dimensions, and the variances of what is drawn."""
    noise, t, s = build("ddpm", steps=100).noise, 40, 39
    datum, guess, x, spread = (
        torch.tensor([[0.3, -0.2]]),
        torch.tensor([[0.1, 0.4]]),
        torch.randn(1, 2),
        torch.tensor(0.2),
    )
    (mean, v), (other, w) = (
        noise.back(x, *each) for each in ((datum, t, s, 1.0, 0 * spread), (guess, t, s, 1.0, spread))
    )
    exact = torch.distributions.kl_divergence(torch.distributions.Normal(mean, v), torch.distributions.Normal(other, w))
    found = noise.kl(torch.tensor([t]), (datum - guess).square().sum(1), 2, spread)
    assert torch.allclose(found, exact.sum(1)) and w > v
    assert torch.allclose(w**2, v**2 + 0.2 * ((mean - other) / (datum - guess)).square())


def test_errors_of_guesses_are_kept_and_make_a_chain_exact() -> None:
    """Data N(0, 0.3) and the ideal net: guesses are off by v (1 - a) / (a v + 1 - a), and a chain of posteriors as wide
    as that asks for draws N(0, 0.3) itself, nearly: its guess is the mean, and its variance does not depend on x."""
    model = ideal("eps", Spec((1,)), torch.tensor([[0.3]]), steps=20, variance="optimal", evaluations=20).train()
    for step in range(300):
        model.denoising_move(Batch(math.sqrt(0.3) * torch.randn(500, 1), step=torch.tensor(step + 1)))
    signal = model.noise.signal[1:]
    exact = 0.3 * (1 - signal) / (0.3 * signal + 1 - signal)
    assert torch.allclose(model.off(torch.arange(1, 21)), exact, rtol=0.1)
    model.eval()
    n = 20_000
    assert model.sample(n, None, Generator().manual_seed(0)).var().item() == pytest.approx(0.3, rel=0.05)
    nats = model.log_prob(torch.full((n, 1), 0.5)).mean().item()
    assert nats == pytest.approx(-0.5 * math.log(2 * math.pi * 0.3) - 0.5 * 0.25 / 0.3, abs=0.03)


def test_a_bound_of_scaled_points_is_of_the_points() -> None:
    model = ideal(spec=Spec((1,)), covariance=torch.tensor([[0.3]]), steps=20)
    x = torch.randn(10, 1)
    plain = model.log_prob(x)
    model.scale.fill_(2.5)
    assert torch.allclose(model.log_prob(2.5 * x), plain - math.log(2.5))


def test_guesses_reach_as_far_as_the_data_do() -> None:
    """Of any batch, in units of the first one's root mean square: here of eight 1s and of -6 and 2, the root of 4.8."""
    model, first = build("ddpm"), torch.tensor([[1.0, -1.0]] * 4 + [[-6.0, 2.0]])
    for step, x in enumerate((first, first / 2, 2 * first)):
        model.denoising_move(Batch(x, step=torch.tensor(step)))
        assert model.scale.item() == pytest.approx(math.sqrt(4.8))
        assert model.reach.item() == pytest.approx((6, 6, 12)[step] / math.sqrt(4.8))


def test_scaled_points_of_two_numbers_are_drawn_and_scored_at_their_scale() -> None:
    model, x = ideal(steps=20, evaluations=20), torch.randn(10, 2)
    drawn, plain = model.sample(6, None, Generator().manual_seed(0)), model.log_prob(x)
    model.scale.fill_(2.5)
    assert torch.allclose(model.sample(6, None, Generator().manual_seed(0)), 2.5 * drawn)
    assert torch.allclose(model.log_prob(2.5 * x), plain - 2 * math.log(2.5))


@pytest.mark.parametrize("spec", [POINTS, BINARY], ids=["points", "images"])
def test_the_last_step_has_chance_for_points_only(spec: Spec) -> None:
    model, x = ideal(spec=spec, variance="optimal", steps=20), torch.randn(3, *spec.shape)
    model.off.sums.fill_(0.1), model.off.counts.fill_(1.0)
    one, two = (model.step(x, 1, 0, Generator().manual_seed(seed)) for seed in (0, 1))
    assert torch.equal(one, two) == (spec is BINARY)


def test_ddim_takes_chance_at_its_start_only() -> None:
    """With data N(0, 1) a guess is cos(angle) x, and a step from t to s multiplies by cos(angle_t - angle_s)."""
    model, rng = ideal(sampler="ddim", steps=50, evaluations=50), Generator().manual_seed(2)
    found = model.sample(5, None, rng)
    again = Generator().manual_seed(2)
    expected = torch.randn(5, 2, generator=again)
    assert torch.equal(rng.get_state(), again.get_state())
    angle = model.noise.signal.sqrt().acos()
    assert torch.allclose(found, expected * (angle[1:] - angle[:-1]).cos().prod(), atol=1e-6)


def test_ancestral_samples_have_the_variance_of_the_chain() -> None:
    model, n = ideal(spec=Spec((1,)), covariance=torch.tensor([[0.3]]), steps=20, evaluations=20), 20_000
    _, exact = gaussian_bound(model, 0.0, 0.3)
    variance = math.exp(-2 * exact) / (2 * math.pi)  # of the decoder's mean, and the decoder's own, which is left out
    found = model.sample(n, None, Generator().manual_seed(0)).var().item()
    assert found == pytest.approx(variance - model.noise.beta[1].item(), abs=5 * variance * math.sqrt(2 / n))


@pytest.mark.parametrize("name", ["ddpm", "edm"])
def test_bounds_of_all_binary_images_sum_to_less_than_one(name: str) -> None:
    hyper = {"steps": 6} if name == "ddpm" else {"nodes": 6, "sigma_min": 0.05}
    model = perturbed(build(name, BINARY, **hyper))
    x, draws = all_images((1, 3, 3), 2), 4
    nats = model.log_prob(x.repeat(draws, 1, 1, 1)).view(draws, 512).mean(0)
    assert 0 < nats.exp().sum() < 1 and model.bound


class Correlated(nn.Module):
    """A perfect net for data N(0, C): EDM's, whose s is 1, or the velocity of flow matching, each the mean of what is
    wanted given x, which is linear in x."""

    def __init__(self, covariance: Tensor, name: str) -> None:
        super().__init__()
        self.covariance, self.name, self.unused = covariance, name, nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        t, unit = t[0], torch.eye(2)
        if self.name == "edm":  # told x / sqrt(sigma^2 + 1): D = C / (C + sigma^2) x, c_skip and c_out of table 1
            sigma = (4 * t).exp()
            total = sigma**2 + 1
            datum = torch.linalg.solve(self.covariance + sigma**2 * unit, self.covariance)
            linear = (datum - unit / total) * total / sigma
        else:  # x_1 - x_0 given t x_1 + (1 - t) x_0
            mixed = t**2 * self.covariance + (1 - t) ** 2 * unit
            linear = torch.linalg.solve(mixed, t * self.covariance - (1 - t) * unit)
        return (x.flatten(1) @ linear).view_as(x)


@pytest.mark.parametrize("name", ["ddpm", "edm", "flow_matching"])
def test_holes_are_filled_given_what_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pixels of correlation 0.9, one of them seen: the other's mean and variance are known."""
    monkeypatch.setattr("models.common.repair.REPAINTS", 10)
    covariance, spec, n = 0.1 * torch.tensor([[1.0, 0.9], [0.9, 1.0]]), Spec((1, 1, 2), levels=2), 1000
    if name == "ddpm":
        model = ideal("eps", spec, covariance, steps=64, evaluations=64)
    else:
        model = build(name, spec, evaluations=64)
        model.net = Correlated(covariance, name)
        if name == "edm":
            model.sigma_data.fill_(1)
    x, mask = torch.full((n, 1, 1, 2), 0.5), torch.tensor([True, False]).expand(n, 1, 1, 2)[:, :1]
    filled = model.inpaint(torch.where(mask, x, 9.0), mask, Generator().manual_seed(0))
    assert torch.equal(filled[..., 0], x[..., 0])
    assert filled[..., 1].mean().item() == pytest.approx(0.9 * 0.5, abs=0.05)
    assert filled[..., 1].var().item() == pytest.approx(0.1 * (1 - 0.9**2), rel=0.4)


# ---- both


class Recorder(nn.Module):
    """Answers 0, and keeps the labels that it is told."""

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        self.told = label
        return torch.zeros_like(x)


@pytest.mark.parametrize("name", ["edm", "ddpm", "flow_matching"])
def test_labels_are_told_in_training_but_for_those_left_out(name: str) -> None:
    model, label = build(name, LABELLED, conditional=True, left_out=0.3), torch.arange(20_000) % 4
    model.net = Recorder()
    (move,) = model.moves(0)
    move(Batch(torch.randn(20_000, 2), label, step=torch.tensor(0)))
    out = model.net.told == 4
    assert torch.equal(model.net.told[~out], label[~out])
    assert out.double().mean().item() == pytest.approx(0.3, abs=5 * math.sqrt(0.3 * 0.7 / 20_000))


@pytest.mark.parametrize("name", ["edm", "ddpm", "flow_matching", "mean_flow", "rectified_flow"])
def test_what_is_swept_is_what_the_sampler_takes(name: str) -> None:
    model = build(name, **({"spacing": "quadratic", "steps": 100} if name == "ddpm" else {}))
    for times in model.sweeps["evaluations"]:
        model.net = Nothing()
        model.sample(3, None, Generator().manual_seed(0), evaluations=int(times))
        assert model.net.asked == times


@pytest.mark.parametrize(
    ("name", "expected"), [("edm", {1: 1, 2: 1, 8: 7, 35: 35}), ("ddpm", {1: 1, 2: 2, 35: 35, 99: 50})]
)
def test_evaluations_are_as_many_as_stated(name: str, expected: dict[int, int]) -> None:
    hyper = {"steps": 50} if name == "ddpm" else {}
    for asked, found in expected.items():
        model = build(name, evaluations=asked, **hyper)
        model.net = Nothing()
        model.sample(3, None, Generator().manual_seed(0))
        assert model.net.asked == found == model.evaluations
        model.sample(3, None, Generator().manual_seed(0), evaluations=1)
        assert model.net.asked == found + 1
    guided = build(name, LABELLED, conditional=True, guidance=2.0, evaluations=8, **hyper)
    guided.net = Nothing()
    guided.sample(3, torch.zeros(3, dtype=torch.int64), Generator().manual_seed(0))
    assert guided.net.asked == guided.evaluations == {"edm": 14, "ddpm": 16}[name]
    assert guided.sweeps.keys() == {"evaluations", "guidance"} and build(name).sweeps.keys() == {"evaluations"}


@pytest.mark.parametrize("name", ["edm", "ddpm"])
def test_guidance_0_leaves_labels_out(name: str) -> None:
    model = perturbed(build(name, LABELLED, conditional=True, evaluations=9))
    one, two = torch.zeros(5, dtype=torch.int64), torch.full((5,), 3)

    def drawn(label: Tensor, guidance: float | None) -> Tensor:
        return model.sample(5, label, Generator().manual_seed(0), guidance=guidance)

    nothing = torch.full((5,), 4)
    assert torch.equal(drawn(one, 0.0), drawn(two, 0.0)) and torch.equal(drawn(one, 0.0), drawn(nothing, 1.0))
    assert not torch.allclose(drawn(one, 1.0), drawn(two, 1.0)) and torch.equal(
        drawn(one, 1.0), model.sample(5, one, Generator().manual_seed(0))
    )
    with pytest.raises(ValueError, match="5 samples need 5 labels"):
        model.sample(5, None, Generator())


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("ddpm", {"steps": 1}, "steps = 1: must be 2 or more"),
        ("ddpm", {"evaluations": 0}, "evaluations = 0: must be 1 or more"),
        ("edm", {"sigma_max": 0.001}, "sigma_max = 0.001: must be above sigma_min = 0.002"),
        ("edm", {"log_noise": (-1.2, 0.0)}, "log_noise = [-1.2, 0.0]: must be a mean and a standard deviation above 0"),
        ("edm", {"log_noise": (math.nan, 1.2)}, "log_noise = [nan, 1.2]: must be a mean and a standard deviation"),
        ("mean_flow", {"logit": (0.4,)}, "logit = [0.4]: must be a mean and a standard deviation"),
        ("edm", {"guidance": 2.0}, "guidance = 2.0, left_out = 0.1: these need conditional = True"),
        ("edm", {"conditional": True}, "no classes"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, settings: dict, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        build(name, **settings)
    with pytest.raises(ValueError, match="evaluations = 0: must be 1 or more"):
        build(name).sample(2, None, Generator(), evaluations=0)

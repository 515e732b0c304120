"""Models of clips: against closed forms, and what they look at."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import Generator, Tensor, nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

import models
from models.common.clips import Lstm
from models.common.codes import Code
from models.common.likelihoods import Gaussian
from models.common.protocol import Batch, Spec
from models.conv_lstm import Cell, binomial

CLIPS = Spec((5, 1, 8, 8), levels=17, seen=2)
COPIES = 40_000  # of one clip, whose bounds are averaged


def clips(n: int, spec: Spec = CLIPS, seed: int = 0) -> Tensor:
    level = torch.randint(spec.levels, (n, *spec.shape), generator=Generator().manual_seed(seed))
    return level * (2 / (spec.levels - 1)) - 1


def made(name: str, spec: Spec = CLIPS, **settings: object) -> nn.Module:
    torch.manual_seed(0)
    return models.load(name)(spec, **settings)


# ---- what they are built of


def test_kl_of_codes_is_torchs() -> None:
    rng = Generator().manual_seed(0)
    q, p = (Code(*torch.randn(2, 7, 3, generator=rng, dtype=torch.float64)) for _ in range(2))
    one, other = (Normal(law.mean, (law.log_variance / 2).exp()) for law in (q, p))
    assert torch.allclose(q.kl(p), kl_divergence(one, other).sum(1), rtol=1e-12)
    nothing = torch.zeros(7, 3, dtype=torch.float64)
    assert torch.allclose(q.kl(Code(nothing, nothing)), q.kl(), rtol=1e-12)


def test_an_lstm_is_torchs_all_at_once_and_step_by_step() -> None:
    torch.manual_seed(0)
    ours, theirs = Lstm(3, 4, depth=2).double(), nn.LSTM(3, 4, 2, batch_first=True).double()
    with torch.no_grad():
        for layer in range(2):
            into, back, bias, none = theirs.all_weights[layer]
            none.zero_()
            ours.enter[layer].weight.copy_(unordered(into))
            ours.enter[layer].bias.copy_(unordered(bias))
            ours.weight[layer, 0].copy_(unordered(back).T)
        ours.start.normal_()
        first = tuple(each.expand(-1, 5, -1).contiguous() for each in ours.start.unbind(1))
        x, states, steps = torch.randn(5, 6, 3, dtype=torch.float64), ours.first(5), []
        for t in range(6):
            h, states = ours.step(x[:, t], states)
            steps.append(h)
        assert torch.allclose(ours(x), theirs(x, first)[0], rtol=1e-10)
        assert torch.allclose(ours.laid(x.transpose(0, 1)).transpose(0, 1), ours(x), rtol=1e-10)
        assert torch.allclose(torch.stack(steps, 1), ours(x), rtol=1e-10)


def unordered(weight: Tensor) -> Tensor:
    """PyTorch's gates (write, forget, signal, show) in this project's order: signal, write, forget, show."""
    write, forget, signal, show = weight.chunk(4)
    return torch.cat([signal, write, forget, show])


def test_a_convolutional_cell_is_equation_3() -> None:
    torch.manual_seed(0)
    cell = Cell(1, 1, (1, 1)).double()  # of one pixel: only the middle of a kernel counts
    with torch.no_grad():
        cell.peep.normal_()
        (wx, wh), b, (pi, pf, po) = cell.gates.weight[:, :, 1, 1].T, cell.gates.bias, cell.peep.flatten().tolist()
        x, h, c = 0.3, -0.2, 0.7
        i, f, s, o = (wx * x + wh * h + b).tolist()
        new = sigmoid(f + pf * c) * c + sigmoid(i + pi * c) * math.tanh(s)
        here, *before = (torch.full((1, 1, 1, 1), value, dtype=torch.float64) for value in (x, h, c))
        found = cell(here, (before[0], before[1]))
        assert found[1].item() == pytest.approx(new, rel=1e-12)
        assert found[0].item() == pytest.approx(sigmoid(o + po * new) * math.tanh(new), rel=1e-12)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


# ---- bounds of linear Gaussian models, whose likelihood is a multivariate normal


class Given(nn.Module):
    """A net that is a function."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.forward = function


A, B, S = 0.8, 0.5, 0.6  # x_t = A x_t-1 + B z_t + S noise, each of one pixel
SHIFT, SPREAD = 0.3, 0.4  # q is off by so much, and so wide


def test_svgs_bound_is_the_likelihood_less_the_kl_to_the_true_posterior() -> None:
    """Given the first frame, x is a chain of Gaussians, and the true posterior of each code another Gaussian."""
    model = made("svg", Spec((4, 1, 8, 8), levels=17, seen=1), prior="fixed", latent=1).double()
    x = torch.tensor([0.2, -0.5, 0.4, 0.9], dtype=torch.float64)
    total = B**2 + S**2
    residual = x[1:] - A * x[:-1]
    exact = Normal(0.0, math.sqrt(total)).log_prob(residual).sum()
    true = Code((B / total * residual)[None], torch.full((1, 3), math.log(S**2 / total), dtype=torch.float64))

    def q(g: Tensor) -> Code:
        mean = B / total * (g - A * g.roll(1, 1)) + SHIFT
        return Code(mean.flatten(0, 1), torch.full_like(mean.flatten(0, 1), 2 * math.log(SPREAD)))

    model.encoder = Given(lambda x: (x.flatten(1), []))
    model.posterior, model.out = Given(q), nn.Identity()
    model.predictor = Given(lambda both: A * both[..., :1] + B * both[..., 1:])
    model.decoder = Given(lambda h, left: h.clamp(-0.999999, 0.999999).atanh().view(-1, 1, 1, 1))
    model.likelihood = Gaussian().double()
    with torch.no_grad():
        model.likelihood.set_scale(math.log(S))
        nats = model.log_prob(x.view(1, 4, 1, 1, 1).expand(COPIES, -1, -1, -1, -1))
    (gap,) = Code(true.mean + SHIFT, torch.full_like(true.mean, 2 * math.log(SPREAD))).kl(true)
    assert nats.mean().item() == pytest.approx((exact - gap).item(), abs=4 * nats.std().item() / math.sqrt(COPIES))
    assert gap > 0.1


def test_the_bound_of_frames_and_memory_is_the_likelihood_less_the_kl_to_the_true_posterior() -> None:
    """z_t = A z_t-1 + noise, x_t = B z_t + S noise: x and z are one Gaussian."""
    model = made("frame_vae", Spec((3, 1, 8, 8), levels=17), latent=1).double()
    x = torch.tensor([0.2, -0.5, 0.4], dtype=torch.float64)
    root = torch.tensor([[1, 0, 0], [A, 1, 0], [A**2, A, 1]], dtype=torch.float64)
    cov, noise = root @ root.T, S**2 * torch.eye(3, dtype=torch.float64)
    of_x = B**2 * cov + noise
    exact = MultivariateNormal(torch.zeros_like(x), of_x).log_prob(x)
    gain = B * cov @ of_x.inverse()
    true = MultivariateNormal(gain @ x, cov - gain @ cov * B)
    mean = B * x + SHIFT
    q = MultivariateNormal(mean, SPREAD**2 * torch.eye(3, dtype=torch.float64))

    model.encoder = Given(
        lambda x: torch.cat([B * x.flatten(1) + SHIFT, torch.full_like(x.flatten(1), SPREAD).log() * 2], 1)
    )
    model.decoder = Given(lambda z: B * z.view(-1, 1, 1, 1))
    model.memory = Given(lambda z: Code(A * z.flatten(0, 1), torch.zeros_like(z).flatten(0, 1)))
    model.likelihood = Gaussian().double()
    with torch.no_grad():
        model.likelihood.set_scale(math.log(S))
        nats = model.log_prob(x.view(1, 3, 1, 1, 1).expand(COPIES, -1, -1, -1, -1))
    gap = kl_divergence(q, true)
    assert nats.mean().item() == pytest.approx((exact - gap).item(), abs=4 * nats.std().item() / math.sqrt(COPIES))
    assert gap > 0.1


# ---- what they look at


@pytest.mark.parametrize("prior", ["fixed", "learned"])
def test_skips_come_from_the_last_seen_frame(prior: str) -> None:
    model, x, left = made("svg", prior=prior, features=64).eval(), clips(3), []
    model.encoder = Given(lambda x: (x.flatten(1), [x]))
    model.decoder = Given(lambda h, skips: left.extend(skips) or h.view(-1, 1, 8, 8))
    with torch.no_grad():
        model.terms(x)
        assert torch.equal(left[0].unflatten(0, (3, 4)), x[:, [0, 1, 1, 1]])
        left.clear()
        model.sample(3, x[:, :2], Generator().manual_seed(0))
    assert len(left) == 3 and all(torch.equal(each, x[:, 1]) for each in left)


def test_a_predicted_frame_is_what_training_makes_of_the_frames_before_and_the_same_codes() -> None:
    """The first one that is predicted: later ones see predictions, in training the truth."""
    model, x, outs = made("svg", prior="learned").eval(), clips(3), []
    decoder = model.decoder
    model.decoder = Given(lambda h, left: outs.append(decoder(h, left)) or outs[-1])
    with torch.no_grad():
        for law in (model.prior, model.posterior):  # certain, and the same whatever is seen
            law.head.weight.zero_()
            law.head.bias.copy_(torch.cat([torch.ones(10), torch.full((10,), -60.0)]))
        model.terms(x)
        sampled = model.sample(3, x[:, :2], Generator().manual_seed(0))
    assert torch.allclose(sampled[:, 2], outs[0].unflatten(0, (3, 4))[:, 1].clamp(-1, 1), atol=1e-5)


def test_codes_of_given_frames_are_the_posteriors_and_of_others_the_priors(monkeypatch: pytest.MonkeyPatch) -> None:
    x, rng, drawn = clips(3)[:, :2], Generator().manual_seed(0), []
    svg, frames = made("svg").eval(), made("frame_vae", latent=64).eval()
    with torch.no_grad():
        for law, at in ((svg.prior, 1.0), (svg.posterior, 2.0)):  # certain, and the same whatever is seen
            law.head.weight.zero_()
            law.head.bias.copy_(torch.cat([torch.full((10,), at), torch.full((10,), -60.0)]))
        step, remember = svg.predictor.step, frames.memory.step
        monkeypatch.setattr(svg.predictor, "step", lambda h, states: drawn.append(h[:, -10:]) or step(h, states))
        svg.sample(3, x, rng)
        assert torch.allclose(torch.stack(drawn).mean((1, 2)), torch.tensor([2.0, 1.0, 1.0, 1.0]))
        drawn.clear()
        frames.encoder = Given(lambda x: torch.cat([x.flatten(1), torch.full_like(x.flatten(1), -60.0)], 1))
        monkeypatch.setattr(frames.memory, "step", lambda z, states: drawn.append(z) or remember(z, states))
        frames.sample(3, x, rng)
    assert torch.allclose(torch.stack(drawn[:3], 1), torch.cat([0 * x[:, :1], x], 1).flatten(2))


@pytest.mark.parametrize("name", ["svg", "frame_vae"])
def test_the_prior_of_a_frame_sees_frames_before_it_only(name: str) -> None:
    model = made(name).eval()
    features = torch.randn(2, 5, 128 if name == "svg" else model.latent, requires_grad=True)
    mean = model.prior(features).mean.unflatten(0, (2, 5))
    (slope,) = torch.autograd.grad(mean[:, 3].sum(), features)
    seen = [bool(slope[:, t].abs().sum() > 0) for t in range(5)]
    assert seen == ([True] * 4 + [False] if name == "svg" else [True] * 3 + [False] * 2)  # svg's are told one later


@pytest.mark.parametrize("seen", [0, 2])
def test_svg_asks_its_prior_about_the_frame_before_and_weighs_the_rate(seen: int) -> None:
    model, x, asked = made("svg", CLIPS._replace(seen=seen), features=64, beta=3.0), clips(3), []
    encoder = model.encoder
    model.encoder = Given(lambda x: (x.flatten(1), encoder(x)[1]))
    model.prior = Given(lambda before: asked.append(before) or Code(*torch.zeros(2, before[..., 0].numel(), 10)))
    loss = model.bound_move(Batch(x))["model"]
    before = x.flatten(2)[:, :-1]
    first = model.start.detach().expand(3, 1, -1) if seen == 0 else before[:, :0]
    assert torch.equal(asked[0], torch.cat([first, before], 1))
    torch.testing.assert_close(loss, model.watched["reconstruction"] + 3 * model.watched["KL"])


def test_frames_are_a_vaes_and_codes_are_told_from_those_before() -> None:
    """Codes that are certain, z_t, and p(z_t | z_t-1) = N(A z_t-1, 1), after 0."""
    model, x = made("frame_vae", latent=64), clips(3)
    model.encoder = Given(lambda x: torch.cat([x.flatten(1), torch.full_like(x.flatten(1), -60.0)], 1))
    model.memory = Given(lambda z: Code(A * z.flatten(0, 1), torch.zeros_like(z).flatten(0, 1)))
    found, z = model.both_move(Batch(x)), x.flatten(2)
    before = torch.cat([0 * z[:, :1], z[:, :-1]], 1)
    torch.testing.assert_close(found["memory"], -Normal(A * before, 1.0).log_prob(z).sum(2).mean())
    torch.testing.assert_close(found["vae"], model.watched["reconstruction"] + model.watched["KL"])
    rate = kl_divergence(Normal(z, torch.full_like(z, -30.0).exp()), Normal(0.0, 1.0)).sum(2).mean()
    torch.testing.assert_close(model.watched["KL"], rate)


@pytest.mark.parametrize("settings", [{"prior": "fixed"}, {"prior": "learned"}])
@pytest.mark.parametrize("seen", [0, 2])
def test_gradients_reach_all_parts(settings: dict, seen: int) -> None:
    model = made("svg", CLIPS._replace(seen=seen), **settings)
    model.bound_move(Batch(clips(4)))["model"].backward()
    lost = [name for name, weight in model.named_parameters() if not weight.grad.abs().sum() > 0]
    # A bias before a batch normalisation moves nothing: PyTorch leaves it some rounding or none.
    assert all(name.endswith("bias") for name in lost), lost


def test_the_last_frame_stays() -> None:
    x = clips(3)
    sampled = made("copy_last").sample(3, x[:, :2], Generator())
    assert torch.equal(sampled, x[:, [0, 1, 1, 1, 1]])


def test_what_moves_on_goes_on_and_leaves_the_frame() -> None:
    thing = torch.tensor([[0.5, 1.0], [0.0, -0.5]])
    x = torch.full((2, 6, 1, 16, 16), -1.0)
    for t in range(6):
        x[0, t, 0, 3 + t : 5 + t, 12 - 2 * t : 14 - 2 * t] = thing
    for t in range(3):  # at a wall after two steps
        x[1, t, 0, 10 + 2 * t : 12 + 2 * t, 5:7] = thing
    model = made("constant_velocity", Spec((6, 1, 16, 16), levels=5, seen=3))
    sampled = model.sample(2, x[:, :3], Generator())
    assert torch.equal(sampled[0], x[0])
    assert torch.equal(sampled[1], torch.where(torch.arange(6).view(6, 1, 1, 1) < 3, x[1], -1.0))


def test_of_displacements_that_explain_as_much_the_shortest_counts() -> None:
    """Of a thing that was not there before nothing is explained: it is taken to rest."""
    x = torch.full((1, 5, 1, 8, 8), -1.0)
    x[:, 1:, 0, 4, 4] = 1
    assert torch.equal(made("constant_velocity").sample(1, x[:, :2], Generator()), x)


def test_what_rests_is_not_moved() -> None:
    still = clips(2)[:, :1].expand(-1, 5, -1, -1, -1)
    blank = torch.full_like(still, -1.0)  # any displacement explains it
    for x in (still, blank):
        assert torch.equal(made("constant_velocity").sample(2, x[:, :2], Generator()), x)


# ---- refusals

NEEDS = {"copy_last": 1, "constant_velocity": 2, "conv_lstm": 1, "frame_vae": 0, "svg": 0}


@pytest.mark.parametrize("name", NEEDS)
def test_other_data_are_refused_in_one_line(name: str) -> None:
    refused = {
        "needs clips": [Spec((2,)), Spec((1, 8, 8), levels=17), Spec((5, 1, 8, 8))],
        "no frame to predict": [CLIPS._replace(seen=5), CLIPS._replace(seen=6)],
        f"needs the first {NEEDS[name]} frames": [CLIPS._replace(seen=seen) for seen in range(NEEDS[name])],
    }
    for words, specs in refused.items():
        for spec in specs:
            with pytest.raises(ValueError, match=f"^{name} .*{words[6:]}") as refusal:
                made(name, spec)
            assert "\n" not in str(refusal.value) and str(spec.shape) in str(refusal.value)
    made(name, CLIPS._replace(seen=NEEDS[name]))


def test_cross_entropy_is_a_likelihood_of_levels() -> None:
    """The binomial law by scipy, and its cross-entropy and constant by hand."""
    k, odds = torch.arange(17, dtype=torch.float64), 0.7
    nats = binomial(k / 8 - 1, torch.tensor(odds, dtype=torch.float64), 16)
    share = 1 / (1 + math.exp(-odds))
    np.testing.assert_allclose(nats, binom.logpmf(k.numpy(), 16, share), rtol=1e-9)
    apart = (nats[3] - nats[16]).item()
    entropy = [-(c * math.log(share) + (1 - c) * math.log(1 - share)) for c in (3 / 16, 1)]
    assert apart == pytest.approx(16 * (entropy[1] - entropy[0]) + math.log(560))  # 16 choose 3
    model, x = made("conv_lstm"), clips(2)
    told = model.forecast(x[:, :2])
    expected = [binomial(x[:, 2 + t], told[:, t], 16).flatten(1).sum(1) for t in range(3)]
    torch.testing.assert_close(model.log_prob(x), sum(expected))
    torch.testing.assert_close(model.sample(2, x[:, :2], Generator())[:, 2:], 2 * told.sigmoid() - 1)


def test_layers_of_convolutional_cells_see_light_and_then_each_other() -> None:
    """Black is 0 and white 1, in patches of 2x2; the second layer is told the first one's answer."""
    model, told = made("conv_lstm", depth=2, width=3), []
    for layer in model.encoding:
        layer.register_forward_hook(lambda _, args, out: told.append((args[0], out[0])))
    x = clips(2)[:, :2]
    model.forecast(x)
    (first, answer), (second, _) = told[:2]
    corner = (x[:, 0, 0, :2, :2].flatten(1) + 1) / 2
    assert len(told) == 4 and torch.equal(second, answer) and torch.allclose(first[:, :, 0, 0], corner)


def test_patches_must_divide_a_frame() -> None:
    with pytest.raises(ValueError, match=r"patch = 3: does not divide the sides of clips of shape \(5, 1, 8, 8\)"):
        made("conv_lstm", patch=3)

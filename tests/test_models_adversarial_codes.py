"""Critics of codes: the AVB's finds divergences known in closed form, the AAE's makes the codes those of the prior."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

import models
from models import avb
from models.common.codes import standard_normal
from models.common.losses import kl_to_standard_normal
from models.common.pixels import from_levels
from models.common.protocol import Batch, Spec
from pipeline.training.engine import Players

IMAGES = Spec((1, 8, 8), classes=10, levels=17)
MOVES = ["reconstruction_move", "critic_move", "generator_move"]
SUPERVISED = {"prior": "mixture", "supervised": True, "latent": 2}
POSTERIORS = ["deterministic", "gaussian", "universal"]


def train(model: nn.Module, moves: list[str], data: Batch, steps: int, n: int = 256) -> None:
    """So many steps of these moves on minibatches of n, at rates that fall linearly."""
    players = Players(model)
    for step in range(steps):
        players.slow_down(1 - step / steps)
        some = torch.randint(len(data.x), (n,))
        batch = Batch(data.x[some], None if data.label is None else data.label[some])
        for move in moves:
            players.move(getattr(model, move)(batch))


class Given(nn.Module):
    """Draws of q(z | x) that are x + scale * v."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, torch.full_like(x, self.scale)], 1)


class TwoHumps(nn.Module):
    """v is near 1 or near -1: (n, 1, 2) -> (n, 1, 1)"""

    spread = 0.3

    def forward(self, eps: Tensor) -> Tensor:
        return eps[..., :1].sign() + self.spread * eps[..., 1:]


def with_posterior(latent: int, scale: float, basis: nn.Module, **hyper: object) -> nn.Module:
    """An AVB whose q(z | x) is given, so that only its critic learns."""
    torch.manual_seed(0)
    model = models.load("avb")(Spec((latent,)), latent=latent, bases=1, critic_lr=2e-3, width=64, depth=2, **hyper)
    model.encoder, model.basis = Given(scale), basis
    return model


@torch.no_grad()
def estimated_kl(model: nn.Module, x: Tensor, draws: int = 10_000) -> Tensor:
    """What the model watches, for each datum: (n, latent) -> (n,)"""
    found = []
    for datum in x:
        model.joint_move(Batch(datum.expand(draws, -1)))
        found.append(model.watched["KL"])
    return torch.stack(found)


@pytest.mark.parametrize("adaptive", [False, True])
def test_the_critic_of_avb_recovers_the_divergence_of_gaussians(adaptive: bool) -> None:
    """Within 0.1 nats for each datum, of 0.3 to 2.4; where r is q, T is within 0.1 of 0, on average."""
    x, scale = torch.tensor([[0.0, 0.0], [1.0, -0.5], [-1.0, -1.0], [0.3, 2.0]]), 0.6
    exact = kl_to_standard_normal(x, torch.full_like(x, math.log(scale**2)))
    model = with_posterior(2, scale, nn.Identity(), eps=2, adaptive_contrast=adaptive)
    train(model, ["critic_move"], Batch(x), 2000, n=512)
    assert (estimated_kl(model, x) - exact).abs().max() < 0.1
    if adaptive:
        x = x.repeat(500, 1)
        assert torch.cat(model.scores(x, *model.draw(x))).abs().mean() < 0.1, "nothing tells q from r"


def test_contrast_and_critic_add_up_to_the_divergence_of_what_is_no_gaussian() -> None:
    """Within 0.1 nats of the integral, of which the critic must give more than 0.4: r alone is that far off."""
    x, scale = torch.tensor([[0.0], [1.0]]), 0.5
    grid = torch.linspace(-6, 6, 10_001, dtype=torch.float64)
    humps = Normal(torch.tensor([[-1.0, 1.0]]).double() * scale + x.double(), TwoHumps.spread * scale)
    q = MixtureSameFamily(Categorical(torch.ones(2, 2).double()), humps).log_prob(grid[:, None])  # (grid, data)
    exact = torch.trapezoid(q.exp() * (q - Normal(0, 1).log_prob(grid)[:, None]), grid, dim=0)
    model = with_posterior(1, scale, TwoHumps(), eps=2)
    r_alone = kl_to_standard_normal(x, torch.full_like(x, math.log(scale**2 * (1 + TwoHumps.spread**2))))
    assert ((exact - r_alone) > 0.4).all()
    train(model, ["critic_move"], Batch(x), 500, n=512)
    assert (estimated_kl(model, x) - exact).abs().max() < 0.1


@pytest.mark.usefixtures("float64")
def test_the_contrast_has_the_moments_of_q_and_no_gradient() -> None:
    torch.manual_seed(0)
    model = models.load("avb")(Spec((2,)), latent=3, bases=4, width=16)
    nn.init.normal_(model.encoder[-1].weight)
    x = torch.randn(2, 2)
    z, r = model.draw(x.repeat_interleave(20_000, 0))
    assert z.requires_grad and not r.mean.requires_grad and not r.log_variance.requires_grad
    for drawn, mean, log_variance in zip(z.view(2, -1, 3), r.mean[::20_000], r.log_variance[::20_000], strict=True):
        assert torch.allclose(drawn.mean(0), mean, atol=0.02 * drawn.std().item())
        assert torch.allclose(drawn.var(0) + 1e-4, log_variance.exp(), rtol=0.1)
    after = model.posterior(x)
    assert torch.allclose(after.mean, r.mean[::20_000], atol=0.2 * z.std().item())
    assert torch.allclose(after.mean[1:], model.posterior(x[1:]).mean, atol=1e-6), "its neighbours do not matter"


def test_moments_are_those_of_the_draws_there_are() -> None:
    """Noises that are 1 and 3, and 0 and 2, scaled by 2 and 5: variances of 1 each, over all draws."""
    v = torch.tensor([[[1.0], [0.0]], [[3.0], [2.0]]])  # (2, bases, 1)
    r = avb.moments(torch.tensor([[10.0]]), torch.tensor([[[2.0], [5.0]]]), v)
    assert r.mean.item() == pytest.approx(10 + 2 * 2 + 5) and r.log_variance.exp().item() == pytest.approx(29 + 1e-4)


class Grey(nn.Module):
    """Decodes every code to the same image."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, z: Tensor) -> Tensor:
        return z.new_zeros(len(z), *self.shape)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["aae", "avb"])
def test_reconstruction_is_summed_over_pixels_and_averaged_over_the_batch(name: str) -> None:
    x, found = from_levels(torch.randint(17, (6, 1, 8, 8)), 17, like=torch.empty(0)), []
    for data in (x, torch.cat([x, x], 3), torch.cat([x, x])):
        model = models.load(name)(IMAGES._replace(shape=data.shape[1:]), width=16)
        model.decoder = Grey(data.shape[1:])
        losses = model.moves(0)[0](Batch(data))
        found.append(model.watched["reconstruction"] if name == "avb" else losses["decoder"])
    assert torch.isclose(found[1], 2 * found[0]) and torch.isclose(found[2], found[0])


class Normality(nn.Module):
    """The best critic where r is q: T is 0."""

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return standard_normal(z)


def test_the_divergence_is_summed_over_the_code() -> None:
    for latent in (1, 4):
        model = with_posterior(latent, 0.6, nn.Identity(), eps=latent)
        model.critic = Normality()
        exact = latent * kl_to_standard_normal(torch.ones(1, 1), torch.full((1, 1), math.log(0.36)))
        assert torch.allclose(estimated_kl(model, torch.ones(1, latent)), exact, atol=0.03 * latent)


def test_any_posterior_gives_a_bound() -> None:
    """Of a linear decoder, whose log p(x) has a closed form: one draw, then 50, then the truth; in float64."""
    torch.manual_seed(0)
    model = models.load("avb")(Spec((3,)), latent=2, bases=2, eps=4, width=16).double().eval()
    model.decoder = nn.Linear(2, 3).double()
    model.likelihood.set_scale(-0.5)
    weight, scale = model.decoder.weight.detach(), model.likelihood.log_scale.exp().detach()
    truth = MultivariateNormal(model.decoder.bias.detach(), weight @ weight.T + scale**2 * torch.eye(3).double())
    x = truth.sample((2000,))
    bounds = []
    for model.importance in (1, 50):
        with torch.no_grad():
            bounds.append(model.log_prob(x).mean())
    exact = truth.log_prob(x).mean()
    assert bounds[0] < bounds[1] - 0.1 and bounds[1] < exact
    assert model.bound and model.estimator == "IWAE-50, Gaussian fitted to q as proposal"


def test_the_model_of_avb_moves_with_its_critic_in_every_step_or_fewer() -> None:
    assert [move.__name__ for move in models.load("avb")(Spec((2,)), width=8).moves(0)] == ["joint_move"]
    model = models.load("avb")(Spec((2,)), critic_steps=3, width=8)
    turns = [move.__name__ for number in range(6) for move in model.moves(number)]
    assert turns == ["critic_move", "critic_move", "joint_move"] * 2
    batch = Batch(torch.randn(4, 2))
    assert set(model.critic_move(batch)) == {"critic"} and set(model.joint_move(batch)) == {"model", "critic"}


def energy(distance: Tensor, first: Tensor) -> Tensor:
    """The energy distance (Szekely, Rizzo, 2004) of those in `first`, a mask, to the others: (n, n), (n,) -> ()"""
    one, other = first.to(distance), (~first).to(distance)
    share = torch.stack([one / one.sum(), -other / other.sum()])
    return -(share.sum(0) @ distance @ share.sum(0))


@torch.no_grad()
def from_prior(model: nn.Module, x: Tensor, n: int = 1000) -> float:
    """The energy distance of n codes from as many draws of the prior."""
    code = model.code(x[:n])
    both = torch.cat([code, model.prior(n, code)])
    return energy(torch.cdist(both, both), torch.arange(2 * n) < n).item()


@pytest.mark.parametrize("posterior", POSTERIORS)
def test_codes_of_an_aae_match_its_prior(posterior: str) -> None:
    """Training takes more than nine tenths of their distance; whatever the chance, it takes 0.97 and more."""
    torch.manual_seed(0)
    x = torch.randn(4000, 2) @ torch.tensor([[1.5, 0.5], [0.0, 0.4]]) + torch.tensor([1.0, -1.0])
    model = models.load("aae")(Spec((2,)), latent=2, posterior=posterior, lr=8e-3, width=48, depth=2)
    model.encoder[-1].bias.data[:2] = 1.5  # away from the prior, whatever the posterior
    before = from_prior(model, x)
    train(model, MOVES, Batch(x), 700)
    assert from_prior(model, x) < before / 10
    assert (model.reconstruct(x) - x).square().sum(1).mean() < 0.05


def test_codes_of_a_supervised_aae_match_the_mixture_and_their_own_component() -> None:
    """As before; and each of ten classes is nearest to its own component's centre."""
    torch.manual_seed(1)
    label = torch.arange(4000) % 10
    angle = 2 * math.pi * (label * 3 % 10) / 10  # the data's order around the circle is not the prior's
    x = torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(4000, 2)
    hyper = {"posterior": "universal", "lr": 4e-3, "width": 48, "depth": 2}
    model = models.load("aae")(Spec((2,), classes=10), **SUPERVISED, **hyper)
    before = from_prior(model, x)
    train(model, MOVES, Batch(x, label), 600)
    assert from_prior(model, x) < before / 10
    with torch.no_grad():
        centres = torch.stack([model.code(x[label == k]).mean(0) for k in range(10)])
        aim = torch.stack([model.prior(5000, x, label=torch.full((5000,), k)).mean(0) for k in range(10)])
    assert torch.equal(torch.cdist(centres, aim).argmin(1), torch.arange(10))


def test_the_mixture_has_ten_components_evenly_around() -> None:
    model = models.load("aae")(IMAGES, latent=2, prior="mixture", width=8)
    like, outwards = torch.empty(0, dtype=torch.float64), []
    for k in range(10):
        z = model.prior(20_000, like, label=torch.full((20_000,), k))
        turn = 2 * math.pi * k / 10
        axes = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]], dtype=like.dtype)
        assert torch.allclose((z @ axes).mean(0), torch.tensor([1.4, 0.0], dtype=like.dtype), atol=0.02)
        assert torch.allclose((z @ axes).T.cov(), torch.tensor([[0.25, 0], [0, 0.01]], dtype=like.dtype), atol=0.01)
        outwards.append(z.mean(0))
    assert torch.pdist(torch.stack(outwards)).min() == pytest.approx(2 * 1.4 * math.sin(math.pi / 10), abs=0.02)
    anywhere = model.prior(20_000, like)
    found = (torch.atan2(anywhere[:, 1], anywhere[:, 0]) * 10 / (2 * math.pi)).round().long() % 10
    assert torch.bincount(found, minlength=10).float().std() < 150  # sqrt(20,000 * 0.09) = 42 by chance alone


def test_a_supervised_aae_samples_from_the_component_of_a_label() -> None:
    model = models.load("aae")(Spec((2,), classes=4), **SUPERVISED, width=8)
    model.decoder = nn.Identity()
    assert model.given == "label" and model.components == 4
    x = model.sample(400, torch.arange(400) % 4, torch.Generator().manual_seed(0))
    right, up, left, down = (x[k::4].mean(0) for k in range(4))
    assert right[0] > 1 and up[1] > 1 and left[0] < -1 and down[1] < -1
    with pytest.raises(ValueError, match="4 samples of aae need 4 labels, given are None"):
        model.sample(4, None, torch.Generator())
    batch = Batch(torch.randn(6, 2), torch.arange(6) % 4)
    told = [model.score(batch.x, (batch.label + turn) % 4) for turn in (0, 1)]
    assert not torch.equal(*told), "the critic sees the label"


def test_three_moves_of_an_aae_and_their_players() -> None:
    model, batch = models.load("aae")(Spec((2,)), width=8), Batch(torch.randn(4, 2))
    assert [move.__name__ for move in model.moves(7)] == MOVES
    assert [set(move(batch)) for move in model.moves(7)] == [{"encoder", "decoder"}, {"critic"}, {"encoder"}]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("spec", [Spec((2,)), IMAGES])
def test_the_error_of_an_aae_is_that_of_a_gaussian_decoder(spec: Spec) -> None:
    model, x = models.load("aae")(spec, width=16, sigma=0.3), torch.randn(5, *spec.shape)
    with torch.no_grad():
        bound = Normal(model.decode(model.code(x)), 0.3).log_prob(x)
        error = model.reconstruction_move(Batch(x))["decoder"]
    constant = math.log(0.3 * math.sqrt(2 * math.pi))  # of each number
    torch.testing.assert_close(error, -(bound + constant).flatten(1).sum(1).mean())


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("spec", [Spec((2,)), IMAGES])
def test_codes_of_an_aae_vary_as_their_posterior_says(posterior: str, spec: Spec) -> None:
    model = models.load("aae")(spec, posterior=posterior, width=16)
    x = torch.randn(1, *spec.shape).expand(64, *spec.shape)
    drawn, code = model.code(x), model.encode(x)
    assert torch.allclose(drawn, code) == (posterior == "deterministic")
    assert torch.allclose(code, code[:1].expand_as(code), atol=1e-6)
    if posterior == "gaussian":
        mean, log_variance = model.encoder(x[:1]).chunk(2, 1)
        assert torch.equal(model.encode(x[:1]), mean)
        many = torch.cat([model.code(x) for _ in range(50)])
        assert torch.allclose(many.var(0).log(), log_variance[0], atol=0.15)
    if posterior == "universal":
        assert torch.equal(model.encode(x[:1]), model.encoder(torch.cat([x[:1], torch.zeros_like(x[:1])], 1)))


def test_a_universal_encoder_is_shown_normal_noise_of_the_datas_shape() -> None:
    model = models.load("aae")(Spec((2,)), posterior="universal", width=16)
    model.encoder = nn.Identity()
    x, eta = model.code(torch.full((20_000, 2), 7.0)).split(2, 1)
    assert (x == 7).all() and torch.allclose(eta.T.cov(), torch.eye(2), atol=0.05)


@pytest.mark.parametrize(
    ("name", "spec", "hyper", "says"),
    [
        ("aae", IMAGES, {"prior": "mixture", "latent": 8}, "latent = 8: must be 2 for prior = mixture"),
        ("aae", IMAGES, {"supervised": True}, "prior = gaussian: must be mixture for supervised = true"),
        ("aae", Spec((2,)), SUPERVISED, r"needs labelled data, the data of shape \(2,\) have no classes"),
        ("aae", IMAGES, {"posterior": "bernoulli"}, "posterior = 'bernoulli': must be one of deterministic"),
        ("avb", IMAGES, {"critic_steps": 0}, "critic_steps = 0: must be 1 or more"),
        ("avb", Spec((2,)), {"likelihood": "bernoulli"}, "likelihood = bernoulli does not fit continuous data"),
    ],
)
def test_bad_settings_are_refused_in_one_line(name: str, spec: Spec, hyper: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refusal:
        models.load(name)(spec, **hyper)
    assert "\n" not in str(refusal.value)

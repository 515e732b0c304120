"""CVAE and structured CVAE: bounds that are bounds, labels and seen pixels that count, hidden ones that do not."""

import math

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

import models
from models.common.codes import Code, standard_normal
from models.common.protocol import Batch, Completes, Encodes, HasLikelihood, Inpaints, Spec
from models.structured_cvae import divergence

GREY, BINARY = Spec((1, 8, 8), classes=3, levels=17), Spec((1, 4, 4), levels=2)
LOWER_LEFT = torch.zeros(4, 4, dtype=torch.bool)
LOWER_LEFT[2:, :2] = True


def structured(spec: Spec = BINARY, seed: int = 0, **hyper: object) -> nn.Module:
    torch.manual_seed(seed)
    return models.load("structured_cvae")(spec, **{"width": 16, "latent": 2, **hyper}).double()


def images(n: int, spec: Spec = BINARY) -> Tensor:
    level = torch.randint(spec.levels, (n, *spec.shape), generator=Generator().manual_seed(3))
    return level.double() * 2 / (spec.levels - 1) - 1


def steps(model: nn.Module, batch: Batch, count: int) -> None:
    optimizers = model.optimizers()
    for step in range(count):
        for move in model.moves(step):
            for player, loss in move(batch).items():
                optimizers[player].zero_grad()
                loss.backward(inputs=[p for group in optimizers[player].param_groups for p in group["params"]])
                optimizers[player].step()


# ---- the class-conditional one


@pytest.fixture(scope="module")
def clusters() -> tuple[nn.Module, Tensor, Tensor]:
    """A model that has learned two labels, a cluster of points each."""
    torch.manual_seed(0)
    label = torch.arange(2).repeat(128)
    x = torch.where(label[:, None] == 1, 2.0, -2.0) + 0.3 * torch.randn(256, 2)
    model = models.load("cvae")(Spec((2,), classes=2), latent=2, width=32, lr=1e-2)
    steps(model, Batch(x, label), 200)
    return model.eval().requires_grad_(False), x, label


def test_a_label_chooses_its_cluster(clusters: tuple[nn.Module, Tensor, Tensor]) -> None:
    model, x, label = clusters
    sample = model.sample(256, label, Generator().manual_seed(1))
    assert ((sample.mean(1) > 0) == (label == 1)).all()
    assert model.log_prob(x).mean() > -3.5  # log 1/2 and the entropy of the clusters make about -1.1


def test_codes_carry_the_label_of_the_largest_bound(clusters: tuple[nn.Module, Tensor, Tensor]) -> None:
    model, x, label = clusters
    code = model.encode(x)
    assert code.shape == (256, model.latent) == (256, 2 + 2) and torch.equal(code[:, 2:].argmax(1), label)
    assert torch.equal(code[:, :2], model.posterior(x, label).mean)
    assert (model.reconstruct(x) - x).abs().mean() < 0.3
    assert isinstance(model, Encodes) and isinstance(model, HasLikelihood)


def test_the_likelihood_is_the_mean_over_labels() -> None:
    """p(x | z, y) = N(W z + c_y, 1) has a closed form; with its exact posterior so has the bound."""
    torch.manual_seed(0)
    model = models.load("cvae")(Spec((3,), classes=4), latent=2, importance=3).double().eval().requires_grad_(False)
    model.likelihood.set_scale(0.0)
    model.decoder, model.encoder = nn.Linear(2 + 4, 3).double(), nn.Linear(3 + 4, 4).double()
    direction, _ = torch.linalg.qr(torch.randn(3, 2, dtype=torch.float64))
    weight, centre = direction * torch.tensor([2.0, 0.5]), torch.randn(3, 4, dtype=torch.float64)
    model.decoder.weight.data, model.decoder.bias.data = torch.cat([weight, centre], 1), torch.zeros(3).double()
    variance = 1 / (weight.square().sum(0) + 1)
    gain = variance[:, None] * weight.T
    model.encoder.weight.data = torch.cat([torch.cat([gain, -gain @ centre], 1), torch.zeros(2, 7).double()])
    model.encoder.bias.data = torch.cat([torch.zeros(2).double(), variance.log()])
    x = torch.randn(20, 3, dtype=torch.float64)
    covariance = weight @ weight.T + torch.eye(3)
    given = torch.stack([MultivariateNormal(mean, covariance).log_prob(x) for mean in centre.T], 1)
    with torch.no_grad():
        assert torch.allclose(model.log_prob(x), given.logsumexp(1) - math.log(4))
    assert model.bound and "IWAE-3" in model.estimator and "4 labels" in model.estimator


def test_the_likelihood_by_hand_and_over_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = models.load("cvae")(GREY, importance=4, width=16).double().eval().requires_grad_(False)
    x, rng = images(7, GREY), Generator().manual_seed(0)
    expected = []
    for datum in x:  # the draws in the order in which the model takes them: datum, label, draw
        bounds = []
        for label in range(3):
            code = model.posterior(datum[None], torch.tensor([label])).repeated(4)
            z = code.draw(rng)
            out = model.decoder(torch.cat([z, torch.eye(3).double()[[label] * 4]], 1))
            weight = model.likelihood.log_prob(datum.expand(4, -1, -1, -1), out) + standard_normal(z) - code.log_prob(z)
            bounds.append(weight.exp().mean())
        expected.append((sum(bounds) / 3).log())
    assert torch.allclose(model.log_prob(x), torch.stack(expected))
    monkeypatch.setattr("models.cvae.DECODED_AT_ONCE", 30)
    assert torch.allclose(model.log_prob(x), torch.stack(expected))


def test_holes_are_filled_in_the_label_that_fits() -> None:
    """Images of label 0 are black, of label 1 white: one seen row tells which."""
    spec = Spec((1, 4, 4), classes=2, levels=2)
    torch.manual_seed(0)
    label = torch.arange(2).repeat(16)
    x = (2.0 * label - 1)[:, None, None, None].expand(-1, 1, 4, 4)
    model = models.load("cvae")(spec, latent=2, width=16, lr=1e-2)
    steps(model, Batch(x, label), 60)
    mask = torch.zeros(32, 1, 4, 4, dtype=torch.bool)
    mask[:, :, 0] = True
    with torch.no_grad():
        filled = model.eval().inpaint(torch.where(mask, x, 0.0), mask, Generator().manual_seed(0))
    assert ((filled * x).flatten(1).mean(1) > 0.5).all() and isinstance(model, Inpaints)  # three pixels in four agree


def test_a_label_is_drawn_however_unlikely_its_image_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of whole images are hundreds of nats below 0: only what is between them tells."""
    model, n = models.load("cvae")(GREY, width=16), 2000
    filled = torch.arange(3.0).repeat(n).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)  # with the number of its label
    monkeypatch.setattr("models.cvae.alternate", lambda *_: filled)
    monkeypatch.setattr(model, "bounds", lambda *_: torch.tensor([0.1, 0.6, 0.3]).log().expand(n, 3) - 500)
    x = torch.zeros(n, 1, 8, 8)
    label = model.inpaint(x, x == 0, Generator().manual_seed(0))[:, 0, 0, 0].long()
    assert (label.bincount(minlength=3) / n).tolist() == pytest.approx([0.1, 0.6, 0.3], abs=0.05)


def test_the_loss_is_a_bound_of_the_data_given_their_labels() -> None:
    """The mean over images of -log p(x | z, y) and KL(q(z | x, y) | N(0, I)), of the draw of z that is decoded."""
    torch.manual_seed(0)
    model, x, label, decoded = models.load("cvae")(GREY, width=16).double(), images(6, GREY), torch.arange(6) % 3, []
    model.decoder.register_forward_hook(lambda _, args, out: decoded.append((args[0], out)))
    loss = model.bound_move(Batch(x, label))["model"]
    ((code, out),), one_hot = decoded, torch.eye(3).double()[label]
    planes = one_hot[:, :, None, None].expand(-1, -1, 8, 8)
    mean, log_variance = model.encoder(torch.cat([x, planes], 1)).chunk(2, 1)
    rate = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.equal(code[:, -3:], one_hot)
    assert torch.allclose(loss, (rate - model.likelihood.log_prob(x, out)).mean())


def test_unlabelled_data_are_refused() -> None:
    with pytest.raises(ValueError, match=r"labelled data.*\(2,\)"):
        models.load("cvae")(Spec((2,)))
    model = models.load("cvae")(Spec((2,), classes=2))
    with pytest.raises(ValueError, match="5 labels, given are 4"):
        model.sample(5, torch.zeros(4, dtype=torch.long), Generator())


# ---- the structured one


def test_divergence_is_that_of_two_gaussians() -> None:
    torch.manual_seed(0)
    q, p = (Code(torch.randn(5, 3).double(), torch.randn(5, 3).double()) for _ in range(2))
    law = [Independent(Normal(code.mean, (0.5 * code.log_variance).exp()), 1) for code in (q, p)]
    assert torch.allclose(divergence(q, p), kl_divergence(*law))
    assert torch.equal(divergence(q, q), torch.zeros(5).double())


@pytest.mark.parametrize(("quadrants", "seen"), [(1, "0010"), (2, "1010"), (3, "1110")])
def test_which_quadrants_are_seen(quadrants: int, seen: str) -> None:
    """Upper left, upper right, lower left, lower right"""
    model = structured(Spec((1, 6, 4), levels=2), quadrants=quadrants)
    corners = [model.seen[rows, columns] for rows in (slice(3), slice(3, 6)) for columns in (slice(2), slice(2, 4))]
    assert "".join(str(int(corner.all())) for corner in corners) == seen
    assert [corner.any() for corner in corners] == [corner.all() for corner in corners]
    assert model.task == f"{quadrants} of 4 quadrants seen" and len(model.generation.hidden) == 24 - 6 * quadrants


def exact(model: nn.Module, image: Tensor) -> Tensor:
    """log p(y | x) by quadrature over a code of one dimension."""
    features, prior = model.condition(image)
    grid = torch.linspace(-8, 8, 801, dtype=torch.float64)
    z = prior.mean + grid[:, None] * (0.5 * prior.log_variance).exp()  # (801, 1), in standard deviations
    many = (part.expand(801, *part.shape[1:]) for part in (image, features))
    given_z = model.generation.log_prob(*many, z)
    return (given_z - 0.5 * grid.square() - 0.5 * math.log(2 * math.pi)).logsumexp(0) + math.log(16 / 800)


@pytest.mark.parametrize("recurrent", [False, True])
def test_the_bound_lies_below_importance_sampling_and_that_below_the_likelihood(recurrent: bool) -> None:
    model = structured(latent=1, recurrent=recurrent, lr=1e-2)
    steps(model, Batch(images(64)), 40)
    model.eval().requires_grad_(False)
    model.recognition[-1].bias.data += torch.tensor([1.5, -0.5])  # q is no longer close to the posterior
    image, repeats, rng = images(1), 4000, Generator().manual_seed(0)
    many = image.expand(repeats, -1, -1, -1)
    features, prior = model.condition(many)
    code = model.posterior(many, prior)
    elbo = -model.distortion(many, features, code) - divergence(code, prior).mean()
    draws = model.importance_bound(many, 1, rng)
    five, fifty = (model.importance_bound(many[: 8000 // k], k, rng).mean() for k in (5, 50))
    off = 5 * draws.std() / repeats**0.5  # both are means of as many draws
    assert torch.allclose(elbo, draws.mean(), rtol=0, atol=off)  # the same bound, with its KL in closed form
    assert elbo + 0.2 < five < fifty - 0.02 < exact(model, image)
    model.recognition[-1].bias.data += torch.tensor([-1.5, 1.5])  # q is wider than the posterior: no weight is large
    assert torch.allclose(model.importance_bound(image, 20000, rng), exact(model, image), atol=0.05)


def test_probabilities_of_all_completions_sum_to_one() -> None:
    """Three quadrants of 2x2 binary pixels seen, and the 16 values of the fourth."""
    model = structured(quadrants=3, importance=1000).eval().requires_grad_(False)
    completions = images(1).repeat(16, 1, 1, 1)
    completions.flatten(2)[:, 0, model.generation.hidden] = torch.cartesian_prod(
        *[torch.tensor([-1.0, 1.0])] * 4
    ).double()
    nats = model.conditional_log_prob(completions)
    assert nats.exp().sum().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("recurrent", [False, True])
def test_hidden_pixels_never_leak_and_seen_ones_are_left_alone(recurrent: bool) -> None:
    model = structured(recurrent=recurrent).eval().requires_grad_(False)
    image = images(6)
    other = torch.where(LOWER_LEFT, image, -image)
    (features, prior), (features_of_other, prior_of_other) = model.condition(image), model.condition(other)
    assert torch.equal(features, features_of_other) and torch.equal(prior.mean, prior_of_other.mean)
    assert torch.equal(prior.log_variance, prior_of_other.log_variance)
    first, second = (model.sample(6, given, Generator().manual_seed(0)) for given in (image, other))
    assert torch.equal(first, second) and torch.equal(first[:, :, LOWER_LEFT], image[:, :, LOWER_LEFT])
    assert not torch.equal(model.posterior(image, prior).mean, model.posterior(other, prior).mean)
    assert not torch.equal(model.conditional_log_prob(image), model.conditional_log_prob(other))


def test_generation_sees_the_seen_pixels_and_the_code() -> None:
    model = structured().eval().requires_grad_(False)
    features, prior = model.condition(images(6))
    changed, _ = model.condition(torch.where(LOWER_LEFT, -images(6), images(6)))
    mean = model.generation.mean(features, prior.mean)
    assert not torch.allclose(mean, model.generation.mean(changed, prior.mean))  # the same z
    assert not torch.allclose(mean, model.generation.mean(features, prior.mean + 1))  # the same x


def test_the_first_guess_reaches_the_prior_and_learns_from_its_own_loss_only() -> None:
    model = structured()
    batch = Batch(images(6))
    model.hybrid_move(batch)["model"].backward()
    assert all(parameter.grad is None for parameter in model.baseline.parameters())
    features, prior = model.condition(batch.x)
    for parameter in model.baseline.parameters():
        nn.init.normal_(parameter)
    other_features, other_prior = model.condition(batch.x)
    assert not torch.equal(features, other_features) and not torch.equal(prior.mean, other_prior.mean)
    alone = structured(recurrent=False)
    assert set(alone.optimizers()) == {"model"} and len(alone.moves(0)) == 1


def test_a_guess_is_of_the_net_that_was_not_trained_on_the_datum() -> None:
    model = structured().eval()  # BatchNorm would mix the data of a batch
    image = images(40)
    x = torch.where(LOWER_LEFT, image, 0.0)
    white = (image[:, 0, LOWER_LEFT] > 0).sum(1)  # pixels of level 1 among those seen
    odd = white % 2 == 1  # the twelve that are hidden are all of one level, whichever it is
    assert torch.equal(model.baseline.odd(x), odd) and odd.any() and not odd.all()
    nets = {False: model.baseline.of_even, True: model.baseline.of_odd}
    for half, asked in nets.items():
        guess = asked.mean(asked.sight(x))
        assert torch.equal(model.baseline(x)[odd == half], guess[odd == half])
        model.zero_grad()
        model.baseline_move(Batch(image[odd == half]))["baseline"].backward()
        assert all(weight.grad is None or not weight.grad.any() for weight in asked.parameters())
        assert any(weight.grad.any() for weight in nets[not half].parameters())


def test_the_ends_of_the_hybrid_are_its_parts() -> None:
    """Each objective from the same weights and the same chance, and the one between from all of them."""
    batch, parts = Batch(images(6)), {}
    for alpha in (1.0, 0.0, 0.25):
        model = structured(alpha=alpha)
        torch.manual_seed(1)
        loss = model.hybrid_move(batch)["model"]
        parts[alpha] = loss, model.watched
        features, prior = model.condition(batch.x)
        torch.manual_seed(1)
        if alpha == 1:
            code = Code(*model.recognition(batch.x).chunk(2, 1))
            elbo = model.distortion(batch.x, features, code) + kl_divergence_of(code, prior)
            assert torch.allclose(loss, elbo) and set(model.watched) == {"reconstruction", "KL"}
        if alpha == 0:
            assert torch.allclose(loss, model.distortion(batch.x, features, prior)) and set(model.watched) == {"GSNN"}
            loss.backward()
            assert all(parameter.grad is None for parameter in model.recognition.parameters())
    loss, watched = parts[0.25]
    assert torch.allclose(loss, 0.25 * (watched["reconstruction"] + watched["KL"]) + 0.75 * watched["GSNN"])
    assert torch.equal(watched["KL"], parts[1.0][1]["KL"])


def kl_divergence_of(q: Code, p: Code) -> Tensor:
    return kl_divergence(*(Normal(code.mean, (0.5 * code.log_variance).exp()) for code in (q, p))).sum(1).mean()


def test_a_gsnn_is_scored_by_draws_from_its_prior() -> None:
    model = structured(alpha=0.0, importance=7).eval().requires_grad_(False)
    image, rng = images(6), Generator().manual_seed(0)
    features, prior = model.condition(image)
    z = prior.repeated(7).draw(rng)
    given_z = model.generation.log_prob(image.repeat_interleave(7, 0), features.repeat_interleave(7, 0), z)
    assert torch.allclose(model.conditional_log_prob(image), given_z.view(6, 7).exp().mean(1).log())
    assert model.conditional_estimator == "Monte Carlo, 7 draws, a lower bound"
    assert structured(importance=7).conditional_estimator == "importance sampling, 7 draws, a lower bound"


def test_it_completes_and_has_no_density_of_whole_images() -> None:
    model = structured()
    assert isinstance(model, Completes) and not isinstance(model, HasLikelihood | Inpaints)
    with pytest.raises(ValueError, match="3 images"):
        model.sample(3, images(2), Generator())


@pytest.mark.parametrize(
    ("shape", "hyper", "complaint"),
    [
        ((2,), {}, r"\(2,\)"),
        ((1, 7, 8), {}, r"even sides.*\(1, 7, 8\)"),
        ((1, 8, 8), {"quadrants": 4}, "quadrants = 4: must be 1, 2 or 3"),
        ((1, 8, 8), {"alpha": 1.5}, r"alpha = 1.5: must lie in \[0, 1\]"),
        ((1, 8, 8), {"latent": 0}, "latent = 0"),
    ],
)
def test_what_does_not_fit_is_refused(shape: tuple[int, ...], hyper: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        models.load("structured_cvae")(Spec(shape, levels=2), **hyper)

"""Variants of the VAE: what their objectives are where they are known, and that each is the VAE where it should be."""

import math

import pytest
import torch
from torch import Generator, Tensor, nn

import models
from models.common.pixels import from_levels
from models.common.protocol import Batch, Spec

IMAGES, BINARY, POINTS = Spec((1, 8, 8), levels=17), Spec((1, 8, 8), levels=2), Spec((2,))


def build(name: str, spec: Spec = IMAGES, **hyper: object) -> nn.Module:
    torch.manual_seed(0)
    return models.load(name)(spec, latent=2, width=16, **hyper)


def images(n: int = 8, channels: int = 1, levels: int = 17) -> Tensor:
    """Random grey levels, (n, channels, 8, 8)."""
    level = torch.randint(levels, (n, channels, 8, 8), generator=Generator().manual_seed(3))
    return from_levels(level, levels, like=torch.zeros(()))


def trained(model: nn.Module, x: Tensor, steps: int = 5) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The losses of some steps, and the weights after them."""
    torch.manual_seed(7)
    (optimizer,) = model.optimizers().values()
    losses = []
    for step in range(steps):
        for move in model.moves(step):
            optimizer.zero_grad()
            for loss in move(Batch(x, step=torch.tensor(step))).values():
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
    return losses, model.state_dict()


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("nets", ["house", "dense"])
@pytest.mark.parametrize("spec", [IMAGES, BINARY, POINTS], ids=["grey", "binary", "points"])
@pytest.mark.parametrize(
    ("name", "hyper"),
    [
        ("beta_vae", {"beta": 1.0}),
        ("dvae", {"level": 0.0}),
        ("dvae", {"level": 0.0, "noise": "salt_and_pepper"}),
        ("vae_mixture", {}),
    ],
)
def test_each_is_the_vae_number_for_number_where_it_should_be(
    name: str, hyper: dict[str, object], spec: Spec, nets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for rounding. Gradients of 100 nats are rounded to 1e-13, of which Adam, which divides by 1e-8 or more, makes
    1e-5 of a step; eight steps of 1e-3 then differ by 8e-8, in weights that hardly matter to the loss."""
    monkeypatch.setattr("models.common.variational.START", 3)
    x = images(levels=spec.levels) if spec.levels else torch.randn(8, 2, generator=Generator().manual_seed(0))
    if "noise" in hyper and not spec.levels:
        pytest.skip("salt and pepper falls on pixels")
    losses, weights = trained(build(name, spec, nets=nets, **hyper), x, steps=8)
    expected, theirs = trained(build("vae", spec, nets=nets), x, steps=8)
    assert len(losses) == (5 if (spec, nets) == (BINARY, "dense") else 8), "dense nets are given the mean image first"
    torch.testing.assert_close(losses, expected, rtol=1e-10, atol=0)
    torch.testing.assert_close({key: weights[key] for key in theirs}, theirs, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("name", "hyper"), [("beta_vae", {"beta": 2.0}), ("dvae", {"level": 0.1}), ("iwae", {"k": 5})])
def test_and_is_not_where_it_should_not_be(name: str, hyper: dict[str, object]) -> None:
    assert trained(build(name, **hyper), images(), steps=1)[0] != trained(build("vae"), images(), steps=1)[0]


def test_beta_rises_in_a_straight_line() -> None:
    vae, batch = build("beta_vae", beta=4.0, annealing=100).double(), Batch(images().double())

    def weight(step: int) -> float:
        (move,) = vae.moves(step)
        torch.manual_seed(0)
        loss = move(batch._replace(step=torch.tensor(step)))["model"]
        return ((loss - vae.watched["reconstruction"]) / vae.watched["KL"]).item()

    for step, beta in ((0, 0.0), (1, 0.04), (50, 2.0), (100, 4.0), (1000, 4.0)):
        assert weight(step) == pytest.approx(beta, abs=1e-9)


@pytest.mark.usefixtures("float64")
def test_one_draw_of_the_iwae_estimates_both_terms_of_the_vae() -> None:
    vae, batch = build("iwae", k=1), Batch(images())
    torch.manual_seed(5)
    loss = vae.bound_move(batch)["model"]
    torch.manual_seed(5)
    code = vae.posterior(batch.x)
    z = code.draw()
    kl = torch.distributions.Normal(code.mean, (0.5 * code.log_variance).exp()).log_prob(z).sum(1)
    kl = kl - torch.distributions.Normal(0, 1).log_prob(z).sum(1)
    assert torch.allclose(loss, (kl - vae.likelihood.log_prob(batch.x, vae.decoder(z))).mean())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["vae", "iwae", "beta_vae", "dvae", "masked_vae", "vae_mixture"])
def test_dense_nets_of_black_and_white_pixels_start_at_the_mean_image(name: str, dtype: torch.dtype) -> None:
    model, other = build(name, BINARY, nets="dense").to(dtype), build(name, BINARY).to(dtype)
    chance = torch.linspace(0, 1, 64).view(1, 8, 8)
    batches = [
        2 * (torch.rand(20, 1, 8, 8, generator=Generator().manual_seed(i)) < chance).to(dtype) - 1 for i in range(101)
    ]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for step in range(100):
        (move,) = model.moves(step)
        assert move(Batch(batches[step], step=torch.tensor(step))) == {}
    mean = (torch.cat(batches[:100]) > 0).to(dtype).mean(0).flatten()
    changed = [key for key, value in model.state_dict().items() if not torch.equal(value, before[key])]
    assert changed == [f"decoder.{len(model.decoder) - 2}.bias"]
    assert torch.allclose(model.decoder[-2].bias.sigmoid(), mean, atol=2e-3)
    (move,) = model.moves(100)
    assert set(move(Batch(batches[100]))) == {"model"} and set(other.moves(0)[0](Batch(batches[0]))) == {"model"}


@pytest.mark.parametrize("name", ["beta_vae", "iwae", "dvae", "masked_vae"])
def test_the_watched_kl_is_positive_and_a_cost(name: str) -> None:
    vae, batch = build(name), Batch(images())
    for bias in (-3.0, 0.0, 3.0):
        vae.encoder[-1].bias.data.fill_(bias)  # means and log variances
        (move,) = vae.moves(0)
        move(batch)
        each = 0.5 * (bias**2 + math.exp(bias) - 1 - bias)  # nats, were the weights zero
        assert vae.watched["KL"] >= 0 and vae.watched["KL"].item() == pytest.approx(2 * each, rel=0.5, abs=0.5)


def test_salt_and_pepper_makes_pixels_black_or_white() -> None:
    vae = build("dvae", Spec((3, 8, 8), levels=17), noise="salt_and_pepper", level=0.3)
    x = torch.zeros(2000, 3, 8, 8)
    seen = vae.corrupted(x)
    assert set(seen.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert torch.equal(seen, seen[:, :1].expand_as(seen)), "a pixel is hit in all its colours"
    pixels = 2000 * 64
    for value in (-1.0, 1.0):  # within five standard deviations
        assert (seen[:, 0] == value).double().mean().item() == pytest.approx(0.15, abs=5 * math.sqrt(0.1275 / pixels))
    assert not torch.equal(seen, vae.corrupted(x))


def test_gaussian_noise_has_its_level() -> None:
    off = build("dvae", POINTS, level=0.3).corrupted(torch.full((50_000, 2), 5.0)) - 5
    assert off.mean().item() == pytest.approx(0, abs=0.006) and off.std().item() == pytest.approx(0.3, abs=0.005)


@pytest.mark.usefixtures("float64")
def test_a_dvae_scores_the_clean_datum() -> None:
    """Each pixel of an all-black image costs what it costs clean, however much the encoder's view is corrupted."""
    vae, x = build("dvae", level=100.0), torch.full((8, 1, 8, 8), -1.0)
    vae.decoder = Constant(x)
    vae.bound_move(Batch(x))
    assert torch.allclose(vae.watched["reconstruction"], -vae.likelihood.log_prob(x, x).mean())


class Constant(nn.Module):
    """A decoder that makes the same of every code."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x = x

    def forward(self, z: Tensor) -> Tensor:
        return self.x[: len(z)]


def test_hidden_pixels_do_not_reach_the_encoder() -> None:
    vae = build("masked_vae").eval().requires_grad_(False)
    x, mask = images(), torch.ones(8, 1, 8, 8, dtype=torch.bool)
    mask[:, :, 2:6, 3:7] = False
    code = vae.posterior(x, mask)
    for other in (-1.0, 0.7, math.nan):
        assert torch.equal(vae.posterior(torch.where(mask, x, other), mask).mean, code.mean)
        filled = vae.inpaint(torch.where(mask, x, other), mask, Generator().manual_seed(0))
        assert torch.equal(filled[mask], x[mask])
        assert torch.equal(filled, vae.inpaint(x, mask, Generator().manual_seed(0)))
    x.requires_grad_()
    (slope,) = torch.autograd.grad(vae.posterior(x, mask).mean.sum(), x)
    assert (slope[~mask] == 0).all() and (slope[mask] != 0).any()
    assert not torch.equal(vae.posterior(torch.zeros_like(x), mask).mean, vae.posterior(torch.zeros_like(x)).mean)


@pytest.mark.usefixtures("float64")
def test_what_is_hidden_weighs_more() -> None:
    plain, heavy = (build("masked_vae", hidden_weight=weight) for weight in (1.0, 3.0))
    mask, batch = torch.ones(8, 1, 8, 8, dtype=torch.bool), Batch(images())
    mask[:, :, :4] = False
    losses = []
    for vae in (plain, heavy):
        vae.occlusion = lambda x: mask
        vae.decoder = Constant(torch.zeros_like(batch.x))
        losses.append(vae.bound_move(batch)["model"])
    assert torch.allclose(losses[0], plain.watched["reconstruction"] + plain.watched["KL"])
    upper = -plain.likelihood.pixel_log_prob(batch.x, torch.zeros_like(batch.x))[:, :, :4]
    assert torch.allclose(losses[1] - losses[0], 2 * upper.sum((1, 2, 3)).mean())


def test_rectangles_are_hidden_everywhere_and_up_to_the_largest_share() -> None:
    torch.manual_seed(0)
    vae = build("masked_vae", largest=0.5)
    hidden = ~vae.occlusion(torch.zeros(20_000, 3, 8, 8))
    assert hidden.shape == (20_000, 1, 8, 8) and hidden.dtype == torch.bool
    area, rows, columns = (part.sum((1, 2)) for part in (hidden[:, 0], hidden.any(3), hidden.any(2)))
    assert torch.equal(area, rows * columns), "what is hidden is a rectangle"
    assert area.min() == 0 and 32 <= area.max() <= 36, "to the nearest pixel in both directions"
    assert area.double().mean().item() == pytest.approx(16, abs=0.5)
    assert rows.max() == columns.max() == 8, "some span the image"
    often = hidden.double().mean((0, 1))
    assert often.min() > 0.05 and torch.allclose(often, often.flip(0, 1), atol=0.015)
    assert build("masked_vae", largest=0.0).occlusion(torch.zeros(50, 1, 8, 8)).all()


@pytest.mark.parametrize(
    ("name", "spec", "hyper", "message"),
    [
        ("beta_vae", IMAGES, {"beta": 0.0}, "beta = 0.0: must be above 0"),
        ("beta_vae", IMAGES, {"annealing": -1}, "annealing = -1: must be 0 or more"),
        ("iwae", IMAGES, {"k": 0}, "k = 0: must be 1 or more"),
        ("dvae", IMAGES, {"noise": "speckle"}, "noise = 'speckle': must be one of gaussian, salt_and_pepper"),
        ("dvae", IMAGES, {"noise": "salt_and_pepper", "level": 1.5}, r"level = 1.5: must lie in \[0, 1\)"),
        ("dvae", IMAGES, {"level": -0.1}, "level = -0.1: must be 0 or more"),
        ("dvae", POINTS, {"noise": "salt_and_pepper"}, r"points of shape \(2,\): choose noise = gaussian"),
        ("masked_vae", POINTS, {}, r"only images can have holes, the data are of shape \(2,\): choose model vae"),
        ("masked_vae", IMAGES, {"largest": 1.0}, r"largest = 1.0: must lie in \[0, 1\)"),
        ("masked_vae", IMAGES, {"hidden_weight": 0.0}, "hidden_weight = 0.0: must be above 0"),
        ("iwae", POINTS, {"likelihood": "bernoulli"}, r"likelihood = bernoulli does not fit"),
        ("beta_vae", IMAGES, {"latent": 0}, "latent = 0: must be 1 or more"),
    ],
)
def test_bad_values_are_named_with_what_fits(name: str, spec: Spec, hyper: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        models.load(name)(spec, **hyper)
    assert "\n" not in str(refusal.value)

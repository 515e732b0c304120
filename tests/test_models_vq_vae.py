"""VQ-VAE: the nearest code and the gradients around it, the prior as a law over all grids of codes, and the bound."""

import itertools
import math
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

import models
from models.common.pixels import from_levels
from models.common.protocol import Batch, Spec

IMAGES = Spec((1, 8, 8), levels=2)


def build(spec: Spec = IMAGES, **hyper: object) -> nn.Module:
    """A small model in float64 whose codes are far apart and whose prior is far from uniform."""
    torch.manual_seed(0)
    model = models.load("vq_vae")(spec, **{"codes": 3, "size": 4, "width": 8, "depth": 2} | hyper).double()
    nn.init.normal_(model.codebook)
    for weight in model.prior.parameters():
        nn.init.normal_(weight, std=1.0)
    return model.eval()


def grids(model: nn.Module) -> Tensor:
    """Every grid of codes there is: (N, h, w)"""
    places = math.prod(model.grid)
    return torch.tensor(list(itertools.product(range(len(model.codebook)), repeat=places))).view(-1, *model.grid)


def pictures(n: int, seed: int = 0) -> Tensor:
    chosen = torch.randint(2, (n, 1, 8, 8), generator=Generator().manual_seed(seed))
    return from_levels(chosen, 2, like=torch.zeros((), dtype=torch.float64))


def slotted(chances: Sequence[Sequence[float]], n: int, **hyper: object) -> tuple[nn.Module, Tensor]:
    """A model of points that are their own codes, 0 to 2 in each of two slots, and n points that follow `chances`."""
    model = build(Spec((2,)), size=1, **hyper)
    model.encoder = nn.Unflatten(1, (1, 1, 2))
    model.codebook.data = torch.arange(3.0).double()[:, None]
    for weight in list(model.prior.parameters())[-2:]:
        nn.init.zeros_(weight)  # as in a new model
    drawn = torch.multinomial(
        torch.tensor(chances).flatten(), n, replacement=True, generator=Generator().manual_seed(0)
    )
    return model, torch.stack([drawn // 3, drawn % 3], 1).double()


def test_the_code_is_the_nearest_one_in_every_place() -> None:
    model, encoded = build(codes=7), torch.randn(5, 4, 2, 2, dtype=torch.float64)
    index = model.nearest(encoded)
    for b, row, column in itertools.product(range(5), range(2), range(2)):
        distances = [(encoded[b, :, row, column] - code).square().sum().item() for code in model.codebook]
        assert index[b, row, column].item() == distances.index(min(distances))
        assert torch.equal(model.embedded(index)[b, :, row, column], model.codebook[index[b, row, column]])


@pytest.mark.parametrize(
    ("spec", "grid"),
    [(Spec((2,)), (1, 2)), (Spec((1, 8, 8), levels=17), (2, 2)), (Spec((1, 28, 28), levels=2), (7, 7))],
)
def test_an_image_has_a_grid_of_codes_and_a_point_a_row(spec: Spec, grid: tuple[int, int]) -> None:
    model = build(spec)
    x = torch.zeros(3, *spec.shape, dtype=torch.float64)
    assert model.grid == grid and model.encoder(x).shape == (3, 4, *grid)
    assert model.encode(x).shape == (3, model.latent) == (3, 4 * math.prod(grid))
    places = model.encode(x).view(3, 4, -1)
    assert (torch.cdist(places.transpose(1, 2), model.codebook).min(2).values < 1e-6).all(), "nothing but codes"


def test_each_term_of_the_loss_moves_what_the_paper_says() -> None:
    model, x = build(commitment=0.6), pictures(5)
    seen: dict[str, Tensor] = {}
    model.encoder.register_forward_hook(lambda net, given, out: seen.update(encoded=out))
    model.decoder.register_forward_hook(lambda net, given, out: seen.update(straight=given[0], out=out))
    loss = model.bound_move(Batch(x))["model"]
    encoded, straight = seen["encoded"], seen["straight"]
    index = model.nearest(encoded)
    code = model.embedded(index)
    torch.testing.assert_close(straight, code)
    likelihood = F.logsigmoid(x * seen["out"]).flatten(1).sum(1).mean()
    distance = (encoded - code).square().sum() / (5 * 4)  # an average over data and places
    torch.testing.assert_close(loss, -likelihood + 1.6 * distance)

    at_encoder, at_decoder = torch.autograd.grad(loss, [encoded, straight], retain_graph=True)
    torch.testing.assert_close(at_encoder, at_decoder + 0.6 * 2 * (encoded - code) / (5 * 4))
    assert at_decoder.abs().min() > 0

    (at_codebook,) = torch.autograd.grad(loss, [model.codebook], retain_graph=True)
    wanted = torch.zeros_like(at_codebook)
    wanted.index_add_(0, index.flatten(), (2 * (code - encoded) / (5 * 4)).movedim(1, 3).flatten(0, 2))
    torch.testing.assert_close(at_codebook, wanted)

    decoders = list(model.decoder.parameters())
    of_loss, of_likelihood = (torch.autograd.grad(part, decoders, retain_graph=True) for part in (loss, -likelihood))
    for one, other in zip(of_loss, of_likelihood, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("spec", [Spec((1, 8, 8), levels=2), Spec((2,))], ids=["2x2", "1x2"])
def test_the_prior_is_a_law_over_grids(spec: Spec) -> None:
    model = build(spec)
    with torch.no_grad():
        chances = (-model.prior_nats(grids(model))).exp()
    assert chances.sum().item() == pytest.approx(1, rel=1e-12)
    assert chances.max() > 2 * chances.mean(), "far from uniform"


def test_a_new_prior_is_uniform() -> None:
    model = models.load("vq_vae")(Spec((1, 8, 8), levels=17), codes=50, width=8)
    nats = model.prior_nats(torch.randint(50, (6, 2, 2)))
    torch.testing.assert_close(nats, torch.full((6,), 4 * math.log(50)))


def test_samples_are_the_decoded_codes_of_the_prior() -> None:
    model, n = build(), 20_000
    model.decoder, model.likelihood.mean = nn.Identity(), lambda out: out  # to see the codes themselves
    with torch.no_grad():
        drawn = model.sample(n, None, Generator().manual_seed(0))  # (n, 4, 2, 2)
        chances = (-model.prior_nats(grids(model))).exp()
    index = model.nearest(drawn)
    assert torch.equal(model.embedded(index), drawn)
    number = index.flatten(1) @ torch.tensor([27, 9, 3, 1])  # as `grids` counts
    found = torch.bincount(number, minlength=81) / n
    assert ((found - chances).abs() < 5 * (chances * (1 - chances) / n).sqrt() + 1e-9).all()


def test_the_bound_lies_below_the_sum_over_all_grids() -> None:
    model, x = build(), pictures(12)
    with torch.no_grad():
        every = grids(model)
        out = model.decoder(model.embedded(every))  # (81, 1, 8, 8)
        joint = torch.stack([model.likelihood.log_prob(x, one.expand_as(x)) for one in out]) - model.prior_nats(
            every
        ).unsqueeze(1)
        exact, bound = joint.logsumexp(0), model.log_prob(x)
        rate, distortion = model.rate_distortion(x)
        here = (every == model.nearest(model.encoder(x))[:, None]).flatten(2).all(2)  # (12, 81)
    assert (bound < exact).all()
    torch.testing.assert_close(bound, joint.T[here])  # one term of the sum
    torch.testing.assert_close(rate + distortion, -bound)
    assert (rate > 0).all() and model.bound


def test_finish_fits_the_prior_to_the_codes() -> None:
    chances = [[0.5, 0.0, 0.0], [0.0, 0.1, 0.2], [0.0, 0.2, 0.0]]
    model, x = slotted(chances, 600, width=16, prior_epochs=120)
    index = model.nearest(model.encoder(x))
    assert torch.equal(index[:, 0], x.long())
    kept = {key: value.clone() for key, value in model.state_dict().items() if not key.startswith("prior")}
    outside = torch.get_rng_state()
    with torch.no_grad():
        before = model.prior_nats(index).mean()
        model.finish(Batch(part) for part in x.split(300))
        after = model.prior_nats(index).mean()
        law = (-model.prior_nats(grids(model))).exp().view(3, 3)
    share = torch.bincount(index.flatten(1) @ torch.tensor([3, 1]), minlength=9) / len(x)
    entropy = torch.special.entr(share).sum()
    assert before.item() == pytest.approx(2 * math.log(3))
    assert entropy - 1e-9 < after < entropy + 0.02
    assert (law - share.view(3, 3)).abs().max() < 0.03
    assert torch.equal(torch.get_rng_state(), outside)
    assert all(torch.equal(model.state_dict()[key], value) for key, value in kept.items())
    assert not any(weight.requires_grad for weight in model.prior.parameters())


def test_finish_gives_the_same_prior_again() -> None:
    found = []
    for seed in (0, 1):
        model, x = slotted([[0.2, 0.1, 0.1], [0.0, 0.3, 0.0], [0.1, 0.1, 0.1]], 300, prior_epochs=2)
        torch.manual_seed(seed)  # no matter
        with torch.no_grad():
            model.finish([Batch(x)])
        found.append(nn.utils.parameters_to_vector(model.prior.parameters()))
    assert torch.equal(*found)


def test_the_codes_in_use_are_counted() -> None:
    model, _ = slotted([[1.0]], 1)
    for x, used in (([[0.0, 0.0]], 1), ([[0.0, 1.0]], 2), ([[0.0, 1.0], [2.0, 0.0], [1.0, 2.0]], 3)):
        model.bound_move(Batch(torch.tensor(x).double()))
        assert model.watched["codes used"].item() == pytest.approx(used, rel=1e-5)
    model.bound_move(Batch(torch.tensor([[0.0, 0.0], [0.0, 1.0]]).double()))
    assert model.watched["codes used"].item() == pytest.approx(4 / 3**0.75, rel=1e-5)  # shares of 3/4 and 1/4


def test_it_learns_a_few_points_by_heart() -> None:
    torch.manual_seed(0)
    corners = torch.tensor([[2.0, 2.0], [-2.0, 2.0], [2.0, -2.0], [-2.0, -2.0]])
    model = models.load("vq_vae")(Spec((2,)), codes=16, size=4, slots=1, width=32, depth=2, prior_epochs=30)
    model.codebook.data.mul_(4)  # as far apart as the encoder's first answers, so that corners do not share a code
    optimizer = model.optimizers()["model"]
    for step in range(800):
        optimizer.param_groups[0]["lr"] = 0.01 * (1 - step / 800)  # what noise is left in the weights goes with it
        x = corners[torch.randint(4, (64,))] + 0.1 * torch.randn(64, 2)
        loss = model.bound_move(Batch(x))["model"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        model.eval().finish([Batch(corners.repeat(400, 1))])
        assert (model.reconstruct(corners) - corners).abs().max() < 0.3
        rate, _ = model.rate_distortion(corners)
        fakes = model.sample(400, None, Generator().manual_seed(0))
    torch.testing.assert_close(rate, torch.full((4,), math.log(4)), atol=0.1, rtol=0)
    nearest = torch.cdist(fakes, corners)
    assert torch.bincount(nearest.argmin(1), minlength=4).min() > 60 and nearest.min(1).values.mean() < 0.6


def test_data_that_do_not_fit_are_refused() -> None:
    load = models.load("vq_vae")
    with pytest.raises(ValueError, match=r"likelihood = bernoulli does not fit continuous data of shape \(2,\)"):
        load(Spec((2,)), likelihood="bernoulli")
    with pytest.raises(ValueError, match="7x7 cannot be halved"):
        load(Spec((1, 7, 7), levels=2))
    with pytest.raises(ValueError, match="slots = 0: must be 1 or more"):
        load(Spec((2,)), slots=0)

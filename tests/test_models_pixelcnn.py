"""PixelCNN as mathematics: probabilities that sum to one, and nothing seen that comes later."""

import pytest
import torch
from torch import Generator, nn

import models
from models.common.pixels import from_levels
from models.common.protocol import Spec


def pixelcnn(spec: Spec, **hyper: int) -> nn.Module:
    torch.manual_seed(0)
    model = models.load("pixelcnn")(spec, **hyper).double().eval().requires_grad_(False)
    for weight in model.parameters():
        weight *= 2  # further from uniform
    return model


def test_all_512_binary_3x3_images_sum_to_one() -> None:
    model = pixelcnn(Spec((1, 3, 3), levels=2), width=8, depth=2)
    images = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 9).view(512, 1, 3, 3)
    nats = model.log_prob(images)
    assert nats.exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert nats.std() > 0.05


def test_colour_images_sum_to_one() -> None:
    model = pixelcnn(Spec((3, 1, 2), levels=3), width=12, depth=1)
    grid = from_levels(torch.arange(3), 3, like=torch.zeros((), dtype=torch.float64))
    images = torch.cartesian_prod(*[grid] * 6).view(-1, 2, 3).permute(0, 2, 1).unsqueeze(2)
    assert model.log_prob(images).exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("colours", [1, 3])
def test_a_pixel_sees_what_comes_before_it_and_nothing_else(colours: int) -> None:
    model = pixelcnn(Spec((colours, 4, 4), levels=3), width=16, depth=2)
    x = torch.randn(1, colours, 4, 4, dtype=torch.float64)

    def logits(x: torch.Tensor) -> torch.Tensor:
        return model.logits(model.body(x))[0].abs().sum(0)  # (C, H, W)

    seen = torch.autograd.functional.jacobian(logits, x)[:, :, :, 0]  # (C, H, W) by (C, H, W)
    n = colours * 16
    seen = seen.permute(1, 2, 0, 4, 5, 3).reshape(n, n)  # in the order of generation: row, column, colour
    assert torch.equal(seen.triu(), torch.zeros(n, n, dtype=torch.float64))
    neighbours = seen.diagonal(-1)  # each is seen by the next, but for the last of a row: it lies far to the right
    in_a_row = torch.arange(1, n) % (4 * colours) != 0
    assert (neighbours[in_a_row] != 0).all()


@pytest.mark.parametrize("colours", [1, 3])
def test_sampling_and_scoring_are_the_same_distribution(colours: int) -> None:
    model = pixelcnn(Spec((colours, 4, 4), levels=5), width=12, depth=2)
    x, log_prob = model.draw(20, Generator().manual_seed(0))
    assert torch.allclose(model.log_prob(x), log_prob, atol=1e-10)
    assert torch.equal(x, model.sample(20, None, Generator().manual_seed(0)))


def test_pixels_are_levels() -> None:
    with pytest.raises(ValueError, match=r"needs images with grey levels, the data are points of shape \(2,\)"):
        models.load("pixelcnn")(Spec((2,)))
    with pytest.raises(ValueError, match=r"0 levels and of shape \(1, 8, 8\)"):
        models.load("pixelcnn")(Spec((1, 8, 8)))

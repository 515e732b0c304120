"""WAE-MMD: the discrepancy by brute force and where it is known, the loss, and codes that take the prior's law."""

import itertools

import pytest
import torch
from made import Affine
from torch import Tensor, nn

import models
from models.common.protocol import Batch, Spec
from models.wae_mmd import SCALES, kernel, mmd

pytestmark = pytest.mark.usefixtures("float64")


def normal(n: int, dims: int, seed: int) -> Tensor:
    return torch.randn(n, dims, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scales", [(1.0,), SCALES])
def test_the_discrepancy_is_algorithm_2s_double_sums(scales: tuple[float, ...]) -> None:
    n, dims = 5, 3
    code, prior = normal(n, dims, 0) + 1, normal(n, dims, 1)

    def k(a: Tensor, b: Tensor) -> float:
        distance = sum((u - v).item() ** 2 for u, v in zip(a, b, strict=True))
        return sum(2 * dims * scale / (2 * dims * scale + distance) for scale in scales)

    pairs = list(itertools.product(range(n), repeat=2))
    among = sum(k(code[i], code[j]) + k(prior[i], prior[j]) for i, j in pairs if i != j) / (n * (n - 1))
    between = sum(k(code[i], prior[j]) for i, j in pairs) / n**2
    assert mmd(code, prior, scales).item() == pytest.approx(among - 2 * between, rel=1e-12)


def test_the_weight_is_the_published_codes_on_mnist() -> None:
    """0.05 of the squared error of pixels on [0, 1] and 10 of the discrepancy, all times 80; 1.02 being 1 here."""
    model = models.load("wae_mmd")(Spec((1, 28, 28), levels=256), width=8)
    loss = model.transport_move(Batch(torch.rand(4, 1, 28, 28) * 2 - 1))["model"]
    on_unit_range = model.watched["cost"] / 4
    published = 0.05 * on_unit_range + 10 * model.watched["MMD"]
    assert loss.item() == pytest.approx(80 * published.item(), rel=0.03)


def test_seven_kernels_stand_as_published() -> None:
    assert SCALES == (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    assert models.load("wae_mmd")(Spec((2,)), width=8).scales == SCALES
    for wrong in ((), (1.0, 0.0), (-1.0,)):
        with pytest.raises(ValueError, match=r"^scales = \(.*\): must be one kernel's or several, each above 0$"):
            models.load("wae_mmd")(Spec((2,)), width=8, scales=wrong)


def test_the_kernel_is_a_half_at_the_expected_squared_distance_of_the_prior() -> None:
    z, other = torch.zeros(1, 4), torch.full((1, 4), 2.0**0.5)  # 8 = 2 d apart
    assert kernel(z, other, [1.0]).item() == pytest.approx(0.5)
    assert kernel(z, z, [1.0]).item() == 1 and kernel(z, z, SCALES).item() == pytest.approx(7)


def test_two_points_are_as_far_apart_as_their_kernel_says() -> None:
    a, b = torch.zeros(6, 2, dtype=torch.float64), torch.ones(6, 2, dtype=torch.float64)
    assert mmd(a, b, [1.0]).item() == pytest.approx(2 * (1 - 4 / 6))


def test_the_discrepancy_has_no_bias() -> None:
    same = torch.stack([mmd(normal(6, 2, seed), normal(6, 2, 10_000 + seed), [1.0]) for seed in range(2000)])
    assert abs(same.mean()) < 4 * same.std() / 2000**0.5 and same.min() < 0
    assert same.std() / 2000**0.5 < 0.003, "a biased estimate would be off by some 0.1"
    shifted = torch.stack([mmd(normal(6, 2, seed) + 1, normal(6, 2, 10_000 + seed), [1.0]) for seed in range(200)])
    assert shifted.mean() > 0.1


def test_the_loss_of_hand_made_players() -> None:
    model = models.load("wae_mmd")(Spec((2,)), latent=2, penalty=7.0)
    model.encoder, model.decoder = Affine(2.0, 1.0), Affine(0.4, 0.0)
    batch = Batch(torch.randn(6, 2))
    torch.manual_seed(3)
    prior = torch.randn(6, 2)
    torch.manual_seed(3)
    loss = model.transport_move(batch)["model"]
    code = 2 * batch.x + 1
    cost = (0.4 * code - batch.x).square().sum(1).mean()
    torch.testing.assert_close(loss, cost + 7 * 2 * mmd(code, prior))  # of two numbers each
    torch.testing.assert_close(model.watched["cost"] + 7 * 2 * model.watched["MMD"], loss)


def test_codes_take_the_priors_law_and_keep_the_data() -> None:
    torch.manual_seed(0)
    model = models.load("wae_mmd")(Spec((2,)), latent=2, penalty=15.0)
    model.encoder, model.decoder = nn.Linear(2, 2), nn.Linear(2, 2)
    mixing = torch.tensor([[1.0, 0.5], [-0.5, 2.0]])
    optimizer = torch.optim.Adam([*model.encoder.parameters(), *model.decoder.parameters()])
    for step in range(600):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 600)  # what noise is left in the weights goes with it
        loss = model.transport_move(Batch(torch.randn(64, 2) @ mixing + 3))["model"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x = torch.randn(4000, 2) @ mixing + 3
    with torch.no_grad():
        code = model.encode(x)
        assert (model.reconstruct(x) - x).square().mean() < 0.02
        fakes = model.sample(4000, None, torch.Generator().manual_seed(0))
    assert code.mean(0).abs().max() < 0.15 and (code.T.cov() - torch.eye(2)).abs().max() < 0.25
    assert (fakes.mean(0) - 3).abs().max() < 0.3 and (fakes.T.cov() - x.T.cov()).abs().max() < 1


def test_one_datum_has_nothing_to_be_compared_with() -> None:
    model = models.load("wae_mmd")(Spec((2,)), width=8)
    with pytest.raises(ValueError, match=r"a batch of 1: .* take 2 or more"):
        model.transport_move(Batch(torch.zeros(1, 2)))

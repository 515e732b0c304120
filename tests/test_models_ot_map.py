"""The flow between two domains against the optimal map of two Gaussians, which is known in closed form.

From N(0, S) to its image under T(x) = A x + m, A symmetric and positive definite, T is the map that moves least (M.
Knott, C. Smith, "On the optimal mapping of distributions", 1984). x_t = (1 - t) x_0 + t T(x_0) moves straight, with the
velocity (A - I) x_0 + m, and x_0 = ((1 - t) I + t A)^-1 (x_t - t m).
"""

import pytest
import torch
from torch import Tensor, nn

import models
from models.common.protocol import Batch, Spec

pytestmark = pytest.mark.usefixtures("float64")
A = torch.tensor([[2.0, 0.5], [0.5, 0.75]], dtype=torch.float64)
M = torch.tensor([1.0, -2.0], dtype=torch.float64)
PLANE = Spec((2,), partner=(2,))
ot_map = models.load("ot_map")


class Truth(nn.Module):
    """The velocity of the optimal map: (B, D), (B,) -> (B, D)"""

    def __init__(self, a: Tensor, m: Tensor) -> None:
        super().__init__()
        self.a, self.m = a, m

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        one = torch.eye(len(self.a))
        way = one + t[:, None, None] * (self.a - one)  # (B, D, D)
        start = torch.linalg.solve(way, x - t[:, None] * self.m)
        return start @ (self.a - one) + self.m


def known(a: Tensor, m: Tensor, **settings: int) -> nn.Module:
    model = ot_map(Spec((len(a),), partner=(len(a),)), **settings)
    model.net = Truth(a, m)
    return model


@pytest.mark.parametrize("evaluations", [1, 2, 5, 16])
def test_the_flow_ends_where_the_optimal_map_leads_and_goes_back(evaluations: int) -> None:
    x = torch.randn(50, 2)
    model, rng = known(A, M, evaluations=evaluations), torch.Generator()
    there = model.sample(50, x, rng)
    assert model.evaluations == {1: 1, 2: 2, 5: 4, 16: 16}[evaluations]
    torch.testing.assert_close(there, x @ A + M)
    torch.testing.assert_close(model.translate_back(there, rng), x)


def test_pairs_are_found_and_the_loss_of_the_optimal_map_is_0() -> None:
    """On a line the best assignment keeps the order, and swaps of two come to it."""
    torch.manual_seed(0)
    model = known(torch.tensor([[3.0]]), torch.tensor([1.0]), rounds=400)
    partner = torch.randn(16, 1)
    x = (3 * partner + 1)[torch.randperm(16)]
    loss = model.denoising_move(Batch(x, partner=partner))["model"]
    assert loss.item() == pytest.approx(0, abs=1e-12)
    alone = model.denoising_move(Batch(x, partner=partner[torch.randperm(16)]))["model"]
    assert alone.item() == pytest.approx(0, abs=1e-12), "in whatever order they come"


def test_training_comes_near_the_optimal_map() -> None:
    """The identity is 100 tr((A - I)^2 + m m') / tr(A^2) = 130 % off (`benchmarks.metrics.transport_map`)."""
    torch.manual_seed(0)
    model = ot_map(PLANE, rounds=32, ema=0.0, width=32, depth=2)
    optimizer = torch.optim.Adam(model.net.net.parameters(), 0.01)
    for step in range(150):
        partner, x = torch.randn(2, 128, 2)
        loss = model.denoising_move(Batch(x @ A + M, step=torch.tensor(step), partner=partner))["model"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.constrain()
    x = torch.randn(2000, 2)
    off = (model.eval().sample(2000, x, torch.Generator()) - (x @ A + M)).square().sum(1).mean().item()
    spread, moved = A.square().sum().item(), (A - torch.eye(2)).square().sum().item() + M.square().sum().item()
    assert 100 * moved / spread == pytest.approx(129.63, abs=0.01)
    assert 100 * off / spread < 5


def test_domains_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"choose domains whose shapes are not \(1, 8, 8\) and \(3, 8, 8\)"):
        ot_map(Spec((3, 8, 8), levels=17, partner=(1, 8, 8)))

"""PixelRNN's layers against the paper's recurrence written out pixel by pixel, and how far they see."""

import pytest
import torch
from torch import Generator, Tensor, nn

import models
from models.common import recurrence
from models.common.protocol import Spec


def build(layer: str, shape: tuple[int, ...], **sizes: int) -> nn.Module:
    torch.manual_seed(0)
    sizes = {"width": 8, "depth": 1} | sizes
    model = models.load("pixelrnn")(Spec(shape, levels=2), layer=layer, **sizes).double().requires_grad_(False)
    for weight in model.parameters():
        weight.add_(0.3 * torch.randn_like(weight))
    return model


def states(gates: Tensor, weight: Tensor, start: Tensor, layer: str) -> Tensor:
    """h (h, H, W) of one image and one direction, from left to right: equation 3, a pixel at a time."""
    _, height, breadth = gates.shape
    h = {(i, j): start[0] for i in range(-1, height) for j in range(-1, breadth + 1)}
    c = {place: start[1] for place in h}
    for i in range(height):
        for j in range(breadth):
            near, carry = [(i - 1, j - 1), (i - 1, j), (i - 1, j + 1)], (i - 1, j)
            if layer == "diagonal":
                near, carry = [(i, j - 1), (i - 1, j)], (i, j - 1)
            signal, write, forget, show = (gates[:, i, j] + torch.cat([h[n] for n in near]) @ weight).chunk(4)
            c[i, j] = forget.sigmoid() * c[carry] + write.sigmoid() * signal.tanh()
            h[i, j] = show.sigmoid() * c[i, j].tanh()
    return torch.stack([torch.stack([h[i, j] for j in range(breadth)], 1) for i in range(height)], 1)


@pytest.mark.parametrize("layer", ["row", "diagonal"])
@pytest.mark.parametrize("size", [(4, 5), (5, 3), (1, 4), (4, 1)])
def test_a_layer_is_the_papers_recurrence(layer: str, size: tuple[int, int]) -> None:
    lstm = build(layer, (1, *size)).body[1]
    x = torch.randn(2, 8, *size, dtype=torch.float64, generator=Generator().manual_seed(1))
    meant = []
    for image, gates in zip(x, lstm.enter(x), strict=True):
        left, *right = gates.chunk(lstm.ways)
        h = states(left, lstm.weight[0], lstm.start[:, 0], layer)
        for other in right:  # mirrored, and one row down
            mirrored = states(other.flip(2), lstm.weight[1], lstm.start[:, 1], layer).flip(2)
            h[:, 1:] += mirrored[:, :-1]
        meant.append(image + lstm.leave(h[None])[0])
    assert torch.allclose(lstm(x), torch.stack(meant), atol=1e-12)


@pytest.mark.parametrize(("layer", "ways", "taps"), [("row", 1, 3), ("diagonal", 2, 2)])
def test_gradients_by_hand_are_the_numerical_ones(layer: str, ways: int, taps: int) -> None:
    way, rng = recurrence.path(layer, 3, 4), Generator().manual_seed(0)
    shapes = ((ways, 12, 2, 12), (ways, taps * 3, 12), (2, ways, 3))  # gates, weight, start
    inputs = [torch.randn(shape, dtype=torch.float64, generator=rng).requires_grad_() for shape in shapes]
    assert torch.autograd.gradcheck(lambda *inputs: recurrence.Recurrence.apply(*inputs, way), inputs)


def seen(layer: str, shape: tuple[int, ...], depth: int = 1) -> Tensor:
    """(H * W, H * W) whether a pixel's features move with a pixel."""
    model = build(layer, shape, depth=depth)
    x = torch.randn(1, *shape, dtype=torch.float64, generator=Generator().manual_seed(3))
    mix = torch.randn(8, dtype=x.dtype, generator=Generator().manual_seed(4))
    found = torch.autograd.functional.jacobian(lambda x: torch.tensordot(mix, model.body(x)[0], 1).flatten(), x)
    return found.flatten(1) != 0


@pytest.mark.parametrize("depth", [1, 2])
def test_a_diagonal_bilstm_sees_every_earlier_pixel_but_the_last_of_the_row_above(depth: int) -> None:
    """A row's features know what lies left of them, so none of them knows its last pixel: for the row below, only
    the 7x7 reaches it."""
    height, breadth = 6, 12
    meant = torch.ones(height * breadth, height * breadth, dtype=torch.bool).tril(-1)
    for row in range(1, height):
        meant[row * breadth : (row + 1) * breadth - 4, row * breadth - 1] = False
    assert torch.equal(seen("diagonal", (1, height, breadth), depth), meant)


def test_a_row_lstm_sees_a_triangle() -> None:
    height, breadth, row, column = 7, 25, 6, 12
    found = seen("row", (1, height, breadth))[row * breadth + column]
    meant = set()
    for up in range(row + 1):  # states of each row above, one more on either side for each row
        for j in range(column - up, column + up + 1):
            for entered in (j - 1, j):  # the features that enter there, each from its 7x7
                above = {(row - up - k, entered + m) for k in range(1, 4) for m in range(-3, 4)}
                meant |= above | {(row - up, entered - m) for m in range(1, 4)}
    meant = {(i, j) for i, j in meant if i >= 0 and 0 <= j < breadth}
    assert {divmod(i, breadth) for i in found.nonzero()[:, 0].tolist()} == meant
    assert (0, breadth - 1) not in meant and (0, column + 8) in meant

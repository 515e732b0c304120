"""Our layers answer as PyTorch's: values, gradients, gradients of gradients, under autocast and torch.func."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from models.common import nets
from models.common.layers import Double, Halve, PiecewiseLinear
from models.common.protocol import Spec

DOUBLE = torch.float64


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_a_piecewise_linear_layer_is_leaky_relu_to_second_order(slope: float) -> None:
    x = torch.randn(5, 3, dtype=DOUBLE, requires_grad=True)
    layer = PiecewiseLinear(slope)
    assert torch.equal(layer(x), nn.functional.leaky_relu(x, slope))
    at_zero = torch.zeros(3, dtype=DOUBLE, requires_grad=True)
    of_ours, of_torchs = (
        torch.autograd.grad(f(at_zero).sum(), at_zero) for f in (layer, lambda x: nn.functional.leaky_relu(x, slope))
    )
    assert torch.equal(*of_ours, *of_torchs)
    assert torch.autograd.gradcheck(layer, x) and torch.autograd.gradgradcheck(layer, x)


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
def test_a_net_whose_gradient_stands_in_a_loss_is_the_same_net(shape: tuple[int, ...]) -> None:
    sizes = {"width": 16, "depth": 2}
    torch.manual_seed(0)
    plain = nets.scorer(Spec(shape), **sizes).double()
    torch.manual_seed(0)
    penalised = nets.scorer(Spec(shape), **sizes, gradient_in_loss=True).double()
    x = torch.randn(6, *shape, dtype=DOUBLE, requires_grad=True)
    found = []
    for net in (plain, penalised):
        (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
        weights = [weight for weight in net.parameters() if weight.dim() > 1]
        found.append([net(x), slope, *torch.autograd.grad(slope.square().sum(), weights)])
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("channels", [1, 3, 9])
@pytest.mark.parametrize("kind", [Halve, Double])
def test_convolutions_are_pytorchs(kind: type[nn.Module], channels: int) -> None:
    sizes = (channels, 5) if kind is Halve else (5, channels)
    layer = kind(*sizes).double()
    theirs = {Halve: nn.Conv2d, Double: nn.ConvTranspose2d}[kind](*sizes, 4, stride=2, padding=1).double()
    theirs.load_state_dict(layer.state_dict())
    x = torch.randn(2, sizes[0], 4, 6, dtype=DOUBLE, requires_grad=True)
    found = []
    for net in (layer, theirs):
        inputs, y = [x, *net.parameters()], net(x)
        slopes = torch.autograd.grad(y.square().sum(), inputs, create_graph=True)
        found.append([y, *slopes, *torch.autograd.grad(slopes[0].square().sum(), inputs)])
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(layer, x)


@pytest.mark.parametrize("channels", [1, 3, 9])
@pytest.mark.parametrize("kind", [Halve, Double])
def test_convolutions_under_autocast(kind: type[nn.Module], channels: int) -> None:
    """In bf16 as near the true values as PyTorch's, to twice the rounding of a product."""
    sizes = (channels, 16) if kind is Halve else (16, channels)
    layer, x = kind(*sizes), torch.randn(4, sizes[0], 8, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    slopes = torch.autograd.grad(y.float().square().sum(), [x, *layer.parameters()])
    true = layer(x)
    expected = torch.autograd.grad(true.square().sum(), [x, *layer.parameters()])
    for one, other in zip([y, *slopes], [true, *expected], strict=True):
        assert one.dtype in (torch.bfloat16, torch.float32)
        assert (one - other).abs().max() <= 2**-6 * other.abs().max()


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8)])
@pytest.mark.parametrize("gradient_in_loss", [False, True])
def test_nets_under_torch_func(shape: tuple[int, ...], gradient_in_loss: bool) -> None:
    """The gradient of each datum's score, all at once and one by one."""
    net = nets.scorer(Spec(shape), width=16, depth=2, gradient_in_loss=gradient_in_loss).double()
    weights, x = dict(net.named_parameters()), torch.randn(3, *shape, dtype=DOUBLE)

    def score(weights: dict[str, torch.Tensor], datum: torch.Tensor) -> torch.Tensor:
        return functional_call(net, weights, datum[None]).sum()

    together = vmap(grad(score, argnums=(0, 1)), in_dims=(None, 0))(weights, x)
    for index, datum in enumerate(x):
        at = datum[None].clone().requires_grad_()
        *slopes, of_x = torch.autograd.grad(net(at).sum(), [*net.parameters(), at])
        torch.testing.assert_close([slope[index] for slope in together[0].values()], slopes)
        torch.testing.assert_close(together[1][index], of_x[0])

"""What models that turn noise into data share: nets over time, differential equations, averages of weights."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

import models
from models import edm
from models.common import ode, timed
from models.common.averages import Averaged
from models.common.nets import decoder
from models.common.protocol import Spec
from models.common.timed import forget, guided, velocity_net
from pipeline import params

pytestmark = pytest.mark.usefixtures("float64")
SPECS = [Spec((2,), 8), Spec((1, 8, 8), 10, 17), Spec((3, 6, 10), 2), Spec((1, 3, 3), 3, 2), Spec((1, 28, 28), 10)]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_net_depends_on_datum_time_and_label(spec: Spec) -> None:
    net = velocity_net(spec, width=32, depth=3, classes=spec.classes)
    for parameter in net.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))  # residual layers begin at zero
    x, t, label = torch.randn(4, *spec.shape), torch.rand(4), torch.zeros(4, dtype=torch.int64)
    base = net(x, t, label)
    assert base.shape == x.shape
    for other in (net(x + 1, t, label), net(x, t + 0.1, label), net(x, t, label + 1)):
        assert ((other - base).flatten(1).abs().amax(1) > 1e-4).all()
    assert torch.allclose(net(x[:1], t[:1], label[:1]), base[:1], atol=1e-12), "data of a batch do not see each other"
    with pytest.raises(ValueError, match="label = None"):
        net(x, t)
    with pytest.raises(ValueError, match=r"of shape \(2, 1, 8, 8\)"):
        velocity_net(Spec((2, 1, 8, 8)), width=32, depth=3)


@pytest.mark.parametrize(
    ("spec", "latent"), [(Spec((2,)), 2), (Spec((1, 8, 8), 10, 17), 100), (Spec((3, 8, 8), 0, 17), 100)], ids=str
)
def test_nets_are_as_large_as_the_gans_generator(spec: Spec, latent: int) -> None:
    sizes = [
        sum(parameter.numel() for parameter in net.parameters())
        for net in (velocity_net(spec, width=128, depth=3), decoder(spec, latent, width=128, depth=3))
    ]
    assert 0.8 < sizes[0] / sizes[1] < 1.2


class Told(nn.Module):
    """Answers with the label, which of `classes` is none."""

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return label[:, None].to(x.dtype).expand_as(x)


def test_guidance_0_is_unconditional_and_1_is_the_label() -> None:
    x, t, label = torch.zeros(3, 2), torch.zeros(3), torch.tensor([0, 1, 2])
    for guidance, expected in ((0.0, [5, 5, 5]), (1.0, [0, 1, 2]), (3.0, [-10, -7, -4])):  # 5 + w (label - 5)
        found = guided(Told(), x, t, label, guidance, classes=5)
        assert torch.equal(found, torch.tensor(expected)[:, None].expand(3, 2).double())
    assert torch.equal(guided(Told(), x, t, None, 3.0, classes=5), torch.full((3, 2), 5.0))
    assert [timed.passes(5, guidance) for guidance in (0, 1, 3)] == [1, 1, 2] and timed.passes(0, 3) == 1


def test_labels_are_forgotten_as_often_as_asked() -> None:
    label = torch.arange(20_000) % 4
    kept = forget(label, 0.2, classes=4)
    assert set((kept[kept != label]).tolist()) == {4}
    assert (kept == 4).double().mean().item() == pytest.approx(0.2, abs=5 * math.sqrt(0.2 * 0.8 / 20_000))
    assert torch.equal(forget(label, 0.0, classes=4), label)


def rotation_and_decay(x: Tensor, t: Tensor) -> Tensor:
    """dx/dt = (A - t) x, A a quarter turn in pi/2: solved by a rotation times exp(-t^2/2)."""
    return torch.stack([-x[:, 1], x[:, 0]], 1) - t * x


def solved(x: Tensor, t: float) -> Tensor:
    turn = torch.tensor([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]])
    return x @ turn.T * math.exp(-(t**2) / 2)


@pytest.mark.parametrize("follow", [partial(ode.walk, ode.heun), edm.follow])
def test_heun_is_of_second_order(follow: Callable[..., Tensor]) -> None:
    x = torch.randn(5, 2)
    errors = [
        (follow(rotation_and_decay, x, torch.linspace(0, 1, n + 1)) - solved(x, 1.0)).abs().max() for n in (20, 40, 80)
    ]
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(2, abs=0.15)  # one step of Euler errs by a step squared


@pytest.mark.parametrize("numbers", [1, 2**18])
def test_the_divergence_is_the_trace_of_the_jacobian(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ode, "NUMBERS", numbers)  # by one direction at a time, and by all
    for spec in (Spec((2,)), Spec((1, 4, 4))):
        net, t = velocity_net(spec, width=32, depth=2), torch.tensor(0.3)
        x = torch.randn(3, *spec.shape)
        with torch.no_grad():
            slope, divergence = ode.with_divergence(lambda x, t, net=net: net(x, t.expand(len(x))), x, t)
        assert torch.allclose(slope, net(x, t.expand(3)))
        size = x[0].numel()
        for one, found in zip(x, divergence, strict=True):
            jacobian = torch.autograd.functional.jacobian(lambda one, net=net, t=t: net(one[None], t[None]), one)
            assert torch.allclose(jacobian.reshape(size, size).trace(), found)


def test_a_probe_is_an_unbiased_estimate_of_the_divergence() -> None:
    """Of x A by signs v: v A v, with the mean tr A and the variance of all that is not on the diagonal."""
    n, a = 20_000, torch.randn(5, 5)
    found = ode.probed(lambda x, t: x @ a, torch.randn(n, 5), torch.tensor(0.0), torch.Generator().manual_seed(0))
    rest = (a + a.T).triu(1).square().sum()
    assert found.mean().item() == pytest.approx(a.trace().item(), abs=5 * math.sqrt(rest / n))
    assert found.var().item() == pytest.approx(rest.item(), rel=0.1)


def test_expansion_of_a_known_flow() -> None:
    """The divergence of the field above is -2t: -1 from 0 to 1, and for times s^2 that of -4s^3, for which two nodes
    are exact."""
    x = torch.randn(4, 2)
    assert torch.allclose(ode.expand(rotation_and_decay, x, torch.square, 2)[1], -torch.ones(4))
    end, expansion = ode.expand(rotation_and_decay, x, torch.square, 40)
    assert torch.allclose(end, solved(x, 1.0), rtol=0, atol=1e-7)
    assert torch.allclose(expansion, -torch.ones(4))


def test_a_density_is_of_fourth_order() -> None:
    """dx/dt = x^2 / 2 leads to x / (1 - x t / 2), whose logarithm of the derivative is -2 log(1 - x t / 2)."""
    x = torch.tensor([[0.3], [-0.8], [0.9]])
    exact = -2 * (1 - x / 2).log().sum(1)
    errors = [(ode.expand(lambda x, t: x**2 / 2, x, torch.clone, n)[1] - exact).abs().max() for n in (8, 16)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.3)


def test_an_average_rises_and_is_used_in_evaluation_only() -> None:
    net = velocity_net(Spec((2,)), width=4, depth=1)
    averaged = Averaged(net, 0.5)
    by_hand = net.last.bias.detach().clone()
    for update in range(1, 30):
        with torch.no_grad():
            net.last.bias.copy_(torch.randn(2))
        averaged.update()
        decay = min(0.5, (1 + update) / (10 + update))
        by_hand = decay * by_hand + (1 - decay) * net.last.bias
    assert torch.allclose(averaged.mean.last.bias, by_hand)
    x, t = torch.randn(3, 2), torch.rand(3)
    assert torch.equal(averaged.train()(x, t), net(x, t))
    assert torch.equal(averaged.eval()(x, t), averaged.mean(x, t)) and not torch.equal(net(x, t), averaged(x, t))
    assert not any(parameter.requires_grad for parameter in averaged.mean.parameters())
    plain = Averaged(net, 0.0).eval()
    assert torch.equal(plain(x, t), net(x, t)) and plain.mean is None


KINDS = ["toys", "images", "stacked", "pictures", "photos", "stacked_pictures"]
OVER_TIME = {"ddpm", "edm", "flow_matching", "rectified_flow", "mean_flow"}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_over_time_are_as_large_as_the_gans_generator(kind: str) -> None:
    """Within a quarter: what a table shows is then not that one net is larger."""
    settings = params.load().board.kinds[kind]
    spec = Spec(**settings.data.spec)
    generator = size(models.build("gan", spec, settings.models["gan"].settings).generator)
    for name, line in settings.models.items():
        if line.model in OVER_TIME:
            net = models.build(line.model, spec, line.settings).net.net
            assert 0.8 < size(net) / generator < 1.25, name


def size(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())

"""Encoders, decoders and scorers built from a Spec, so that models are compared at equal nets.

Points get an MLP of `depth` hidden layers of `width` with ReLU. Images get the convolutions of DCGAN (Radford, Metz,
Chintala, "Unsupervised Representation Learning with Deep Convolutional GANs", 2015, arXiv:1511.06434): 4x4, stride 2,
the first with `width // 4` channels, doubling; their number follows from the image's size (28 -> 14 -> 7, 32 -> 4),
not from `depth`. Departure: no batch normalisation in encoders and scorers, since a gradient penalty forbids it, and
PyTorch's default initialisation in place of N(0, 0.02).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.common import check
from models.common.layers import Double, FromPixels, Halve, PiecewiseLinear, ToPixels
from models.common.protocol import Spec


class Net(nn.Sequential):
    """Answers in the dtype it is asked in, so that losses are exact when autocast runs the layers in bf16."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).to(x.dtype)


Form = Literal["house", "dense"]


def encoder(
    spec: Spec, out: int, *, width: int, depth: int, nets: Form = "house", gradient_in_loss: bool = False
) -> Net:
    """(B, *shape) -> (B, out); `dense` nets are `depth` layers of `width` tanhs, for images, too.

    `gradient_in_loss` is for a net whose gradient stands in a loss, as in a gradient penalty: the same net, faster.
    """
    check.still(spec)
    check.at_least(1, width=width, depth=depth)
    check.one_of(get_args(Form), nets=nets)
    if nets == "dense":
        return Net(nn.Flatten(), *tanhs(math.prod(spec.shape), width, depth), nn.Linear(width, out))
    if len(spec.shape) == 1:
        return mlp(spec.shape[0], out, width, depth, gradient_in_loss=gradient_in_loss)
    channels, (height, breadth) = pyramid(spec, width)
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(channels):
        layers += [Halve(wide, narrow), rectifier(0.2, gradient_in_loss)]
    return Net(*layers, FromPixels(), nn.Linear(channels[-1] * height * breadth, out))


def decoder(spec: Spec, size: int, *, width: int, depth: int, nets: Form = "house", bounded: bool = True) -> Net:
    """(B, size) -> (B, *shape); images end in tanh if bounded. `nets` as for `encoder`."""
    check.still(spec)
    check.at_least(1, width=width, depth=depth)
    check.one_of(get_args(Form), nets=nets)
    last = [nn.Tanh()] * (bounded and len(spec.shape) > 1)
    if nets == "dense":
        out = nn.Linear(width, math.prod(spec.shape))
        return Net(*tanhs(size, width, depth), out, nn.Unflatten(1, spec.shape), *last)
    if len(spec.shape) == 1:
        return mlp(size, spec.shape[0], width, depth)
    channels, low = pyramid(spec, width)
    first = (channels[-1], *low)
    layers = [nn.Linear(size, first[0] * first[1] * first[2]), ToPixels(*first)]
    for narrow, wide in pairwise(reversed(channels)):
        layers += [nn.BatchNorm2d(narrow), nn.ReLU(), Double(narrow, wide)]
    return Net(*layers, *last)


def scorer(spec: Spec, *, width: int, depth: int, gradient_in_loss: bool = False) -> Net:
    """(B, *shape) -> (B,) unbounded scores; `gradient_in_loss` as for `encoder`"""
    return Net(encoder(spec, 1, width=width, depth=depth, gradient_in_loss=gradient_in_loss), nn.Flatten(0))


Nets = Literal["house", "pacgan"]


def pair(
    spec: Spec,
    latent: int,
    *,
    nets: Nets,
    width: int,
    depth: int,
    packing: int = 1,
    gradient_in_loss: bool = False,
) -> tuple[Net, Net]:
    """A generator (B, latent) -> (B, *shape) and a critic of `packing` data side by side, (B, *packed shape) -> (B,).

    `pacgan`, for points only, has the nets of Lin et al., "PacGAN", 2017, arXiv:1712.04086, section 4.1, whatever the
    width and depth: four layers of 400 ReLUs with batch normalisation against three of 200 maxouts of 5 pieces
    (Goodfellow et al., 2013, arXiv:1302.4389), weights from N(0, 0.02^2).
    """
    check.one_of(get_args(Nets), nets=nets)
    seen = spec._replace(shape=(packing * spec.shape[0], *spec.shape[1:]))
    if nets == "house":
        generator = decoder(spec, latent, width=width, depth=depth)  # first, as everywhere: one seed, one generator
        return generator, scorer(seen, width=width, depth=depth, gradient_in_loss=gradient_in_loss)
    if len(spec.shape) != 1:
        raise ValueError(f"nets = pacgan is for points, the data are images of shape {spec.shape}: choose nets = house")
    layers: list[nn.Module] = []
    for wide, narrow in pairwise([latent, 400, 400, 400, 400]):
        layers += [nn.Linear(wide, narrow), nn.BatchNorm1d(narrow), nn.ReLU()]
    generator = Net(*layers, nn.Linear(400, spec.shape[0]))
    critic = Net(*(Maxout(wide, 200, 5) for wide in (seen.shape[0], 200, 200)), nn.Linear(200, 1), nn.Flatten(0))
    for module in (*generator.modules(), *critic.modules()):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
    return generator, critic


class Maxout(nn.Linear):
    """The greatest of `pieces` linear functions, for each of `out` units: (B, size) -> (B, out)"""

    def __init__(self, size: int, out: int, pieces: int) -> None:
        super().__init__(size, out * pieces)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).unflatten(1, (-1, self.pieces)).amax(2)


def mlp(size: int, out: int, width: int, depth: int, *, gradient_in_loss: bool = False) -> Net:
    """(B, size) -> (B, out)"""
    linear = [nn.Linear(wide, narrow) for wide, narrow in pairwise([size, *[width] * depth])]
    first = linear[0]
    # Stored column by column: the other way, gradients through the few columns of a point cost MKL five times as much.
    first.weight = nn.Parameter(first.weight.detach().t().contiguous().t())
    hidden = (part for layer in linear for part in (layer, rectifier(0.0, gradient_in_loss)))
    return Net(*hidden, nn.Linear(width, out))


def cut(net: Net) -> tuple[Net, nn.Linear]:
    """An encoder before its last layer, and that layer."""
    *body, head = net
    assert isinstance(head, nn.Linear)
    return Net(*body), head


def rectifier(slope: float, gradient_in_loss: bool) -> nn.Module:
    """A ReLU, leaky if the slope says so."""
    if gradient_in_loss:
        return PiecewiseLinear(slope)
    return nn.LeakyReLU(slope) if slope else nn.ReLU()


def tanhs(size: int, width: int, depth: int) -> list[nn.Module]:
    """Layers (B, size) -> (B, width), as in Burda, Grosse, Salakhutdinov, 2015, arXiv:1509.00519, section 5."""
    return [part for wide, out in pairwise([size, *[width] * depth]) for part in (nn.Linear(wide, out), nn.Tanh())]


def pyramid(spec: Spec, width: int) -> tuple[list[int], tuple[int, int]]:
    """Channels before and after each halving of an image, and the size that is left."""
    channels, (height, breadth) = [spec.shape[0]], spec.shape[1:]
    while height % 2 == breadth % 2 == 0 and (min(height, breadth) > 4 or len(channels) < 3):
        channels.append(max(1, width // 4) * 2 ** (len(channels) - 1))
        height, breadth = height // 2, breadth // 2
    if len(channels) == 1:
        raise ValueError(f"images of {height}x{breadth} cannot be halved: pad or resize them to even sides")
    return channels, (height, breadth)


def with_classes(spec: Spec) -> Spec:
    """What data of `spec` are once `with_label` has given them their label. Raises ValueError where there is none."""
    if spec.classes < 1:
        raise ValueError(f"a conditional model needs labelled data, the data of shape {spec.shape} have no classes")
    return spec._replace(shape=(spec.shape[0] + spec.classes, *spec.shape[1:]))


def with_label(x: Tensor, label: Tensor, classes: int) -> Tensor:
    """(B, C, ...), (B,) -> (B, C + classes, ...): the label one-hot, on an image as constant planes."""
    one_hot = F.one_hot(label, classes).to(x.dtype)
    planes = one_hot.reshape(*one_hot.shape, *[1] * (x.dim() - 2)).expand(-1, -1, *x.shape[2:])
    return torch.cat([x, planes], 1)


def noise(n: int, size: int, like: Tensor, rng: Generator | None = None) -> Tensor:
    """(n, size) standard normal, from rng on its device, or without one from torch's global generator on `like`'s."""
    return torch.randn(n, size, generator=rng, dtype=like.dtype, device=(rng or like).device)

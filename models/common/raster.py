"""Images pixel by pixel in raster order: row by row from the top left, and within a pixel colour by colour.

Shared by the models of van den Oord, Kalchbrenner, Kavukcuoglu, "Pixel Recurrent Neural Networks", 2016,
arXiv:1601.06759: masked convolutions (section 3.4), a softmax over the data's own levels (section 3.5), and drawing
one pixel after the other with all that earlier pixels gave rise to kept, so that a pixel costs what itself changes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import Literal, Protocol, TypeVar, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from models.common.nets import Net
from models.common.pixels import check_levels, from_levels, to_levels
from models.common.repair import check_mask

Walked = TypeVar("Walked", bound=nn.Module)


class MaskedConv(nn.Conv2d):
    """A convolution that sees the rows above and the pixels to the left. Channels fall into as many groups as the
    image has colours, in order; at the centre a group sees the groups before it, and itself if the mask is B. With
    the mask called rows it sees all of its own row. The outputs are `parts` such lists of channels, one by one."""

    bias: Tensor  # it always has one

    def __init__(
        self, mask: Literal["A", "B", "rows"], colours: int, inp: int, out: int, size: tuple[int, int], parts: int = 1
    ) -> None:
        self.above, self.left = size[0] // 2, size[1] // 2
        super().__init__(inp, out, size, padding=(self.above, self.left))
        to, of = (torch.arange(n) * colours // n for n in (out // parts, inp))  # group of each channel
        seen = torch.zeros(out, inp, *size)
        seen[:, :, : self.above] = 1
        seen[:, :, self.above, : self.left] = 1
        to = to.repeat(parts)[:, None]
        seen[:, :, self.above, self.left] = (to > of if mask == "A" else to >= of).to(seen)
        if mask == "rows":
            seen[:, :, self.above] = 1
        self.first = mask == "A"  # only what sees the image itself needs a mask A
        self.mask = nn.Buffer(seen)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)

    def walking(self, place: Place) -> nn.Module:
        return WalkingConv(self, place)


class Place:
    """Where a walk over n images stands, and the images as far as they are drawn."""

    def __init__(self, n: int, shape: Sequence[int]) -> None:
        self.n, self.shape, self.row, self.column = n, shape, 0, 0
        self.x = torch.empty(0)  # (n, C, H, W), the first layer's


class WalkingConv(nn.Module):
    """The same convolution, given one pixel (n, inp) or one row (n, inp, 1, W) after the other: it answers for these,
    and keeps what it was given."""

    def __init__(self, conv: MaskedConv, place: Place) -> None:
        super().__init__()
        self.above, self.left, self.first, self.place = conv.above, conv.left, conv.first, place
        self.weight, self.bias = (conv.weight * conv.mask)[:, :, : conv.above + 1].detach(), conv.bias.detach()
        self.matrix = self.weight.permute(2, 3, 1, 0).flatten(0, 2).contiguous()  # (h * w * inp, out)
        self.alone = conv.kernel_size == (1, 1)
        height, breadth = place.shape[1] + conv.above, place.shape[2] + 2 * conv.left
        self.seen = self.weight.new_zeros(place.n, height, breadth, 0 if self.alone else conv.in_channels)
        if conv.first:  # the image is drawn where this layer reads it, so that it sees each colour when it is there
            place.x = self.seen[:, conv.above :, conv.left : breadth - conv.left].permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 4:
            return self.row(x)
        if not self.alone:
            row, column = self.place.row, self.place.column
            if not self.first:
                self.seen[:, row + self.above, column + self.left] = x
            x = self.seen[:, row : row + self.above + 1, column : column + 2 * self.left + 1].reshape(len(x), -1)
        return torch.addmm(self.bias, x, self.matrix)  # (n, h * w * inp) -> (n, out)

    def row(self, x: Tensor) -> Tensor:
        row, right = self.place.row, self.left + x.shape[3]
        self.seen[:, row + self.above, self.left : right] = x[:, :, 0].transpose(1, 2)
        window = self.seen[:, row : row + self.above + 1].permute(0, 3, 1, 2)
        return F.conv2d(window, self.weight, self.bias)


@runtime_checkable
class Walks(Protocol):
    """A layer that looks at other pixels."""

    def walking(self, place: Place) -> nn.Module: ...


def walking(net: nn.Module, place: Place) -> nn.Module:
    """The net with every layer that looks at other pixels replaced by one that keeps them; the weights are shared."""
    return net.walking(place) if isinstance(net, Walks) else with_walking_children(net, place)


def with_walking_children(net: Walked, place: Place) -> Walked:
    walker = copy(net)
    walker._modules = {name: walking(child, place) for name, child in net.named_children()}
    return walker


class Rows(nn.Module, ABC):
    """A net that is walked a row at a time."""

    @abstractmethod
    def down(self, above: Tensor, label: Tensor | None) -> list[Tensor]:
        """The image above, (B, C, H, W) -> several (B, F, H, W)"""

    def walking(self, place: Place) -> nn.Module:
        return WalkingRows(self, place)


class WalkingRows(nn.Module):
    """The same, pixel by pixel: what the net says of a row's pixels is computed at the first of them."""

    def __init__(self, net: Rows, place: Place) -> None:
        super().__init__()
        self.place, self.net = place, with_walking_children(net, place)

    def forward(self, x: Tensor, label: Tensor | None) -> list[Tensor]:
        row, column, image = self.place.row, self.place.column, self.place.x
        if column == 0:
            above = image[:, :, row - 1 : row] if row else torch.zeros_like(image[:, :, :1])
            self.rows = self.net.down(above, label)
        return [each[:, :, 0, column] for each in self.rows]  # (B, F)


def head(colours: int, width: int, levels: int) -> nn.Sequential:
    """(B, width, H, W) features -> (B, C, L, H, W) logits, from a pixel's own features only"""
    return nn.Sequential(
        *(nn.ReLU(), MaskedConv("B", colours, width, width, (1, 1))),
        *(nn.ReLU(), MaskedConv("B", colours, width, colours * levels, (1, 1))),
        nn.Unflatten(1, (colours, levels)),
    )


def plain(size: int, codes: int, *, width: int, depth: int) -> nn.Module:
    """(B, size, h, w) -> (B, codes, h, w) logits of each place given those before it, all alike until trained"""
    inner = [part for _ in range(depth - 1) for part in (MaskedConv("B", 1, width, width, (3, 3)), nn.ReLU())]
    last = MaskedConv("B", 1, width, codes, (1, 1))
    for weight in last.parameters():
        nn.init.zeros_(weight)
    return Net(MaskedConv("A", 1, size, width, (3, 3)), nn.ReLU(), *inner, last)


def pixel_log_prob(logits: Tensor, x: Tensor) -> Tensor:
    """(B, C, L, H, W), (B, C, H, W) -> (B, C, H, W) nats of each pixel given those before it. Whether pixels are on
    their levels is not looked at, since that waits for the GPU: not in every training step."""
    levels = logits.shape[2]
    return -F.cross_entropy(logits.transpose(1, 2).to(x.dtype), to_levels(x, levels), reduction="none")


def observed(x: Tensor, mask: Tensor, levels: int) -> Tensor:
    """x with black where the mask (B, 1, H, W) hides it. Raises ValueError unless the mask shows a prefix."""
    check_mask(x, mask)
    late = mask.flatten(1)[:, 1:] & ~mask.flatten(1)[:, :-1]  # (B, H * W - 1)
    if late.any():
        row, column = divmod(late.any(0).nonzero()[0].item() + 1, x.shape[3])
        fits = "only a prefix in raster order fits, full rows from the top and then a row's left part"
        raise ValueError(f"the mask shows row {row}, column {column} after a hidden pixel: {fits}")
    x = torch.where(mask, x, x.new_tensor(-1.0))
    check_levels(x, levels)
    return x


@torch.no_grad()
def draw(
    model: nn.Module, x: Tensor, mask: Tensor, rng: Generator, label: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Images (B, C, H, W) equal to x where the mask (B, 1, H, W) says so, the pixels hidden drawn one after the other,
    and their log-probability given those observed, (B,). Levels come from uniforms through the inverse of their
    distribution, so that the same uniforms give the same image however the logits are computed."""
    place = Place(len(x), x.shape[1:])
    walker, nats = walking(model, place), x.new_zeros(len(x))
    chance = torch.rand(x.shape, generator=rng, dtype=x.dtype, device=rng.device)
    for place.row in range(x.shape[2]):
        for place.column in range(x.shape[3]):
            at = (..., place.row, place.column)
            for colour in range(x.shape[1]):
                log_p = walker(place.x[at], label)[:, colour].to(x.dtype).log_softmax(1)  # (B, C) -> (B, L)
                level = inverse_distribution(log_p, chance[:, colour][at])
                drawn = from_levels(level, log_p.shape[1], like=x)
                place.x[:, colour][at] = torch.where(mask[:, 0][at], x[:, colour][at], drawn)
                nats += log_p.gather(1, level[:, None])[:, 0].masked_fill(mask[:, 0][at], 0)
    return place.x.clone(), nats


def inverse_distribution(log_p: Tensor, chance: Tensor) -> Tensor:
    """(B, L), (B,) -> (B,) the level whose share of [0, 1) holds `chance`; the last takes what rounding left."""
    return (log_p.exp().cumsum(1)[:, :-1] <= chance[:, None]).sum(1)

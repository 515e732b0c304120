"""PixelCNN: every pixel's level from the pixels above it and to its left, with an exact likelihood.

van den Oord, Kalchbrenner, Kavukcuoglu, "Pixel Recurrent Neural Networks", 2016, arXiv:1601.06759: sections 3.3 to
3.5, figure 5 (left) and table 1, with a softmax over the data's own levels; blind to some pixels above on the right.
`gated`, and with the label in the gates `conditional`: van den Oord et al., "Conditional Image Generation with
PixelCNN Decoders", 2016, arXiv:1606.05328, equations 2 and 4, figure 2; not blind.

Departure: small `width` (2h, or p if gated) and `depth` by default; Adam: with RMSProp `digits` wavers by a nat. The
gated net has the ungated one's head; labels reach its horizontal gates by the vertical ones, equally likely in p(x).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from models.common import check, raster
from models.common.autoregressive import Autoregressive
from models.common.nets import with_classes
from models.common.protocol import Spec
from models.common.raster import MaskedConv


class Residual(nn.Sequential):
    """2h -> h -> h -> 2h features, added to its input."""

    def __init__(self, colours: int, width: int) -> None:
        super().__init__(
            *(nn.ReLU(), MaskedConv("B", colours, width, half := width // 2, (1, 1))),
            *(nn.ReLU(), MaskedConv("B", colours, half, half, (3, 3))),
            *(nn.ReLU(), MaskedConv("B", colours, half, width, (1, 1))),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


def gate(x: Tensor) -> Tensor:
    """Equation 2: (B, 2p, H, W) -> (B, p, H, W)"""
    signal, share = x.chunk(2, 1)
    return signal.tanh() * share.sigmoid()


class Vertical(raster.Rows):
    """What each of `depth` horizontal layers is told about the rows above and the label, (B, 2p, H, W) each."""

    def __init__(self, colours: int, width: int, depth: int, classes: int) -> None:
        super().__init__()
        self.first = MaskedConv("rows", 1, colours, width, (7, 7))
        self.layers = nn.ModuleList(MaskedConv("rows", 1, width, 2 * width, (3, 3)) for _ in range(depth))
        self.across = nn.ModuleList(nn.Conv2d(2 * width, 2 * width, 1) for _ in range(depth))
        self.label = nn.Linear(classes, depth * 2 * width, bias=False) if classes else None

    def forward(self, x: Tensor, label: Tensor | None) -> list[Tensor]:
        return self.down(F.pad(x, (0, 0, 1, -1)), label)  # a row is told of the row above it and those further up

    def down(self, above: Tensor, label: Tensor | None) -> list[Tensor]:
        v, told = self.first(above), []
        biases: Sequence[Tensor | None] = [None] * len(self.layers)
        if self.label is not None:
            one_hot = F.one_hot(check.told(label), self.label.in_features).to(v.dtype)
            biases = self.label(one_hot)[:, :, None, None].chunk(len(self.layers), 1)  # depth times (B, 2p, 1, 1)
        for layer, across, bias in zip(self.layers, self.across, biases, strict=True):
            both = layer(v) if bias is None else layer(v) + bias
            told.append(across(both))
            v = gate(both)
        return told


class Gated(nn.Module):
    """The vertical stack and, told by it of the rows above, the horizontal: (B, C, H, W) -> (B, width, H, W)"""

    def __init__(self, colours: int, width: int, depth: int, classes: int) -> None:
        super().__init__()
        self.vertical = Vertical(colours, width, depth, classes)
        self.first = MaskedConv("A", colours, colours, width, (1, 7))
        self.layers = nn.ModuleList(MaskedConv("B", colours, width, 2 * width, (1, 3), parts=2) for _ in range(depth))
        self.outs = nn.ModuleList(MaskedConv("B", colours, width, width, (1, 1)) for _ in range(depth))

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        h = self.first(x)
        for layer, out, above in zip(self.layers, self.outs, self.vertical(x, label), strict=True):
            h = h + out(gate(layer(h) + above))
        return h


class Model(Autoregressive):
    def __init__(self, spec: Spec, *, gated: bool = False, conditional: bool = False, **base: Any) -> None:
        check.images(spec, model="pixelcnn")
        super().__init__(spec, **base)
        if conditional and not gated:
            raise ValueError("conditional = True: the label enters the gates, so set gated = True")
        if conditional:
            with_classes(spec)  # refuses unlabelled data
            self.given, self.labels = "label", range(spec.classes)
        colours, width, depth = spec.shape[0], self.width, self.depth
        if gated:
            self.body: nn.Module = Gated(colours, width, depth, spec.classes * conditional)
        else:
            residuals = (Residual(colours, width) for _ in range(depth))
            self.body = nn.Sequential(MaskedConv("A", colours, colours, width, (7, 7)), *residuals)
        self.head = raster.head(colours, width, spec.levels)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        features = self.body(x, label) if isinstance(self.body, Gated) else self.body(x)
        return self.head(features)  # (B, C, H, W), (B,) -> (B, C, L, H, W) logits

"""PixelRNN: every pixel's level from earlier ones, through LSTMs that run over the image, with an exact likelihood.

van den Oord, Kalchbrenner, Kavukcuoglu, "Pixel Recurrent Neural Networks", 2016, arXiv:1601.06759: sections 3.1 to
3.5, equation 3, table 1, with a softmax over the data's own levels. A step takes a diagonal, from the left and from the
right, and every earlier pixel is seen, but the last of the row above only by the 7x7; or it takes a row, and a Row LSTM
sees a triangle above each pixel and, to its left, what the 7x7 and the convolutions into the states reach.

Departure: small `width` (2h) and `depth` by default; Adam in place of RMSProp, as in `pixelcnn`. Instead of skewing, a
line of states meets each diagonal where it lies; all that lies beside the image has the learned initial state.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.common import check, raster, recurrence
from models.common.autoregressive import Autoregressive
from models.common.protocol import Spec
from models.common.raster import MaskedConv, Place, walking


class Lstm(nn.Module):
    """A Row LSTM or a Diagonal BiLSTM and the way back to 2h features, added to its input: (B, 2h, H, W)"""

    def __init__(self, layer: str, colours: int, width: int) -> None:
        super().__init__()
        half = width // 2
        ways, taps, size = (1, 3, (1, 3)) if layer == "row" else (2, 2, (1, 1))
        self.layer, self.ways = layer, ways
        self.enter = MaskedConv("B", colours, width, ways * 4 * half, size, parts=ways * 4)
        self.weight = nn.Parameter((torch.rand(ways, taps * half, 4 * half) * 2 - 1) / math.sqrt(taps * half))
        self.start = nn.Parameter(torch.zeros(2, ways, half))  # h and c
        self.leave = MaskedConv("B", colours, half, width, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        taps = (self.enter.weight * self.enter.mask)[:, :, 0, : self.enter.left + 1]  # (D * 4h, 2h, taps)
        enter = taps.unflatten(0, (self.ways, -1)).permute(0, 3, 2, 1).flatten(1, 2)  # (D, taps * 2h, 4h)
        seen = torch.cat([F.pad(x, (1, -1)), x], 1) if self.enter.left else x
        bias, path = self.enter.bias.view(self.ways, 1, -1), recurrence.path(self.layer, *x.shape[2:], x.device)
        h = recurrence.recur(seen, enter, bias, self.weight, self.start, path)
        if self.ways == 2:  # from the right a pixel is told of the row above: its own holds what is yet to come
            h = h[:, :1] + F.pad(h[:, 1:], (0, 0, 1, -1))
        return x + self.leave(h[:, 0])

    def walking(self, place: Place) -> nn.Module:
        return (WalkingRow if self.layer == "row" else WalkingDiagonal)(self, place)


class WalkingRow(nn.Module):
    """The same, pixel by pixel (n, 2h): the states of this row and of the one above are kept, in turns."""

    def __init__(self, net: Lstm, place: Place) -> None:
        super().__init__()
        self.place, self.weight = place, net.weight
        self.enter, self.leave = walking(net.enter, place), walking(net.leave, place)
        size = (2, 2, place.n, net.ways, place.shape[2] + 2, -1)  # row's parity, h or c, n, way, column from -1 to W
        self.states = net.start[None, :, None, :, None].expand(size).clone()

    def forward(self, x: Tensor) -> Tensor:
        column, now = self.place.column + 1, self.place.row % 2
        h, c = self.states[1 - now]
        near = h[:, 0, column - 1 : column + 2].flatten(1)  # (n, 3h)
        c, _, h = recurrence.cell(torch.addmm(self.enter(x), near, self.weight[0]), c[:, 0, column])
        self.states[now, 0, :, 0, column], self.states[now, 1, :, 0, column] = h, c
        return x + self.leave(h)


class WalkingDiagonal(WalkingRow):
    """The pass from the left goes with the pixels, the one from the right over the row above, at a row's start."""

    def __init__(self, net: Lstm, place: Place) -> None:
        super().__init__(net, place)
        self.gates = self.weight.new_zeros(2, place.shape[2], place.n, self.weight.shape[2])  # from the right

    def forward(self, x: Tensor) -> Tensor:
        row, column = self.place.row, self.place.column
        if column == 0 and row:
            for back in reversed(range(self.place.shape[2])):
                self.step(1, row - 1, back, 1, self.gates[1 - row % 2, back])
        left, self.gates[row % 2, column] = self.enter(x).chunk(2, 1)
        h = self.step(0, row, column, -1, left)
        if row:
            h = h + self.states[1 - row % 2, 0, :, 1, column + 1]
        return x + self.leave(h)

    def step(self, way: int, row: int, column: int, beside: int, gates: Tensor) -> Tensor:
        (now, above), at = (self.states[row % 2, :, :, way], self.states[1 - row % 2, :, :, way]), column + 1
        near = torch.cat([now[0, :, at + beside], above[0, :, at]], 1)  # (n, 2h)
        c, _, h = recurrence.cell(torch.addmm(gates, near, self.weight[way]), now[1, :, at + beside])
        now[0, :, at], now[1, :, at] = h, c
        return h


class Model(Autoregressive):
    def __init__(self, spec: Spec, *, layer: Literal["row", "diagonal"] = "diagonal", **base: Any) -> None:
        check.images(spec, model="pixelrnn")
        check.one_of(("row", "diagonal"), layer=layer)
        super().__init__(spec, **base)
        colours, width = spec.shape[0], self.width
        lstms = (Lstm(layer, colours, width) for _ in range(self.depth))
        self.body = nn.Sequential(MaskedConv("A", colours, colours, width, (7, 7)), *lstms)
        self.head = raster.head(colours, width, spec.levels)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        return self.head(self.body(x))  # (B, C, H, W) -> (B, C, L, H, W) logits

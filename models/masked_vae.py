"""A variational autoencoder that is shown part of an image: it fills holes in one pass, by an encoder made for them.

Training images have a rectangle hidden, and the reconstruction of what is hidden weighs more, as in Pathak, Krahenbuhl,
Donahue, Darrell, Efros, "Context Encoders: Feature Learning by Inpainting", 2016, arXiv:1604.07379. The encoder sees
the rest of the image and which pixels are seen, as in Ivanov, Figurnov, Vetrov, "Variational Autoencoder with Arbitrary
Conditioning", 2018, arXiv:1806.02382. The objective is the denoising one of Im, Ahn, Memisevic, Bengio, 2015,
arXiv:1511.06406, with the rectangle as the corruption: E[log p(x | z)] - KL(q(z | x seen) | p(z)), at `hidden_weight` 1
a bound of log p(x) for every rectangle. Codes, reconstructions and likelihoods are of images with nothing hidden.

Departure: from the first, the latent and its KL, no adversary, and the seen pixels count, too; from the second, the
prior is N(0, I), so that images are drawn from nothing, and one encoder serves for its two (of the whole image, and of
what is seen), the rectangle's height is uniform given its area, and the decoder does not look at the seen pixels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from models.common import check
from models.common.codes import Code
from models.common.protocol import Batch, Losses, Spec
from models.common.repair import check_mask
from models.common.variational import GaussianVAE


class Model(GaussianVAE):
    def __init__(
        self,
        spec: Spec,
        *,
        hidden_weight: float = 2.0,
        largest: float = 0.5,
        **base: Any,
    ) -> None:
        check.positive(hidden_weight=hidden_weight)
        check.decay(largest=largest)
        super().__init__(spec, **base)
        self.hidden_weight, self.largest = hidden_weight, largest

    def seen(self, spec: Spec) -> Spec:
        """An image, and as a last channel the mask."""
        if len(spec.shape) != 3:
            raise ValueError(f"only images can have holes, the data are of shape {spec.shape}: choose model vae")
        return spec._replace(shape=(spec.shape[0] + 1, *spec.shape[1:]))

    def posterior(self, x: Tensor, mask: Tensor | None = None) -> Code:
        """q(z | x where mask (B, 1, H, W) is True), or everywhere: (B, C, H, W) -> (B, latent) each"""
        if mask is None:
            mask = torch.ones_like(x[:, :1], dtype=torch.bool)
        occluded = torch.where(mask, x, 0.0)  # mid grey
        return super().posterior(torch.cat([occluded, mask.to(x)], 1))

    def bound_move(self, batch: Batch) -> Losses:
        mask = self.occlusion(batch.x)  # (B, 1, H, W)
        code = self.posterior(batch.x, mask)
        nats = -self.likelihood.pixel_log_prob(batch.x, self.decoder(code.draw()))  # (B, C, H, W)
        rate, hidden = code.kl(), nats.masked_fill(mask, 0.0)
        self.watched = {"reconstruction": nats.flatten(1).sum(1).mean(), "KL": rate.mean()}
        distortion = nats + (self.hidden_weight - 1) * hidden
        return {"model": (distortion.flatten(1).sum(1) + rate).mean()}

    def occlusion(self, x: Tensor) -> Tensor:
        """A mask (B, 1, H, W) for images x, False in a rectangle anywhere: its area is uniform from nothing to the
        largest share, its height given that as well, both to the nearest pixel."""
        height, breadth = x.shape[2:]
        area, tall, down, across = torch.rand(4, len(x), 1, 1, 1, dtype=x.dtype, device=x.device)
        area = self.largest * area
        tall = area + (1 - area) * tall  # of the image's height: less would need more than its breadth
        rows, columns = (tall * height).round(), (area / tall * breadth).round()
        row = torch.arange(height, device=x.device)[:, None] - (down * (height - rows + 1)).floor()
        column = torch.arange(breadth, device=x.device) - (across * (breadth - columns + 1)).floor()
        return ~((row >= 0) & (row < rows) & (column >= 0) & (column < columns))

    def inpaint(self, x: Tensor, mask: Tensor, rng: Generator) -> Tensor:
        check_mask(x, mask)
        return torch.where(mask, x, self.redrawn(self.posterior(x, mask).draw(rng), rng))

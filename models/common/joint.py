"""A critic of pairs (x, z): is z the code of a datum x, or x what a generator made of noise z?

Donahue, Krahenbuhl, Darrell, "Adversarial Feature Learning", 2016, arXiv:1605.09782; Dumoulin, Belghazi, Poole, Lamb,
Arjovsky, Mastropietro, Courville, "Adversarially Learned Inference", 2016, arXiv:1606.00704.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.common.nets import Net, encoder, mlp
from models.common.protocol import Spec


class JointCritic(nn.Module):
    """An MLP over z and x; of an image it sees `width` convolutional features."""

    def __init__(self, spec: Spec, latent: int, *, width: int, depth: int) -> None:
        super().__init__()
        self.features: nn.Module = nn.Identity()
        size = spec.shape[0]
        if len(spec.shape) > 1:
            self.features, size = Net(encoder(spec, width, width=width, depth=depth), nn.LeakyReLU(0.2)), width
        self.scores = Net(mlp(size + latent, 1, width, depth), nn.Flatten(0))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return self.scores(torch.cat([self.features(x), z], 1))  # (B, *shape), (B, latent) -> (B,)

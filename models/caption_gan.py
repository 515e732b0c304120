"""Text to image: a GAN whose critic also learns whether an image fits its caption, and captions between captions.

Reed, Akata, Yan, Logeswaran, Schiele, Lee, "Generative Adversarial Text to Image Synthesis", 2016, arXiv:1605.05396:
the losses are Algorithm 1, lines 10 and 12 (GAN-CLS): the critic's, real images with their caption against real ones
with another and fakes with the right one. Interpolated captions (GAN-INT): equation 5, with the critic's view of the
code.

Departure: the text encoder is a small recurrent net, one for each player and trained along with it, in place of one
learnt before from images; an image that gets its own caption for another's is left out; nets of the house.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from models.common import check
from models.common.captions import CODE, Words, asked, beside, check_captions, with_code
from models.common.losses import non_saturating
from models.common.nets import decoder, scorer
from models.common.noise import noise
from models.common.optimizers import adam
from models.common.protocol import Batch, Losses, Move, Spec


class Model(nn.Module):
    given = "caption"

    def __init__(
        self,
        spec: Spec,
        *,
        latent: int = 100,
        interpolation: float = 0.0,
        lr: float = 2e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        width: int = 128,
        depth: int = 3,
    ) -> None:
        super().__init__()
        check_captions(spec, model="caption_gan")
        check.at_least(1, latent=latent)
        check.at_least(0, interpolation=interpolation)
        check.positive(lr=lr)
        check.decay(beta1=beta1, beta2=beta2)
        self.latent, self.interpolation, self.lr, self.betas = latent, interpolation, lr, (beta1, beta2)
        self.generator = nn.ModuleDict(
            {"words": Words(spec.words), "net": decoder(spec, latent + CODE, width=width, depth=depth)}
        )
        self.critic = nn.ModuleDict(
            {"words": Words(spec.words), "net": scorer(with_code(spec), width=width, depth=depth)}
        )

    def optimizers(self) -> dict[str, Optimizer]:
        players = {"generator": self.generator, "critic": self.critic}
        return {name: adam(net.parameters(), self.lr, self.betas) for name, net in players.items()}

    def moves(self, step: int) -> Sequence[Move]:
        return [self.critic_move, self.generator_move]

    def made(self, code: Tensor, rng: Generator | None = None) -> Tensor:
        z = noise(len(code), self.latent, code, rng)
        return self.generator["net"](torch.cat([z, code], 1))  # (B, latent + CODE) -> (B, *shape)

    def critic_move(self, batch: Batch) -> Losses:
        caption = check.told(batch.caption, "caption")
        with torch.no_grad():
            fake = self.made(self.generator["words"](caption))
        code = self.critic["words"](caption)  # (B, CODE)
        images, codes = torch.cat([batch.x, batch.x, fake]), torch.cat([code, code.roll(1, 0), code])
        right, wrong, made = self.critic["net"](beside(images, codes)).chunk(3)  # (B,) each
        other = (caption != caption.roll(1, 0)).any(1)  # or the two say the same, and it is no wrong one
        mistaken = (F.softplus(wrong) * other).sum() / other.sum().clamp(min=1)
        return {"critic": F.softplus(-right).mean() + (mistaken + F.softplus(made).mean()) / 2}

    def generator_move(self, batch: Batch) -> Losses:
        caption = check.told(batch.caption, "caption")
        mine, theirs = self.generator["words"](caption), self.critic["words"](caption)  # (B, CODE) each
        loss = non_saturating(self.critic["net"](beside(self.made(mine), theirs)))
        if self.interpolation:
            between, judged = ((code + code.roll(1, 0)) / 2 for code in (mine, theirs))
            loss = loss + self.interpolation * non_saturating(self.critic["net"](beside(self.made(between), judged)))
        return {"generator": loss}

    def sample(self, n: int, given: Tensor | None, rng: Generator) -> Tensor:
        return self.made(self.generator["words"](asked(given, n, "caption_gan")), rng)  # (n, *shape)

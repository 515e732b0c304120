"""The cosine schedule of noise: how much of a datum is left, and how much noise is there, after t of T steps.

Nichol, Dhariwal, "Improved Denoising Diffusion Probabilistic Models", 2021, arXiv:2102.09672, equation 17. What follows
from it: Ho, Jain, Abbeel, 2020, arXiv:2006.11239, equations 4 to 7; Song, Meng, Ermon, 2020, arXiv:2010.02502.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.common.timed import along


class Cosine(nn.Module):
    """Steps 1 to T, and 0, at which there is no noise. `signal` and `noise` are variances: of what is left of
    a datum of variance 1, and of what is added to it."""

    beta: Tensor
    signal: Tensor
    noise: Tensor

    def __init__(self, steps: int, offset: float) -> None:
        super().__init__()
        angle = (torch.linspace(0, 1, steps + 1, dtype=torch.float64) + offset) / (1 + offset) * torch.pi / 2
        left = angle.cos().square()
        beta = torch.cat([left.new_zeros(1), (1 - left[1:] / left[:-1]).clamp(max=0.999)])
        log_signal = torch.log1p(-beta).cumsum(0)
        for name, value in {"beta": beta, "signal": log_signal.exp(), "noise": -torch.expm1(log_signal)}.items():
            self.register_buffer(name, value.to(torch.get_default_dtype()), persistent=False)

    def timetable(self, count: int, power: float) -> list[int]:
        """So many steps from the last to the first, fewer if there are not so many, denser there by the power: 1 is
        even, 2 as in Song et al., section D.2."""
        last = len(self.beta) - 1
        share = torch.linspace(1, 0, min(count, last), dtype=torch.float64, device="cpu") ** power
        return sorted(set((1 + share * (last - 1)).round().int().tolist()), reverse=True)

    def told(self, t: Tensor) -> Tensor:
        """What a net is told of step t, a quarter of the logarithm of noise over signal, as amplitudes: (B,) -> (B,)"""
        return (self.noise[t] / self.signal[t]).log() / 8

    def shares(self, t: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Amplitudes of the datum and of the noise at step t: (B,) -> (B, 1, ...) each"""
        return along(self.signal[t].sqrt(), x), along(self.noise[t].sqrt(), x)

    def diffused(self, x: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """The noisy datum of step t, equation 4: (B, *shape), (B,), (B, *shape) -> (B, *shape)"""
        signal, noise = self.shares(t, x)
        return signal * x + noise * eps

    def forth(self, x: Tensor, s: int, t: int, eps: Tensor) -> Tensor:
        """From step s to the later step t, equation 2."""
        kept = self.signal[t] / self.signal[s]
        return kept.sqrt() * x + (1 - kept).sqrt() * eps

    def back(self, x: Tensor, datum: Tensor, t: int, s: int, eta: float) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of step s given x of the later step t and the datum: the posterior, equation 7,
        if eta is 1, and without chance if it is 0 (Song et al., equation 12)."""
        added = 1 - self.signal[t] / self.signal[s]
        deviation = eta * (added * self.noise[s] / self.noise[t]).sqrt()
        eps = (x - self.signal[t].sqrt() * datum) / self.noise[t].sqrt()
        return self.signal[s].sqrt() * datum + (self.noise[s] - deviation.square()).clamp(min=0).sqrt() * eps, deviation

    def weight(self, t: Tensor) -> Tensor:
        """Nats that a guess costs for each unit of its squared error: the KL of the posteriors of step t - 1, given the
        datum and given the guess. (B,) -> (B,)"""
        return 0.5 * self.beta[t] * self.signal[t - 1] / (self.noise[t] * self.noise[t - 1])

    def kl_at_end(self, x: Tensor) -> Tensor:
        """Of what is left of the datum at step T from N(0, 1), nats: (B, *shape) -> (B,)"""
        return 0.5 * (self.signal[-1] * (x.square() - 1) - torch.log1p(-self.signal[-1])).flatten(1).sum(1)

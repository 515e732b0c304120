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
        even, 2 as in Song et al., section D.2; where that asks for a step twice, for the next one."""
        last = len(self.beta) - 1
        places = torch.arange(min(count, last), device="cpu")
        share = torch.linspace(0, 1, len(places), dtype=torch.float64, device="cpu") ** power
        steps = (1 + share * (last - 1)).round().int() if len(places) > 1 else places + last
        steps = (steps - places).cummax(0).values + places  # each above the one before
        return [int(step) for step in steps.flip(0)]

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

    def back(self, x: Tensor, datum: Tensor, t: int, s: int, eta: float, spread: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of step s given x of the later step t and a guess at the datum: the posterior,
        equation 7, if eta is 1, and without chance if it is 0 (Song et al., equation 12). `spread` is what guesses at
        step t are off by, their mean squared error: it widens the posterior as far as it moves its mean."""
        added = 1 - self.signal[t] / self.signal[s]
        variance = eta**2 * added * self.noise[s] / self.noise[t]
        moved = self.signal[s].sqrt() * added / self.noise[t]  # by one unit of the datum
        eps = (x - self.signal[t].sqrt() * datum) / self.noise[t].sqrt()
        mean = self.signal[s].sqrt() * datum + (self.noise[s] - variance).clamp(min=0).sqrt() * eps
        return mean, (variance + (eta * moved).square() * spread).sqrt()

    def kl(self, t: Tensor, squared: Tensor, dims: int, spread: Tensor) -> Tensor:
        """Of the posterior of step t - 1 from what is drawn by a guess off by so much, widened by its `spread`; nats,
        (B,) each."""
        weight = 0.5 * self.beta[t] * self.signal[t - 1] / (self.noise[t] * self.noise[t - 1])
        wider = 1 + 2 * weight * spread
        return dims / 2 * (wider.log() + 1 / wider - 1) + weight * squared / wider

    def kl_at_end(self, x: Tensor) -> Tensor:
        """Of what is left of the datum at step T from N(0, 1), nats: (B, *shape) -> (B,)"""
        return 0.5 * (self.signal[-1] * (x.square() - 1) - torch.log1p(-self.signal[-1])).flatten(1).sum(1)


class Errors(nn.Module):
    """Mean squared errors of guesses at a datum, for each step: of training, the latest counting most. Step t -> (), or
    (B,) -> (B,); 0 where none was kept."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.sums, self.counts = (nn.Buffer(torch.zeros(steps + 1)) for _ in range(2))

    def keep(self, t: Tensor, error: Tensor) -> None:
        """(B,), (B,)"""
        hit = (t == torch.arange(len(self.sums), device=t.device)[:, None]).to(error.dtype)  # (T + 1, B)
        self.sums.mul_(0.999).add_(hit @ error)
        self.counts.mul_(0.999).add_(hit.sum(1))

    def forward(self, t: int | Tensor) -> Tensor:
        return self.sums[t] / self.counts[t].clamp(min=1e-9)

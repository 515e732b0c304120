"""The optimizers of the papers, each in torch's fastest form for where its parameters lie.

Made here and nowhere else, because on a GPU a step of training is recorded once and replayed: what then changes, the
learning rate and the count of steps, has to be a tensor there, and a number would be recorded as it was.

Kingma, Ba, "Adam: A Method for Stochastic Optimization", 2014, arXiv:1412.6980. RMSProp: Tieleman, Hinton, 2012,
lecture 6.5 of "Neural Networks for Machine Learning".
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer, RMSprop


def adam(parameters: Iterable[Tensor], lr: float, betas: tuple[float, float] = (0.9, 0.999)) -> Optimizer:
    owned = list(parameters)
    return Adam(owned, rate(lr, owned), betas, fused=True, capturable=on_gpu(owned))


def rmsprop(parameters: Iterable[Tensor], lr: float, alpha: float = 0.99) -> Optimizer:
    owned = list(parameters)
    return RMSprop(owned, rate(lr, owned), alpha, foreach=True, capturable=on_gpu(owned))


def rate(lr: float, owned: list[Tensor]) -> float | Tensor:
    return torch.tensor(lr, device=owned[0].device) if on_gpu(owned) else lr


def on_gpu(owned: list[Tensor]) -> bool:
    return owned[0].device.type == "cuda"

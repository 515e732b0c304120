"""Whom training moves: the players of a model, and the average of its weights.

Learning rates and decays follow the number of the step, which is a plain number on a CPU and a tensor on a GPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from models.common.protocol import Constrains, Losses, Model


class Players:
    """The players of a model: their optimizers, and the parameters that each owns."""

    def __init__(self, model: Model) -> None:
        self.optimizers = model.optimizers()
        self.parameters = {
            player: [parameter for group in optimizer.param_groups for parameter in group["params"]]
            for player, optimizer in self.optimizers.items()
        }
        groups = [group for optimizer in self.optimizers.values() for group in optimizer.param_groups]
        self.rates = [rate.clone() if isinstance(rate := group["lr"], Tensor) else rate for group in groups]
        self.constrain = model.constrain if isinstance(model, Constrains) else None

    def slow_down(self, share: float | Tensor) -> None:
        """Set every learning rate to ``share`` of the model's own."""
        groups = [group for optimizer in self.optimizers.values() for group in optimizer.param_groups]
        for group, rate in zip(groups, self.rates, strict=True):
            if isinstance(rate, Tensor):
                group["lr"].copy_(share * rate)
            else:
                group["lr"] = float(share) * rate

    def move(self, losses: Losses) -> None:
        """Those named in ``losses`` move together: all gradients first, then all steps."""
        last = len(losses) - 1
        for order, (player, loss) in enumerate(losses.items()):
            for parameter in self.parameters[player]:
                parameter.grad = None
            loss.backward(inputs=self.parameters[player], retain_graph=order < last)
        for player in losses:
            self.optimizers[player].step()
        if self.constrain is not None:
            self.constrain()

    def forget(self) -> None:
        """Drop all gradients."""
        for parameters in self.parameters.values():
            for parameter in parameters:
                parameter.grad = None

    def tensors(self) -> list[Tensor]:
        """What the optimizers keep."""
        states = [state for optimizer in self.optimizers.values() for state in optimizer.state.values()]
        return [value for state in states for value in state.values() if isinstance(value, Tensor)]


class Average:
    """Exponential moving average of the weights (buffers are copied), evaluated instead of the last ones."""

    def __init__(self, model: Model, decay: float) -> None:
        self.decay = decay
        self.live = [parameter.detach() for parameter in model.parameters()]
        self.mean = [parameter.clone() for parameter in self.live]

    def update(self, step: int | Tensor) -> None:
        # The first steps would otherwise weigh the initialisation for 1 / (1 - decay) steps.
        risen = (1 + step) / (10 + step)
        if isinstance(risen, Tensor):
            way = torch._foreach_sub(self.live, self.mean)
            torch._foreach_mul_(way, 1 - risen.clamp(max=self.decay))
            torch._foreach_add_(self.mean, way)
        else:
            torch._foreach_lerp_(self.mean, self.live, 1 - min(self.decay, risen))

    def install(self) -> None:
        torch._foreach_copy_(self.live, self.mean)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """The mean in the model's place for a while."""
        last = [parameter.clone() for parameter in self.live]
        self.install()
        try:
            yield
        finally:
            torch._foreach_copy_(self.live, last)

"""What every model's moves must hold so that a step can be recorded once and replayed: no value of theirs is read."""

import inspect
from typing import Any

import pytest
import torch
from test_models_contract import SPECS, B, build, owned, some_batches, take_steps
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import models
from models.common import recurrence
from models.common.protocol import Batch, Move, Spec


@pytest.fixture(params=SPECS)
def spec(request: pytest.FixtureRequest) -> Spec:
    return SPECS[request.param]


@pytest.fixture(params=models.names())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(name: str, spec: Spec) -> nn.Module:
    return build(name, spec)


def patterns(model: nn.Module) -> dict[tuple[Move, ...], int]:
    """Which moves a step can have, among the first dozen, and the first step that has them."""
    return {tuple(model.moves(step)): step for step in reversed(range(12))}


def test_moves_are_the_models_methods_and_depend_on_the_step_alone(name: str, model: nn.Module, spec: Spec) -> None:
    table = [tuple(model.moves(step)) for step in range(40)]
    for move in {move for moves in table for move in moves}:
        assert inspect.ismethod(move) and move.__self__ is model and getattr(model, move.__name__) == move
    take_steps(model, model.optimizers(), some_batches(spec, 3))
    again = [tuple(model.moves(step)) for step in reversed(range(40))][::-1]
    assert again == table and [hash(moves) for moves in again] == [hash(moves) for moves in table]
    names = [[move.__name__ for move in moves] for moves in table]
    assert [[move.__name__ for move in build(name, spec, seed=1).moves(step)] for step in range(40)] == names


def test_optimizers_can_be_made_again(name: str, model: nn.Module, spec: Spec) -> None:
    first, twin = model.optimizers(), build(name, spec)
    model.optimizers()  # and these are not used
    batches, records = some_batches(spec, 6), []
    for each, optimizers in ((model, first), (twin, twin.optimizers())):
        torch.manual_seed(3)
        records.append(take_steps(each, optimizers, batches))
    assert records[0] == records[1]
    take_steps(model, model.optimizers(), batches)


class Nothing(TorchDispatchMode):
    """Refuses to copy from one device to another."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        places = {value.device.type for value in (*args, out) if isinstance(value, Tensor) and value.dim()}
        assert len(places) < 2, f"{func} copies from one device to another, and waits for it"
        return out


def imagined(model: nn.Module, device: str) -> nn.Module:
    """The model with tensors on the device that have a shape and no content."""
    for module in model.modules():
        for owner, wrap in ((module._parameters, nn.Parameter), (module._buffers, lambda value, **_: value)):
            for key, value in owner.items():
                if value is not None:
                    empty = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=device)
                    owner[key] = wrap(empty, requires_grad=value.requires_grad)
    return model


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_no_move_reads_a_value_back(device: str, model: nn.Module, spec: Spec) -> None:
    """Tensors without content have none to branch on, and no shape that depends on it; nor need there be a GPU."""
    recurrence.path.cache_clear()
    with FakeTensorMode():
        imagined(model, device)
        x = torch.randn(B, *spec.shape, device=device)
        label = torch.randint(spec.classes, (B,), device=device) if spec.classes else None
        partner = torch.randn(B, *spec.partner, device=device) if spec.partner else None
        caption = torch.randint(1, spec.words, (B, 4), device=device) if spec.words else None
        batch = Batch(x, label, torch.zeros((), dtype=torch.int64, device=device), partner, caption)
        optimizers = model.optimizers() if device == "cpu" else {}
        with Nothing():
            for moves in patterns(model):
                for move in moves:
                    follow(move, batch, optimizers)
    recurrence.path.cache_clear()


def follow(move: Move, batch: Batch, optimizers: dict[str, torch.optim.Optimizer]) -> None:
    try:
        losses = move(batch)
    except RuntimeError as error:
        if "hasPrimaryContext" in str(error):
            pytest.skip("the move itself takes gradients, which torch does only on a device that is there")
        raise
    for player in losses.keys() & optimizers.keys():
        losses[player].backward(inputs=owned(optimizers[player]), retain_graph=True)
    for player in losses.keys() & optimizers.keys():
        optimizers[player].step()

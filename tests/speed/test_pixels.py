"""Models that go pixel by pixel: drawing with what is known kept against the whole net for every pixel, and an LSTM's
training step against PixelCNN's. One thread, 28x28 binary images, batches of 16, 7 layers; seconds of this process.
"""

import time
from collections.abc import Callable
from statistics import median

import pytest
import torch
from torch import Generator, Tensor, nn

import models
from models.common.protocol import Batch, Spec

ROUNDS, B, SIDE = 3, 16, 28
pytestmark = pytest.mark.usefixtures("one_thread")


def build(name: str, **hyper: object) -> nn.Module:
    torch.manual_seed(0)
    return models.load(name)(Spec((1, SIDE, SIDE), levels=2), depth=7, **hyper)


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def alternate(slow: Callable[[], object], quick: Callable[[], object]) -> tuple[float, float, float]:
    """Each in turn, A B A B: the median of the ratios, and of the seconds."""
    slow(), quick()
    pairs = [(seconds(slow), seconds(quick)) for _ in range(ROUNDS)]
    return median(a / b for a, b in pairs), *(median(times) for times in zip(*pairs, strict=True))


@pytest.mark.parametrize(
    ("name", "hyper"),
    [
        ("pixelcnn", {"width": 128}),  # 64 channels in its 3x3 convolutions, the paper's h
        ("pixelcnn", {"width": 64, "gated": True}),
        ("pixelrnn", {"width": 64, "layer": "row"}),
        ("pixelrnn", {"width": 64, "layer": "diagonal"}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else value,
)
@torch.no_grad()
def test_drawing(name: str, hyper: dict[str, object]) -> None:
    model, x = build(name, **hyper).eval(), torch.ones(B, 1, SIDE, SIDE)
    pixels = 4  # of the plain loop, whose every pixel costs the same

    def plain() -> None:
        for _ in range(pixels):
            model(x)

    ratio, loop, kept = alternate(plain, lambda: model.sample(B, None, Generator().manual_seed(0)))
    ratio, loop = ratio * SIDE**2 / pixels, loop * SIDE**2 / pixels
    print(f"\ndrawing, {name} {hyper}: {ratio:.0f}x (plain loop {loop:.1f} s, kept {kept:.2f} s), wanted 100x")
    assert ratio >= 100


def step(model: nn.Module) -> Callable[[], None]:
    (optimizer,) = model.optimizers().values()
    x: Tensor = 2.0 * torch.randint(2, (B, 1, SIDE, SIDE)) - 1

    def take() -> None:
        optimizer.zero_grad()
        model.likelihood_move(Batch(x))["model"].backward()
        optimizer.step()

    return take


@pytest.mark.parametrize("layer", ["row", "diagonal"])
def test_training_step(layer: str) -> None:
    lstm, convolutions = step(build("pixelrnn", width=64, layer=layer)), step(build("pixelcnn", width=64))
    ratio, slow, quick = alternate(lstm, convolutions)
    print(
        f"\nstep, {layer} LSTM: {ratio:.1f} of PixelCNN's ({1e3 * slow:.0f} and {1e3 * quick:.0f} ms), at most 3 wanted"
    )
    assert ratio <= 3

"""Training speed against the loop that one usually writes: same nets, same batch, alternating runs in one process.

The usual loop: a DataLoader over tensors, default optimizers, float32, contiguous, `.item()` at every step, and
gradients left where they fall. `make speed` prints the ratios; a shortfall fails.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import models
from benchmarks.datasets import Split
from models.common.protocol import Spec
from pipeline import data
from pipeline.params import Training
from pipeline.training import engine

CPU = torch.device("cpu")
ROUNDS = 5
pytestmark = pytest.mark.usefixtures("one_thread")


def compare(name: str, usual: Callable[[int], None], ours: Callable[[int], None], steps: int, target: float) -> None:
    """Alternate the two, A B A B, and ask for the median of the ratios."""
    usual(steps // 4), ours(steps // 4)
    ratios, speeds = [], {"usual": [], "ours": []}
    for _ in range(ROUNDS):
        seconds = {}
        for label, loop in (("usual", usual), ("ours", ours)):
            began = time.perf_counter()
            loop(steps)
            seconds[label] = time.perf_counter() - began
            speeds[label].append(steps / seconds[label])
        ratios.append(seconds["usual"] / seconds["ours"])
    ratio = median(ratios)
    rates = ", ".join(f"{label} {median(found):.0f} steps/s" for label, found in speeds.items())
    print(f"\n{name}: {ratio:.2f}x ({min(ratios):.2f} to {max(ratios):.2f}; {rates}), wanted {target}x")
    assert ratio >= target


def points(n: int = 100_000) -> Tensor:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(0))


def images(size: int, n: int = 2560) -> Tensor:
    return torch.randint(0, 256, (n, 1, size, size), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def resident(x: Tensor) -> data.Data:
    split = Split(x)
    return data.Data(split, split, levels=256 if x.dtype == torch.uint8 else 0)


def our_loop(model: nn.Module, x: Tensor, folder: Path, batch: int, **numerics: object) -> Callable[[int], None]:
    settings = {"ema": 0.0, "precision": "fp32", "channels_last": False} | numerics

    def loop(steps: int) -> None:
        engine.Run(model, resident(x), Training(steps=steps, batch=batch, **settings), 0, CPU, folder / "0").loop()

    return loop


def loader(x: Tensor, batch: int) -> Iterator[Tensor]:
    x = x.float() / 127.5 - 1 if x.dtype == torch.uint8 else x
    while True:
        for (part,) in DataLoader(TensorDataset(x), batch, shuffle=True, drop_last=True):
            yield part


def usual_wgan_gp(spec: Spec, x: Tensor, batch: int, **sizes: int) -> Callable[[int], None]:
    nets = models.load("wgan_gp")(spec, **sizes)
    generator, critic = plain(nets.generator), plain(nets.critic)
    of_generator = torch.optim.Adam(generator.parameters(), 1e-4, (0.0, 0.9))
    of_critic = torch.optim.Adam(critic.parameters(), 1e-4, (0.0, 0.9))
    batches, losses = loader(x, batch), []

    def loop(steps: int) -> None:
        for step in range(steps):
            real = next(batches)
            fake = generator(torch.randn(batch, sizes["latent"])).detach()
            share = torch.rand(batch, 1)
            between = (share * real + (1 - share) * fake).requires_grad_(True)
            scores = critic(between)
            (slope,) = torch.autograd.grad(
                scores, between, torch.ones_like(scores), create_graph=True, retain_graph=True
            )
            penalty = ((slope.norm(2, dim=1) - 1) ** 2).mean()
            loss = critic(fake).mean() - critic(real).mean() + 10 * penalty
            of_critic.zero_grad()
            loss.backward()
            of_critic.step()
            losses.append(loss.item())
            if (step + 1) % 5 == 0:
                loss = -critic(generator(torch.randn(batch, sizes["latent"]))).mean()
                of_generator.zero_grad()
                loss.backward()
                of_generator.step()
                losses.append(loss.item())

    return loop


def plain(net: nn.Module) -> nn.Module:
    """The same layers as one writes them: PyTorch's own activations and memory layouts."""
    swapped = []
    for layer in net.modules():
        if type(layer).__name__ == "LeakyReLU":
            swapped.append(nn.LeakyReLU(layer.slope) if layer.slope else nn.ReLU())
        elif type(layer).__name__ == "ToPixels":
            height, breadth, channels = layer.size
            swapped.append(nn.Unflatten(1, (channels, height, breadth)))
        elif type(layer).__name__ == "FromPixels":
            swapped.append(nn.Flatten())
        elif isinstance(layer, nn.Linear):
            swapped.append(nn.Linear(layer.in_features, layer.out_features))
        elif not list(layer.children()):
            swapped.append(layer)
    return nn.Sequential(*swapped)


@pytest.mark.parametrize(("width", "depth", "steps", "target"), [(128, 2, 1000, 1.5), (256, 3, 300, 1.3)])
def test_ring_wgan_gp(tmp_path: Path, width: int, depth: int, steps: int, target: float) -> None:
    spec, sizes = Spec((2,)), {"latent": 2, "width": width, "depth": depth}
    x = points()
    ours = our_loop(models.load("wgan_gp")(spec, **sizes), x, tmp_path, 256)
    compare(f"ring WGAN-GP, {depth} x {width}", usual_wgan_gp(spec, x, 256, **sizes), ours, steps, target)


def usual_gan(spec: Spec, x: Tensor, batch: int, latent: int) -> Callable[[int], None]:
    nets = models.load("gan")(spec, latent=latent)
    generator, critic = plain(nets.generator), plain(nets.critic)
    of_generator = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999))
    of_critic = torch.optim.Adam(critic.parameters(), 2e-4, (0.5, 0.999))
    loss_of, batches, losses = nn.BCEWithLogitsLoss(), loader(x, batch), []
    real, fake = torch.ones(batch), torch.zeros(batch)

    def loop(steps: int) -> None:
        for _ in range(steps):
            made = generator(torch.randn(batch, latent))
            loss = loss_of(critic(next(batches)), real) + loss_of(critic(made.detach()), fake)
            of_critic.zero_grad()
            loss.backward()
            of_critic.step()
            losses.append(loss.item())
            loss = loss_of(critic(made), real)
            of_generator.zero_grad()
            loss.backward()
            of_generator.step()
            losses.append(loss.item())

    return loop


def test_dcgan_pair_at_32(tmp_path: Path) -> None:
    """bf16 and channels_last; how much that gives depends on what the CPU has for bf16 (AMX, AVX512-BF16, nothing)."""
    spec, x = Spec((1, 32, 32), levels=256), images(32)
    ours = our_loop(models.load("gan")(spec), x, tmp_path, 128, precision="bf16", channels_last=True)
    compare("DCGAN pair, 32x32, bf16, channels_last", usual_gan(spec, x, 128, 100), ours, 20, 4.0 if amx() else 1.0)


def amx() -> bool:
    cpu = Path("/proc/cpuinfo")
    return cpu.exists() and "amx_bf16" in cpu.read_text()


def usual_vae(spec: Spec, x: Tensor, batch: int, latent: int) -> Callable[[int], None]:
    nets = models.load("vae")(spec, latent=latent)
    encoder, decoder, likelihood = plain(nets.encoder), plain(nets.decoder), nets.likelihood
    parameters = [*encoder.parameters(), *decoder.parameters(), *likelihood.parameters()]
    optimizer, batches, losses = torch.optim.Adam(parameters, 1e-3), loader(x, batch), []

    def loop(steps: int) -> None:
        for _ in range(steps):
            real = next(batches)
            mean, log_variance = encoder(real).chunk(2, dim=1)
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            kl = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp(), dim=1)
            loss = (kl - likelihood.log_prob(real, decoder(z))).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())

    return loop


def test_conv_vae_at_28(tmp_path: Path) -> None:
    spec, x = Spec((1, 28, 28), levels=256), images(28)
    ours = our_loop(models.load("vae")(spec), x, tmp_path, 128, precision="bf16", channels_last=True)
    compare("conv VAE, 28x28, bf16, channels_last", usual_vae(spec, x, 128, 16), ours, 20, 1.8)

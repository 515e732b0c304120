"""Training speed against the loop that one usually writes: same nets, same batch, alternating runs in one process.

The usual loop: a DataLoader over tensors, default optimizers, float32, contiguous, `.item()` at every step, and
gradients left where they fall. VAEs run against the trainer of pythae (Chadebec, Vincent, Allassonniere, "Pythae",
2022, arXiv:2206.08309), where that is installed: the same nets, black and white pixels, so that its loss is ours. Ours
compute with a worker's arithmetic. `make speed` prints the ratios of CPU time; a shortfall fails.
"""

import copy
import math
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
from models.common import likelihoods
from models.common.protocol import Spec
from pipeline import arithmetic, data, params
from pipeline.training import engine
from pipeline.training.settings import Training

CPU = torch.device("cpu")
ROUNDS = 7
START = 1000  # the step that ours start at: dense nets under a Bernoulli law wait for their bias first
pytestmark = pytest.mark.usefixtures("one_thread")


def compare(name: str, usual: Callable[[int], None], ours: Callable[[int], None], steps: int, target: float) -> None:
    """Alternate the two, A B A B, and ask for the median of the ratios. CPU time: other processes are none of it."""
    usual(steps // 4), ours(steps // 4)
    ratios, speeds = [], {"usual": [], "ours": []}
    for _ in range(ROUNDS):
        seconds = {}
        for label, loop in (("usual", usual), ("ours", ours)):
            arithmetic.hasten(label == "ours")
            began = time.thread_time()
            loop(steps)
            seconds[label] = time.thread_time() - began
            speeds[label].append(steps / seconds[label])
        ratios.append(seconds["usual"] / seconds["ours"])
    arithmetic.hasten(False)
    ratio = median(ratios)
    rates = ", ".join(f"{label} {median(found):.0f} steps/s" for label, found in speeds.items())
    print(f"\n{name}: {ratio:.2f}x ({min(ratios):.2f} to {max(ratios):.2f}; {rates}), wanted {target}x")
    assert ratio >= target


def points(n: int = 100_000) -> Tensor:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(0))


def images(size: int, n: int = 2560, levels: int = 256) -> Tensor:
    return torch.randint(levels, (n, 1, size, size), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def resident(x: Tensor, levels: int) -> data.Data:
    split = Split(x)
    return data.Data(split, split, split, levels=levels if x.dtype == torch.uint8 else 0)


def our_loop(
    model: nn.Module, x: Tensor, folder: Path, batch: int, levels: int = 256, **numerics: object
) -> Callable[[int], None]:
    settings = {"ema": 0.0, "precision": "fp32", "channels_last": False} | numerics

    def loop(steps: int) -> None:
        training = Training(steps=START + steps, batch=batch, **settings)
        run = engine.Run(model, resident(x, levels), training, 0, CPU, folder / "0")
        run.step = START
        run.loop()

    return loop


def loader(x: Tensor, batch: int) -> Iterator[Tensor]:
    x = x.float() / 127.5 - 1 if x.dtype == torch.uint8 else x
    while True:
        for (part,) in DataLoader(TensorDataset(x), batch, shuffle=True, drop_last=True):
            yield part


Penalised = Callable[[nn.Module, Tensor, Tensor], Tensor]


def usual_gan(
    nets: nn.Module,
    x: Tensor,
    batch: int,
    lr: float,
    betas: tuple[float, float],
    critic_loss: Penalised,
    critics: int = 1,
) -> Callable[[int], None]:
    """The generator moves in every `critics`-th step, by Goodfellow's loss, which costs as much as the others."""
    generator, critic = plain(nets.generator), plain(nets.critic)
    of_generator, of_critic = (torch.optim.Adam(net.parameters(), lr, betas) for net in (generator, critic))
    batches, losses, loss_of, real_label = loader(x, batch), [], nn.BCEWithLogitsLoss(), torch.ones(batch)

    def loop(steps: int) -> None:
        for step in range(steps):
            fake = generator(torch.randn(batch, nets.latent))
            loss = critic_loss(critic, next(batches), fake.detach())
            of_critic.zero_grad()
            loss.backward()
            of_critic.step()
            losses.append(loss.item())
            if (step + 1) % critics == 0:
                loss = loss_of(critic(generator(torch.randn(batch, nets.latent))), real_label)
                of_generator.zero_grad()
                loss.backward()
                of_generator.step()
                losses.append(loss.item())

    return loop


def classification(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    loss_of, labels = nn.BCEWithLogitsLoss(), (torch.ones(len(real)), torch.zeros(len(fake)))
    return loss_of(critic(real), labels[0]) + loss_of(critic(fake), labels[1])


def wasserstein(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    share = torch.rand(len(real), 1)
    slope = slope_of(critic, share * real + (1 - share) * fake)
    return critic(fake).mean() - critic(real).mean() + 10 * ((slope.norm(2, dim=1) - 1) ** 2).mean()


def relativistic(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    penalty = sum(slope_of(critic, x).square().sum(1).mean() for x in (real, fake))
    return nn.functional.softplus(critic(fake) - critic(real)).mean() + 0.05 * penalty


def slope_of(critic: nn.Module, x: Tensor) -> Tensor:
    x = x.detach().requires_grad_(True)
    scores = critic(x)
    return torch.autograd.grad(scores, x, torch.ones_like(scores), create_graph=True, retain_graph=True)[0]


def plain(net: nn.Module) -> nn.Module:
    """The same layers as one writes them: PyTorch's own, in its memory layouts."""
    written: dict[str, Callable[[nn.Module], nn.Module]] = {
        "PiecewiseLinear": lambda layer: nn.LeakyReLU(layer.slope) if layer.slope else nn.ReLU(),
        "ToPixels": lambda layer: nn.Unflatten(1, (layer.size[2], *layer.size[:2])),
        "FromPixels": lambda layer: nn.Flatten(),
        "Linear": lambda layer: nn.Linear(layer.in_features, layer.out_features),
        "Halve": lambda layer: nn.Conv2d(layer.in_channels, layer.out_channels, 4, stride=2, padding=1),
        "Double": lambda layer: nn.ConvTranspose2d(layer.in_channels, layer.out_channels, 4, stride=2, padding=1),
    }
    leaves = [layer for layer in net.modules() if not list(layer.children())]
    return nn.Sequential(*(written.get(type(layer).__name__, copy.deepcopy)(layer) for layer in leaves))


@pytest.mark.parametrize(("width", "depth", "steps", "target"), [(128, 2, 400, 1.5), (256, 3, 120, 1.3)])
def test_ring_wgan_gp(tmp_path: Path, width: int, depth: int, steps: int, target: float) -> None:
    x, model = points(), models.load("wgan_gp")(Spec((2,)), latent=2, width=width, depth=depth)
    usual = usual_gan(model, x, 256, 1e-4, (0.0, 0.9), wasserstein, critics=5)
    compare(f"ring WGAN-GP, {depth} x {width}", usual, our_loop(model, x, tmp_path, 256), steps, target)


@pytest.mark.parametrize(
    ("name", "loss", "target"),
    [("gan", classification, 1.5), ("wgan_gp", wasserstein, 1.5), ("r3gan", relativistic, 1.5)],
)
def test_ring_as_the_suite_has_it(tmp_path: Path, name: str, loss: Penalised, target: float) -> None:
    settings = params.load().board.toys.models[name].settings
    x, model = points(), models.load(name)(Spec((2,)), **settings)
    usual = usual_gan(model, x, 256, model.lr, model.betas, loss)
    compare(f"ring {name}", usual, our_loop(model, x, tmp_path, 256, lr_decay="linear"), 200, target)


def test_dcgan_pair_at_32(tmp_path: Path) -> None:
    """bf16 and channels_last; how much that gives depends on what the CPU has for bf16 (AMX, AVX512-BF16, nothing)."""
    spec, x = Spec((1, 32, 32), levels=256), images(32)
    model = models.load("gan")(spec)
    ours = our_loop(model, x, tmp_path, 128, precision="bf16", channels_last=True)
    usual = usual_gan(model, x, 128, 2e-4, (0.5, 0.999), classification)
    compare("DCGAN pair, 32x32, bf16, channels_last", usual, ours, 20, 4.0 if amx() else 1.0)


def amx() -> bool:
    cpu = Path("/proc/cpuinfo")
    return cpu.exists() and "amx_bf16" in cpu.read_text()


BF16 = {"precision": "bf16", "channels_last": True}
DENSE = {"nets": "dense", "width": 200, "depth": 2, "latent": 50}


@pytest.mark.parametrize(
    ("name", "sizes", "numerics", "target"),
    [("conv", {}, {}, 1.3), ("conv, bf16, channels_last", {}, BF16, 1.8), ("dense", DENSE, {}, 1.4)],
)
def test_vae_at_28(
    tmp_path: Path, name: str, sizes: dict[str, object], numerics: dict[str, object], target: float
) -> None:
    x = images(28, 2000, levels=2)
    model = models.load("vae")(Spec((1, 28, 28), levels=2), **sizes)
    ours = our_loop(model, x, tmp_path, 100, levels=2, **numerics)
    compare(f"{name} VAE, 28x28", pythaes_trainer(model, x.float(), 100, tmp_path), ours, 20, target)


def pythaes_trainer(nets: nn.Module, x: Tensor, batch: int, folder: Path) -> Callable[[int], None]:
    """Whole passes of its `train_step`, without its progress bar."""
    pytest.importorskip("pythae", reason="pythae is not installed: pip install --no-deps pythae")
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = plain(nets.encoder)

        def forward(self, x: Tensor) -> ModelOutput:
            mean, log_variance = self.net(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = plain(nets.decoder)

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.net(z).sigmoid())

    config = VAEConfig(input_dim=tuple(x.shape[1:]), latent_dim=nets.latent, reconstruction_loss="bce")
    training = BaseTrainerConfig(str(folder), per_device_train_batch_size=batch, learning_rate=1e-3, no_cuda=True)
    data = BaseDataset(x, torch.zeros(len(x)))
    trainer = BaseTrainer(VAE(config, encoder=Encoder(), decoder=Decoder()), data, training_config=training)
    trainer.prepare_training()
    trainer.callback_handler.callbacks = [TrainingCallback()]
    passes = len(x) // batch

    def loop(steps: int) -> None:
        for _ in range(math.ceil(steps / passes)):
            trainer.train_step(1)

    return loop


@pytest.mark.parametrize(("law", "target"), [("gaussian", 2.7), ("logistic", 1.1)])
def test_discretised_likelihoods(law: str, target: float) -> None:
    """Forward and back over 100 x 784 pixels, against the formula left to autograd."""
    x = images(28, 100).float() / 127.5 - 1
    out = (x + 0.3 * torch.randn(x.shape)).requires_grad_()
    ours = likelihoods.of(Spec((1, 28, 28), levels=256), law)
    compare(f"discretised {law}", back(by_autograd[law], x, out), back(ours.pixel_log_prob, x, out), 20, target)


def back(nats: Callable[[Tensor, Tensor], Tensor], x: Tensor, out: Tensor) -> Callable[[int], None]:
    def loop(steps: int) -> None:
        for _ in range(steps):
            torch.autograd.grad(nats(x, out).sum(), out)

    return loop


def edges(x: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    upper = torch.where(x > 1 - 1 / 255, torch.inf, x - out + 1 / 255)
    return torch.where(x < 1 / 255 - 1, -torch.inf, x - out - 1 / 255), upper


def gaussian(x: Tensor, out: Tensor) -> Tensor:
    lower, upper = edges(x, out)
    mirrored = lower + upper > 0
    low, high = torch.where(mirrored, -upper, lower), torch.where(mirrored, -lower, upper)
    low, high = (torch.special.log_ndtr(edge.clamp(-1e4, 1e4)) for edge in (low, high))
    return high + torch.log(-torch.expm1(low - high))


def logistic(x: Tensor, out: Tensor) -> Tensor:
    lower, upper = edges(x, out)
    return nn.functional.logsigmoid(upper) + nn.functional.logsigmoid(-lower) + (-torch.expm1(lower - upper)).log()


by_autograd = {"gaussian": gaussian, "logistic": logistic}

"""Extractors: what the metrics look at images through.

The judge is a small convolutional classifier trained on a benchmark's own real training images. The activations before
its last layer serve in place of Inception's, as on MNIST in M. Binkowski, D. J. Sutherland, M. Arbel, A. Gretton,
"Demystifying MMD GANs", 2018, arXiv:1801.01401, Section 5. Convolution, batch normalisation, ReLU and pooling down to
4 x 4 or less, then 64 features; learning rate after L. N. Smith and N. Topin, "Super-Convergence", 2018,
arXiv:1708.07120. No label smoothing: it pulls a class's features onto one point (R. Mueller, S. Kornblith, G. Hinton,
"When Does Label Smoothing Help?", 2019, arXiv:1906.02629), and precision and recall live on the spread within a class.

A judge of clips reads all frames as channels and learns what moves, and where to in the last step, which is one of
those predicted. Of 1,000 bouncing digits whose frames are shuffled after the 4 given, the Frechet distance to others is
then 3.9 times that of whole clips, and 5.8 times where all are; of a judge that learns what moves alone 1.5 and 2.6
times, of one that learns the first step 1.1 and 4.1 times.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEATURES = 64
HEADINGS = 4  # quarters that what is in a clip may move towards
SHIFT = 1  # pixels an image may be moved by while training
BATCH = 64  # images described at once: their activations stay in a CPU's cache, which halves the time


class Judge(nn.Module):
    """Classifier of images in [-1, 1] whose penultimate features serve the metrics."""

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        if len(shape) not in (3, 4):
            raise ValueError(f"a judge needs images (C, H, W) or clips (T, C, H, W), not the shape {tuple(shape)}")
        if classes < 2:
            raise ValueError(f"a judge needs 2 classes or more, not {classes}: the data must be labelled")
        self.shape, self.classes = tuple(shape), classes
        channels, height, width = math.prod(shape[:-2]), *shape[-2:]  # frames are channels, so that it sees their order
        layers: list[nn.Module] = [_stage(channels, 32)]
        wide = 32
        while min(height, width) > 4:
            layers += [nn.MaxPool2d(2), _stage(wide, 64)]
            height, width, wide = height // 2, width // 2, 64
        self.trunk = nn.Sequential(*layers, nn.Flatten(), nn.Linear(wide * height * width, FEATURES))
        self.head = nn.Linear(FEATURES, classes)

    def features(self, x: Tensor) -> Tensor:
        return F.silu(self.trunk(planes(x)))  # (B, C, H, W) -> (B, 64); smooth, so that no feature dies to a constant

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))  # (B, C, H, W) -> (B, classes)


class ChannelJudge(nn.Module):
    """Judge of images whose channels are images of their own, each with a label: one judge looks at every channel.

    Its classes are the combinations of labels, numbered as `combined` does. Their logits are sums of the channels' log
    probabilities, so the cross-entropy of a combination is the sum of those of its labels.
    """

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        channels, *size = shape
        self.judge = Judge((1, *size), classes)
        self.shape, self.classes = tuple(shape), classes**channels

    def features(self, x: Tensor) -> Tensor:
        return self.judge.features(by_channel(x)).reshape(len(x), -1)  # (B, C, H, W) -> (B, C * 64)

    def head(self, features: Tensor) -> Tensor:
        total, *others = self.judge.head(features.unflatten(1, (-1, FEATURES))).log_softmax(dim=2).unbind(dim=1)
        for other in others:
            total = (total.unsqueeze(2) + other.unsqueeze(1)).flatten(1)  # (B, K^c), (B, K) -> (B, K^(c + 1))
        return total

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))  # (B, C, H, W) -> (B, K^C)


AnyJudge = Judge | ChannelJudge


def planes(x: Tensor) -> Tensor:
    """Clips as images, of each frame's channels; images as they are."""
    return x.flatten(1, -3)  # (B, T, C, H, W) -> (B, T C, H, W)


def heading(x: Tensor) -> Tensor:
    """Where the light of clips (N, T, C, H, W) goes in their last step: up and left, up and right, down and left, down
    and right; what rests counts as going up, or left. (N,) in 0..3"""
    light = (x[:, -2:].double() - x.min()).sum(2)  # (N, 2, H, W)
    total = light.sum((2, 3)).clamp_min(1e-9)
    sides = (light.sum(3), light.sum(2))  # (N, 2, H), (N, 2, W)
    centres = [(side * torch.arange(side.shape[2]).to(side)).sum(2) / total for side in sides]
    down, right = (centre[:, 1] - centre[:, 0] > 1e-3 for centre in centres)  # each (N,)
    return 2 * down.long() + right.long()


def by_channel(x: Tensor) -> Tensor:
    """Every channel as an image of its own."""
    return x.flatten(0, 1).unsqueeze(1)  # (N, C, H, W) -> (N * C, 1, H, W)


def combined(label: Tensor, classes: int) -> Tensor:
    """The labels (N, C) of an image's channels as the digits of one number, the first channel's foremost: (N,)."""
    place = classes ** torch.arange(label.shape[1] - 1, -1, -1, device=label.device)
    return (label * place).sum(dim=1)


def _stage(channels: int, wide: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU())


def fit(judge: AnyJudge, x: Tensor, label: Tensor, *, epochs: int, batch: int, lr: float, seed: int) -> None:
    """Train `judge` from scratch on x (N, C, H, W) in [-1, 1]; `seed` alone decides its start and its batches."""
    _check(judge, x, label)
    if batch > len(x):
        raise ValueError(f"batch {batch} is larger than the {len(x)} training images: choose a smaller one")
    _initialise(judge, seed)
    steps = epochs * (len(x) // batch)
    fused = True if x.device.type == "cuda" else None  # on a CPU torch's own choice
    optimizer = torch.optim.AdamW(judge.parameters(), lr=lr, weight_decay=0.01, fused=fused)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=steps)
    judge.train()
    for index, move in _draws(len(x), epochs, batch, seed, x.device):
        loss = F.cross_entropy(judge(_shift(planes(x[index]), move)), label[index])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    judge.eval()


def _initialise(judge: AnyJudge, seed: int) -> None:
    device = next(judge.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        for module in judge.modules():
            if reset := getattr(module, "reset_parameters", None):
                reset()


def _draws(n: int, epochs: int, batch: int, seed: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Which images are in each batch, and how far each is moved: drawn on the CPU, the same for every device, which is
    given those of an epoch at once, so that no step waits for it."""
    rng = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        order = torch.randperm(n, generator=rng)[: n - n % batch].view(-1, batch)
        moves = torch.stack([torch.randint(0, 2 * SHIFT + 1, (2, batch), generator=rng) for _ in order])
        yield from zip(order.to(device), moves.to(device), strict=True)


def _shift(x: Tensor, move: Tensor) -> Tensor:
    """Move image b by move[:, b] - SHIFT pixels; its border is repeated."""
    padded = F.pad(x, (SHIFT,) * 4, mode="replicate")
    windows = padded.unfold(2, x.shape[2], 1).unfold(3, x.shape[3], 1)  # (B, C, 3, 3, H, W)
    return windows[torch.arange(len(x), device=x.device), :, move[0], move[1]]  # (B, C, H, W)


class Description(NamedTuple):
    """What a judge sees in each of N images."""

    features: Tensor  # (N, 64), or of a judge of channels (N, C * 64)
    labels: Tensor  # (N,) the most likely class
    probabilities: Tensor  # (N, classes)


@torch.no_grad()
def describe(judge: AnyJudge, x: Tensor, batch: int = BATCH) -> Description:
    """Penultimate features, most likely label and class probabilities of each image, whatever the batch size."""
    features = features_of(judge, x, batch)
    logits = judge.head(features)
    return Description(features, logits.argmax(dim=1), logits.softmax(dim=1))


@torch.no_grad()
def features_of(judge: AnyJudge, x: Tensor, batch: int = BATCH) -> Tensor:
    """The features alone: a stack has a thousand probabilities, five times as many numbers."""
    _check(judge, x)
    judge.eval()
    return torch.cat([judge.features(part) for part in x.split(batch)])  # (N, C, H, W) -> (N, 64)


def accuracy(judge: AnyJudge, x: Tensor, label: Tensor) -> float:
    """Share of images whose label the judge gives."""
    _check(judge, x, label)
    return (describe(judge, x).labels == label).double().mean().item()


def _check(judge: AnyJudge, x: Tensor, label: Tensor | None = None) -> None:
    if tuple(x.shape[1:]) != judge.shape or len(x) == 0:
        raise ValueError(f"the judge reads images of shape {judge.shape}, not a batch of shape {tuple(x.shape)}")
    low, high = (value.item() for value in x.aminmax())
    if not (low >= -1.001 and high <= 1.001):
        raise ValueError(f"the judge reads images in [-1, 1], not in [{low:g}, {high:g}]: scale level k to 2k/(L-1)-1")
    if label is not None and (len(label) != len(x) or label.min() < 0 or label.max() >= judge.classes):
        raise ValueError(f"{len(x)} images need {len(x)} labels in 0..{judge.classes - 1}")

"""Classes that generated images cover, and KL of their classes from those of held-out images, by the judge's labels.

As on Stacked MNIST: T. Che, Y. Li, A. P. Jacob, Y. Bengio, W. Li, "Mode Regularized Generative Adversarial Networks",
2017, arXiv:1612.02136, and Z. Lin et al., "PacGAN: The power of two samples in generative adversarial networks", 2018,
arXiv:1712.04086. A class is covered by one image or more.
Departure: the reference is the judge's labels of the held-out images, not uniform classes, so that neither unequal
classes nor the judge's own mistakes count against a model. One more held-out image is counted, spread evenly over the
classes, so that a class that no held-out image has costs log K(N + 1) and not infinity.
"""

import torch
from torch import Tensor

from benchmarks.metrics import Column
from benchmarks.metrics.common.checks import check_labels

COLUMNS = (
    Column(
        "classes_covered", "Classes", "higher", 1,
        note="Classes that the judge sees in one generated image or more.",
    ),
    Column(
        "class_kl", "KL(classes)", "lower", 4, main=False,
        note="KL of the judge's labels of generated from those of held-out images, nats; fresh real images score about "
        "(K-1)/2 (1/n + 1/N) for K classes, n generated and N held-out. One more held-out image is spread evenly, so "
        "that it is finite, log K(N+1) at most.",
    ),
)  # fmt: skip


def score(*, fake_labels: Tensor | None, classes: int | None, real_labels: Tensor | None) -> dict[str, float | None]:
    if fake_labels is None or real_labels is None or not classes:
        return {column.name: None for column in COLUMNS}
    real = histogram(name="real_labels", labels=real_labels, classes=classes)
    fake = histogram(name="fake_labels", labels=fake_labels, classes=classes)
    return {"classes_covered": float((fake > 0).sum()), "class_kl": kl_divergence(real=real, fake=fake)}


def histogram(*, name: str, labels: Tensor, classes: int) -> Tensor:
    check_labels(name, labels, classes)
    return torch.bincount(labels, minlength=classes)


def kl_divergence(*, real: Tensor, fake: Tensor) -> float:
    """KL(fake || real) of two histograms (K,) in nats, 0 log 0 = 0; one more real sample is spread over all bins."""
    q, p = (real.double() + 1 / len(real)) / (real.sum() + 1), fake.double() / fake.sum()
    return (torch.xlogy(p, p) - p * q.log()).sum().clamp_min(0).item()

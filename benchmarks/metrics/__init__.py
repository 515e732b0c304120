"""The metrics, one file each: a file here is a metric, under its own name.

A metric file defines `COLUMNS`, and `score`, whose keywords say what evidence it needs and whose keys are the columns'
names. Evidence that a model cannot give arrives as None, and the columns that need it are None: printed n/a, never 0.
"""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

EVIDENCE = {
    "real": "(N, *shape) held-out data as a model sees them, float32",
    "train": "(M, *shape) training data, the same way",
    "fake": "(n, *shape) generated samples, float32",
    "real_features": "(N, D) features of `real`: the judge's, or a point's own coordinates",
    "train_features": "(M, D) features of `train`",
    "fake_features": "(n, D) features of `fake`",
    "features_of": "whose features they are: judge or coordinates",
    "real_labels": "(N,) the judge's labels of `real`",
    "fake_labels": "(n,) the judge's labels of `fake`",
    "real_probabilities": "(N, K) the judge's class probabilities of `real`",
    "fake_probabilities": "(n, K) the judge's class probabilities of `fake`",
    "true_labels": "(N,) the true labels of `real`",
    "given_labels": "(n,) the labels that a conditional model was asked for",
    "classes": "how many classes there are; 0: unlabelled",
    "centres": "(K, D) the true modes",
    "sigma": "the true standard deviation of a mode",
    "log_prob": "(N,) log-likelihood of `real`, nats",
    "hidden_log_prob": "(N,) log-likelihood of the hidden part of `real` given the seen one, nats",
    "rate": "(N,) KL of the codes of `real` to the prior, nats",
    "distortion": "(N,) -log p(x | z) of `real` for one draw of its code, nats",
    "codes": "(N, latent) encoded means of `real`, of models with a rate",
    "reconstructed": "(N, *shape) a model's reconstructions of `real`",
    "whole": "(n, C, H, W) the first held-out images, from which holes were cut",
    "hidden": "(T, n, 1, H, W) bool, the holes: of each kind of damage in `inpainting` one an image",
    "filled": "(T, draws, n, C, H, W) what a model puts there; NaN where it does not fill such holes",
    "estimate": "the divergence of data and samples as the critic puts it, a number",
    "estimated": "which divergence that is, as models.common.protocol names them",
    "real_inception": "(N, 2048) Inception's features of `real`",
    "fake_inception": "(n, 2048) Inception's features of `fake`",
    "fake_inception_probabilities": "(n, 1008) Inception's class probabilities of `fake`",
    "real_imagenet": "(N, 1280) features of `real` by a small net that ImageNet taught",
    "fake_imagenet": "(n, 1280) the same of `fake`",
    "dims": "numbers in one sample, the product of its shape",
    "levels": "grey levels that `log_prob` is stated for; 0: continuous",
}


Direction = Literal["higher", "lower"]  # which is better


class Column(NamedTuple):
    """One number of the table and how it is shown."""

    name: str
    label: str
    direction: Direction | None  # None: neither is better
    decimals: int
    percent: bool = False  # the value is a share, 0 to 1, and is shown times 100
    main: bool = True  # False: in the full table only
    note: str = ""  # the sentence of its protocol


class Metric(Protocol):
    """What a metric's file defines."""

    COLUMNS: tuple[Column, ...]
    score: Callable[..., dict[str, float | None]]


def names() -> list[str]:
    """Every metric there is, sorted."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))


def load(name: str) -> Metric:
    """The module benchmarks/metrics/<name>.py."""
    if name not in names():
        nearest = get_close_matches(name, names(), n=1)
        remedy = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(names())}"
        raise ValueError(f"no metric is called {name!r}: {remedy}")
    return import_module(f"{__name__}.{name}")


def columns(chosen: Iterable[str]) -> list[Column]:
    """The columns of the chosen metrics, in their order."""
    return [column for name in chosen for column in load(name).COLUMNS]


def needs(chosen: Iterable[str]) -> set[str]:
    """The evidence that the chosen metrics name."""
    return {key for name in chosen for key in signature(load(name).score).parameters}


def evaluate(chosen: Iterable[str], evidence: Mapping[str, Any]) -> dict[str, float | None]:
    """The values of every column of the chosen metrics; each metric is passed the evidence that it names."""
    values: dict[str, float | None] = {}
    for name in chosen:
        score = load(name).score
        values |= score(**{key: evidence.get(key) for key in signature(score).parameters})
    return values

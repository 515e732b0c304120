"""The metrics, one file each: a file here is a metric, under its own name.

A metric file defines `COLUMNS`, and `score`, whose keywords say what evidence it needs and whose keys are the columns'
names. Evidence that a model cannot give arrives as None, and the columns that need it are None: printed n/a, never 0.
So are those of a metric that raises `Undefined`, as for too few samples, and any value that is not finite; the reason
is kept, and the other metrics go on. Evidence that is wrong, as by a NaN in it, is refused with a ValueError.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from benchmarks.metrics.common.undefined import Undefined

EVIDENCE = {
    "real": "(n, *shape) the reference as a model sees it, float32: test data, others for each seed, as many as `fake`",
    "train": "(M, *shape) training data, the same way",
    "test": "(T, *shape) test data, the same way, the same for every seed: 10,000 at most",
    "test_labels": "(T,) the true labels of `test`",
    "fake": "(n, *shape) generated samples, float32",
    "real_features": "(n, D) features of `real`: the judge's, or a point's own coordinates",
    "train_features": "(M, D) features of `train`",
    "fake_features": "(n, D) features of `fake`",
    "features_of": "whose features they are: judge, coordinates, ImageNet (unlabelled images); None: none to trust",
    "real_labels": "(n,) the judge's labels of `real`",
    "fake_labels": "(n,) the judge's labels of `fake`",
    "real_probabilities": "(n, K) the judge's class probabilities of `real`",
    "fake_probabilities": "(n, K) the judge's class probabilities of `fake`",
    "given_labels": "(n,) the labels that a conditional model was asked for",
    "asked": "(n, 3) digit, stroke width and slant that captions asked for",
    "taught": "(M, 3) the same of the captions of training data",
    "classes": "how many classes there are; 0: unlabelled",
    "centres": "(K, D) the true modes",
    "sigma": "the true standard deviation of a mode",
    "weights": "(K,) the true shares of the modes; None: equal ones",
    "log_prob": "(T,) log-likelihood of `test`, nats",
    "train_log_prob": "(t,) log-likelihood of training data, nats: as many as `test` has, 2,000 at most",
    "hidden_log_prob": "(T,) log-likelihood of the hidden part of `test` given the seen one, nats",
    "rate": "(T,) KL of the codes of `test` to the prior, nats",
    "distortion": "(T,) -log p(x | z) of `test` for one draw of its code, nats",
    "codes": "(T, latent) encoded means of `test`, of models with a rate",
    "train_labels": "(m,) the true labels of training data, 10,000 at most",
    "train_codes": "(m, latent) codes of these, of models that encode images; of the oracle the judge's features",
    "test_codes": "(T, latent) codes of `test`, the same way",
    "train_pixels": "(m, D) these training data as numbers, of the oracle alone: a baseline to codes",
    "test_pixels": "(T, D) the same of `test`",
    "reconstructed": "(T, *shape) a model's reconstructions of `test`",
    "whole": "(n, C, H, W) the first test images, from which holes were cut",
    "hidden": "(T, n, 1, H, W) bool, the holes: of each kind of damage in `inpainting` one an image",
    "filled": "(T, draws, n, C, H, W) what a model puts there; NaN where it does not fill such holes",
    "true_clips": "(n, T, C, H, W) the true clip that each of `fake` continues: their first `seen` frames are the same",
    "true_clip_labels": "(n,) the true labels of `true_clips`",
    "continued": "(m, T, C, H, W) the first of `true_clips`",
    "continuations": "(draws, m, T, C, H, W) several continuations of the first frames of `continued`",
    "seen": "how many first frames of a clip are given",
    "speed": "of one thing in each clip that moves by the law of `bouncing`; 0: they move otherwise",
    "shuffled_features": "(n, D) features of other real clips, the frames of each in an order by chance",
    "estimate": "the divergence of data and samples as the critic puts it, a number",
    "estimated": "which divergence that is, as models.common.protocol names them",
    "real_inception": "(n, 2048) Inception's features of `real`",
    "fake_inception": "(n, 2048) Inception's features of `fake`",
    "fake_inception_probabilities": "(n, 1008) Inception's class probabilities of `fake`",
    "real_imagenet": "(N, 1280) features of `real` by a small net that ImageNet taught",
    "fake_imagenet": "(n, 1280) the same of `fake`",
    "source": "(n, *partner) what a translator is given, of the domain that is translated from, for each of `fake`",
    "source_labels": "(n,) their true labels, which their true translations have, too",
    "target": "(n, *shape) their true translations, of which there may be others; None: none is known",
    "draws": "(draws, m, *shape) several translations of the first of them",
    "truths": "(2, m, *shape) two true translations of the same, where one has more than one",
    "partner": "(n, *partner) the reference of the domain that is translated from: of the data in `real`",
    "back": "(n, *partner) data of the other half of test, translated back",
    "returned": "(n, *partner) `source`, translated there and back",
    "returned_after_noise": "(n, *partner) the same, with noise on what it was translated to",
    "chosen_features": "(m, D) features of samples of the snapshot of training that is nearest to validation data, the "
    "first n of them",
    "chosen_inception": "(m, 2048) Inception's features of the one that is nearest by these",
    "chosen_step": "after how many steps the first of them was taken",
    "dims": "numbers in a datum that a likelihood is of: all, or of clips those of the frames that are not given",
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


class Found(NamedTuple):
    values: dict[str, float | None]  # of every column of the chosen metrics
    reasons: dict[str, str]  # of columns without a value, where there is more to say than that evidence is missing


def evaluate(chosen: Iterable[str], evidence: Mapping[str, Any]) -> dict[str, float | None]:
    """The values of every column of the chosen metrics; each metric is passed the evidence that it names."""
    return evaluated(chosen, evidence).values


def evaluated(chosen: Iterable[str], evidence: Mapping[str, Any]) -> Found:
    """The same, and why some are None."""
    found = Found({}, {})
    for name in chosen:
        metric = load(name)
        given = {key: evidence.get(key) for key in signature(metric.score).parameters}
        try:
            values = metric.score(**given)
        except Undefined as reason:
            values = {column.name: None for column in metric.COLUMNS}
            found.reasons.update(dict.fromkeys(values, str(reason)))
        for column, value in values.items():
            if value is not None and not math.isfinite(value):
                values[column] = None
                found.reasons[column] = f"comes out as {value}: numbers overflow on the way"
        found.values.update(values)
    return found

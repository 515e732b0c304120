"""What extractors see in sets that anybody brings, a part at a time, as evidence for the metrics."""

import os
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks import imagenet, inception
from benchmarks.extractors import describe
from benchmarks.metrics.common.draw import draw
from pipeline.data import chosen_device
from pipeline.evaluation import judging
from pipeline.files import file_digest
from pipeline.tools.sets import Samples

RAW = 5000  # samples of a set that a metric looks at itself, beside their features, at most
NUMBERS = 2**26  # of a set's samples that are their own features, at most: 256 MiB, and metrics take several times that
INCEPTION = f"its weights, {inception.URL}, are downloaded, or {inception.VARIABLE} says where they are"


class Extractor(NamedTuple):
    name: str  # as the protocol says it
    key: str  # which it is, the same for the same features
    see: Callable[[Tensor], dict[str, Tensor]] | None  # samples -> evidence, by its name's end; None: as they are
    known: dict[str, Any]  # further evidence
    resizes: bool = False  # it reads pictures of any size
    doubt: str = ""


class Seen(NamedTuple):
    """A set as the metrics get it."""

    n: int  # of the samples that were looked at
    shapes: list[tuple[int, ...]]
    evidence: dict[str, Tensor]  # by its name's end
    label: Tensor | None = None
    note: str = ""  # that they are not all
    looked: Tensor | None = None  # those that metrics look at themselves; None: all


def opened(extractor: str, shape: tuple[int, ...]) -> Extractor:
    """The extractor of that name, for samples of such a shape."""
    kind, _, path = extractor.partition(":")
    if kind not in ("pixels", "inception", "imagenet", "judge") or (kind == "judge") != bool(path):
        raise ValueError(f"no extractor is called {extractor!r}: give pixels, inception, imagenet or judge:PATH")
    if kind == "pixels":
        what = "coordinates" if len(shape) == 1 else "pixels"
        name = "the coordinates themselves" if len(shape) == 1 else "the pixels themselves, in [-1, 1]"
        return Extractor(name, what, None, {"features_of": "coordinates"})
    if len(shape) == 1:
        raise ValueError(f"the extractor {extractor!r} sees images, and these are points: leave it out")
    if kind == "judge":
        return by_judge(Path(path))
    return by_inception() if kind == "inception" else by_imagenet()


def by_judge(path: Path) -> Extractor:
    if path.is_dir():
        raise ValueError(f"the judge {path} is a folder: give the file judge.pt")
    if not path.is_file():
        raise ValueError(f"the judge {path} is missing: `python -m pipeline.judge BENCHMARK` makes one")
    try:
        judge, good = judging.read(path, chosen_device())
    except ValueError as error:
        if Path(os.path.abspath(path)).is_relative_to(os.path.abspath("artifacts")):
            raise
        raise ValueError(f"{path} is no judge: `python -m pipeline.judge BENCHMARK` makes one") from error
    known = {"features_of": "judge", "classes": judge.classes}
    doubt = f"the judge {path} is marked as not trusted: it named too few of its validation images rightly, and the "
    doubt += "benchmark itself leaves out what is seen through it"
    key = f"judge {file_digest(path)[:16]}"
    return Extractor(
        f"of the judge {path}", key, lambda x: describe(judge, x)._asdict(), known, doubt=doubt * (not good)
    )


def by_inception() -> Extractor:
    extract = inception.extractor(chosen_device())
    if extract is None:
        raise ValueError("Inception is unavailable, and why stands above; mend that, or use pixels")

    def see(x: Tensor) -> dict[str, Tensor]:
        features, probabilities = extract(x)
        return {"inception": features, "inception_probabilities": probabilities}

    return Extractor("of Inception", "inception", see, {"features_of": "Inception"}, resizes=True)


def by_imagenet() -> Extractor:
    extract = imagenet.extractor(chosen_device())
    if extract is None:
        raise ValueError(f"ImageNet's net is unavailable: {imagenet.REMEDY}; or use pixels")

    known = {"features_of": "ImageNet"}
    return Extractor(
        f"of ImageNet's {imagenet.NET}", "imagenet", lambda x: {"imagenet": extract(x)}, known, resizes=True
    )


def seen(samples: Samples, extractor: Extractor, raw: bool) -> Seen:
    """What the extractor sees in each part of a set; and, if ``raw``, the samples themselves.

    Of an extractor's sets they are 5,000 at most, by lot: all would be four times as large as their pictures. So would
    pixels as features, which therefore are of so many samples as hold 2^26 numbers.
    """
    if extractor.see is None:
        return themselves(samples)
    device = chosen_device()
    found: dict[str, Tensor] = {}
    for place, part in samples.parts():
        for name, value in extractor.see(part.to(device)).items():
            if name not in found:  # at once: what each part leaves behind would lie between the floats of the next
                found[name] = value.new_empty(len(samples), *value.shape[1:])
            found[name][place.to(device)] = value
    if extractor.key in found:  # features that have a name of their own
        found["features"] = found[extractor.key]
    looked = None
    if raw and not samples.unlike:
        every = samples.groups[0].place
        looked = every if len(every) <= RAW else draw(every, RAW)
        found[""] = samples.some(looked).to(device)
    return Seen(len(samples), samples.shapes, found, samples.label, looked=looked)


def themselves(samples: Samples) -> Seen:
    """Samples as their own features."""
    every, most = samples.groups[0].place, NUMBERS // prod(samples.shape)
    chosen = every if len(every) <= most else draw(every, max(2, most)).sort().values
    x = samples.some(chosen).to(chosen_device())
    label = None if samples.label is None else samples.label[chosen]
    said = f"{len(x):,} of its {len(every):,} samples are looked at, by lot: more would take too much memory"
    return Seen(len(x), samples.shapes, {"": x, "features": x.flatten(1)}, label, said * (len(x) < len(every)))


def evidence(sets: dict[str, Seen], extractor: Extractor) -> dict[str, Any]:
    """What the metrics ask for, by the names in benchmarks.metrics.EVIDENCE."""
    device = chosen_device()
    shapes = sets["real"].shapes
    found = {"dims": torch.Size(shapes[0]).numel() if len(shapes) == 1 else None, **extractor.known}
    for what, content in sets.items():
        found |= {f"{what}_{name}" if name else what: value for name, value in content.evidence.items()}
    found["test"] = found.get("real")
    labels = {"test_labels": sets["real"].label, "given_labels": sets["fake"].label}
    return found | {name: label.to(device) for name, label in labels.items() if label is not None}


def of_samples(sets: dict[str, Seen]) -> dict[str, Tensor]:
    """The labels of the samples that metrics look at themselves, where these are a part."""
    parts = {"test_labels": sets["real"], "given_labels": sets["fake"]}
    return {
        name: content.label[content.looked].to(chosen_device())
        for name, content in parts.items()
        if content.label is not None and content.looked is not None
    }

"""A reference's features in a file, so that they are made once: numbers only, in an .npz."""

from math import prod
from pathlib import Path

import numpy as np
from torch import Tensor

from benchmarks.metrics.common.checks import check_points
from pipeline.evaluation.sampling import packed
from pipeline.files import atomic_write
from pipeline.tools import arrays
from pipeline.tools.seeing import Extractor, Seen

MARK = "extractor"  # an array that no set has: the bytes of the name of what saw the rest
BEGIN = "seen_"
SEEN = {"features": 2, "labels": 1, "probabilities": 2, "inception_probabilities": 2}  # and of how many dimensions
LETTERS, SIDES = 64, 4  # of an extractor's key and of a sample's shape, at most
AS_THEY_ARE = ("pixels", "coordinates")  # extractors whose features are the samples
EXTRACTORS = ("inception", "imagenet")  # that resize; their features have a name of their own, too


def save(path: Path, reference: Seen, extractor: Extractor) -> None:
    """Write what an extractor saw of a reference."""
    content = {f"{BEGIN}{name}": value.cpu() for name, value in reference.evidence.items() if name in SEEN}
    shape = reference.shapes[0] if len(reference.shapes) == 1 else ()
    key = np.frombuffer(extractor.key.encode(), np.uint8)
    atomic_write(path, packed(**{MARK: key}, shape=np.array(shape, np.int64), **content))


def load(path: Path) -> tuple[str, Seen] | None:
    """The extractor's key and what it saw; None if the file is no such reference."""
    content = arrays.marked(path, MARK, ("shape", *(f"{BEGIN}{name}" for name in SEEN)))
    if content is None:
        return None
    found = {name.removeprefix(BEGIN): x for name, x in content.items() if name.startswith(BEGIN)}
    letters, shape = (_few(content.get(name), most) for name, most in ((MARK, LETTERS), ("shape", SIDES)))
    key = bytes(letter % 256 for letter in letters).decode(errors="replace")
    if not _whole(found, key, shape):
        raise ValueError(f"{path} is no whole reference: save it anew with --save-reference")
    features = found["features"]
    check_points(str(path), features)
    if "labels" in found:
        found["labels"] = found["labels"].long()
    if key in AS_THEY_ARE:
        found[""] = features.reshape(-1, *shape)
    elif key in EXTRACTORS:
        found[key] = features
    return key, Seen(len(features), [tuple(shape)] if shape else [], found)


def _few(x: Tensor | None, most: int) -> list[int]:
    """Integers, where there are no more than so many."""
    return [] if x is None or x.is_floating_point() or x.numel() > most else x.flatten().tolist()


def _whole(found: dict[str, Tensor], key: str, shape: list[int]) -> bool:
    """Whether there are features, and what else is seen is of as many samples, which have a shape or are resized."""
    kinds = all(x.dim() == SEEN[name] and x.is_floating_point() != (name == "labels") for name, x in found.items())
    if not kinds or "features" not in found or len({len(x) for x in found.values()}) > 1:
        return False
    known = bool(key and shape) or key in EXTRACTORS
    return known and min(shape, default=1) > 0 and (key not in AS_THEY_ARE or prod(shape) == found["features"].shape[1])

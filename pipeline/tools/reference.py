"""A reference's features in a file, so that they are made once: numbers only, in an .npz."""

from math import prod
from pathlib import Path

import numpy as np
import torch

from benchmarks.metrics.common.checks import check_points
from pipeline.evaluation.sampling import packed
from pipeline.files import atomic_write
from pipeline.tools import arrays
from pipeline.tools.seeing import Extractor, Seen

MARK = "extractor"  # an array that no set has: the bytes of the name of what saw the rest
BEGIN = "seen_"
AS_THEY_ARE = ("pixels", "coordinates")  # extractors whose features are the samples
EXTRACTORS = ("inception", "imagenet")  # whose features have a name of their own, too


def save(path: Path, reference: Seen, extractor: Extractor) -> None:
    """Write what an extractor saw of a reference."""
    if path.suffix.lower() != ".npz":
        raise ValueError(f"{path}: a reference is saved as a file that ends in .npz")
    again = ("", extractor.key)  # the features by another name
    content = {f"{BEGIN}{name}": value.cpu() for name, value in reference.evidence.items() if name not in again}
    shape = reference.shapes[0] if len(reference.shapes) == 1 else ()
    key = np.frombuffer(extractor.key.encode(), np.uint8)
    atomic_write(path, packed(**{MARK: key}, shape=np.array(shape, np.int64), **content))


def load(path: Path) -> tuple[str, Seen] | None:
    """The extractor's key and what it saw; None if the file is no such reference."""
    content = arrays.marked(path, MARK)
    if content is None:
        return None
    found = {
        name.removeprefix(BEGIN): x if x.is_floating_point() else x.long()
        for name, x in content.items()
        if name.startswith(BEGIN)
    }
    features = found.get("features")
    letters, shape = (content.get(name, torch.zeros(0)).flatten().long().tolist() for name in (MARK, "shape"))
    key = bytes(letter % 256 for letter in letters).decode(errors="replace")
    whole = features is not None and features.dim() == 2 and all(len(x) == len(features) for x in found.values())
    if features is None or not whole or (key in AS_THEY_ARE and prod(shape) != features.shape[1]):
        raise ValueError(f"{path} is no whole reference: save it anew with --save-reference")
    check_points(str(path), features)
    if key in AS_THEY_ARE:
        found[""] = features.reshape(-1, *shape)
    elif key in EXTRACTORS:
        found[key] = features
    return key, Seen(len(features), [tuple(shape)] if shape else [], found)

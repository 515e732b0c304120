"""Samples that were made elsewhere, in the place of a model's: `brought` in params.yaml says where they are."""

from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.metrics.common.draw import draw
from pipeline.data import Data
from pipeline.evaluation.view import Evidence
from pipeline.files import content_digest
from pipeline.tools import sets
from pipeline.tools.ranges import Range


def evidence(line: dict[str, Any], seed: int, resident: Data, n: int) -> Evidence:
    """n samples of what was brought for a seed, by lot, and the digest of that. Raises ValueError in one line."""
    path = Path(line["samples"].replace("{seed}", str(seed))).expanduser()
    x, label = samples(path, line["range"], resident)
    if len(x) < n:
        raise ValueError(f"{path} holds {len(x):,} samples, and {n:,} are compared: bring as many, or ask for fewer")
    chosen = draw(x, n)
    found: Evidence = {"fake": resident.as_input(resident.to_levels(x[chosen])), "given": "nothing"}
    if label is not None and resident.spec.classes:
        if int(label.max()) >= resident.spec.classes:
            raise ValueError(f"{path} has the label {int(label.max())}: give 0 to {resident.spec.classes - 1}, or none")
        found |= {"given": "label", "given_labels": label[chosen]}
    return found | {"brought": {path.as_posix(): content_digest(path)}}


def samples(path: Path, limits: list[float] | None, resident: Data) -> tuple[Tensor, Tensor | None]:
    """Those of a file or a folder, as models make them, and their labels if they have some."""
    if not path.exists():
        raise ValueError(f"{path} is missing: bring samples for each seed, or ask for fewer seeds")
    try:
        found = sets.read(path, Range(limits[0], limits[1], "stated") if limits else None)
        shape, wanted = found.shape, resident.spec.shape
    except ValueError as error:
        raise ValueError(str(error).replace("--range", "in its line range:")) from None
    if shape != wanted:
        raise ValueError(f"{path} holds samples of the shape {shape}, and the data are of {wanted}: bring such")
    device = resident.train.x.device
    return found.x.float().to(device), None if found.label is None else found.label.to(device)

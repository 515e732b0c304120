"""How tests ask `pipeline.score`: in process, of sets that they have written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pipeline.tools import score, seeing, sets

Command = Callable[..., tuple[int, str, str]]  # a module and its arguments -> exit status, stdout and stderr
QUICK = ["frechet", "manifold"]


def saved(path: Path, x: Tensor) -> Path:
    np.savez(path, x=x)
    return path


def values(
    real: Path, fake: Path, extractor: str = "pixels", chosen: list[str] | None = QUICK, **how: Any
) -> dict[str, float]:
    result = score.score({"real": real, "fake": fake}, extractor, chosen, **how)
    return {column.name: value for column, value in result.values}


def evidence(paths: dict[str, Path], extractor: str, raw: bool = True) -> dict[str, Any]:
    read = {name: sets.read(path) for name, path in paths.items()}
    used = seeing.opened(extractor, read["real"].shapes[0])
    found = {name: seeing.seen(samples, used, raw) for name, samples in read.items()}
    return seeing.evidence(found, used)

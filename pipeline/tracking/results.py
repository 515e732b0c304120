"""What there is to tell about a cell and each of its seeds, in training or done: read from files, shown elsewhere."""

import hashlib
import math
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from inspect import Parameter
from pathlib import Path
from typing import Any, NamedTuple

from pipeline import params
from pipeline.cell import Cell, origin
from pipeline.work.units import WORK, published
from reports.files import by_name, read_lines, read_seeds, readable

TRAINED = {"status": str, "step": int, "seconds": int | float, "player": str}


class Result(NamedTuple):
    """One seed of a cell."""

    seed: int
    fingerprint: str
    status: str  # RUNNING, FINISHED, or FAILED where training diverged
    ended: float  # when the files were written, seconds since 1970
    step: int = 0
    seconds: float = 0.0
    curves: dict[str, list[tuple[int, float]]] = {}  # player -> (step, mean loss)
    progress: dict[str, list[tuple[int, float]]] = {}  # metric of the snapshots -> (step, value)
    metrics: dict[str, float] = {}
    tags: dict[str, str] = {}
    samples: Path | None = None
    commit: str | None = None  # that was checked out when it was made


def current(cell: Cell, began: float) -> list[Result]:
    """The seeds of the cell as its code and parameters now are: in training since ``began``, or just trained."""
    there = published("train", cell.benchmark, cell.model, cell.fingerprint)
    return running(cell, began) or (trained(cell) if there else [])


def in_training() -> list[Cell]:
    """The cells that have a work folder of training, of the code and parameters as they now are."""
    found = []
    for folder in sorted(WORK.glob("*/*/train-*")):
        cell = Cell(folder.parts[-3], folder.parts[-2])
        with suppress(ValueError, LookupError, OSError):  # of a contestant that is no more
            if cell.work == folder:
                found.append(cell)
    return found


def running(cell: Cell, began: float) -> list[Result]:
    """The seeds of a cell in training, from its live curves."""
    found = []
    for path in sorted(cell.work.glob("*.csv")):
        try:
            made = {"curves": curves(cell, path), "commit": origin()["commit"]}
            made["tags"] = {"dirty": str(origin()["dirty"])}
            result = Result(int(path.stem), cell.fingerprint, "RUNNING", path.stat().st_mtime, **made)
        except OSError:  # the cell ended in this moment
            continue
        found.append(result._replace(seconds=max(0.0, result.ended - began)))
    return found


def trained(cell: Cell) -> list[Result]:
    """The seeds of a trained cell, without scores: those on disk may still be an earlier training's."""
    record, ended = read_seeds(cell.training, remedy(cell), TRAINED), cell.training.stat().st_mtime
    with readable(cell.training, remedy(cell)):
        fingerprint = record["cell"][0]["fingerprint"]
    found = []
    for row in record["seeds"]:
        diverged = row["status"] == "diverged"
        speed = {"steps_per_second": row["step"] / row["seconds"]} if row["seconds"] else {}
        result = Result(
            seed=row["seed"],
            fingerprint=fingerprint,
            commit=row.get("made", {}).get("commit"),
            status="FAILED" if diverged else "FINISHED",
            ended=ended,
            step=row["step"],
            seconds=row["seconds"],
            curves=curves(cell, cell.curves / f"{row['seed']}.csv", row.get("files", {})),
            metrics={"training_seconds": row["seconds"], **speed},
            tags={key: str(value) for key, value in row.get("made", {}).items()}
            | ({"diverged_step": str(row["step"]), "diverged_player": row["player"]} if diverged else {}),
        )
        found.append(result)
    return found


def finished(cell: Cell) -> list[Result]:
    """The seeds of a trained and evaluated cell, or of the oracle."""
    rows = read_seeds(cell.scores, remedy(cell))["seeds"] if cell.scores.exists() else []
    files = {row["seed"]: row.get("files", {}) for row in rows}
    scores = {row["seed"]: {name: value for name, value in row.items() if is_score(name, value)} for row in rows}
    if not cell.trains:
        # Nothing is trained, so the scores themselves say which oracle it is.
        mark, ended = hashlib.sha256(cell.scores.read_bytes()).hexdigest(), cell.scores.stat().st_mtime
        results = [Result(seed, mark, "FINISHED", ended) for seed in scores]
    else:
        results = trained(cell)
    return [
        result._replace(
            progress=curves(cell, cell.progress / f"{result.seed}.csv", files.get(result.seed, {}))
            if cell.progress.exists()
            else {},
            metrics=result.metrics | scores.get(result.seed, {}),
            samples=cell.samples / f"{result.seed}.npz",
        )
        for result in results
    ]


def is_score(name: str, value: Any) -> bool:
    """Whether an entry of a score row is a number to show: not n/a, and not what identifies the row."""
    return name not in ("seed", "step") and isinstance(value, int | float) and math.isfinite(value)


def curves(cell: Cell, path: Path, digests: Mapping[str, str] = {}) -> dict[str, list[tuple[int, float]]]:
    """The columns of a curve file by player; no point where a player did not move in the window."""
    return by_name(read_lines(path, remedy(cell), digests.get(f"{path.parent.name}/{path.name}")))


def remedy(cell: Cell) -> str:
    return f"`dvc repro benchmarks/{cell.benchmark}/dvc.yaml`"


def settings(cell: Cell) -> dict[str, str]:
    """All parameters of a run, the defaults of its model among them. How it is evaluated is not: that may change, a
    run's parameters may not."""
    known = params.load().cell(cell.benchmark, cell.model)
    if not cell.trains:
        return flat({"data": known["data"]})
    known["model"] = defaults(cell) | known["model"]
    return flat({part: known[part] for part in ("model", "training", "data")})


@cache
def defaults(cell: Cell) -> dict[str, Any]:
    """What the model's constructor takes where nothing is said."""
    import models  # here: it loads torch, which a follower of a short cell need not

    if cell.architecture is None:
        return {}
    found = models.hyperparameters(models.load(cell.architecture))
    return {name: each.default for name, each in found.items() if each.default is not Parameter.empty}


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """``{"model": {"penalty": 10}}`` as ``{"model.penalty": "10"}``."""
    found: dict[str, str] = {}
    for key, value in tree.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": str(value)}
    return found

"""Whether the files that a unit or a stage reads are whole. They are looked at when something fails, so that the line
says which file it was and what makes it anew; what training has made also before it is evaluated, by its digests.

For a process that has torch, or imports it once something has failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.files import file_digest, remedy
from pipeline.work.units import Unit
from reports.files import A_FOLDER, FAULTS, FAULTS_OF_ZIP, told

if TYPE_CHECKING:
    from pipeline.data import Data


@contextmanager
def explained(*files: Path) -> Iterator[None]:
    """Whatever fails inside is put down to the first of ``files`` that is damaged, if one is."""
    try:
        yield
    except Exception as error:
        found = explain(error, files)
        if found is error:
            raise
        raise found from error


def explain(error: Exception, files: Iterable[Path]) -> Exception:
    """The error, or a ValueError that names the first of ``files`` that is damaged."""
    if isinstance(error, MemoryError) or "out of memory" in str(error):  # reading more would not help
        return error
    faults = (ValueError(fault) for file in files if file.exists() and (fault := damage(file)))
    return next(faults, error)


def damage(file: Path) -> str:
    """What is wrong with a file that an earlier stage made, with the remedy; nothing if it can be read."""
    look = {"data.pt": _data, "judge.pt": _judge}.get(file.name) or {".pt": _weights, ".npz": _snapshots}[file.suffix]
    try:
        look(file)
    except Exception as error:  # whatever a reader meets in such a file
        first: BaseException = error
        while first.__cause__:  # what others made of it names the file and a remedy, too
            first = first.__cause__
        return f"{file} is damaged ({told(first)}); delete it and run `{remedy(file)}`"
    return ""


def _data(file: Path) -> Data:
    from torch import Tensor

    from pipeline import data

    found = data.load(file, "cpu")
    for part in (found.train, found.validation, found.test):
        if not isinstance(part.x, Tensor) or part.x.shape[1:] != found.train.x.shape[1:] or not len(part.x):
            raise ValueError("a part holds no data, or of another shape")
        if any(each is not None and len(each) != len(part.x) for each in (part.label, part.caption)):
            raise ValueError("labels are not as many as data")
        if part.partner is not None and (part is not found.train or found.paired) and len(part.partner) != len(part.x):
            raise ValueError("partners are not as many as data")
    if found.train.x.dim() not in ((4, 5) if found.levels > 0 else (2,)):
        raise ValueError(f"{tuple(found.train.x.shape)} with {found.levels} levels are no points, images or clips")
    return found


def _judge(file: Path) -> None:
    from pipeline.evaluation import judging

    judge, shape = judging.load_judge(file, "cpu"), _data(file.parents[1] / "data" / "data.pt").spec.shape
    if tuple(judge.shape) != tuple(shape):
        raise ValueError(f"it judges images of {tuple(judge.shape)}, not {tuple(shape)}")


def _weights(file: Path) -> None:
    from pipeline.tensors import load_tensors

    content = load_tensors(file)
    if not isinstance(content, dict) or not {"status", "step", "player", "state"} <= content.keys():
        raise TypeError("it holds no weights")


def _snapshots(file: Path) -> None:
    from reports.samples import read_snapshots

    read_snapshots(file, f"`{remedy(file)}`")


def check_trained(unit: Unit) -> None:
    """Raise ValueError if what an evaluation looks at is not what training made, where that is on record."""
    known = (unit.training_record() or {}).get("files", {})
    for name, file in unit.training_files().items():
        wanted = known.get(f"{name}/{file.name}")
        if wanted is not None and file.exists() and file_digest(file) != wanted:
            raise ValueError(f"{file} is damaged: it is not what training made; delete it and run `{remedy(file)}`")


def begun_on(unit: Unit) -> str | None:
    """The kind of device that an unfinished seed was begun on; None if its checkpoint, or a snapshot, is damaged."""
    from numpy import load

    from pipeline.tensors import load_tensors

    kept = {"step": int, "seconds": float, "model": dict, "optimizers": dict, "random": dict, "rows": list}
    try:
        content = load_tensors(unit.file(".checkpoint"))
        whole = all(isinstance(content[name], kind) for name, kind in kept.items()) and "cpu" in content["random"]
        for snapshot in unit.file(".snapshots").glob("*.npz"):
            with load(snapshot, allow_pickle=False) as file:
                file["x"]
    except (*FAULTS, *FAULTS_OF_ZIP, *A_FOLDER):
        return None
    return ("cuda" if "cuda" in content["random"] else "cpu") if whole else None

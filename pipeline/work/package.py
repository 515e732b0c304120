"""Units in a file: to a machine that has torch, and neither DVC nor MLflow, and what it made of them back.

A package is a .tar.gz of the units, of the code that they run, and of the data, judges and trained weights that they
read. Results are a .tar to which each unit is added as it is finished, so that a killed machine loses none of those.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.digests import closure, digest
from pipeline.files import atomic_write, file_digest
from pipeline.work.making import inputs
from pipeline.work.units import Record, Unit

MANIFEST = "package.json"
BROKEN = (tarfile.TarError, EOFError, OSError, KeyError, TypeError, ValueError)


def pack(units: list[Unit], file: Path) -> None:
    """Write what ``units`` need into ``file``."""
    from pipeline.entries import roots_of

    trained_there = {unit.key for unit in units if unit.task == "train"}
    read: set[Path] = set()
    code: dict[str, Any] = {}
    for unit in units:
        entry, roots = roots_of(unit)
        if entry not in code:
            code[entry] = {"roots": [root.as_posix() for root in roots], "digest": digest(roots)}
        older = unit.training_files().values() if unit.after in trained_there else ()
        read |= {*inputs(unit), *begun(unit)}.difference(older)
    sources = closure([Path("pipeline/launch.py"), *(Path(root) for entry in code.values() for root in entry["roots"])])
    manifest = {
        "units": [unit.as_json() for unit in units],
        "code": code,
        "files": {path.as_posix(): file_digest(path) for path in sorted(read)},
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as tar:
        add(tar, MANIFEST, json.dumps(manifest).encode())
        for path in sorted(read | sources):
            add(tar, path.as_posix(), path.read_bytes())
    atomic_write(file, buffer.getvalue())


def begun(unit: Unit) -> set[Path]:
    """What an unfinished unit goes on from."""
    there = unit.file(".checkpoint").exists()
    return {unit.file(".checkpoint"), *unit.work.glob(f"{unit.seed}.snapshots/*")} if there else set()


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def unpack(file: Path) -> list[Unit]:
    """Put what a package's units read in its place, and return them. Raises ValueError for a damaged package, and for
    one made from other code than lies here."""
    remedy = "is damaged; copy it again, or make it anew with `python -m pipeline.launch --pack`"
    try:
        with tarfile.open(file, "r:gz") as tar:
            manifest = json.loads(content(tar, MANIFEST))
            for entry, packed in manifest["code"].items():
                check_code(file, entry, packed)
            for name, known in manifest["files"].items():
                place = inside(name)
                if not place.exists() or file_digest(place) != known:
                    atomic_write(place, content(tar, name))
                if file_digest(place) != known:
                    raise tarfile.ReadError(name)
            return [restored(unit) for unit in manifest["units"]]
    except OtherCode:
        raise
    except BROKEN as error:
        if isinstance(error, OSError) and error.errno and not isinstance(error, tarfile.TarError):
            raise
        raise ValueError(f"{file} {remedy}") from None


class OtherCode(ValueError):
    """A package of units that this checkout would not make."""


def check_code(file: Path, entry: str, packed: dict[str, Any]) -> None:
    roots = [inside(root) for root in packed["roots"]]
    missing = [root for root in roots if not root.exists()]
    here = "nothing" if missing else digest(roots)
    if here != packed["digest"]:
        raise OtherCode(
            f"{file} was made from other code: {entry} is {packed['digest'][:16]} there and {here[:16]} here; unpack "
            f"it into an empty folder (`tar xzf {file.name}`) and run it there, or pack again"
        )


def content(tar: tarfile.TarFile, member: str | tarfile.TarInfo) -> bytes:
    found = tar.extractfile(member)
    if found is None:
        raise KeyError(member)
    return found.read()


def inside(name: str) -> Path:
    """A path of ours. Raises ValueError for one that leads out of the project's folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name} is no path of a package")
    return Path(path)


def restored(content: dict[str, Any]) -> Unit:
    unit = Unit(**content)
    inside(unit.file(".json").as_posix())
    return unit


def results_file(package: Path) -> Path:
    return package.with_name(package.name.removesuffix(".gz").removesuffix(".tar") + ".results.tar")


class Results:
    """The file that finished units are written to, each as it comes."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __enter__(self) -> "Results":
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.raw = self.file.open("wb")
        self.tar = tarfile.open(fileobj=self.raw, mode="w")
        return self

    def __exit__(self, *_: object) -> None:
        self.tar.close()
        self.raw.close()

    def add(self, unit: Unit, record: Record) -> None:
        """A finished unit; its record comes last, and counts only with all files before it."""
        for path in (*unit.files(), *(path for path in (unit.log,) if path.exists())):
            add(self.tar, path.as_posix(), path.read_bytes())
        told = {"unit": unit.as_json(), "record": record}
        add(self.tar, unit.file(".json").as_posix(), json.dumps(told).encode())
        self.keep()

    def add_checkpoints(self, units: Iterable[Unit], finished: Collection[Unit]) -> None:
        """What the others go on from."""
        for unit in units:
            files = set() if unit in finished else begun(unit)
            if files:
                told = {"unit": unit.as_json(), "record": None}
                for path in sorted(files):
                    add(self.tar, path.as_posix(), path.read_bytes())
                add(self.tar, unit.file(".json").as_posix(), json.dumps(told).encode())
        self.keep()

    def keep(self) -> None:
        self.raw.flush()
        os.fsync(self.raw.fileno())


def adopt(file: Path) -> int:
    """Put finished units into the work folders; how many. Raises ValueError, before anything is written, for a damaged
    file and for units that this checkout would not make."""
    found = read(file)
    for unit, _, _ in found:
        check_unit(file, unit)
    for unit, record, files in found:
        for name, data in files.items():
            atomic_write(inside(name), data)
        if record is not None:
            atomic_write(unit.file(".json"), json.dumps(record) + "\n")
    return sum(record is not None for _, record, _ in found)


def read(file: Path) -> list[tuple[Unit, Record | None, dict[str, bytes]]]:
    """What a file of results holds whole: units, their records (none of one that has a checkpoint only) and files."""
    found = []
    try:
        with tarfile.open(file, "r:") as tar:
            files: dict[str, bytes] = {}
            for member in tar:
                data = content(tar, member)  # by its name would read to the end first
                if len(data) != member.size:
                    break  # the machine ended while it wrote
                files[member.name] = data
                if PurePosixPath(member.name).suffix == ".json":
                    told = json.loads(files.pop(member.name))
                    found.append(whole(restored(told["unit"]), told["record"], files))
                    files = {}
    except FileNotFoundError:
        raise
    except BROKEN as error:
        if found and isinstance(error, tarfile.ReadError):
            return found  # what came before the end of a killed machine
        raise ValueError(f"{file} is damaged: bring it back again, or make its units anew") from None
    return found


def whole(unit: Unit, record: Record | None, files: dict[str, bytes]) -> tuple[Unit, Record | None, dict[str, bytes]]:
    """The same, once every file is seen to be the unit's own and as it was made."""
    work = unit.work.as_posix() + "/"
    if not all(name.startswith(work) and inside(name) for name in files):
        raise ValueError("a file that is not the unit's")
    made = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    if record is not None and any(made.get(work + name) != known for name, known in record["files"].items()):
        raise ValueError("a file that is not as it was made")
    return unit, record, files


def check_unit(file: Path, unit: Unit) -> None:
    from pipeline.cell import Cell
    from pipeline.search import trials

    cell = Cell(unit.benchmark, unit.contestant)
    try:
        if unit.task == "trial":
            here = trials.fingerprint(unit.benchmark, unit.settings)
        else:
            here = cell.fingerprint if unit.task == "train" else cell.evaluation_fingerprint
    except (KeyError, AssertionError):
        here = "nothing"
    if here != unit.fingerprint:
        raise OtherCode(
            f"{file} was made from other code, data or parameters: {unit.name} is {unit.fingerprint[:16]} there and "
            f"{here[:16]} here; check out what it was packed from, or pack again"
        )

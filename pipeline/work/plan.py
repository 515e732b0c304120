"""Which units of a benchmark are stale, what must be there before them, and how long each may take."""

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from statistics import mean

from pipeline.cell import ORACLE, Cell
from pipeline.params import Benchmark, load
from pipeline.tools.add import stages_file
from pipeline.work.units import Unit, outputs, published, record_file
from pipeline.yaml_files import read

LOCK = Path(".dvc/tmp/lock")
LISTED = Path(".dvc/tmp/rwlock")  # who reads and writes what, as DVC knows it; guarded by a lock beside it
BUSY = "is busy, it is being blocked by"  # DVC's word for files that another one reads or writes
QUICK = "from pipeline.work import quick_dvc; quick_dvc.main()"  # with -m it would begin as a command of ours
AGAIN = 10.0  # seconds between two tries
WAITING = "another DVC is at work here; waiting until it has ended or is through with these files"
UNKNOWN: dict[str, float] = {
    "train": 1e-3,
    "evaluate": 5.0,
}  # seconds a step, and an evaluation, where none has been recorded


def prepare(benchmarks: list[Benchmark]) -> None:
    """Have DVC make what units read, and bring back what was made of them."""
    provide(benchmarks)
    restore(benchmarks)


def provide(benchmarks: list[Benchmark]) -> None:
    """Have DVC make what units read: digests, data and judges. Raises ValueError if it cannot."""
    targets = ["code", "check"]
    for benchmark in benchmarks:
        if not (stages := stages_file(benchmark.name)).exists():
            raise ValueError(f"{benchmark.name} has no stages yet; run `python -m pipeline.add {benchmark.name}` first")
        targets += [f"{stages}:prepare", *[f"{stages}:judge"] * bool(benchmark.judge)]
    if dvc("repro", "--quiet", *targets):
        raise ValueError("`dvc repro` of the stages before training failed; what it said stands above")


def restore(benchmarks: list[Benchmark]) -> None:
    """Fetch from DVC's cache what was made of this code and these parameters and is no longer in its place."""
    lost = []
    for benchmark in benchmarks:
        for contestant in benchmark.models:
            cell = Cell(benchmark.name, contestant)
            if not cell.weights.exists() and published("train", cell.benchmark, contestant, cell.fingerprint):
                lost += [f"{stages_file(benchmark.name)}:{stage}@{contestant}" for stage in ("train", "evaluate")]
    if lost and (there := cached(lost)):
        dvc("checkout", "--quiet", "--allow-missing", *there)  # what is not in the cache is made anew


def cached(targets: list[str]) -> list[str]:
    """The stages, FILE:NAME, of which DVC's cache has some output, by their locks: of each that is not there, as in a
    fresh clone, DVC itself finds that out in a third of a second."""
    asked = subprocess.run([sys.executable, "-m", "dvc", "cache", "dir"], capture_output=True, text=True, check=True)
    objects = Path(asked.stdout.strip()) / "files/md5"
    there = {
        f"{stages}:{name}"
        for stages in {target.partition(":")[0] for target in targets}
        for name, stage in read(Path(stages).with_name("dvc.lock"))["stages"].items()
        if any((objects / out["md5"][:2] / out["md5"][2:]).exists() for out in stage["outs"])
    }
    return [target for target in targets if target in there]


def dvc(*arguments: str) -> int:
    """Run DVC, once no other one is at work on the same files: it waits for the repository by itself if told to, but
    not for files."""
    forget_half_a_list()
    if locked_by_another(LOCK):
        print(WAITING, file=sys.stderr, flush=True)
    while True:
        code, errors = said([sys.executable, "-c", QUICK, "--wait-for-lock", *arguments])
        if not (code and BUSY in errors):
            print(errors, end="", file=sys.stderr, flush=True)
            return code
        print(WAITING, file=sys.stderr, flush=True)
        time.sleep(AGAIN)


def said(command: list[str]) -> tuple[int, str]:
    """A command's exit status and the errors that it ends with, which are not told yet; what it says before them, such
    as how far it is, is."""
    errors = b""
    with subprocess.Popen(command, stderr=subprocess.PIPE, bufsize=0) as process:
        while process.stderr and (part := process.stderr.read(2**16)):
            if errors or b"ERROR" in part:
                errors += part
            else:
                sys.stderr.write(part.decode(errors="replace"))
                sys.stderr.flush()
    return process.returncode, errors.decode(errors="replace")


def forget_half_a_list() -> None:
    """Remove DVC's list of who reads and writes what if a kill has left half of one, on which every DVC fails for ever.
    It lists processes that are gone: no other is at work on it while its guard is free."""
    if LISTED.exists() and not locked_by_another(LISTED.with_name("rwlock.lock")):
        try:
            json.loads(LISTED.read_text())
        except ValueError:
            LISTED.unlink(missing_ok=True)


def locked_by_another(lock: Path) -> bool:
    with suppress(FileNotFoundError), lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def stale(benchmarks: Iterable[Benchmark]) -> list[Unit]:
    """All units that are not among the outputs of their stages, those first that the end waits for longest."""
    found: list[Unit] = []
    for benchmark in benchmarks:
        for contestant in [*benchmark.rows, ORACLE]:
            cell = Cell(benchmark.name, contestant)
            training = [unit for unit in cell.training_units() if not trained(unit)] if cell.trains else []
            again = {unit.seed for unit in training}
            found += training
            found += [unit for unit in cell.evaluation_units() if unit.seed in again or not evaluated(unit)]
    seconds = cost(found)
    to_the_end = {unit.key: seconds[unit] for unit in found}
    for unit in found:  # a seed's evaluation waits for its training
        if unit.trained and unit.after in to_the_end:
            to_the_end[unit.after] += seconds[unit]
    return sorted(found, key=lambda unit: -to_the_end[unit.key])


def trained(unit: Unit) -> bool:
    """Whether the outputs of the train stage hold the seed."""
    record = published("train", unit.benchmark, unit.contestant, unit.fingerprint).get(unit.seed)
    folders = outputs("train", unit.benchmark, unit.contestant)
    suffixes = {"weights": ".pt", "snapshots": ".npz", "curves": ".csv"}
    return record is not None and all((folders[name] / f"{unit.seed}{end}").exists() for name, end in suffixes.items())


def evaluated(unit: Unit) -> bool:
    """Whether the outputs of the evaluate stage hold the seed, as it is now trained."""
    record = published("evaluate", unit.benchmark, unit.contestant, unit.fingerprint).get(unit.seed)
    if record is None or not (outputs("evaluate", unit.benchmark, unit.contestant)["samples"]).exists():
        return False
    if not unit.trained:
        return True
    training = (published("train", unit.benchmark, unit.contestant, unit.trained).get(unit.seed) or {}).get("files", {})
    return all(digest in training.values() for digest in record.get("of", {"nothing": None}).values())


def cost(units: Iterable[Unit]) -> dict[Unit, float]:
    """The seconds that each unit may take, by what its cell took when it was last made, or others of its benchmark;
    where none of these was, by what its contestant took elsewhere."""
    units = list(units)
    found = {unit: recorded(unit, unit.benchmark) for unit in units}
    known: dict[tuple[str, str], list[float]] = {}
    for unit, seconds in found.items():
        if seconds is not None:
            known.setdefault((unit.task, unit.benchmark), []).append(seconds / unit.steps)
    for unit, seconds in found.items():
        if seconds is None:
            usual = known.get((unit.task, unit.benchmark))
            found[unit] = mean(usual) * unit.steps if usual else elsewhere(unit)
    return {unit: seconds for unit, seconds in found.items() if seconds is not None}


def elsewhere(unit: Unit) -> float:
    """The seconds that its contestant took on other benchmarks, or a guess where it was never made."""
    took = [seconds for name in load().benchmarks() if (seconds := recorded(unit, name)) is not None]
    return mean(took) if took else UNKNOWN[unit.task] * unit.steps


def recorded(unit: Unit, benchmark: str) -> float | None:
    """The seconds that its contestant's seeds on a benchmark took when last made, for as many steps, by any code."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        records = json.loads(record_file(unit.task, benchmark, unit.contestant).read_text())["seeds"]
        if unit.task == "evaluate":
            return mean(record["seconds"] for record in records)
        return mean(record["seconds"] / max(1, record["step"]) for record in records) * unit.steps
    return None

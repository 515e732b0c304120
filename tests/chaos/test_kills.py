"""kill -9 at random moments, of a command or of any process that it has started.

After each nothing runs on for longer than five seconds and no lock is held; the same command, killed five times, then
carries on to the same bits as if nothing had been.
"""

import contextlib
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
from clones import PATIENCE, processes_in, run, succeed, variables
from soak import TRIES, chance, changed, results, tried

from pipeline.work import plan

KILLS = min(50, TRIES)
ORPHAN = 5.0  # seconds that what a killed process has started may take to end
ENVIRONMENT = {"BENCHMARK_CHECKPOINT_EVERY": "0.05"}
STEP, RING, DIGITS = ("dvc", "repro", "-f", "-s"), "benchmarks/ring/dvc.yaml", "benchmarks/digits/dvc.yaml"
LAUNCH = (sys.executable, "-m", "pipeline.launch", "ring", "--jobs", "2")
CELLS = ("artifacts/ring/*/weights", "artifacts/ring/*/snapshots", "artifacts/ring/*/samples", "reports/scores/ring")
ALL = ("artifacts/ring", "reports/scores/ring", "reports/rendered/benchmarks/ring")


class Target(NamedTuple):
    part: str
    command: tuple[str, ...]
    forgotten: tuple[str, ...] = ()  # what is not there when it starts; what DVC remembers of runs neither
    then: str = ""  # what DVC takes over afterwards

    def __str__(self) -> str:
        return f"{self.part}: {' '.join(self.command[-3:])}"


TARGETS = {
    "report": [Target("report", (*STEP, f"report@{name}")) for name in ("ring", "digits")],
    "evaluate": [
        Target("evaluate", (*STEP, f"{file}:evaluate@{name}"))
        for file, names in ((RING, ("vae", "wgan")), (DIGITS, ("cgan",)))
        for name in names
    ],
    "launch": [Target("launch", LAUNCH, CELLS, "benchmarks/ring/dvc.yaml")],
    "train": [
        Target("train", (*STEP, f"{RING}:train@wgan"), ("artifacts/ring/wgan/weights",)),
        Target("train", (*STEP, f"{DIGITS}:train@cgan"), ("artifacts/digits/cgan/weights",)),
    ],
    "everything": [Target("everything", ("dvc", "repro", "report@ring"), ALL)],
}
ORDER = ["evaluate", "report", "launch", "evaluate", "report", "launch", "evaluate", "train", "launch", "everything"]
AGAIN = 5  # kills of a command before it may end


class Kill(NamedTuple):
    target: Target
    place: int  # among those of the same command

    def __str__(self) -> str:
        return f"{self.target}, kill {self.place + 1}"


def forget(clone: Path, target: Target) -> None:
    for pattern in target.forgotten:
        for place in list(clone.glob(pattern)):
            shutil.rmtree(place) if place.is_dir() else place.unlink()
    if target.forgotten:
        shutil.rmtree(clone / "artifacts/work", ignore_errors=True)
        shutil.rmtree(clone / ".dvc/cache/runs", ignore_errors=True)


def start(clone: Path, target: Target) -> subprocess.Popen[str]:
    with (clone / ".said").open("w") as said:
        return subprocess.Popen(target.command, cwd=clone, env=variables(**ENVIRONMENT), stdout=said, stderr=said)


def killed(clone: Path, target: Target, moment: float, rng: random.Random) -> str:
    """Whom it was that was killed at that moment; nothing where the command had ended."""
    process = start(clone, target)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moment)
        return ""
    root = psutil.Process(process.pid)
    victim = rng.choice([root, rng.choice([root, *root.children(recursive=True)])])  # itself half of the times
    with contextlib.suppress(psutil.Error):
        name = " ".join(victim.cmdline())[-60:]
        victim.kill()
        process.wait(PATIENCE)
        return "itself" if victim == root else name or "a process about to begin"
    process.wait(PATIENCE)
    return ""


def running(clone: Path) -> list[str]:
    """What runs there. A process that has ended, and that the system has yet to clear away, has no words any more."""
    found = []
    for process in processes_in(clone):
        with contextlib.suppress(psutil.Error):
            found += [" ".join(words)[-100:] for words in [process.cmdline()] if words]
    return found


def ended(clone: Path) -> tuple[float, list[str]]:
    """The seconds that it takes until nothing runs, and what ran last."""
    began, last = time.monotonic(), []
    while (found := running(clone)) and time.monotonic() < began + PATIENCE:
        last = found
        time.sleep(0.1)
    return time.monotonic() - began, last


def locks(clone: Path) -> list[str]:
    """Those that somebody holds, and DVC's list of who reads and writes what if it has become unreadable."""
    held = [str(lock) for lock in clone.glob("artifacts/work/**/*.lock") if plan.locked_by_another(lock)]
    held += [str(plan.LOCK)] * plan.locked_by_another(clone / plan.LOCK)
    with contextlib.suppress(FileNotFoundError):
        try:
            json.loads((clone / plan.LISTED).read_text())
        except ValueError:
            held.append(f"half of {plan.LISTED}")
    return held


def carried_on(clone: Path, target: Target) -> str:
    """What is wrong when the same command is run again, and what takes over what it made."""
    for command in [target.command, *[("dvc", "repro", "-q", target.then)] * bool(target.then)]:
        done = run(clone, *command, **ENVIRONMENT)
        if done.returncode:
            return f"{' '.join(command)} then ended with {done.returncode}: {done.stderr[-300:]}"
        if plan.WAITING in done.stderr:
            return f"{' '.join(command)} then waited for a lock"
    return ""


def test_kills(clone: Path, whole: dict[str, str]) -> None:
    rng = chance("kills")
    targets = [rng.choice(TARGETS[ORDER[place % len(ORDER)]]) for place in range(-(-KILLS // AGAIN))]
    kills = [Kill(target, place) for target in targets for place in range(AGAIN)][:KILLS]
    parts = [kill.target.part for kill in kills]
    print("\n" + ", ".join(f"{parts.count(part)} in {part}" for part in TARGETS))
    seconds: dict[str, float] = {}

    def undisturbed(target: Target) -> float:
        forget(clone, target)
        began = time.monotonic()
        assert not start(clone, target).wait(PATIENCE), (clone / ".said").read_text()[-2000:]
        return time.monotonic() - began

    def attempt(kill: Kill) -> str:
        target, victim = kill.target, ""
        if target.part not in seconds:
            seconds[target.part] = undisturbed(target)
        while not victim:
            if not kill.place:
                forget(clone, target)
            moment = rng.uniform(0, seconds[target.part])
            victim = killed(clone, target, moment, rng)
        took, orphans = ended(clone)
        held, said = locks(clone), (clone / ".said").read_text()
        print(f"  {kill}, after {moment:.1f} of {seconds[target.part]:.1f} s, of {victim}", flush=True)
        faults = [f"ran on for {took:.1f} s: {orphans}"] * (took > ORPHAN) + [f"held: {held}"] * bool(held)
        faults += ["a traceback: " + said[-300:]] * ("Traceback" in said)
        if kill is kills[-1] or kill.place == AGAIN - 1:
            faults += [fault for fault in [carried_on(clone, target), changed(whole, results(clone))] if fault]
        return "; ".join(faults)

    tried("kills", kills, attempt)
    succeed(clone, "dvc", "repro", "-q")
    assert not changed(whole, results(clone))

"""Units beside each other, each in a process of its own.

Processes are forked from a server that has imported torch once, because an import costs seconds; each computes with one
thread on the CPU, so that a seed's result does not depend on how many of them there are. One that fails takes no other
along. A process ends with its parent.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from tqdm import tqdm

from pipeline.stage import describe
from pipeline.units import Record, Unit, run

REFRESH = 0.5 if sys.stderr.isatty() else 10.0  # seconds between two looks at the progress
PRELOAD = ["torch", "pipeline.data", "models"]
TELL = 0.2  # seconds between two words of a worker about how far it is
ON_A_CARD = 4  # processes that share a GPU, until its memory runs out


@dataclass
class Outcome:
    """What has become of units: records of those that are finished, a line for each that failed."""

    records: dict[Unit, Record] = field(default_factory=dict)
    failures: dict[Unit, str] = field(default_factory=dict)


@dataclass
class Job:
    """A unit in a process."""

    unit: Unit
    process: BaseProcess
    device: str
    began: float = field(default_factory=time.monotonic)
    done: int = 0  # of the unit's steps
    ended: tuple[str, Any] | None = None  # ("record", it) or ("failure", a line)


def run_units(
    units: Iterable[Unit],
    label: str,
    *,
    jobs: int | None = None,
    cost: Mapping[Unit, float] | None = None,
    keep_on: bool = False,
    deadline: float | None = None,
    finished: Callable[[Unit, Record], None] = lambda unit, record: None,
) -> Outcome:
    """Make the units, at most ``jobs`` at a time, the costliest first, an evaluation after the training it looks at.

    Units that are made are found so, and cost no process. ``cost`` is in seconds, where it is known. At the first
    failure the others end, unless they are to ``keep_on``; at the ``deadline`` (of time.monotonic) all end, and what is
    not finished is in neither list. ``finished`` is called with each unit as its record comes.
    """
    units = list(units)
    outcome = Outcome({unit: record for unit in units if (record := unit.record()) is not None})
    left = [unit for unit in units if unit not in outcome.records]
    for unit, record in outcome.records.items():
        finished(unit, record)
    if left:
        _Pool(left, label, jobs, cost or {}, keep_on, deadline, finished, outcome).run()
    return outcome


def made(units: list[Unit], label: str) -> list[Record]:
    """The records of all units, which are made where they are not. Raises ValueError with the first failure."""
    outcome = run_units(units, label)
    for line in outcome.failures.values():
        raise ValueError(line)
    return [outcome.records[unit] for unit in units]


class _Pool:
    def __init__(
        self,
        units: list[Unit],
        label: str,
        jobs: int | None,
        cost: Mapping[Unit, float],
        keep_on: bool,
        deadline: float | None,
        finished: Callable[[Unit, Record], None],
        outcome: Outcome,
    ) -> None:
        self.context = _context()
        self.waiting = sorted(units, key=lambda unit: -cost.get(unit, 1.0))
        self.total, self.label, self.cost = len(units), label, cost
        self.keep_on, self.deadline, self.finished, self.outcome = keep_on, deadline, finished, outcome
        self.running: dict[Connection, Job] = {}
        self.shown = time.monotonic()
        devices = _devices(self.context)
        limit = jobs or worker_count(len(units), devices)
        share = min(limit, ON_A_CARD) if devices[0].startswith("cuda") else limit
        self.limit, self.room = limit, dict.fromkeys(devices, share)
        form = "{desc} {percentage:3.0f}% |{bar}| {elapsed} gone, {remaining} left{postfix}"
        self.bar = tqdm(total=sum(map(self.worth, units)), bar_format=form, mininterval=REFRESH, dynamic_ncols=True)

    def worth(self, unit: Unit) -> float:
        return self.cost.get(unit, 1.0)

    def run(self) -> None:
        try:
            while self.start() or self.running:
                for connection in wait(list(self.running), timeout=REFRESH):
                    self.hear(connection)
                if time.monotonic() - self.shown > REFRESH:
                    self.show()
                if self.deadline is not None and time.monotonic() > self.deadline:
                    break
                if self.outcome.failures and not self.keep_on:
                    break
        finally:
            self.end()
            self.show()
            self.bar.close()

    def start(self) -> bool:
        """Fill the free places; whether any unit runs or waits that can."""
        while len(self.running) < self.limit and (device := self.free()) and (unit := self.next()):
            self.waiting.remove(unit)
            ours, theirs = self.context.Pipe(duplex=False)
            process = self.context.Process(target=_work, args=(unit, device, theirs), name=unit.name)
            process.start()
            theirs.close()
            self.running[ours] = Job(unit, process, device)
        return bool(self.running)

    def free(self) -> str | None:
        """The device with the most room left."""
        used = [job.device for job in self.running.values()]
        device = max(self.room, key=lambda name: self.room[name] - used.count(name))
        return device if used.count(device) < self.room[device] else None

    def next(self) -> Unit | None:
        """The first unit that waits for no other; those of a failed training are given up."""
        failed = {unit.fingerprint + str(unit.seed) for unit in self.outcome.failures}
        pending = [*self.waiting, *(job.unit for job in self.running.values())]
        pending_keys = {unit.fingerprint + str(unit.seed) for unit in pending}
        for unit in list(self.waiting):
            key = unit.trained + str(unit.seed)
            if unit.trained and key in failed:
                self.waiting.remove(unit)
            elif not unit.trained or key not in pending_keys:
                return unit
        return None

    def hear(self, connection: Connection) -> None:
        job = self.running[connection]
        try:
            kind, said = connection.recv()
        except EOFError:  # it has ended
            del self.running[connection]
            connection.close()
            job.process.join()
            self.close(job)
            return
        if kind == "done":
            job.done += said
        else:
            job.ended = (kind, said)

    def close(self, job: Job) -> None:
        kind, said = job.ended or ("failure", f"its process was killed (code {job.process.exitcode}; out of memory?)")
        if kind == "record":
            self.outcome.records[job.unit] = said
            self.finished(job.unit, said)
        elif "out of memory" in said and self.room[job.device] > 1 and job.device.startswith("cuda"):
            # As many as fit: it goes on from its checkpoint once there is room.
            self.room[job.device] = max(1, sum(other.device == job.device for other in self.running.values()))
            self.waiting.insert(0, job.unit)
        else:
            self.outcome.failures[job.unit] = said
            self.bar.write(f"{job.unit.name} failed: {said} (log: {job.unit.log})", file=sys.stderr)

    def show(self) -> None:
        self.shown = now = time.monotonic()
        jobs = self.running.values()
        shown = [
            f"{job.unit.name} {job.done / job.unit.steps:.0%}, {job.done / max(now - job.began, 1e-9):.3g}/s"
            if job.unit.steps > 1
            else job.unit.name
            for job in jobs
        ]
        begun = sum(self.worth(job.unit) * min(1.0, job.done / job.unit.steps) for job in jobs)
        ended = [*self.outcome.records, *self.outcome.failures]
        self.bar.n = sum(map(self.worth, ended)) + begun
        done = self.total - len(self.waiting) - len(self.running)
        self.bar.set_description_str(f"{self.label}: {done}/{self.total} units", refresh=False)
        self.bar.set_postfix_str("; ".join(shown), refresh=True)

    def end(self) -> None:
        """End whatever runs."""
        for job in self.running.values():
            job.process.terminate()
        for connection, job in self.running.items():
            job.process.join()
            connection.close()
        self.running.clear()


def worker_count(units: int, devices: list[str]) -> int:
    """How many units run at once: BENCHMARK_WORKERS, or about one a core; of a GPU no more than share it."""
    asked = os.environ.get("BENCHMARK_WORKERS")
    if asked is not None:
        return min(units, whole_number(asked, "BENCHMARK_WORKERS"))
    if devices[0].startswith("cuda"):
        return min(units, ON_A_CARD * len(devices))
    # Three seeds on two cores: all at once take 1.5 times as long as one, two and then one twice as long.
    rest = units % cores()
    return min(units, cores() + rest if rest <= cores() / 2 else cores())


def whole_number(text: str, name: str) -> int:
    """Raises ValueError, one line, for what is no number of processes."""
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"{name} = {text!r}: a whole number from 1 is wanted")
    return int(text)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _context() -> Any:
    # Big tensors are reused instead of being given back to the kernel and faulted in again.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 << 20))
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(512 << 20))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    # Ctrl-C goes to every process of the terminal; the server and its workers leave it to this one, from their start.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    forkserver.ensure_running()
    signal.signal(signal.SIGINT, handler)
    return context


def _devices(context: Any) -> list[str]:
    """What there is to compute on, as a process says that has torch. Raises ValueError for a BENCHMARK_DEVICE that is
    not there."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell_devices, args=(theirs,))
    process.start()
    theirs.close()
    try:
        kind, said = ours.recv()
    except EOFError:
        raise OSError("no worker process could be started; see above") from None
    process.join()
    if kind == "failure":
        raise ValueError(said)
    return said


def _tell_devices(connection: Connection) -> None:
    import torch

    from pipeline.data import chosen_device

    try:
        device = chosen_device()
    except ValueError as error:
        connection.send(("failure", str(error)))
        return
    every = device.type == "cuda" and device.index is None
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if every else [str(device)]
    connection.send(("devices", found))


def _work(unit: Unit, device: str, connection: Connection) -> None:
    """The life of a worker process."""
    unit.work.mkdir(parents=True, exist_ok=True)
    with unit.log.open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ["BENCHMARK_DEVICE"] = device
    begin()
    told, waiting = time.monotonic(), 0

    def advance(steps: int) -> None:
        nonlocal told, waiting
        waiting += steps
        if time.monotonic() - told > TELL:
            connection.send(("done", waiting))
            told, waiting = time.monotonic(), 0

    try:
        connection.send(("record", run(unit, advance)))
    except Exception as error:
        traceback.print_exc()
        connection.send(("failure", describe(error) or f"{type(error).__name__}: {error}; see {unit.log}"))


def begin() -> None:
    """Make this process a worker: one thread, no denormal numbers, and an end when the parent ends."""
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # second moments near zero make a step up to a fifth slower otherwise

    def follow_parent() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow_parent, daemon=True).start()

"""Units beside each other, each in a process of its own.

Processes are forked from a server that has imported torch once, because an import costs seconds; each computes with one
thread on the CPU, so that a seed's result does not depend on how many of them there are. One that fails takes no other
along. A process ends with its parent.
"""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

from pipeline.stage import describe
from pipeline.work import tied
from pipeline.work.devices import devices_seen, start, worker_count
from pipeline.work.display import REFRESH, Display
from pipeline.work.making import run
from pipeline.work.schedule import Outcome, Schedule
from pipeline.work.units import Record, Unit

NO_MEMORY = -1  # the place of a word about all units of a process: the GPU has too little memory for them
PATIENCE = 5.0  # seconds that a process may take to end when told to
TELL = 0.2  # seconds between two words of a worker about how far it is
RUNS = {"train": "pipeline.training.unit", "evaluate": "pipeline.evaluation.unit", "trial": "pipeline.search.unit"}
TOGETHER = 8  # units of one benchmark that a process trains side by side on a GPU


@dataclass
class Job:
    """Units in a process: one, or on a GPU several of a benchmark."""

    units: list[Unit]
    process: BaseProcess
    device: str
    said: dict[int, str] = field(default_factory=dict)  # what it says of units that failed, by their places

    def ended(self) -> bool:
        """Whether its process is gone. Its sentinel alone would say so, too, of one whose server was killed."""
        return not self.process.is_alive() and not psutil.pid_exists(self.process.pid or 0)


def made(units: list[Unit], label: str) -> list[Record]:
    """The records of all units, which are made where they are not. Raises ValueError with the first failure."""
    outcome = run_units(units, Display(label, units))
    for line in outcome.failures.values():
        raise ValueError(line)
    return [outcome.records[unit] for unit in units]


def run_units(
    units: Iterable[Unit],
    display: Display,
    *,
    jobs: int | None = None,
    keep_on: bool = False,
    deadline: float | None = None,
    finished: Callable[[Unit, Record], None] = lambda unit, record: None,
) -> Outcome:
    """Make the units in this order, at most ``jobs`` at a time, an evaluation after the training it looks at.

    Units that are made are found so, and cost no process. At the first failure the others end, unless they are to
    ``keep_on``; at the ``deadline`` (of time.monotonic) all end, and what is not finished is in neither list.
    ``finished`` is called with each unit as its record comes.
    """
    units = list(units)
    outcome = Outcome({unit: record for unit in units if (record := unit.record()) is not None})
    for unit, record in outcome.records.items():
        finished(unit, record)
    if len(outcome.records) < len(units):
        _Pool(units, outcome, display, jobs, keep_on, deadline, finished).run()
    return outcome


class _Pool:
    """The processes of `run_units`."""

    def __init__(
        self,
        units: list[Unit],
        outcome: Outcome,
        display: Display,
        jobs: int | None,
        keep_on: bool,
        deadline: float | None,
        finished: Callable[[Unit, Record], None],
    ) -> None:
        self.outcome, self.display, self.finished = outcome, display, finished
        self.keep_on, self.deadline = keep_on, deadline
        self.running: dict[Connection, Job] = {}
        self.context = _context(imports(units))
        devices = devices_seen(self.context)
        on_gpu = devices[0].startswith("cuda")
        self.schedule = Schedule(units, outcome, TOGETHER if on_gpu else 1)
        self.limit = jobs or worker_count(len(self.schedule.waiting), devices)
        self.room = dict.fromkeys(devices, -(-self.limit // len(devices)))

    def run(self) -> None:
        try:
            self.start()
            while self.running and not self.over():
                for connection in self.heard():
                    self.hear(connection)
                self.start()
                self.display.show(self.outcome.records, self.outcome.failures)
        finally:
            self.end()
            self.display.close(self.outcome.records, self.outcome.failures)

    def heard(self) -> list[Connection]:
        """Those that have a word, or whose process has ended: its end of the pipe may be open elsewhere."""
        watched = [job.process.sentinel for job in self.running.values() if job.process.exitcode is None]
        wait([*self.running, *watched], timeout=REFRESH)
        return [connection for connection, job in self.running.items() if connection.poll() or job.ended()]

    def over(self) -> bool:
        late = self.deadline is not None and time.monotonic() > self.deadline
        return late or (bool(self.outcome.failures) and not self.keep_on)

    def start(self) -> None:
        """Fill the free places."""
        while (
            len(self.running) < self.limit and (device := self.free()) and (units := self.schedule.take(self.begun()))
        ):
            ours, theirs = self.context.Pipe(duplex=False)
            process = self.context.Process(target=_work, args=(units, device, theirs), name=units[0].name)
            start(process)
            theirs.close()
            self.running[ours] = Job(units, process, device)
            self.display.begin(units)

    def begun(self) -> list[Unit]:
        return [unit for job in self.running.values() for unit in job.units if unit not in self.outcome.records]

    def free(self) -> str | None:
        """The device with the most room left."""
        used = [job.device for job in self.running.values()]
        device = max(self.room, key=lambda name: self.room[name] - used.count(name))
        return device if used.count(device) < self.room[device] else None

    def hear(self, connection: Connection) -> None:
        job = self.running[connection]
        try:
            if not connection.poll():  # it has ended, and has no more to say
                raise EOFError
            kind, place, said = connection.recv()
        except (EOFError, OSError):
            del self.running[connection]
            connection.close()
            job.process.join()
            self.close(job)
            return
        if kind == "failure":
            job.said[place] = said
        elif kind == "done":
            self.display.advance(job.units[place], said)
        else:
            self.outcome.records[job.units[place]] = said
            self.finished(job.units[place], said)

    def close(self, job: Job) -> None:
        """A process has ended: what has it left undone?"""
        left = {place: unit for place, unit in enumerate(job.units) if unit not in self.outcome.records}
        self.display.end(job.units)
        if NO_MEMORY in job.said and self.fewer(job):
            self.schedule.put_back(left.values())
            return
        killed = cause(job.process.exitcode)
        for place, unit in left.items():
            self.outcome.failures[unit] = said = job.said.get(place) or job.said.get(NO_MEMORY) or killed
            if self.keep_on:
                self.display.say(f"{unit.name} failed: {said} (log: {unit.log})")

    def fewer(self, job: Job) -> bool:
        """A GPU's memory was too small: whether fewer at once can be tried. They go on from their checkpoints."""
        others = sum(other.device == job.device for other in self.running.values())
        if not others and len(job.units) == 1:
            return False
        if others:
            self.room[job.device] = others
        else:
            self.schedule.together = len(job.units) // 2
        return True

    def end(self) -> None:
        """End whatever runs."""
        for job in self.running.values():
            job.process.terminate()
        for connection, job in self.running.items():
            job.process.join(PATIENCE)
            job.process.kill()
            job.process.join()
            connection.close()
        self.running.clear()


def cause(code: int | None) -> str:
    """Why a process ended that has said nothing."""
    if code == -signal.SIGKILL:
        return "its process was killed (signal 9): by somebody, or by the system for want of memory"
    if code is not None and code < 0:
        return f"its process was killed (signal {-code})"
    return "its process was killed, or the server that it was forked from" if code == 255 else f"it ended (code {code})"


def imports(units: list[Unit]) -> list[str]:
    """The modules that the units run, for the server to import once."""
    found = {"torch", "torch._dynamo"}  # an optimizer imports the latter, which takes seconds, too
    for unit in units:
        found.add(RUNS[unit.task])
        found |= {f"models.{model}" for model in [unit.settings["model"]] if model}
        found |= {f"benchmarks.metrics.{metric}" for metric in unit.metrics}
    return sorted(found)


def _context(modules: list[str]) -> Any:
    # Big tensors are reused instead of being given back to the kernel and faulted in again.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 << 20))
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(512 << 20))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([tied.__name__, *modules])
    # Ctrl-C goes to every process of the terminal; the server and its workers leave it to this one, from their start.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(tied.to_me())
    forkserver.ensure_running()
    del os.environ[tied.STARTER]
    signal.signal(signal.SIGINT, handler)
    return context


def _work(units: list[Unit], device: str, connection: Connection) -> None:
    """The life of a worker process."""
    first, *others = units
    for unit in units:
        unit.work.mkdir(parents=True, exist_ok=True)
    for unit in others:
        with unit.log.open("a") as log:
            log.write(f"trained side by side with {first.name}: see {first.log}\n")
    with first.log.open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ["BENCHMARK_DEVICE"] = device
    begin()
    try:
        advance = [_teller(connection, place) for place in range(len(units))]
        for place, end in run(units, advance):
            if isinstance(end, Exception):
                connection.send(("failure", place, told(end, first.log)))
            else:
                connection.send(("record", place, end))
    except Exception as error:
        short = device.startswith("cuda") and "out of memory" in str(error)
        line = told(error, first.log)
        for place in [NO_MEMORY] if short else range(len(units)):
            connection.send(("failure", place, line))


def told(error: Exception, log: Path) -> str:
    """The error in a line; all of it goes to the log."""
    traceback.print_exception(error)
    return describe(error) or f"{type(error).__name__}: {error}; see {log}"


def _teller(connection: Connection, place: int) -> Callable[[int], None]:
    """What a unit says its progress with, now and then."""
    told, untold = time.monotonic(), 0

    def advance(steps: int) -> None:
        nonlocal told, untold
        untold += steps
        if time.monotonic() - told > TELL:
            connection.send(("done", place, untold))
            told, untold = time.monotonic(), 0

    return advance


def begin() -> None:
    """Make this process a worker: one thread, no denormal numbers, and an end when the parent ends."""
    import torch

    from pipeline import arithmetic

    torch.set_num_threads(1)
    arithmetic.hasten()

    def follow_parent() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow_parent, daemon=True).start()

"""Units as tasks of a Ray cluster, whose nodes need share no disk: what a unit reads travels with it, and so does what
it makes. A lost node's units are tried again elsewhere, from their beginning."""

import logging
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray

from pipeline.files import atomic_write, file_digest
from pipeline.work.devices import ON_A_CARD
from pipeline.work.display import REFRESH, Display
from pipeline.work.making import inputs
from pipeline.work.schedule import Outcome, Schedule
from pipeline.work.units import Record, Unit

RETRIES = 3  # of a unit whose node is lost
LEFT_HERE = [".git", ".venv", "artifacts", "reports/scores", "reports/rendered", "docs", "tests", "**/__pycache__"]
ANSWER = 5.0  # seconds to wait for the head's port

Files = dict[str, bytes]  # by path
Made = tuple[Record | None, str, Files]  # a unit's record, or why there is none; what it has made, its log included


def run_units(units: list[Unit], address: str, jobs: int | None, display: Display) -> Outcome:
    """As `pipeline.work.workers.run_units`, going on after failures. Raises ValueError where no Ray answers."""
    connect(address)
    try:
        return _Tasks(units, jobs, display).run()
    finally:
        ray.shutdown()


def connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    if address != "auto":
        if not host or not port.isdigit():
            raise ValueError(f"--ray {address}: HOST:PORT of a Ray head is wanted, or auto")
        try:
            socket.create_connection((host, int(port)), timeout=ANSWER).close()
        except OSError as error:
            raise ValueError(f"--ray {address}: no Ray answers there ({error}); start one with `ray start`") from None
    try:
        here = {"working_dir": ".", "excludes": LEFT_HERE}
        ray.init(address, runtime_env=here, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"--ray {address}: no Ray answers there ({reason}); start one with `ray start`") from None


class _Tasks:
    def __init__(self, units: list[Unit], jobs: int | None, display: Display) -> None:
        self.outcome = Outcome({unit: record for unit in units if (record := unit.record()) is not None})
        self.schedule = Schedule(units, self.outcome)
        self.jobs, self.display = jobs or len(units), display
        self.sent: dict[str, Any] = {}  # path -> where the cluster has its content
        self.running: dict[Any, Unit] = {}
        gpus = ray.cluster_resources().get("GPU", 0)
        share = {"num_gpus": 1 / ON_A_CARD} if gpus else {}
        self.task = ray.remote(make).options(num_cpus=1, max_retries=RETRIES, **share)

    def run(self) -> Outcome:
        try:
            self.start()
            while self.running:
                done, _ = ray.wait(list(self.running), timeout=REFRESH)
                for task in done:
                    self.take(task)
                self.start()
                self.display.show(self.outcome.records, self.outcome.failures)
        finally:
            for task in self.running:
                ray.cancel(task, force=True)
            self.display.close(self.outcome.records, self.outcome.failures)
        return self.outcome

    def start(self) -> None:
        """Hand over what waits for no training; Ray says where and when it runs."""
        while len(self.running) < self.jobs and (units := self.schedule.take(self.running.values())):
            (unit,) = units
            self.running[self.task.remote(unit.as_json(), self.inputs(unit))] = unit
            self.display.begin([unit])

    def inputs(self, unit: Unit) -> dict[str, tuple[str, Any]]:
        """The digest of each file that the unit reads, and where the cluster has it."""
        return {path.as_posix(): self.send(path) for path in inputs(unit)}

    def send(self, path: Path) -> tuple[str, Any]:
        name, digest = path.as_posix(), file_digest(path)
        if self.sent.get(name, ("", None))[0] != digest:
            self.sent[name] = (digest, ray.put(path.read_bytes()))
        return self.sent[name]

    def take(self, task: Any) -> None:
        """Write down what a task has made."""
        unit = self.running.pop(task)
        self.display.end([unit])
        try:
            record, fault, files = ray.get(task)
        except (ray.exceptions.RayError, ray.exceptions.RayTaskError) as error:
            record, fault, files = None, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", {}
        for name, content in files.items():
            atomic_write(Path(name), content)
        if record is not None:
            self.outcome.records[unit] = record
        else:
            self.outcome.failures[unit] = fault
            self.display.say(f"{unit.name} failed: {fault} (log: {unit.log})")


def make(content: Mapping[str, Any], inputs: Mapping[str, tuple[str, Any]]) -> Made:
    """The life of a task, in a folder that holds the code: a unit is made in a process of its own, as it is at home."""
    from pipeline.work.workers import run_units as run_here

    unit = Unit(**content)
    for name, (digest, place) in inputs.items():
        if not Path(name).exists() or file_digest(Path(name)) != digest:
            atomic_write(Path(name), ray.get(place))
    outcome = run_here([unit], Display(unit.name, [unit]), jobs=1)
    files = [*unit.files(), *(path for path in (unit.file(".json"), unit.log) if path.exists())]
    made = {path.as_posix(): path.read_bytes() for path in files}
    return outcome.records.get(unit), outcome.failures.get(unit, ""), made

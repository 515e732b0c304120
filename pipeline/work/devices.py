"""What there is to compute on, and how many processes at once."""

import os
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

ON_A_CARD = 4  # processes that share a GPU, until its memory runs out


def worker_count(units: int, devices: list[str]) -> int:
    """How many processes run at once: BENCHMARK_WORKERS, or about one a core, or what share the GPUs."""
    asked = os.environ.get("BENCHMARK_WORKERS")
    if asked is not None:
        return min(units, whole_number(asked, "BENCHMARK_WORKERS"))
    if devices[0].startswith("cuda"):
        return ON_A_CARD * len(devices)
    # Three seeds on two cores: all at once take 1.5 times as long as one, two and then one twice as long.
    rest = units - cores()
    return min(units, cores() + rest if 0 < rest <= cores() / 2 else cores())


def whole_number(text: str, name: str) -> int:
    """Raises ValueError, one line, for what is no number of processes."""
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"{name} = {text!r}: a whole number from 1 is wanted")
    return int(text)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start(process: BaseProcess) -> None:
    """Start it. Raises OSError, one line, if the server that it is to be forked from has ended."""
    try:
        process.start()
    except (EOFError, ConnectionError):
        ended = "the process that workers are forked from was killed: by somebody, or by the system for want of memory"
        raise OSError(f"{ended}; run the same command again") from None


def devices_seen(context: Any) -> list[str]:
    """What there is to compute on, as a process says that has torch. Raises ValueError for a BENCHMARK_DEVICE that is
    not there."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell_devices, args=(theirs,))
    start(process)
    theirs.close()
    try:
        fault, found = ours.recv()
    except EOFError:
        raise OSError("no worker process could be started; what it said stands above") from None
    finally:
        process.join()
    if fault:
        raise ValueError(fault)
    return found


def _tell_devices(connection: Connection) -> None:
    import torch

    from pipeline.data import chosen_device

    with suppress(BrokenPipeError):  # nobody wants to know any more
        try:
            device = chosen_device()
        except ValueError as error:
            connection.send((str(error), []))
            return
        every = device.type == "cuda" and device.index is None
        count = torch.cuda.device_count() if every else 0
        connection.send(("", [f"cuda:{index}" for index in range(count)] or [str(device)]))

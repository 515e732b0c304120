"""Seeds in parallel worker processes.

Workers are forked from a server that has imported torch once, because an import costs seconds; each computes with one
thread on the CPU, so that a seed's result does not depend on how many of them there are.
"""

import multiprocessing
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from typing import Any

import psutil
from tqdm import tqdm

REFRESH = 0.5 if sys.stderr.isatty() else 10.0  # seconds between two looks at the progress

PRELOAD = ["torch", "pipeline.data", "models"]

_done: Any = None  # the shared count of units done, in a worker


def run_seeds(
    task: Callable[..., Any], argument: Any, seeds: Sequence[int], total: int, label: str, unit: str
) -> list[Any]:
    """``[task(argument, seed) for seed in seeds]``, in parallel, under a bar over ``total`` units that tasks `advance`.

    Raises whatever a task raises, and OSError if a worker was killed (out of memory, by hand); then no worker runs on.
    """
    # Big tensors are reused instead of being given back to the kernel and faulted in again.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 << 20))
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(512 << 20))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    # Ctrl-C goes to every process of the terminal; the server and its workers leave it to this one, from their start.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    forkserver.ensure_running()
    signal.signal(signal.SIGINT, handler)
    done = context.Value("q", 0)
    bar = tqdm(total=total, desc=label, unit=unit, mininterval=REFRESH, dynamic_ncols=True, leave=True)
    pool = ProcessPoolExecutor(worker_count(len(seeds)), mp_context=context, initializer=begin, initargs=(done,))
    try:
        futures = [pool.submit(task, argument, seed) for seed in seeds]
        pending = set(futures)
        while pending:
            finished, pending = wait(pending, timeout=REFRESH, return_when=FIRST_COMPLETED)
            bar.update(done.value - bar.n)
            for future in finished:
                future.result()
        pool.shutdown()
        return [future.result() for future in futures]
    except BaseException as error:
        for process in psutil.Process().children(recursive=True):
            process.terminate()
        pool.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise OSError(f"{label}: a worker was killed (out of memory?); the same command carries on") from None
        raise
    finally:
        bar.close()


def worker_count(seeds: int) -> int:
    """How many seeds run at once: BENCHMARK_WORKERS, or about one a core, on a GPU at most four."""
    asked = os.environ.get("BENCHMARK_WORKERS")
    if asked is not None:
        if not asked.isdigit() or int(asked) < 1:
            raise ValueError(f"BENCHMARK_WORKERS = {asked!r}: a whole number from 1 is wanted")
        return min(seeds, int(asked))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if shutil.which("nvidia-smi"):  # asking torch would cost this process, which does not need it, seconds of imports
        return min(seeds, cores, 4)
    # Three seeds on two cores: all at once take 1.5 times as long as one, two and then one twice as long.
    rest = seeds % cores
    return min(seeds, cores + rest if rest <= cores / 2 else cores)


def begin(done: Any) -> None:
    """Make this process a worker: one thread, and an end when the parent ends."""
    import torch

    global _done
    _done = done
    torch.set_num_threads(1)

    def follow_parent() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=follow_parent, daemon=True).start()


def advance(units: int) -> None:
    """Say from inside a task that ``units`` more are done."""
    if _done is not None:
        with _done.get_lock():
            _done.value += units

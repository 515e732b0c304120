"""Ties a process that imports this first to the one that has started it and asks for it: the server that workers are
forked from, and an import into MLflow.

These see by themselves that it has ended, but only after imports that take seconds, and far more on a busy machine. So
it is where there is no such tie, on other systems than Linux.
"""

import ctypes
import os
import signal
import sys

STARTER = "BENCHMARK_TIED_TO"  # the process, by its number
PR_SET_PDEATHSIG = 1


def to_me() -> dict[str, str]:
    """What the environment of such a process says."""
    return {STARTER: str(os.getpid())}


def tie(starter: int) -> None:
    """Let this process be killed when the one that started it ends, or end it if that is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != starter:
        os._exit(1)


if starter := os.environ.pop(STARTER, ""):
    tie(int(starter))

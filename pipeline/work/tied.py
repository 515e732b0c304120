"""Ties the server that workers are forked from to the process that starts it, of which it imports this first.

It would see that process end by itself, but not while it imports, which takes seconds. Where there is no such tie, it
ends after its imports.
"""

import ctypes
import os
import signal
import sys

STARTER = "BENCHMARK_SERVER_OF"  # the process, by its number
PR_SET_PDEATHSIG = 1


def tie(starter: int) -> None:
    """Let this process be killed when the one that started it ends, or end it if that is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != starter:
        os._exit(1)


if starter := os.environ.pop(STARTER, ""):
    tie(int(starter))

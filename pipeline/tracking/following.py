"""A process that brings live curves into MLflow beside training, which it can neither delay nor fail."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def following(*cell: str) -> Iterator[None]:
    """Follow a cell, a benchmark and a model, or without one all that are in training."""
    command = [sys.executable, "-m", "pipeline.tracking", *cell, "--follow"]
    follower = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    assert follower.stdin is not None  # it was asked for
    try:
        yield
    finally:
        follower.stdin.close()  # the end of its input is its sign to stop, also when this process is killed

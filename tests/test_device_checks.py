"""`make gpu-check` where there is no GPU: in small on the CPU, all but the recording and the clocks."""

import sys

from clones import ROOT, succeed


def test_what_is_checked_on_a_gpu_holds_on_a_cpu() -> None:
    """But for recorded steps of every model, which are the longest and the same code here."""
    chosen = ["tests/gpu/test_device.py", "-k", "not recorded_steps", "-o", "addopts=", "-p", "no:cacheprovider", "-q"]
    assert " passed" in succeed(ROOT, sys.executable, "-m", "pytest", *chosen)

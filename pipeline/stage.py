"""How every stage runs: one-line errors, a clean end on Ctrl-C, and no orphan when DVC is killed."""

import argparse
import contextlib
import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from pipeline.terminal import forgiving

INTERRUPTED = "interrupted; the same command carries on where this one stopped"


class Parser(argparse.ArgumentParser):
    """The arguments of a command that `run_stage` runs: an unfit one is said in one line, as any bad input is."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; `{self.prog} --help` tells what it takes")


def begin() -> None:
    """What counts from the start of a command, before its imports, which take seconds: Ctrl-C, and the end of DVC."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody has asked to leave it alone
        signal.signal(signal.SIGINT, interrupted)
    starter = os.environ.pop("BENCHMARK_STARTER", "")
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=follow_dvc, args=(starter,), daemon=True, name="follow-dvc").start()


def interrupted(*_: object) -> NoReturn:
    """Ctrl-C before there is anything to tidy."""
    print(f"error: {INTERRUPTED}", file=sys.stderr, flush=True)
    os._exit(130)


def run_stage(main: Callable[[], None]) -> NoReturn:
    """Run ``main`` and exit: 0 when done, 1 with one line on stderr for a bad input, 130 for Ctrl-C.

    A ValueError or OSError is somebody's input or machine: it is said in one line that names the value and the remedy.
    Any other exception is a defect of ours and keeps its traceback; so does every one with ``BENCHMARK_DEBUG=1``.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    forgiving()
    if signal.getsignal(signal.SIGINT) is interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main()
    except KeyboardInterrupt:
        fail(INTERRUPTED, 130)
    except Exception as error:
        if os.environ.get("BENCHMARK_DEBUG") or not (line := describe(error)):
            raise
        fail(line, 1)
    sys.exit(0)


def fail(message: str, code: int) -> NoReturn:
    """Say ``message`` in one line on stderr and exit."""
    print("error: " + " ".join(message.split()), file=sys.stderr, flush=True)
    sys.exit(code)


def describe(error: Exception) -> str:
    """One line for an error of input or machine; nothing for a defect."""
    said = str(error)
    if isinstance(error, ValueError):
        return said
    if (
        isinstance(error, MemoryError) or "out of memory" in said or "can't allocate memory" in said
    ):  # torch's, of either
        return "out of memory; choose a smaller batch, or BENCHMARK_WORKERS=1 for one seed at a time"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        where = error.filename or "an output"
        return f"no space left on the disk while writing {where}; free some and run the same command again"
    if isinstance(error, OSError) and error.filename:
        return of_file(error, str(error.filename)) or said
    return said if isinstance(error, OSError) else ""


def of_file(error: OSError, name: str) -> str:
    """What to do about a file that is missing or a folder; of other faults nothing."""
    path = os.path.abspath(name)
    made = path.startswith(tuple(os.path.abspath(folder) + os.sep for folder in ("artifacts", "reports")))
    if isinstance(error, FileNotFoundError):
        return f"{name} is missing; `dvc repro` makes it" if made else f"{name}: there is no such file or folder"
    if isinstance(error, IsADirectoryError):
        anew = "a folder where a file belongs; delete it, and `dvc repro` makes it anew"
        return f"{name} is {anew}" if made else f"{name} is a folder; give the name of a file"
    if isinstance(error, NotADirectoryError | FileExistsError | PermissionError):
        return f"{name}: cannot be written or read ({os.strerror(error.errno or 0)}); give another place"
    return ""


def follow_dvc(starter: str, every: float = 1.0) -> None:
    """End this process when the `dvc` that started it is gone: a killed DVC leaves its stage running otherwise.

    ``starter`` is the number of the process that had started pipeline/run when that began.
    """
    import psutil  # here: a machine without DVC may be without it, too

    with contextlib.suppress(psutil.NoSuchProcess):
        # DVC runs a stage through a shell, which may or may not have replaced itself by the stage.
        ancestors = psutil.Process().parents()[:2]
        dvc = next((process for process in ancestors if process.name() not in ("sh", "bash", "dash", "zsh")), None)
        while dvc is not None and dvc.is_running() and dvc.status() != psutil.STATUS_ZOMBIE:
            if starter not in ("", str(os.getppid())) or adopts(dvc):
                break  # gone before we looked
            time.sleep(every)
    os._exit(1)


def adopts(process: Any) -> bool:
    """Whether it is the one that orphans go to."""
    name = process.name()
    return name in ("systemd", "init") or (process.pid == 1 and not name.startswith(("dvc", "python")))

"""MLflow's own pages over the store of this project, on this machine only: `make ui`."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HOST = "127.0.0.1"
PAGE = "#/experiments?workflowType=machine_learning"  # without this it opens its pages for language models
LOG = Path("artifacts/mlflow/ui.log")
START = 120.0  # seconds that a busy machine may take; 4 are usual
STOP = 5.0  # seconds between the polite signal and the other one
# A process that ends the server's family once its input ends: when this one is killed, which can do nothing itself.
WATCH = f"""
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.stdin.buffer.read()
os.killpg(int(sys.argv[1]), signal.SIGTERM)
time.sleep({STOP})
os.killpg(int(sys.argv[1]), signal.SIGKILL)
"""


def serve(port: int, store: str, settings: dict[str, str]) -> None:
    """Run `mlflow ui` over ``store`` until Ctrl-C. Raises OSError if the port is taken or the server does not start."""
    claim(port)
    with plain_packages() as path:
        tend(port, store, settings | os.environ | path)


@contextlib.contextmanager
def plain_packages() -> Iterator[dict[str, str]]:
    """Where MLflow is imported from, by a path without %, which its migrations take for the beginning of a name."""
    place = sysconfig.get_path("purelib")
    if "%" not in place:
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "packages"
        link.symlink_to(place)
        yield {"PYTHONPATH": os.pathsep.join([str(link), *filter(None, [os.environ.get("PYTHONPATH")])])}


def tend(port: int, store: str, environment: dict[str, str]) -> None:
    """Run the server until Ctrl-C, or until it ends."""
    environment |= {
        "MLFLOW_BACKEND_STORE_URI": store,  # not on the command line: it may hold a password
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # processes that serve language models
    }
    command = [sys.executable, "-m", "mlflow", "ui", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--artifacts-destination", str(LOG.parent / "artifacts")]
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    LOG.parent.mkdir(parents=True, exist_ok=True)
    print("starting MLflow, some seconds ...", flush=True)
    with LOG.open("w") as log:
        # A session of its own, so that its whole family can be ended at once.
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    watch = subprocess.Popen([sys.executable, "-I", "-c", WATCH, str(server.pid)], stdin=subprocess.PIPE)
    try:
        wait_for(server, port)
        print(f"MLflow: http://{HOST}:{port}/{PAGE}  (Ctrl-C ends it)", flush=True)
        code = server.wait()
        raise OSError(f"mlflow ui ended by itself with code {code}; see {LOG}")
    except KeyboardInterrupt:
        print()
    finally:
        stop(server)
        watch.kill()
        watch.communicate()


def claim(port: int) -> None:
    """Raise OSError, one line with the remedy, if ``port`` cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            other = port + 1 if port < 65535 else port - 1
            raise OSError(f"port {port} cannot be used ({error.strerror}); try `make ui PORT={other}`") from None


def wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    """Return once the server listens."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise OSError(f"mlflow ui ended with code {server.returncode} before it was up; see {LOG}")
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.1)
    raise OSError(f"mlflow ui was not up after {START:.0f} s; see {LOG}")


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and all its children."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP)

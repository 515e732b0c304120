"""What counts while a command still imports what it runs, which takes seconds."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clones import copy, processes_in, run, variables, wait_for

SLOW = """
import sys, time
from pipeline.stage import run_stage
print("importing", flush=True)
time.sleep(600)
"""
DVC = """
import os, subprocess, time
subprocess.Popen("pipeline/run slow", shell=True, env={**os.environ, "DVC_STAGE": "train@a"}, stdout=open("out", "w"))
WAIT
os.kill(os.getpid(), 9)
"""
SERVER = """
import time
from pipeline.work import workers
workers._context(["endless"])
print("importing", flush=True)
time.sleep(3600)
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stage")
    copy(place)
    (place / "pipeline/slow.py").write_text(SLOW)
    (place / "endless.py").write_text("import time; open('begun', 'w').close(); time.sleep(3600)")
    return place


@pytest.fixture
def importing(clone: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.slow"],
        cwd=clone,
        env=variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    assert process.stdout and process.stdout.readline() == "importing\n"
    yield process
    process.kill()
    process.communicate()


def test_ctrl_c_is_one_line(importing: subprocess.Popen[str]) -> None:
    importing.send_signal(signal.SIGINT)
    _, errors = importing.communicate()
    assert importing.returncode == 130
    assert errors == "error: interrupted; the same command carries on where this one stopped\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "launch --limit soon",
            "argument --limit: invalid float value: 'soon'; `python -m pipeline.launch --help` tells what it takes",
        ),
        ("tracking --port 0 --ui", "--port 0: give 1 to 65535"),
    ],
)
def test_an_unfit_argument_is_one_line(clone: Path, command: str, said: str) -> None:
    module, *arguments = command.split()
    result = run(clone, sys.executable, "-m", f"pipeline.{module}", *arguments)
    told = f"error: {said}\n"
    assert (result.returncode, result.stderr) == (1, told)


def test_every_command_reads_its_arguments_so() -> None:
    for file in (Path(__file__).parent.parent / "pipeline").rglob("*.py"):
        assert "argparse.ArgumentParser(" not in file.read_text() or file.name == "stage.py", file


def test_a_command_in_the_background_is_left_alone(clone: Path) -> None:
    """A shell has it ignore Ctrl-C, which is for another."""
    code = "import signal, sys; sys.argv[0] = '-m'; import pipeline; print(signal.getsignal(signal.SIGINT).name)"
    ignoring = (
        f"import os, signal; signal.signal(2, signal.SIG_IGN); os.execv({sys.executable!r}, ['p', '-c', {code!r}])"
    )
    assert run(clone, sys.executable, "-c", ignoring).stdout == "SIG_IGN\n"


@pytest.mark.parametrize("wait", ["", "time.sleep(1.5)"])
def test_no_stage_outlives_the_dvc_that_started_it(clone: Path, wait: str) -> None:
    subprocess.run([sys.executable, "-c", DVC.replace("WAIT", wait)], cwd=clone, env=variables())
    wait_for(lambda: not processes_in(clone))


def test_a_stage_goes_on_as_long_as_dvc(clone: Path) -> None:
    dvc = subprocess.Popen([sys.executable, "-c", DVC.replace("WAIT", "time.sleep(600)")], cwd=clone, env=variables())
    wait_for(lambda: (clone / "out").read_text() == "importing\n")
    time.sleep(3)
    assert len(processes_in(clone)) >= 2
    os.kill(dvc.pid, signal.SIGKILL)
    dvc.wait()
    wait_for(lambda: not processes_in(clone))


def test_no_server_of_workers_imports_on_when_its_starter_is_killed(clone: Path) -> None:
    code = f"import sys; sys.path.insert(0, '')\n{SERVER}"
    starter = subprocess.Popen([sys.executable, "-c", code], cwd=clone, env=variables())
    wait_for(lambda: (clone / "begun").exists())
    assert len(processes_in(clone)) >= 2
    starter.kill()
    starter.wait()
    wait_for(lambda: not processes_in(clone))

"""How units are handed out: their order, failures, interruptions. What they do is a stand-in that takes no time, or is
told to fail; the processes, locks and files are the real ones."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from clones import copy, edit_params, end_all, processes_in, run, succeed, variables, wait_for

pytestmark = pytest.mark.timeout(3000)
LAUNCH = (sys.executable, "-m", "pipeline.launch")
TRAINING = '''
"""A stand-in: what a file trouble/<contestant> says happens, else nothing."""
import os, time
from pathlib import Path
from pipeline.files import atomic_write

OUTPUTS = {"weights": ".pt", "snapshots": ".npz", "curves": ".csv"}


def train(units, advance):
    for place, unit in enumerate(units):
        begun = Path("begun.txt")
        with begun.open("a") as file:
            file.write(f"{unit.contestant} {unit.seed}\\n")
        trouble = Path("trouble") / unit.contestant
        said = trouble.read_text() if trouble.exists() else ""
        if said == "fail":
            raise ValueError("batch = 7 is no good")
        if said == "defect":
            raise TypeError("nobody knows")
        if said == "die":
            os.kill(os.getpid(), 9)
        if said == "full":
            raise OSError(28, "No space left on device", "weights.pt")
        if said == "linger":  # another process keeps the worker's pipe open
            if os.fork():
                os.kill(os.getpid(), 9)
            said = "wait"
        if said == "wait":
            time.sleep(3000)
        for folder, suffix in OUTPUTS.items():
            atomic_write(unit.work / folder / f"{unit.seed}{suffix}", f"{unit.name}\\n")
        yield place, {"status": "finished", "step": unit.steps, "player": "", "seconds": 1.0, "made": unit.origin}
'''
EVALUATION = '''
"""A stand-in."""
from pipeline.files import atomic_write, file_digest


def evaluate(unit, advance):
    of = {name: file_digest(file) for name, file in unit.training_files().items()}
    for folder, suffix in {"samples": ".npz", "progress": ".csv"}.items():
        atomic_write(unit.work / folder / f"{unit.seed}{suffix}", f"{unit.name}\\n")
    return {"row": {"seed": unit.seed}, "columns": [], "of": of, "made": {}, "seconds": 1.0}
'''
MODELS = {"slow": {"model": "gmm"}, "a": {"model": "gmm"}, "b": {"model": "parzen"}}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with three contestants on the ring, its data made."""
    place = tmp_path_factory.mktemp("launch")
    copy(place)
    (place / "pipeline/training/unit.py").write_text(TRAINING)
    (place / "pipeline/evaluation/unit.py").write_text(EVALUATION)

    def small(board: dict) -> None:
        board |= {"suites": {"embedded": ["ring"]}, "seeds": 2}
        board["toys"]["models"] = MODELS

    edit_params(place, small)
    succeed(place, "dvc", "repro", "-q", "code", "check", "benchmarks/ring/dvc.yaml:prepare")
    for name in MODELS:
        took = [{"seed": 0, "step": 1000, "seconds": 100.0 if name == "slow" else 1.0}]
        (place / "reports/scores/ring" / name).mkdir(parents=True)
        before = {"seeds": took, "cell": [{"fingerprint": "another"}]}
        (place / "reports/scores/ring" / name / "training.json").write_text(json.dumps(before))
    return place


@pytest.fixture
def clone(prepared: Path) -> Iterator[Path]:
    yield prepared
    end_all(prepared)
    for name in ("artifacts/work", "trouble"):
        subprocess.run(["rm", "-rf", str(prepared / name)], check=True)
    (prepared / "begun.txt").unlink(missing_ok=True)


def trouble(clone: Path, **what: str) -> None:
    (clone / "trouble").mkdir()
    for contestant, said in what.items():
        (clone / "trouble" / contestant).write_text(said)


def records(clone: Path) -> set[str]:
    """The units that are finished."""
    found = (clone / "artifacts/work").glob("*/*/*/*.json")
    return {f"{file.parent.name.split('-')[0]} {file.parts[-3]} {file.stem}" for file in found}


EVERY = {f"train {name} {seed}" for name in MODELS for seed in (0, 1)}
EVERY |= {f"evaluate {name} {seed}" for name in (*MODELS, "oracle") for seed in (0, 1)}


def test_every_stale_unit_is_made_the_longest_first(clone: Path) -> None:
    said = succeed(clone, *LAUNCH, "--jobs", "1")  # of two processes either may be first
    assert records(clone) == EVERY
    assert "14 of 14 units made" in said and "`dvc repro` takes them over" in said
    begun = (clone / "begun.txt").read_text().split("\n")
    assert {begun[0], begun[1]} == {"slow 0", "slow 1"}


def test_what_is_made_is_not_made_again_and_what_is_taken_over_is_not_stale(clone: Path) -> None:
    succeed(clone, *LAUNCH)
    (clone / "begun.txt").unlink()
    assert "14 of 14 units made" in succeed(clone, *LAUNCH), "they wait in the work folders"
    assert not (clone / "begun.txt").exists()
    succeed(clone, sys.executable, "-m", "pipeline.train", "ring", "a")
    record = json.loads((clone / "reports/scores/ring/a/training.json").read_text())
    assert [seed["seconds"] for seed in record["seeds"]] == [1.0, 1.0]
    assert "12 of 12 units made" in succeed(clone, *LAUNCH)
    assert not (clone / "begun.txt").exists()
    subprocess.run(["rm", "-rf", "artifacts/ring/a"], cwd=clone, check=True)


def test_what_is_lost_comes_back_from_the_cache_or_is_made_anew(clone: Path) -> None:
    succeed(clone, *LAUNCH)
    succeed(clone, "dvc", "repro", "-q", "-s", "benchmarks/ring/dvc.yaml:train@a")
    weights = clone / "artifacts/ring/a/weights/0.pt"
    kept = weights.read_text()
    (clone / "begun.txt").unlink()
    subprocess.run(["rm", "-rf", "artifacts/ring/a"], cwd=clone, check=True)
    assert "12 of 12 units made" in succeed(clone, *LAUNCH)
    assert weights.read_text() == kept and not (clone / "begun.txt").exists()
    subprocess.run(["rm", "-rf", "artifacts/ring/a", ".dvc/cache/files"], cwd=clone, check=True)
    assert "14 of 14 units made" in succeed(clone, *LAUNCH)
    assert sorted((clone / "begun.txt").read_text().split("\n")) == ["", "a 0", "a 1"]


def test_an_old_work_folder_is_not_taken_up_and_goes(clone: Path) -> None:
    old = clone / "artifacts/work/ring/a/train-0123456789abcdef"
    old.mkdir(parents=True)
    (old / "0.json").write_text('{"seed": 0, "seconds": 7.0, "files": {}}')
    succeed(clone, sys.executable, "-m", "pipeline.train", "ring", "a")
    record = json.loads((clone / "reports/scores/ring/a/training.json").read_text())
    assert [seed["seconds"] for seed in record["seeds"]] == [1.0, 1.0] and not old.exists()
    subprocess.run(["rm", "-rf", "artifacts/ring/a"], cwd=clone, check=True)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("fail", "batch = 7 is no good"),
        ("defect", "TypeError: nobody knows; see artifacts/work/ring/a/train-"),
        ("die", "its process was killed (signal 9): by somebody, or by the system for want of memory"),
        ("full", "no space left on the disk while writing weights.pt; free some"),
    ],
)
def test_a_failed_unit_is_one_line_and_the_rest_goes_on(clone: Path, what: str, line: str) -> None:
    trouble(clone, a=what)
    done = run(clone, *LAUNCH)
    assert done.returncode == 1
    failed = [text for text in done.stderr.splitlines() if text.startswith("train ring/a seed ")]
    assert len(failed) == 2 and all(line in text for text in failed)
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: 4 of 14 units were not made; the first: train ring/a seed")
    log = Path(last.split("(log: ")[1].rstrip(")"))
    assert (clone / log).exists() and (what != "defect" or "Traceback" in (clone / log).read_text())
    assert records(clone) == {unit for unit in EVERY if " a " not in unit}
    (clone / "trouble/a").unlink()
    assert "14 of 14 units made" in succeed(clone, *LAUNCH), "the same command carries on"


def started(clone: Path) -> subprocess.Popen[str]:
    """A launch in which two seeds wait and the rest is made."""
    trouble(clone, slow="wait")
    process = subprocess.Popen(
        [*LAUNCH, "--jobs", "3"],
        cwd=clone,
        env=variables(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    wait_for(lambda: records(clone) == {unit for unit in EVERY if " slow " not in unit})
    return process


def test_ctrl_c_ends_every_unit_and_keeps_the_finished_ones(clone: Path) -> None:
    process = started(clone)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the whole group
    _, errors = process.communicate()
    assert process.returncode == 130 and "Traceback" not in errors
    assert errors.splitlines()[-1] == "error: interrupted; the same command carries on where this one stopped"
    wait_for(lambda: not processes_in(clone))
    assert len(records(clone)) == 10


def test_no_unit_runs_on_after_a_kill(clone: Path) -> None:
    process = started(clone)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not processes_in(clone))
    assert len(records(clone)) == 10


def test_a_killed_worker_is_noticed_while_others_work_on(clone: Path) -> None:
    """At once, also if its pipe is still open somewhere."""
    trouble(clone, slow="wait", a="linger")
    with (clone / "said.txt").open("w") as errors:
        process = subprocess.Popen([*LAUNCH, "--jobs", "3"], cwd=clone, env=variables(), stderr=errors)
        line = "train ring/a seed 0 failed: its process was killed (signal 9)"
        wait_for(lambda: line in (clone / "said.txt").read_text())
        assert process.poll() is None
        end_all(clone)
        process.wait()


@pytest.mark.parametrize("moment", ["importing", "working"])
def test_a_killed_fork_server_is_one_line(clone: Path, moment: str) -> None:
    trouble(clone, a="wait")
    command = [sys.executable, "-m", "pipeline.train", "ring", "a"]
    process = subprocess.Popen(command, cwd=clone, env=variables(), stderr=subprocess.PIPE, text=True)

    def server() -> list[psutil.Process]:
        found = []
        for child in psutil.Process(process.pid).children():
            with contextlib.suppress(psutil.Error):  # one that ends while it is looked at
                found += [child] if "multiprocessing.forkserver" in " ".join(child.cmdline()) else []
        return found

    wait_for(server)
    if moment == "working":
        wait_for(lambda: (clone / "begun.txt").exists() and (clone / "begun.txt").read_text().count("a ") == 2)
    server()[0].kill()
    if moment == "working":
        time.sleep(2)
        assert process.poll() is None, "its workers go on"
        for worker in processes_in(clone):
            if worker.ppid() != process.pid and worker.pid != process.pid:
                worker.kill()
    _, errors = process.communicate()
    assert process.returncode == 1 and "Traceback" not in errors
    assert errors.splitlines()[-1].startswith("error: ") and "killed" in errors.splitlines()[-1]
    wait_for(lambda: not processes_in(clone))


def test_two_processes_never_make_one_unit(clone: Path) -> None:
    """The second waits for the first's lock; when that one ends, it takes over."""
    process = started(clone)
    other = subprocess.Popen(
        [sys.executable, "-m", "pipeline.train", "ring", "slow"], cwd=clone, env=variables(), stderr=subprocess.PIPE
    )
    wait_for(lambda: len(processes_in(clone)) > 8)
    time.sleep(2)
    assert (clone / "begun.txt").read_text().count("slow") == 2
    (clone / "trouble/slow").unlink()
    process.kill()
    process.communicate()
    other.communicate()
    assert other.returncode == 0
    assert (clone / "begun.txt").read_text().count("slow") == 4
    subprocess.run(["rm", "-rf", "artifacts/ring/slow"], cwd=clone, check=True)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--only", "a,slwo"), "--only: unknown model 'slwo'; did you mean 'slow'?"),
        (("--jobs", "0"), "--jobs = '0': a whole number from 1 is wanted"),
        (("--jobs", "many"), "--jobs = 'many': a whole number from 1 is wanted"),
        (("rung",), "unknown benchmark 'rung'; did you mean 'ring'?"),
        (("mnist",), "mnist has no stages yet; run `python -m pipeline.add mnist` first"),
        (("--work", "nowhere.tar.gz"), "nowhere.tar.gz: there is no such file"),
        (("--adopt", "nowhere.tar"), "nowhere.tar: there is no such file"),
        (("--work", "x", "--limit", "-1"), "--limit -1.0: give more than 0 seconds"),
        (("ring", "--limit", "60"), "--limit 60.0: only with --work"),
        (("ring", "--work", "x"), "stands in their file; leave benchmarks and models out"),
        (("--ray", "127.0.0.1:9"), "--ray 127.0.0.1:9: no Ray answers there"),
        (("--ray", "here"), "--ray here: HOST:PORT of a Ray head is wanted, or auto"),
    ],
)
def test_a_bad_argument_is_one_line(clone: Path, arguments: tuple[str, ...], line: str) -> None:
    if "--ray" in arguments:
        pytest.importorskip("ray")
    done = run(clone, *LAUNCH, *arguments)
    assert done.returncode == 1 and line in done.stderr.splitlines()[-1], done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ") and "Traceback" not in done.stderr

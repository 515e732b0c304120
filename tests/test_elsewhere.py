"""Units made elsewhere give the bits of `dvc repro`: beside each other here, on a machine that gets them in a file, and
on a Ray cluster whose nodes share no folder."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from clones import copy, edit_params, leave, run, succeed, variables, wait_for

pytestmark = pytest.mark.timeout(6000)
LAUNCH = (sys.executable, "-m", "pipeline.launch")
MODELS = {"toys": {"vae": {"model": "vae"}, "gmm": {"model": "gmm"}}, "images": {"cgan": {"model": "cgan", "width": 8}}}
STAGES = ("benchmarks/ring/dvc.yaml", "benchmarks/digits/dvc.yaml")
CELLS = ("ring/vae", "ring/gmm", "ring/oracle", "digits/cgan", "digits/oracle")
VOLATILE = ("seconds", "made", "steps_per_second", "sample_ms")  # what may differ between two runs


def small(board: dict) -> None:
    board |= {"suites": {"embedded": ["ring", "digits"]}, "seeds": 2}
    for kind, models in MODELS.items():
        board[kind]["models"] = models
        board[kind]["training"] |= {"steps": 20, "batch": 32, "snapshots": 2, "snapshot_samples": 30}
        board[kind]["evaluation"] |= {"samples": 60, "metrics": ["frechet", "manifold", "likelihood"], "main": []}
    board["images"]["judge"]["epochs"] = 1


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose data and judge are made."""
    place = tmp_path_factory.mktemp("home")
    copy(place)
    leave(place, "ring", "digits")
    edit_params(place, small)
    succeed(place, "dvc", "repro", "-q", "code", "check", *(f"{stages}:prepare" for stages in STAGES))
    return place


def undo(place: Path) -> None:
    """Nothing of the clone's cells is made."""
    for cell in CELLS:
        shutil.rmtree(place / "artifacts" / cell, ignore_errors=True)
        shutil.rmtree(place / "reports/scores" / cell, ignore_errors=True)
    shutil.rmtree(place / ".dvc/cache", ignore_errors=True)  # or DVC would remember what it made
    shutil.rmtree(place / "artifacts/work", ignore_errors=True)


@pytest.fixture
def home(place: Path) -> Path:
    undo(place)
    return place


@pytest.fixture(scope="module")
def reproduced(place: Path) -> dict[str, object]:
    """All that `dvc repro` alone makes here."""
    undo(place)
    succeed(place, "dvc", "repro", "-q", *STAGES)
    return results(place)


@pytest.fixture(scope="module")
def launched(place: Path) -> dict[str, object]:
    """All that `pipeline.launch` makes here."""
    undo(place)
    assert "16 of 16 units made" in succeed(place, *LAUNCH, "--jobs", "2")
    return work(place)


def work(place: Path) -> dict[str, object]:
    """What units have made in the work folders, but for seconds and machines."""
    files = sorted((place / "artifacts/work").glob("*/*/*/**/*.*"))
    passing = re.compile(r"\.(log|lock|checkpoint|snapshots/.*)$")  # of units on their way
    found = {name: content(file) for file in files if not passing.search(name := str(file.relative_to(place)))}
    assert len(found) > 30
    return found


def results(place: Path) -> dict[str, object]:
    """What stages have made of cells, but for seconds and machines."""
    folders = [place / kind / cell for cell in CELLS for kind in ("artifacts", "reports/scores")]
    files = sorted(file for folder in folders for file in folder.rglob("*.*"))
    found = {str(file.relative_to(place)): content(file) for file in files}
    assert len(found) > 30
    return found


def content(file: Path) -> object:
    return plain(json.loads(file.read_text())) if file.suffix == ".json" else file.read_bytes()


def plain(content: object) -> object:
    if isinstance(content, dict):
        return {key: plain(value) for key, value in content.items() if key not in VOLATILE}
    return [plain(value) for value in content] if isinstance(content, list) else content


def adopted_as_reproduced(home: Path, wanted: dict[str, object]) -> None:
    """What lies in the work folders becomes what `dvc repro` alone has made, and no seed is trained again."""
    said = succeed(home, "dvc", "repro", *STAGES)
    assert said.count("2 seeds trained, of which 2 were there") == 3
    assert results(home) == wanted
    assert json.loads(succeed(home, "dvc", "status", "--json", *STAGES)) == {}
    assert "no unit is stale" in succeed(home, *LAUNCH)


def test_launch_gives_the_bits_of_repro(home: Path, launched: dict[str, object], reproduced: dict[str, object]) -> None:
    succeed(home, *LAUNCH)
    assert work(home) == launched
    adopted_as_reproduced(home, reproduced)


@pytest.fixture(scope="module")
def package(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 16 units in a file."""
    undo(place)
    file = tmp_path_factory.mktemp("package") / "pack.tar.gz"
    assert "16 units" in succeed(place, *LAUNCH, "--pack", str(file))
    return file


MISSING = ("dvc", "mlflow", "pydantic", "ruamel", "ray")


def machine_of(package: Path, folder: Path) -> Path:
    """A machine's folder with the code and nothing else, that has neither DVC nor what else `MISSING` names."""
    with tarfile.open(package) as tar:
        tar.extractall(folder, filter="data")
    shutil.rmtree(folder / "artifacts")
    for name in MISSING:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise ModuleNotFoundError('there is no {name}')\n")
    return folder


@pytest.fixture(scope="module")
def made_there(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of all units."""
    machine = machine_of(package, tmp_path_factory.mktemp("machine"))
    assert "there is no dvc" in run(machine, sys.executable, "-c", "import dvc").stderr
    said = succeed(machine, *LAUNCH, "--work", str(package))
    assert "16 of 16 units made" in said and "pack.results.tar" in said
    return package.with_name("pack.results.tar")


def test_a_machine_without_dvc_works_on_a_package(
    home: Path, made_there: Path, launched: dict[str, object], reproduced: dict[str, object]
) -> None:
    assert "16 units taken over" in succeed(home, *LAUNCH, "--adopt", str(made_there))
    assert work(home) == launched
    adopted_as_reproduced(home, reproduced)


def test_at_the_limit_what_is_finished_is_kept_and_another_turn_does_the_rest(
    home: Path, package: Path, launched: dict[str, object], tmp_path: Path
) -> None:
    machine = machine_of(package, tmp_path)
    first = succeed(machine, *LAUNCH, "--work", str(package), "--limit", "0.001", "--results", "first.tar")
    assert " of 16 units made" in first and "16 of 16" not in first
    again = succeed(machine, *LAUNCH, "--work", str(package), "--results", "again.tar")
    assert "16 of 16 units made" in again
    for name in ("first.tar", "again.tar"):
        succeed(home, *LAUNCH, "--adopt", str(machine / name))
    assert work(home) == launched


def test_a_package_of_other_code_or_parameters_is_refused(
    home: Path, package: Path, made_there: Path, tmp_path: Path
) -> None:
    machine = machine_of(package, tmp_path)
    model = machine / "models/vae.py"
    model.write_text(model.read_text() + "\nEDITED = True\n")
    done = run(machine, *LAUNCH, "--work", str(package))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "was made from other code: train/vae is " in done.stderr and " here" in done.stderr

    def wider(board: dict) -> None:
        board["toys"]["models"]["vae"]["width"] = 99

    edit_params(home, wider)
    try:
        done = run(home, *LAUNCH, "--adopt", str(made_there))
    finally:
        edit_params(home, small)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "was made from other code, data or parameters: train ring/vae seed " in done.stderr
    assert not list((home / "artifacts/work").glob("*/*/*/*.json")), "nothing was taken over"


def test_a_damaged_package_is_refused_and_what_is_whole_of_results_is_kept(
    home: Path, package: Path, made_there: Path, tmp_path: Path
) -> None:
    machine = machine_of(package, tmp_path / "machine")
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(package.read_bytes()[: package.stat().st_size // 2])
    for name, content in (("half", broken.read_bytes()), ("text", b"no package"), ("empty", b"")):
        broken.write_bytes(content)
        done = run(machine, *LAUNCH, "--work", str(broken))
        assert done.returncode == 1 and done.stderr.count("\n") == 1, name
        assert f"{broken} is damaged; copy it again" in done.stderr
    results, cut = made_there, tmp_path / "cut.tar"
    cut.write_bytes(results.read_bytes()[: results.stat().st_size // 2])
    said = succeed(home, *LAUNCH, "--adopt", str(cut))
    taken = int(said.split(" units taken over")[0].split()[-1])
    assert 0 < taken < 16 and len(list((home / "artifacts/work").glob("*/*/*/*.json"))) == taken
    content = bytearray(results.read_bytes())
    with tarfile.open(results) as tar:
        member = next(member for member in tar if member.name.endswith(".pt"))
    content[member.offset_data + member.size // 2] ^= 255
    cut.write_bytes(content)
    done = run(home, *LAUNCH, "--adopt", str(cut))
    assert done.returncode == 1 and f"{cut} is damaged" in done.stderr and done.stderr.count("\n") == 1


class Cluster(NamedTuple):
    address: str
    second: subprocess.Popen[bytes]

    def lose(self) -> None:
        """The second node is gone at once, with all that runs on it."""
        os.killpg(self.second.pid, signal.SIGKILL)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Two Ray nodes of one core on this machine, the second with a view of its own of the folder that Ray works in."""
    pytest.importorskip("ray")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("only root may hide a folder from a node")
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # a socket's path must be short
    for name in ("own", "ray", "cwd"):
        (folder / name).mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray = [str(Path(sys.executable).parent / "ray"), "start", "--node-ip-address=127.0.0.1", "--num-cpus=1"]
    ray += ["--disable-usage-stats", "--block"]
    head = [*ray, "--head", f"--port={port}", f"--temp-dir={folder}/ray", "--include-dashboard=false"]
    second = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh"]
    second += [f"{folder}/own", f"{folder}/ray", *ray, f"--address=127.0.0.1:{port}"]
    started = []
    try:
        for command, place in ((head, folder / "ray"), (second, folder / "own")):
            log = (folder / "log").open("a")
            calm = {"cwd": folder / "cwd", "stdout": log, "stderr": log, "env": variables(), "start_new_session": True}
            up = (place / "session_latest/sockets/raylet").exists
            while not up():  # on a busy machine Ray may give up
                started.append(subprocess.Popen(command, **calm))
                wait_for(lambda: up() or started[-1].poll() is not None)  # noqa: B023
        yield Cluster(f"127.0.0.1:{port}", started[-1])
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_cluster_without_a_shared_folder_gives_the_bits_of_repro(
    home: Path, launched: dict[str, object], cluster: Cluster
) -> None:
    assert "16 of 16 units made" in succeed(home, *LAUNCH, "--ray", cluster.address)
    assert work(home) == launched


def test_the_units_of_a_lost_node_are_made_elsewhere(home: Path, cluster: Cluster) -> None:
    command = [*LAUNCH, "ring", "--ray", cluster.address]
    process = subprocess.Popen(command, cwd=home, env=variables(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for(lambda: list((home / "artifacts/work").glob("*/*/*/*.json")))
    cluster.lose()
    said, _ = process.communicate()
    assert process.returncode == 0 and b"10 of 10 units made" in said, said[-3000:]

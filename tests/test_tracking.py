"""MLflow gets everything once, also after an outage, and can neither delay nor fail a training."""

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import types
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline import params
from pipeline.cell import Cell, data_file
from pipeline.digests import forget
from pipeline.tracking import importer as tracking
from pipeline.tracking import ui
from pipeline.tracking.results import current
from pipeline.tracking.store import DATABASE, STORE

ROOT = Path(__file__).parents[1]
ROWS = 100  # of a curve
PATIENCE = 600.0  # seconds for what takes a few on idle cores: against hanging only
PARAMS = """
suites: {embedded: [ring]}
seeds: 2
toys:
  data: {shape: [2], classes: 8}
  training: {steps: 1000, batch: 8, ema: 0.0, precision: fp32, channels_last: false}
  evaluation: {samples: 10, metrics: [modes]}
  models: {gan: {model: gan, latent: 2}}
"""
BENCHMARK = "{kind: toys, dataset: ring, data: {test: 9}, training: {}, evaluation: {}}"
PICTURES = "def preview(samples, out): out.write_bytes(samples.read_bytes())\n"  # drawing is tested elsewhere


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without runs, made once: its migrations take a second."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with tracking.store():
            pass
    return folder / DATABASE


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small project in a place of its own, which is the working folder: one benchmark, one model, no store."""
    files = {
        "params.yaml": PARAMS,
        "benchmarks/ring/benchmark.yaml": BENCHMARK,
        "benchmarks/datasets/ring.py": "",
        "benchmarks/metrics/modes.py": "",
        "models/gan.py": "",
        "pipeline/training/unit.py": "",
        "reports/__init__.py": "",
        "reports/files.py": (ROOT / "reports/files.py").read_text(),
        "reports/pictures.py": PICTURES,
    }
    for name, text in files.items():
        write(tmp_path / name, text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pictures = types.ModuleType("reports.pictures")
    exec(PICTURES, vars(pictures))
    monkeypatch.setitem(sys.modules, "reports.pictures", pictures)
    write(data_file("ring"), "")
    yield tmp_path
    params.load.cache_clear()


@pytest.fixture
def stored(project: Path, empty_store: Path) -> Path:
    """The same, with an empty store."""
    (project / STORE).mkdir(parents=True)
    shutil.copy(empty_store, project / DATABASE)
    return project


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def curve(rows: int = ROWS) -> str:
    """A critic that moves in every window and a generator that rests in the first."""
    lines = [f"{10 * row},{1 / row:.6g},{'' if row == 1 else row}" for row in range(1, rows + 1)]
    return "\n".join(["step,critic,generator", *lines]) + "\n"


def gan() -> Cell:
    forget()
    params.load.cache_clear()
    return Cell("ring", "gan")


def train(cell: Cell, rows: int) -> None:
    """What a cell in training has on disk."""
    for seed in (0, 1):
        write(cell.work / f"{seed}.csv", curve(rows))


def finish(cell: Cell, diverged: int | None = None) -> None:
    """What a cell leaves that is trained and evaluated; seed ``diverged`` came to grief at step 40."""
    seeds, scores = [], []
    for seed in (0, 1):
        bad = seed == diverged
        row = {"seed": seed, "status": "diverged" if bad else "finished", "step": 40 if bad else 1000}
        row["player"] = "critic" if bad else ""
        made = {"torch": "2.9", "device": "a processor", "commit": "abc", "dirty": True}
        write(cell.curves / f"{seed}.csv", curve(3) + "40,nan,1\n" if bad else curve())
        seeds.append({**row, "seconds": 20.0, "made": made})
        scored = {"seed": seed, "status": "finished", "fjd": 1.5 + seed, "nll": None, "estimator": "exact"}
        scores.append(row if bad else scored)
        if not bad:
            write(cell.samples / f"{seed}.npz", f"samples of seed {seed}")
    record = {"seconds": 20.0, "seeds": seeds, "cell": [{"fingerprint": cell.fingerprint}]}
    write(cell.training, json.dumps(record))
    write(cell.scores, json.dumps({"mean": {}, "sd": {}, "seeds": scores}))
    shutil.rmtree(cell.work, ignore_errors=True)


def import_current(cell: Cell) -> None:
    with tracking.store() as client:
        tracking.import_cell(client, cell, current(cell, began=time.time() - 9))


def content(uri: str | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    """Everything in the store, by model and seed and whether it is stale."""
    from mlflow import MlflowClient

    client = MlflowClient(uri or tracking.address())
    found = {}
    for run in client.search_runs([client.get_experiment_by_name("ring").experiment_id]):
        points = {
            name: [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }
        files = [file.path for file in client.list_artifacts(run.info.run_id)]
        own = {key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")}
        if own["level"] != "seed":
            continue
        key = (f"{own['model']} {own['seed']}", own["stale"])
        assert key not in found, "a run twice"
        found[key] = {"run": run, "tags": own, "points": points, "files": files, "params": run.data.params}
    return found


def plain(found: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """``content`` as values that compare."""
    return {key: {**run, "run": run["run"].info.run_id} for key, run in found.items()}


def python(
    *arguments: str, grace: float = tracking.GRACE, by: str = sys.executable, **options: Any
) -> subprocess.Popen:
    code = f"from pipeline.tracking import importer; importer.GRACE = {grace}; importer.main()"
    command = [by, "-c", code, *arguments]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, text=True, **streams, **options)


def wait_until(happened: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_curve_may_have_any_name(stored: Path) -> None:
    finish(gan())
    write(gan().curves / "0.csv", curve().replace("critic", "critic's moves"))
    tracking.import_finished("ring", [])
    assert len(content()["gan 0", "false"]["points"]["loss/critics moves"]) == ROWS


def test_a_finished_cell_is_imported_once_and_whole(stored: Path) -> None:
    finish(gan())
    tracking.import_finished("ring", [])
    first = content()
    assert sorted(first) == [("gan 0", "false"), ("gan 1", "false")]
    run = first["gan 1", "false"]
    assert run["run"].info.status == "FINISHED" and run["run"].info.run_name == "gan seed 1"
    assert run["run"].info.end_time - run["run"].info.start_time == 20_000
    assert run["tags"]["kind"] == "toys" and run["tags"]["fingerprint"] == gan().fingerprint
    assert run["params"]["model.latent"] == "2" and run["params"]["training.steps"] == "1000"
    assert run["points"]["loss/critic"] == [(10 * row, float(f"{1 / row:.6g}")) for row in range(1, ROWS + 1)]
    assert len(run["points"]["loss/generator"]) == ROWS - 1
    assert run["points"]["fjd"] == [(1000, 2.5)] and run["points"]["steps_per_second"] == [(1000, 50.0)]
    assert "nll" not in run["points"] and "estimator" not in run["points"]
    assert run["files"] == ["samples.png"]
    tracking.import_finished("ring", ["gan"])
    assert plain(content()) == plain(first)


def test_scores_that_changed_are_renewed(stored: Path) -> None:
    finish(gan())
    tracking.import_finished("ring", [])
    gan().scores.write_text(gan().scores.read_text().replace('"fjd": 1.5', '"fjd": 1.25'))
    tracking.import_finished("ring", [])
    assert content()["gan 0", "false"]["run"].data.metrics["fjd"] == 1.25


def test_a_cell_is_followed_while_it_trains_and_then_completed(stored: Path) -> None:
    train(gan(), rows=4)
    import_current(gan())
    first = content()["gan 0", "false"]
    assert first["run"].info.status == "RUNNING" and len(first["points"]["loss/critic"]) == 4
    train(gan(), rows=9)
    import_current(gan())
    assert len(content()["gan 0", "false"]["points"]["loss/critic"]) == 9
    finish(gan())
    tracking.import_finished("ring", [])
    last = content()["gan 0", "false"]
    assert last["run"].info.run_id == first["run"].info.run_id and last["run"].info.status == "FINISHED"
    assert [step for step, _ in last["points"]["loss/critic"]] == [10 * row for row in range(1, ROWS + 1)]


def test_another_version_of_a_cell_is_another_run(stored: Path) -> None:
    finish(gan())
    tracking.import_finished("ring", [])
    old = gan().fingerprint
    write(Path("models/gan.py"), "changed = True\n")
    train(gan(), rows=2)
    import_current(gan())
    assert {key: run["tags"]["fingerprint"] == old for key, run in content().items()} == {
        ("gan 0", "true"): True, ("gan 1", "true"): True, ("gan 0", "false"): False, ("gan 1", "false"): False,
    }  # fmt: skip
    write(Path("models/gan.py"), "")  # and back: the first version counts again, the second was never finished
    finish(gan())
    tracking.import_finished("ring", [])
    assert content()["gan 0", "false"]["tags"]["fingerprint"] == old
    assert content()["gan 0", "true"]["run"].info.status == "KILLED"


def test_a_cell_in_training_does_not_take_an_older_results_place(stored: Path) -> None:
    finish(gan())
    write(Path("models/gan.py"), "changed = True\n")
    assert current(gan(), began=0.0) == []


def test_divergence_is_a_failed_run(stored: Path) -> None:
    finish(gan(), diverged=1)
    tracking.import_finished("ring", [])
    run = content()["gan 1", "false"]
    assert run["run"].info.status == "FAILED" and run["files"] == []
    assert (run["tags"]["diverged_step"], run["tags"]["diverged_player"]) == ("40", "critic")
    assert [step for step, _ in run["points"]["loss/critic"]] == [10, 20, 30]
    assert content()["gan 0", "false"]["run"].info.status == "FINISHED"


def test_the_oracle_has_runs_too(stored: Path) -> None:
    write(Cell("ring", "oracle").scores, json.dumps({"seeds": [{"seed": 0, "status": "finished", "fjd": 0.1}]}))
    for _ in range(2):
        tracking.import_finished("ring", [])
    run = content()["oracle 0", "false"]
    assert run["points"] == {"fjd": [(0, 0.1)]} and run["params"] == {"data.test": "9", "seed": "0"}


def test_unknown_names_are_told(project: Path) -> None:
    with pytest.raises(ValueError, match="unknown model 'gun'; did you mean 'gan'"):
        tracking.import_finished("ring", ["gun"])


def test_a_moved_project_keeps_its_pictures_and_writes_where_it_is(
    stored: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(gan())
    tracking.import_finished("ring", [])
    there = tmp_path_factory.mktemp("moved") / "elsewhere"
    shutil.copytree(stored, there)
    shutil.rmtree(stored / STORE)
    monkeypatch.chdir(there)
    write(Path("models/gan.py"), "changed = True\n")
    finish(gan())
    for _ in range(2):
        tracking.import_finished("ring", [])
    found = content()
    assert sorted(found) == [("gan 0", "false"), ("gan 0", "true"), ("gan 1", "false"), ("gan 1", "true")]
    assert [run["files"] for run in found.values()] == [["samples.png"]] * 4
    assert all(run["run"].info.artifact_uri.startswith(there.as_uri()) for run in found.values())
    assert not (stored / STORE).exists()


@pytest.mark.parametrize("name", ["a%20b", "what?", "a #1 100%"])
def test_a_project_may_lie_anywhere(project: Path, name: str) -> None:
    """With its environment in it; in a process of its own: MLflow keeps stores by their addresses, relative here."""
    place = project / name
    shutil.copytree(project, place, ignore=shutil.ignore_patterns(name))
    (place / ".venv").symlink_to(sys.prefix)
    with contextlib.chdir(place):
        finish(gan())
    before = {path for path in project.rglob("*") if place not in (path, *path.parents)}
    importer = python("ring", cwd=place, by=f"{place}/.venv/bin/python")
    said, errors = importer.communicate(timeout=PATIENCE)
    assert importer.returncode == 0 and "2 runs of 1 models in MLflow, 2 of them new" in said, errors
    assert {path for path in project.rglob("*") if place not in (path, *path.parents)} == before
    assert len(list((place / STORE).rglob("samples.png"))) == 2


def test_pages_find_mlflow_by_a_path_without_percent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ui.plain_packages() as usual:
        assert usual == {} or "%" in sys.prefix
    (place := tmp_path / "a%20b").mkdir()
    monkeypatch.setattr(ui.sysconfig, "get_path", lambda name: str(place))
    monkeypatch.setenv("PYTHONPATH", "more")
    with ui.plain_packages() as found:
        link, more = found["PYTHONPATH"].split(os.pathsep)
        assert "%" not in link and Path(link).resolve() == place.resolve() and more == "more"
    assert not Path(link).exists() and place.exists()


def test_pages_go_when_what_started_them_is_killed(stored: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    pages = python("--ui", "--port", str(port))
    pages.stdout.readline()
    assert pages.stdout.readline().startswith("MLflow: ")
    family = psutil.Process(pages.pid).children(recursive=True)
    pages.kill()
    pages.communicate()
    wait_until(lambda: not any(process.is_running() for process in family))
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_many_importers_at_once_make_one_store(project: Path) -> None:
    import mlflow  # noqa: F401  (once, and not in each of them)

    finish(gan())
    fork = multiprocessing.get_context("fork")
    importers = [fork.Process(target=tracking.import_finished, args=("ring", [])) for _ in range(8)]
    for importer in importers:
        importer.start()
    for importer in importers:
        importer.join(PATIENCE)
    assert [importer.exitcode for importer in importers] == [0] * 8
    assert sorted(content()) == [("gan 0", "false"), ("gan 1", "false")]


def test_a_short_cell_starts_no_mlflow(project: Path) -> None:
    train(gan(), rows=2)
    follower = python("ring", "gan", "--follow")
    assert follower.communicate(timeout=PATIENCE) == ("", "") and follower.returncode == 0
    assert not STORE.exists()


def test_a_follower_brings_curves_and_leaves_with_its_parent(stored: Path) -> None:
    train(gan(), rows=5)
    with python("ring", "gan", "--follow", "--every", "0.2", grace=PATIENCE) as follower:
        wait_until(lambda: "loss/critic" in tracking_metrics())
        finish(gan())
        assert follower.communicate(timeout=PATIENCE) == ("", "") and follower.returncode == 0
    assert content()["gan 0", "false"]["run"].info.status == "FINISHED"


def tracking_metrics() -> dict[str, float]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking.address())
    experiment = client.get_experiment_by_name("ring")
    runs = client.search_runs([experiment.experiment_id]) if experiment else []
    return {name: value for run in runs for name, value in run.data.metrics.items()}


@contextlib.contextmanager
def dead_server(listens: bool) -> Iterator[str]:
    """An address where nobody is, or where somebody takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not listens:
            server.close()
        yield f"http://me:secret@127.0.0.1:{port}"


@pytest.mark.parametrize("listens", [False, True])
def test_a_dead_server_costs_one_line_and_nothing_is_lost(stored: Path, listens: bool) -> None:
    train(gan(), rows=5)
    with dead_server(listens) as uri:
        environment = os.environ | {"MLFLOW_TRACKING_URI": uri, "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"}
        with python("ring", "gan", "--follow", "--every", "0.1", env=environment) as follower:
            line = follower.stderr.readline()
            time.sleep(0.5)  # more turns
            started = time.monotonic()
            assert follower.communicate(timeout=PATIENCE) == ("", "") and follower.returncode == 0
            assert time.monotonic() - started < tracking.GRACE + 60  # not the minutes of MLflow's own tries
        assert "MLflow at http://127.0.0.1" in line and "training goes on" in line and "secret" not in line
    finish(gan())
    tracking.import_finished("ring", [])
    assert len(content()["gan 0", "false"]["points"]["loss/critic"]) == ROWS


def test_an_import_into_a_dead_server_says_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(gan())
    with dead_server(listens=False) as uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        with pytest.raises(OSError, match=r"^MLflow at http://127[^\n]*$"):
            tracking.import_finished("ring", [])


def test_pages_need_a_store(project: Path) -> None:
    pages = python("--ui")
    assert pages.communicate(timeout=PATIENCE)[1].endswith("run `make reproduce` first\n") and pages.returncode == 1


def test_pages_need_a_free_port(stored: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        pages = python("--ui", "--port", str(port))
        _, err = pages.communicate(timeout=PATIENCE)
    assert pages.returncode == 1 and err.startswith(f"error: port {port} cannot be used") and "make ui PORT=" in err
    assert err.count("\n") == 1


def test_pages_of_a_server_are_its_own(project: Path) -> None:
    pages = python("--ui", env=os.environ | {"MLFLOW_TRACKING_URI": "http://tracking.example"})
    assert pages.communicate(timeout=PATIENCE)[0].endswith("open http://tracking.example\n") and pages.returncode == 0


def test_pages_come_up_serve_an_importer_and_go_with_all_children(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(gan())
    tracking.import_finished("ring", [])
    direct = content()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with python("--ui", "--port", str(port)) as pages:
        pages.stdout.readline()
        uri = f"http://127.0.0.1:{port}"
        assert pages.stdout.readline().startswith(f"MLflow: {uri}/#")
        family = psutil.Process(pages.pid).children(recursive=True)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", str(round(PATIENCE)))
        tracking.import_finished("ring", [])
        assert plain(content()) == plain(direct)
        write(Path("models/gan.py"), "changed = True\n")
        finish(gan())
        for _ in range(2):
            tracking.import_finished("ring", [])
        assert [run["files"] for run in content().values()] == [["samples.png"]] * 4
        run_id = direct["gan 1", "false"]["run"].info.run_id
        with urllib.request.urlopen(f"{uri}/get-artifact?path=samples.png&run_uuid={run_id}") as picture:
            assert picture.read() == b"samples of seed 1"
        pages.send_signal(signal.SIGINT)
        assert pages.communicate(timeout=PATIENCE)[1] == "" and pages.returncode == 0
    assert family and not any(process.is_running() for process in family)


def test_a_cell_has_a_run_over_those_of_its_seeds(stored: Path) -> None:
    from mlflow import MlflowClient

    finish(gan(), diverged=1)
    write(Path("models/gan.py"), '"""Somebody, "A paper", 2014.\n\nMore."""\n')
    write(Path("reports/rendered/benchmarks/ring/points.png"), "a picture")
    write(Path("reports/scores/ring/oracle/scores.json"), json.dumps({"seeds": []}))
    for _ in range(2):
        tracking.import_all()
    client = MlflowClient(tracking.address())
    experiment = client.get_experiment_by_name("ring")
    runs = client.search_runs([experiment.experiment_id])
    levels = [run.data.tags["level"] for run in runs]
    assert sorted(levels) == ["cell", "report", "seed", "seed"]
    over, page = runs[levels.index("cell")], runs[levels.index("report")]
    assert over.data.metrics["fjd"] == 1.5 and "fjd_sd" not in over.data.metrics  # one seed has diverged
    assert over.data.tags["diverged"] == "1" and over.data.tags["mlflow.note.content"] == 'Somebody, "A paper", 2014.'
    assert [each.dataset.name for each in over.inputs.dataset_inputs] == ["ring"]
    assert client.get_logged_model(over.data.tags["model_id"]).name == "gan"
    assert [file.path for file in client.list_artifacts(page.info.run_id)] == ["points.png"]
    seeds = [run for run in runs if run.data.tags["level"] == "seed"]
    assert {run.data.tags["mlflow.parentRunId"] for run in seeds} == {over.info.run_id}
    assert {run.data.params["seed"] for run in seeds} == {"0", "1"}
    assert seeds[0].data.params["model.latent"] == "2" and seeds[0].data.params["model.lr"]  # a default
    assert {run.data.tags["mlflow.source.git.dirty"] for run in seeds} == {"true"}

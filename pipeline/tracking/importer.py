"""Files to MLflow, one way and as often as you like: no stage reads from it, and a new store fills from the files.

``python -m pipeline.tracking BENCHMARK [MODEL ...]`` imports what is finished and not there yet;
``... [BENCHMARK MODEL] --follow`` imports curves of running cells until its standard input ends, and never fails;
``... --ui`` shows it all in a browser.

An experiment is a benchmark; a run is one seed of one model, told from its earlier versions by the cell's fingerprint.
MLFLOW_TRACKING_URI in the environment names another store than the project's own.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import re
import signal
import sqlite3
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pipeline import params
from pipeline.cell import ORACLE, Cell
from pipeline.stage import run_stage
from pipeline.tracking import ui
from pipeline.tracking.results import Result, current, finished, in_training, settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

STORE = Path("artifacts/mlflow")
DATABASE = STORE / "mlflow.db"
BATCH = 1000  # metrics that MLflow takes in one call
GRACE = 3.0  # seconds that a follower may live on when training has ended
ENVIRONMENT = {  # unless the environment says otherwise
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    # MLflow's own seven tries of two minutes each would hold everything up, and may make a run twice.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
}


def main() -> None:
    arguments = parse()
    if arguments.follow:
        only = Cell(arguments.benchmark, arguments.models[0]) if arguments.benchmark else None
        follow(only, arguments.every)
    elif arguments.ui:
        run_stage(lambda: show(arguments.port))
    else:
        run_stage(lambda: import_finished(arguments.benchmark, arguments.models))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Bring results into MLflow, or show them.")
    parser.add_argument("benchmark", nargs="?")
    parser.add_argument("models", nargs="*", metavar="model")
    follows = "import the curves of a running cell, or of all that run, until stdin ends"
    parser.add_argument("--follow", action="store_true", help=follows)
    parser.add_argument("--every", type=float, default=30.0, metavar="SECONDS", help="how often, with --follow")
    parser.add_argument("--ui", action="store_true", help="show the store in a browser, on this machine only")
    parser.add_argument("--port", type=int, default=5000, help="where, with --ui")
    arguments = parser.parse_args()
    if not arguments.ui and not arguments.follow and not arguments.benchmark:
        parser.error("name a benchmark, or --ui")
    if arguments.follow and arguments.benchmark and len(arguments.models) != 1:
        parser.error("--follow wants one benchmark and one model, or neither")
    if not arguments.every > 0:
        parser.error(f"--every {arguments.every}: give more than 0 seconds")
    if not 0 < arguments.port < 65536:
        parser.error(f"--port {arguments.port}: give 1 to 65535")
    return arguments


def import_finished(benchmark: str, models: list[str]) -> None:
    """Import the named cells of ``benchmark``, or all that are finished."""
    found = params.load().benchmark(benchmark)
    for model in models:
        params.known(model, [*found.models, ORACLE], f"{found.kind}.models", "model")
    cells = [Cell(benchmark, model) for model in models or [*found.models, ORACLE]]
    if not models:
        cells = [cell for cell in cells if (cell.scores if cell.model == ORACLE else cell.training).exists()]
    runs = created = 0
    for cell in cells:
        results = finished(cell)
        with store() as client:
            created += import_cell(client, cell, results)
        runs += len(results)
    print(f"{benchmark}: {runs} runs of {len(cells)} models in MLflow, {created} of them new", flush=True)


def follow(only: Cell | None, every: float) -> NoReturn:
    """Import the curves of a cell, or of all in training, every so many seconds until standard input ends; then leave
    soon, and with 0.

    MLflow is loaded at the first turn only, so that a short cell costs next to nothing.
    """
    began, ended = time.time(), threading.Event()

    def watch() -> None:
        sys.stdin.buffer.read()
        ended.set()
        time.sleep(GRACE)
        os._exit(0)

    os.nice(10)  # behind training, but 19 would wait minutes for a core to load MLflow
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    threading.Thread(target=watch, daemon=True).start()
    alive = warned = False
    while not ended.wait(every) or alive:
        alive = not ended.is_set()  # a last turn when training has ended, if the store answered in the one before
        try:
            with store() as client:
                for cell in [only] if only else in_training():
                    import_cell(client, cell, current(cell, began))
        except Exception as error:  # whatever it is, training goes on
            if not warned:
                note = f"tracking: {error}; training goes on, and the report imports what is missing"
                print(note, file=sys.stderr, flush=True)
            alive, warned = False, True
    os._exit(0)


def show(port: int) -> None:
    """MLflow's pages over the store. Raises OSError if there is none yet."""
    if remote(address()):
        print(f"the runs are on a server of their own (MLFLOW_TRACKING_URI): open {address()}")
    elif address() == own() and not DATABASE.exists():
        raise OSError(f"{DATABASE} is missing: nothing has run yet; run `make reproduce` first")
    else:
        ui.serve(port, address(), ENVIRONMENT)


def address() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or own()


def own() -> str:
    """The address of the project's own store."""
    return sqlite(DATABASE)


def sqlite(path: Path) -> str:
    """Relative where the whole path has characters that mean something in an address; else not, since MLflow keeps
    stores that it has opened by their addresses."""
    whole = str(path.resolve())
    return f"sqlite:///{path if set('%?#') & set(whole) else whole}"


def remote(uri: str) -> bool:
    return uri.startswith(("http:", "https:", "databricks"))


@contextmanager
def store() -> Iterator["MlflowClient"]:
    """MLflow's client, for one process of this project at a time: two importers would make the same run twice.

    Raises OSError, one line, for whatever goes wrong between it and the store.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import alembic.config
    import mlflow.store.db.utils
    from sqlalchemy.exc import SQLAlchemyError

    if (
        "%" in mlflow.__path__[0]
    ):  # where its migrations lie, which would be taken for the beginning of an option's name
        setattr(alembic.config, "ConfigParser", partial(ConfigParser, interpolation=None))  # noqa: B010
    mlflow.store.db.utils.MAX_RETRY_COUNT = 1  # its 15 tries take two hours to say that a database is not there
    uri = address()
    STORE.mkdir(parents=True, exist_ok=True)
    with (STORE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if uri == own() and not DATABASE.exists():
                create()
            yield mlflow.MlflowClient(uri)
        except (mlflow.MlflowException, SQLAlchemyError) as error:
            reason = re.sub(r"//[^/@\s]+@", "//", f"MLflow at {uri}: {error}")  # no passwords
            raise OSError(textwrap.shorten(reason, 300)) from None


def create() -> None:
    """Make the project's own store, whole or not at all: MLflow's migrations survive neither a kill nor company."""
    from mlflow import MlflowClient

    fresh = DATABASE.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    MlflowClient(sqlite(fresh)).search_experiments(max_results=1)
    os.replace(fresh, DATABASE)


def import_cell(client: "MlflowClient", cell: Cell, results: list[Result]) -> int:
    """Bring ``results``, seeds of ``cell``, into the store and retire older versions. Returns how many runs are new."""
    if not results:
        return 0
    experiment = experiment_id(client, cell.benchmark)
    runs = client.search_runs([experiment], f"tags.model = '{cell.model}'", max_results=10_000)
    known = {(run.data.tags.get("fingerprint"), run.data.tags.get("seed")): run for run in runs}
    created = 0
    for result in results:
        run = known.get((result.fingerprint, str(result.seed)))
        if run is None:
            run = new_run(client, experiment, cell, result)
            created += 1
        fill(client, cell, run, result)
    ours = {(result.fingerprint, str(result.seed)) for result in results}
    for key, run in known.items():
        own_run = address() == own() or run.data.tags.get("checkout") == checkout()  # a server may be shared
        if key not in ours and own_run:
            retire(client, run)
    return created


def experiment_id(client: "MlflowClient", benchmark: str) -> str:
    found = client.get_experiment_by_name(benchmark)
    place = None if remote(address()) else (STORE / "artifacts" / benchmark).resolve().as_uri()
    if found is None:
        return client.create_experiment(benchmark, artifact_location=place)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    if address() == own() and place != found.artifact_location:
        moved(found.experiment_id, found.artifact_location, str(place))
    return found.experiment_id


def moved(experiment: str, before: str, now: str) -> None:
    """The project lies elsewhere: so do the pictures of its runs, which MLflow keeps by their whole paths."""
    with closing(sqlite3.connect(DATABASE)) as database, database:
        database.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (now, experiment))
        database.execute(
            "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) WHERE experiment_id = ? "
            "AND substr(artifact_uri, 1, ?) = ?",
            (now, len(before) + 1, experiment, len(before) + 1, f"{before}/"),
        )


def checkout() -> str:
    """A name for this folder on this machine: only runs from here are ours to call stale."""
    return hashlib.sha256(f"{platform.node()}:{Path.cwd()}".encode()).hexdigest()[:12]


def new_run(client: "MlflowClient", experiment: str, cell: Cell, result: Result) -> "Run":
    oracle = cell.model == ORACLE
    tags = {
        "benchmark": cell.benchmark,
        "model": cell.model,
        "seed": str(result.seed),
        "fingerprint": result.fingerprint,
        "kind": params.load().benchmark(cell.benchmark).kind,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": f"benchmarks/{cell.benchmark}" if oracle else f"models/{cell.architecture}.py",
        "mlflow.source.git.commit": result.commit or "",
        "checkout": checkout(),
    }
    start = int(1000 * (result.ended - result.seconds))
    return client.create_run(experiment, start_time=start, tags=tags, run_name=f"{cell.model} seed {result.seed}")


def fill(client: "MlflowClient", cell: Cell, run: "Run", result: Result) -> None:
    """Add to ``run`` what it lacks of ``result``; the status after the curves, so that an ended run has them all."""
    from mlflow.entities import Metric, Param, RunTag

    ended = max(int(1000 * result.ended), run.info.start_time)
    wanted = {"stale": "false", **result.tags}
    tags = [RunTag(key, value) for key, value in wanted.items() if run.data.tags.get(key) != value]
    parameters = [] if run.data.params else [Param(key, value) for key, value in settings(cell).items()]
    if tags or parameters:
        client.log_batch(run.info.run_id, tags=tags, params=parameters)

    now, scores = int(1000 * time.time()), result.metrics.items()  # of two values at a step, the later one counts
    points = [Metric(key, value, now, result.step) for key, value in scores if run.data.metrics.get(key) != value]
    if result.status == "RUNNING" or result.status != run.info.status:
        points += new_points(client, run, result, ended)
    for name, values in result.progress.items():
        if run.data.metrics.get(f"progress/{name}") != values[-1][1]:
            points += [Metric(f"progress/{name}", value, ended, step) for step, value in values]
    for first in range(0, len(points), BATCH):
        client.log_batch(run.info.run_id, metrics=points[first : first + BATCH])

    if result.status != run.info.status:
        if result.status == "RUNNING":
            client.update_run(run.info.run_id, status="RUNNING")
        else:
            client.set_terminated(run.info.run_id, result.status, end_time=ended)
    if result.samples is not None and result.samples.exists():
        add_picture(client, run, result.samples)


def new_points(client: "MlflowClient", run: "Run", result: Result, ended: int) -> list["Metric"]:
    """The points of the curves that the store lacks, spread evenly over the time since the last one there."""
    from mlflow.entities import Metric

    found = []
    for player, points in result.curves.items():
        name = "loss/" + re.sub(r"[^\w.\- :/]", "", player)  # MLflow refuses other characters
        history = client.get_metric_history(run.info.run_id, name) if name in run.data.metrics else []
        since, first = max(((point.timestamp, point.step) for point in history), default=(run.info.start_time, 0))
        last, duration = points[-1][0], max(ended - since, 0)
        for step, value in points:
            if step > first:
                found.append(Metric(name, value, since + duration * (step - first) // (last - first), step))
    return found


def add_picture(client: "MlflowClient", run: "Run", samples: Path) -> None:
    """Draw ``samples`` and keep the picture with the run, unless it is there already."""
    from reports.pictures import preview

    digest = hashlib.sha256(samples.read_bytes()).hexdigest()[:16]
    if run.data.tags.get("samples") == digest:
        return
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "samples.png"
        preview(samples, picture)
        client.log_artifact(run.info.run_id, str(picture))
    client.set_tag(run.info.run_id, "samples", digest)


def retire(client: "MlflowClient", run: "Run") -> None:
    """Mark a run whose code or parameters are no longer the cell's."""
    if run.data.tags.get("stale") != "true":
        client.set_tag(run.info.run_id, "stale", "true")
    if run.info.status == "RUNNING":
        client.set_terminated(run.info.run_id, "KILLED")

"""Runs in MLflow: one for a cell, with mean and spread over its seeds, and under it one for each seed."""

import ast
import hashlib
import json
import re
import tempfile
import time
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING

from pipeline import params
from pipeline.cell import ORACLE, Cell, scores_dir
from pipeline.files import content_digest
from pipeline.tracking.results import Result, settings
from pipeline.tracking.store import address, checkout, experiment_id, own

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

BATCH = 1000  # metrics that MLflow takes in one call
CELL, SEED, REPORT = "cell", "seed", "report"  # what a run is, its tag `level`


def import_cell(client: "MlflowClient", cell: Cell, results: list[Result]) -> int:
    """Bring ``results``, seeds of ``cell``, into the store and retire older versions. Returns how many runs are new."""
    if not results:
        return 0
    experiment = experiment_id(client, cell.benchmark)
    runs = client.search_runs([experiment], f"tags.model = '{cell.model}'", max_results=10_000)
    known = {(run.data.tags.get("fingerprint"), run.data.tags.get("seed")): run for run in runs}
    version = results[0].fingerprint
    over = known.get((version, None)) or new_run(client, experiment, cell, results[0], None)
    created = 0
    for result in results:
        run = known.get((result.fingerprint, str(result.seed)))
        if run is None:
            run = new_run(client, experiment, cell, result, over.info.run_id)
            created += 1
        fill(client, cell, run, result, over.info.run_id)
    sum_up(client, cell, over, results)
    ours = {(version, None), *((result.fingerprint, str(result.seed)) for result in results)}
    for key, run in known.items():
        own_run = address() == own() or run.data.tags.get("checkout") == checkout()  # a server may be shared
        if key not in ours and own_run:
            retire(client, run)
    return created


def new_run(client: "MlflowClient", experiment: str, cell: Cell, result: Result, over: str | None) -> "Run":
    """The run of a seed, under that of its cell; without ``over`` that of the cell itself."""
    tags = {
        "level": SEED if over else CELL,
        "benchmark": cell.benchmark,
        "model": cell.model,
        "fingerprint": result.fingerprint,
        "kind": params.load().benchmark(cell.benchmark).kind,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": f"models/{cell.architecture}.py" if cell.trains else f"benchmarks/{cell.benchmark}",
        "mlflow.source.git.commit": result.commit or "",
        "mlflow.note.content": described(cell),
        "checkout": checkout(),
    } | ({"seed": str(result.seed)} if over else {})
    start = int(1000 * (result.ended - result.seconds))
    name = f"{cell.model} seed {result.seed}" if over else cell.model
    run = client.create_run(experiment, start_time=start, tags=tags, run_name=name)
    add_data(client, cell, run)
    return run


def described(cell: Cell) -> str:
    """What the run is of, in a sentence or two: for a model the citation that its file begins with."""
    if cell.model == ORACLE:
        return "Fresh real samples in a generator's place: what a perfect model would score."
    if not cell.trains:
        return "Samples that were made elsewhere."
    source = Path(f"models/{cell.architecture}.py")
    said = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) if source.exists() else None
    return (said or "").split("\n\n")[0]


def add_data(client: "MlflowClient", cell: Cell, run: "Run") -> None:
    """Name the data set with the run: its digest is of the settings that it is made with."""
    from mlflow.entities import Dataset, DatasetInput

    board = params.load().benchmark(cell.benchmark)
    digest = hashlib.sha256(json.dumps(board.data, sort_keys=True).encode()).hexdigest()[:8]
    source = f"benchmarks/datasets/{board.dataset}.py"
    client.log_inputs(run.info.run_id, [DatasetInput(Dataset(board.dataset, digest, "code", source))])


def sum_up(client: "MlflowClient", cell: Cell, run: "Run", results: list[Result]) -> None:
    """Give the run of a cell the mean and the spread of its seeds, and the model that they are of."""
    from mlflow.entities import Metric

    ends = [result.status for result in results]
    tags = {"stale": "false", "seeds": str(len(ends)), "diverged": str(ends.count("FAILED"))}
    now, step = int(1000 * time.time()), max(result.step for result in results)
    values = {name: value for name, value in spread(results).items() if run.data.metrics.get(name) != value}
    add(client, run, tags, settings(cell), [Metric(name, value, now, step) for name, value in values.items()])
    status = next((end for end in ("RUNNING", "FINISHED") if end in ends), "FAILED")
    ended = int(1000 * max(result.ended for result in results))
    if settle(client, run, status, ended) and status != "RUNNING" and cell.trains:
        add_model(client, cell, run)


def add(
    client: "MlflowClient", run: "Run", tags: dict[str, str], known: dict[str, str], points: list["Metric"]
) -> None:
    """Add to ``run`` what it lacks of these tags, the parameters ``known`` if it has none, and points of curves."""
    from mlflow.entities import Param, RunTag

    new = [RunTag(key, value) for key, value in tags.items() if run.data.tags.get(key) != value]
    parameters = [] if run.data.params else [Param(key, value) for key, value in known.items()]
    if new or parameters:
        client.log_batch(run.info.run_id, tags=new, params=parameters)
    for first in range(0, len(points), BATCH):
        client.log_batch(run.info.run_id, metrics=points[first : first + BATCH])


def settle(client: "MlflowClient", run: "Run", status: str, ended: int) -> bool:
    """Give ``run`` this status; whether it had another."""
    if status == run.info.status:
        return False
    if status == "RUNNING":
        client.update_run(run.info.run_id, status=status)
    else:
        client.set_terminated(run.info.run_id, status, end_time=max(ended, run.info.start_time))
    return True


def spread(results: list[Result]) -> dict[str, float]:
    """Mean and standard deviation of each metric, over the seeds that have it."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(name for result in results for name in result.metrics):
        values = [result.metrics[name] for result in results if name in result.metrics]
        found |= {name: mean(values)} | ({f"{name}_sd": stdev(values)} if len(values) > 1 else {})
    return found


def add_model(client: "MlflowClient", cell: Cell, run: "Run") -> None:
    """Enter the trained model, and where its weights lie, once for each version of a cell."""
    if "model_id" in run.data.tags:
        return
    model = client.create_logged_model(
        run.info.experiment_id,
        name=cell.model,
        source_run_id=run.info.run_id,
        tags={"weights": str(cell.weights), "architecture": f"models/{cell.architecture}.py"},
        params=settings(cell),
        model_type=cell.architecture,
    )
    client.finalize_logged_model(model.model_id, "READY")
    client.set_tag(run.info.run_id, "model_id", model.model_id)


def fill(client: "MlflowClient", cell: Cell, run: "Run", result: Result, over: str) -> None:
    """Add to ``run`` what it lacks of ``result``; the status after the curves, so that an ended run has them all."""
    from mlflow.entities import Metric

    ended = max(int(1000 * result.ended), run.info.start_time)
    wanted = {"stale": "false", "mlflow.parentRunId": over, **result.tags}
    if "dirty" in wanted:  # code or parameters differed from the commit
        wanted["mlflow.source.git.dirty"] = wanted["dirty"].lower()
    now, scores = int(1000 * time.time()), result.metrics.items()  # of two values at a step, the later one counts
    points = [Metric(key, value, now, result.step) for key, value in scores if run.data.metrics.get(key) != value]
    if result.status == "RUNNING" or result.status != run.info.status:
        points += new_points(client, run, result, ended)
    for name, values in result.progress.items():
        if run.data.metrics.get(f"progress/{name}") != values[-1][1]:
            points += [Metric(f"progress/{name}", value, ended, step) for step, value in values]
    add(client, run, wanted, {"seed": str(result.seed)} | settings(cell), points)
    settle(client, run, result.status, ended)
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


def add_report(client: "MlflowClient", benchmark: str, folder: Path) -> None:
    """Keep the pictures and the main table of a benchmark's page with a run of their own, unless they are there."""
    files = [*sorted(folder.glob("*.png")), *folder.glob("table.md")]
    if not files:
        return
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    experiment = experiment_id(client, benchmark)
    found = client.search_runs([experiment], f"tags.level = '{REPORT}'", max_results=1)
    run = found[0] if found else client.create_run(experiment, tags={"level": REPORT}, run_name=REPORT)
    if run.data.tags.get("pictures") == digest:
        return
    for file in files:
        client.log_artifact(run.info.run_id, str(file))
    client.set_tag(run.info.run_id, "mlflow.note.content", f"The page is {folder / 'index.html'}.")
    client.set_tag(run.info.run_id, "pictures", digest)
    client.set_terminated(run.info.run_id)


def whole(client: "MlflowClient", benchmark: str) -> None:
    """Note that all that there is of a benchmark has been brought."""
    client.set_experiment_tag(experiment_id(client, benchmark), "whole", content_digest(scores_dir(benchmark)))


def known_whole(client: "MlflowClient", benchmark: str) -> bool:
    """Whether it has, as it now is: scores may have come with a newer version of the project."""
    found = client.get_experiment_by_name(benchmark)
    return found is not None and found.tags.get("whole") == content_digest(scores_dir(benchmark))


def retire(client: "MlflowClient", run: "Run") -> None:
    """Mark a run whose code or parameters are no longer the cell's."""
    if run.data.tags.get("stale") != "true":
        client.set_tag(run.info.run_id, "stale", "true")
    if run.info.status == "RUNNING":
        client.set_terminated(run.info.run_id, "KILLED")

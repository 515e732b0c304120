"""Where MLflow keeps what is brought to it: the project's own store, or what MLFLOW_TRACKING_URI names."""

import fcntl
import hashlib
import os
import platform
import re
import sqlite3
import textwrap
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

STORE = Path("artifacts/mlflow")
DATABASE = STORE / "mlflow.db"
ENVIRONMENT = {  # unless the environment says otherwise
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    # MLflow's own seven tries of two minutes each would hold everything up, and may make a run twice.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
}


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

    if "%" in mlflow.__path__[0]:  # where its migrations lie; it would be taken for the beginning of an option's name
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
            anew = f"; if {DATABASE} is damaged, delete it, and `python -m pipeline.tracking --all` fills a new one"
            raise OSError(textwrap.shorten(reason, 300) + anew * (uri == own())) from None


def create() -> None:
    """Make the project's own store, whole or not at all: MLflow's migrations survive neither a kill nor company."""
    from mlflow import MlflowClient

    fresh = DATABASE.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    MlflowClient(sqlite(fresh)).search_experiments(max_results=1)
    os.replace(fresh, DATABASE)


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

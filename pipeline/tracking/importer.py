"""Files to MLflow, one way and as often as you like: no stage reads from it, and a new store fills from the files.

``python -m pipeline.tracking BENCHMARK [MODEL ...]`` imports what is finished and not there yet;
``... [BENCHMARK MODEL] --follow`` imports curves of running cells until its standard input ends, and never fails;
``... --all`` imports every benchmark that has scores and was never imported, and the pictures of all pages;
``... --ui`` shows it all in a browser, and does that meanwhile.

An experiment is a benchmark; a run is a cell, and under it one seed each, told from earlier versions by the cell's
fingerprint.
MLFLOW_TRACKING_URI in the environment names another store than the project's own.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from typing import NoReturn

from pipeline import params
from pipeline.cell import ORACLE, Cell, rendered_dir, scores_dir
from pipeline.stage import Parser, fail, run_stage
from pipeline.tracking import ui
from pipeline.tracking.results import current, finished, in_training
from pipeline.tracking.runs import add_report, import_cell, known_whole, whole
from pipeline.tracking.store import DATABASE, ENVIRONMENT, address, own, remote, store
from pipeline.work import tied

GRACE = 3.0  # seconds that a follower may live on when training has ended


def main() -> None:
    try:
        arguments = parse()
    except ValueError as error:
        fail(str(error), 1)
    if arguments.follow:
        only = Cell(arguments.benchmark, arguments.models[0]) if arguments.benchmark else None
        follow(only, arguments.every)
    elif arguments.ui:
        run_stage(lambda: show(arguments.port))
    elif arguments.all:
        run_stage(import_all)
    else:
        run_stage(lambda: import_finished(arguments.benchmark, arguments.models))


def parse() -> argparse.Namespace:
    parser = Parser(prog="python -m pipeline.tracking", description="Bring results into MLflow, or show them.")
    parser.add_argument("benchmark", nargs="?", help="whose results to bring in")
    parser.add_argument("models", nargs="*", metavar="model", help="only those of these contestants")
    follows = "import the curves of a running cell, or of all that run, until stdin ends"
    parser.add_argument("--follow", action="store_true", help=follows)
    parser.add_argument("--every", type=float, default=30.0, metavar="SECONDS", help="how often, with --follow")
    parser.add_argument("--all", action="store_true", help="import every benchmark that was never imported")
    parser.add_argument("--ui", action="store_true", help="show the store in a browser, on this machine only")
    parser.add_argument("--port", type=int, default=5000, help="where, with --ui")
    arguments = parser.parse_args()
    if not arguments.ui and not arguments.all and not arguments.follow and not arguments.benchmark:
        raise ValueError("name a benchmark, or --all, or --ui")
    if arguments.follow and arguments.benchmark and len(arguments.models) != 1:
        raise ValueError("--follow wants one benchmark and one model, or neither")
    if not arguments.every > 0:
        raise ValueError(f"--every {arguments.every}: give more than 0 seconds")
    if not 0 < arguments.port < 65536:
        raise ValueError(f"--port {arguments.port}: give 1 to 65535")
    return arguments


def import_finished(benchmark: str, models: list[str]) -> None:
    """Import the named cells of ``benchmark``, or all that are finished."""
    found = params.load().benchmark(benchmark)
    for model in models:
        params.known(model, [*found.rows, ORACLE], f"{found.kind}.models", "model")
    cells = [Cell(benchmark, model) for model in models or [*found.rows, ORACLE]]
    if not models:
        cells = [cell for cell in cells if (cell.training if cell.trains else cell.scores).exists()]
    runs = created = 0
    for cell in cells:
        results = finished(cell)
        with store() as client:
            created += import_cell(client, cell, results)
        runs += len(results)
    if not models:
        with store() as client:
            whole(client, benchmark)
    print(f"{benchmark}: {runs} runs of {len(cells)} models in MLflow, {created} of them new", flush=True)


def import_all() -> None:
    """Bring every benchmark that has scores, those of the suite first, and the pictures of the pages there are."""
    known = params.load()
    for name in dict.fromkeys([*known.suite, *known.benchmarks()]):
        if not any(scores_dir(name).glob("*/scores.json")):
            continue
        with store() as client:
            there = known_whole(client, name)
        if not there:
            import_finished(name, [])
        with store() as client:
            add_report(client, name, rendered_dir(name))


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
        return
    anything = DATABASE.exists() or any(scores_dir(name).exists() for name in params.load().benchmarks())
    if address() == own() and not anything:
        raise OSError("nothing has run yet, and reports/scores is empty; run `make reproduce` first")
    ui.claim(port)
    with store():  # whole, before the pages look for it
        pass
    command = [sys.executable, "-m", "pipeline.tracking", "--all"]
    tie = os.environ | tied.to_me()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=tie) as importer:
        try:
            ui.serve(port, address(), ENVIRONMENT)
        finally:
            importer.terminate()

"""Everything at once, with every core or GPU at work: `python -m pipeline.launch [BENCHMARK ...]`, or `--suite NAME`,
else the embedded suite.

Stale units of all cells, seeds to train and to evaluate, are made beside each other into the work folders, those that
take longest first; `dvc repro` then takes them over under its own lock and gives the same bits as alone.

``--ray ADDRESS`` makes them on a Ray cluster, whether its nodes share a disk or not. A machine without DVC and MLflow,
such as a borrowed GPU, gets them in a file: ``--pack FILE`` here, ``--work FILE`` there, ``--adopt RESULTS`` here.
"""

import argparse
import time
from collections.abc import Collection
from contextlib import nullcontext
from pathlib import Path

from pipeline.stage import Parser, run_stage
from pipeline.tracking.following import following
from pipeline.work.devices import whole_number
from pipeline.work.display import Display
from pipeline.work.schedule import Outcome
from pipeline.work.units import Unit
from pipeline.work.workers import run_units


def main() -> None:
    arguments = parse()
    if arguments.work:
        work(arguments)
    elif arguments.adopt:
        from pipeline.work import package

        print(f"{package.adopt(arguments.adopt)} units taken over from {arguments.adopt}; `dvc repro` does the rest")
    else:
        launch(arguments)


def parse() -> argparse.Namespace:
    about = "Train and evaluate all that is out of date, on every core or GPU; `dvc repro` then takes it over."
    parser = Parser(prog="python -m pipeline.launch", description=about)
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help="default: the embedded suite")
    parser.add_argument("--suite", metavar="NAME", help="the benchmarks of a suite in params.yaml, beside those named")
    parser.add_argument("--jobs", metavar="N", help="how many at a time; default: one a core, or what GPUs hold")
    parser.add_argument("--only", metavar="MODEL,...", help="contestants; default: all, and the oracle")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--ray", metavar="ADDRESS", help="on a Ray cluster: HOST:PORT of its head, or auto")
    where.add_argument(
        "--pack",
        type=Path,
        metavar="FILE",
        help="run nothing; write what there is to do, with all it needs, into FILE (.tar.gz)",
    )
    where.add_argument("--work", type=Path, metavar="FILE", help="do what --pack wrote, on another machine")
    where.add_argument("--adopt", type=Path, metavar="RESULTS", help="take over what --work has made")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="with --work: end then, keep what is finished")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="with --work: what to write; default: .results.tar beside"
    )
    arguments = parser.parse_args()
    arguments.jobs = whole_number(arguments.jobs, "--jobs") if arguments.jobs is not None else None
    for name in ("limit", "results"):
        if (value := getattr(arguments, name)) is not None and not arguments.work:
            raise ValueError(f"--{name} {value}: only with --work")
    if (arguments.work or arguments.adopt) and (arguments.benchmarks or arguments.suite or arguments.only):
        raise ValueError("what --work does and --adopt brings stands in their file; leave benchmarks and models out")
    if arguments.limit is not None and not arguments.limit > 0:
        raise ValueError(f"--limit {arguments.limit}: give more than 0 seconds")
    return arguments


def launch(arguments: argparse.Namespace) -> None:
    """Make what is stale, or pack it."""
    from pipeline import params
    from pipeline.cell import ORACLE
    from pipeline.work import plan

    suite = arguments.suite or (None if arguments.benchmarks else params.EMBEDDED)
    names = dict.fromkeys([*arguments.benchmarks, *(params.load().of_suite(suite) if suite else [])])
    benchmarks = [params.load().benchmark(name) for name in names]
    plan.prepare(benchmarks)
    units = plan.stale(benchmarks)
    if arguments.only:
        chosen = [name.strip() for name in arguments.only.split(",")]
        there = [ORACLE, *dict.fromkeys(model for benchmark in benchmarks for model in benchmark.rows)]
        for name in chosen:
            params.known(name, there, "--only", "model")
        units = [unit for unit in units if unit.contestant in chosen]
    if arguments.pack or arguments.ray:  # what users brought stays here; `dvc repro` evaluates it
        units = [unit for unit in units if not unit.settings.get("brought")]
    if arguments.pack:
        from pipeline.work import package

        package.pack(units, arguments.pack)
        print(f"{len(units)} units: {arguments.pack}; there, `python -m pipeline.launch --work {arguments.pack.name}`")
        return
    display, began = Display("launch", units, plan.cost(units)), time.monotonic()
    with following() if any(unit.task == "train" for unit in units) else nullcontext():
        if arguments.ray:
            outcome = on_ray(units, arguments.ray, arguments.jobs, display)
        else:
            outcome = run_units(units, display, jobs=arguments.jobs, keep_on=True)
    summary(units, outcome, time.monotonic() - began, "`dvc repro` takes them over")


def work(arguments: argparse.Namespace) -> None:
    """Make the units of a package here, and write down each as it is finished."""
    from pipeline.work import package

    began = time.monotonic()
    units = package.unpack(arguments.work)
    results = arguments.results or package.results_file(arguments.work)
    deadline = None if arguments.limit is None else began + arguments.limit
    with package.Results(results) as kept:
        display = Display("work", units)
        outcome = run_units(units, display, jobs=arguments.jobs, keep_on=True, deadline=deadline, finished=kept.add)
        kept.add_checkpoints(units, outcome.records)
    summary(units, outcome, time.monotonic() - began, f"bring {results} back, `python -m pipeline.launch --adopt` it")


def summary(units: Collection[Unit], outcome: Outcome, seconds: float, then: str) -> None:
    """Say what has become of the units. Raises ValueError if some failed."""
    minutes, rest = divmod(round(seconds), 60)
    if outcome.failures:
        first, line = next(iter(outcome.failures.items()))
        what = f"{len(units) - len(outcome.records)} of {len(units)} units were not made"
        raise ValueError(f"{what}; the first: {first.name}: {line} (log: {first.log})")
    if units:
        made = len(outcome.records)
        print(f"{made} of {len(units)} units made in {minutes} min {rest} s; {then}", flush=True)
    else:
        print("no unit is stale", flush=True)


def on_ray(units: list[Unit], address: str, jobs: int | None, display: Display) -> Outcome:
    """Make the units as tasks of a Ray cluster. Raises ValueError where none answers."""
    try:
        from pipeline.work import cluster
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is not installed here: `pip install ray`, or leave out --ray") from None
    return cluster.run_units(units, address, jobs, display)


if __name__ == "__main__":
    run_stage(main)

"""The report stage: pages, tables and pictures of one benchmark, `python -m pipeline.report BENCHMARK`.

``--index`` writes the index of all pages there are; ``--suite NAME`` prints a suite's tables, having rendered the pages
of those of its benchmarks whose page is no stage of DVC's: all that are not in the embedded suite.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import floors, params
from pipeline.cell import ORACLE, RENDERED, Cell, data_file, rendered_dir, scores_dir
from pipeline.files import atomic_write
from pipeline.search import spaces, whose
from pipeline.stage import Parser, run_stage
from pipeline.work import tied
from reports import assets, load, page, samples, suite, tables
from reports.files import read_judge
from reports.looks import looks

PIXELS = 400  # of the density's picture, each way
MARGIN = 0.15  # of the data's extent, shown around them


def main() -> None:
    parser = Parser(prog="python -m pipeline.report", description="Render a benchmark's report.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("benchmark", nargs="?", help="render this benchmark's page")
    what.add_argument("--index", action="store_true", help="render the index of all pages there are")
    what.add_argument("--suite", metavar="NAME", help="render and print the tables of a suite")
    arguments = parser.parse_args()
    if arguments.index:
        write_index()
    elif arguments.suite:
        alone = [name for name in params.load().of_suite(arguments.suite) if name not in params.load().suite]
        for name in alone:
            render(name)
        for name, content in assets.written().items() if alone else ():  # the index brings them for all others
            atomic_write(RENDERED / name, content)
        print_summary(arguments.suite)
    else:
        render(arguments.benchmark)


def render(name: str) -> None:
    benchmark = params.load().benchmark(name)
    with importing(name):  # its seconds pass beside those of drawing
        write_page(benchmark)


def write_page(benchmark: params.Benchmark) -> None:
    report = gather(benchmark)
    target = rendered_dir(benchmark.name)
    with in_place_of(target) as folder:
        page.benchmark(report, folder, index=index_from(target))
    print(f"{benchmark.name}: {target}/index.html", flush=True)


@contextmanager
def in_place_of(target: Path) -> Iterator[Path]:
    """A folder beside a page's, which takes its place at the end: no page is half old and half new."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    shutil.rmtree(target, ignore_errors=True)
    os.replace(partial, target)


def index_from(target: Path) -> str:
    """The index of all pages, as a page in that folder names it."""
    return os.path.relpath(RENDERED / "index.html", target)


def gather(benchmark: params.Benchmark) -> load.Report:
    """Everything that the report is made from. Outside the suite, cells that have not been run are left out by name."""
    scores = scores_dir(benchmark.name)
    there = [model for model in benchmark.rows if (scores / model / "scores.json").exists()]
    models = benchmark.rows if benchmark.name in params.load().suite or not there else there
    samples = {model: Cell(benchmark.name, model).samples for model in (*models, ORACLE)}
    snapshots = {model: Cell(benchmark.name, model).snapshots for model in models}
    report = load.load(benchmark.name, benchmark.kind, models, scores, samples, snapshots)
    density, modes = (None, "") if benchmark.judge else truth(benchmark.name)
    return replace(
        report,
        ranked=tuple(benchmark.ranked),
        floors=floors.resolved(benchmark),
        density=density,
        settings=settings(benchmark, report.models),
        unmended=unmended(benchmark.kind, report.models),
        palette=looks(params.load().families()),
        facts=facts(benchmark, report, modes),
    )


def settings(benchmark: params.Benchmark, contestants: Collection[str]) -> pd.DataFrame:
    """What each contestant was run with, a row a setting."""
    family = params.load().families()
    found = [
        (name, family[name], benchmark.models[name].model, setting, value, owner)
        for name in contestants
        if name in benchmark.models  # what was brought has none
        for setting, (value, owner) in whose.settings(
            benchmark.kind, name, benchmark.models[name], benchmark.dataset
        ).items()
    ]
    return pd.DataFrame(found, columns=load.SETTING)


def unmended(kind: str, contestants: Collection[str]) -> dict[str, str]:
    """Why a search finds nothing for a contestant, where that is known."""
    rule = spaces.rule_if_any(kind)
    return {name: note for name, note in (rule.notes if rule else {}).items() if name in contestants}


def judge_record(benchmark: params.Benchmark) -> dict[str, Any]:
    """How good the judge is; nothing where there is none."""
    path = scores_dir(benchmark.name) / "judge.json"
    there = benchmark.judge and path.exists()
    return read_judge(path, f"`dvc repro benchmarks/{benchmark.name}/dvc.yaml`") if there else {}


def facts(benchmark: params.Benchmark, report: load.Report, modes: str) -> dict[str, str]:
    """What the top of the page says of the benchmark."""
    real, training = report.samples[ORACLE], benchmark.training
    size = " x ".join(map(str, real.x.shape[1:]))
    said = {
        "Data": f"{benchmark.dataset}, "
        + (f"{size} pixels, {real.levels} levels" if real.levels else modes or f"{size} dimensions"),
        "Training": f"{training.steps:,} steps of {training.batch}, {training.precision}, {benchmark.seeds} seeds",
        "Evaluation": f"{benchmark.evaluation.samples:,} samples per seed",
    }
    if judge := judge_record(benchmark):
        said["Judge"] = f"{judge['accuracy']:.2%} right on held-out data"
    if absent := [model for model in benchmark.rows if model not in report.models]:
        said["Not run"] = ", ".join(absent)
    return said


def truth(name: str) -> tuple[samples.Density | None, str]:
    """Where it is known: the true log density on a grid a little wider than the data, of two dimensions; its modes."""
    import torch  # here and not above: only this needs it, and its import takes seconds

    from pipeline import data
    from pipeline.work.sound import explained

    with explained(data_file(name)):
        resident = data.load(data_file(name), "cpu")
    if resident.truth is None:
        return None, ""
    centres, sigma = resident.truth.centres, resident.truth.sigma
    modes = f"one Gaussian, {centres.norm(dim=1).max() / sigma:.3g} standard deviations from the origin"
    if len(centres) > 1:
        apart = torch.pdist(centres).min() / sigma
        modes = f"{len(centres)} Gaussians, neighbours {apart:.3g} standard deviations apart"
    if resident.spec.shape != (2,):
        return None, modes
    low, high = resident.test.x.amin(0), resident.test.x.amax(0)
    edge = MARGIN * (high - low)
    xs, ys = (torch.linspace(a, b, PIXELS) for a, b in zip(low - edge, high + edge, strict=True))
    grid = torch.cartesian_prod(ys, xs).flip(1)  # (H * W, 2), x first
    values = resident.truth.log_density(grid).reshape(PIXELS, PIXELS)
    return samples.Density(xs.numpy(), ys.numpy(), values.numpy()), modes


@contextmanager
def importing(name: str) -> Iterator[None]:
    """Bring the benchmark's results into MLflow meanwhile. That this fails is worth a line; the report does without."""
    command = [sys.executable, "-m", "pipeline.tracking", name]
    environment = os.environ | tied.to_me()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield
        except BaseException:
            process.terminate()  # or leaving would wait for it
            raise
        _, said = process.communicate()
    if process.returncode:
        reason = (said.strip().splitlines() or [f"it ended with code {process.returncode}"])[-1].removeprefix("error: ")
        retry = f"`python -m pipeline.tracking {name}` tries again"
        print(f"warning: not in MLflow: {reason}; {retry}", file=sys.stderr, flush=True)


def write_index() -> None:
    everything = params.load()
    names = dict.fromkeys([*everything.suite, *everything.benchmarks()])
    quick = everything.board.suites.get(params.QUICK, [])
    shown = [name for name in names if name not in quick and (rendered_dir(name) / "table.csv").exists()]
    folders = [rendered_dir(name) for name in shown]
    pages = page.index(folders, RENDERED, looks(everything.families()))
    if not any(name.startswith(f"{suite.FOLDER}/") for name in pages):  # it is an output of the stage, there always
        pages[f"{suite.FOLDER}/README.md"] = suite.NOTHING
    shutil.rmtree(RENDERED / suite.FOLDER, ignore_errors=True)  # rankings over benchmarks that may be no more
    for name, content in pages.items():
        atomic_write(RENDERED / name, content)
    print(f"index of {len(folders)} benchmarks: {RENDERED / 'index.html'}", flush=True)


def print_summary(suite: str) -> None:
    """The main tables of a suite for a terminal, and where everything is."""
    names = params.load().of_suite(suite)
    for name in names:
        comparison = tables.read(rendered_dir(name) / "table.csv")
        print(f"{name}\n{tables.plain(tables.table(comparison))}\n")
    print(f"mean ± s.d. over training seeds   {tables.SIGNS}   (protocol: on each page)\n")
    folders = [rendered_dir(name) for name in names] if suite == params.QUICK else [RENDERED]
    print("\n".join(f"report   {(folder / 'index.html').resolve().as_uri()}" for folder in folders))
    print(f"figures  {rendered_dir(names[0]).parent / '<benchmark>'}/*.png")
    print("MLflow   make ui")


if __name__ == "__main__":
    run_stage(main)

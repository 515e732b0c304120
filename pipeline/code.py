"""The code stage, which all others wait for: what each of them depends on, beside data, `python -m pipeline.code`.

artifacts/code has a file for each entry, which is what a stage runs: a digest of its code (`pipeline.digests`). A stage
depends on its entry, so an edit makes stale what runs the edited code; an edited comment makes this stage run, and no
other. artifacts/settings has a file for each stage: the parameters that it reads, merged from params.yaml and the
benchmark's own. (DVC would read params.yaml anew for every stage: `dvc status` took three times as long.)
"""

import json
from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.cell import ORACLE, Cell
from pipeline.digests import digest
from pipeline.entries import CODE, entries
from pipeline.files import atomic_write
from pipeline.search import spaces
from pipeline.stage import Parser, run_stage

SETTINGS = Path("artifacts/settings")


def main() -> None:
    Parser(
        prog="python -m pipeline.code", description="Write what stages depend on: digests of code, and settings."
    ).parse_args()
    parameters = params.load()
    keep(CODE, {name: digest(roots) + "\n" for name, roots in entries(parameters)})
    benchmarks = [parameters.benchmark(name) for name in parameters.benchmarks()]
    read = {f"{each.name}/{stage}.json": content for each in benchmarks for stage, content in settings(each).items()}
    keep(SETTINGS, {name: json.dumps(content, indent=1) + "\n" for name, content in read.items()})
    print(f"code and settings of {len(benchmarks)} benchmarks: {CODE}, {SETTINGS}")


def keep(folder: Path, wanted: dict[str, str]) -> None:
    """Let the folder hold these files and no others; one that is right is left alone."""
    for name, content in wanted.items():
        if not (folder / name).exists() or (folder / name).read_text() != content:
            atomic_write(folder / name, content)
    for file in folder.rglob("*"):
        if file.is_file() and file.relative_to(folder).as_posix() not in wanted:
            file.unlink()


def settings(benchmark: params.Benchmark) -> dict[str, Any]:
    """What each of the benchmark's stages reads."""
    everything = params.load()
    found: dict[str, Any] = {
        "prepare": {"dataset": benchmark.dataset, "data": benchmark.data},
        "judge": benchmark.judge and benchmark.judge.model_dump(),
        "report": {**benchmark.model_dump(), "families": everything.families(), "rule": rule(benchmark.kind)},
    }
    for contestant in [*benchmark.rows, ORACLE]:
        cell = Cell(benchmark.name, contestant)
        found[f"evaluate/{contestant}"] = {"seeds": benchmark.seeds, **cell.evaluation_settings}
        if cell.trains:
            found[f"train/{contestant}"] = {"seeds": benchmark.seeds, **cell.training_settings}
    return found


def rule(kind: str) -> dict[str, Any] | None:
    """What tells whose a kind's settings are: its rule of a search, where there is one."""
    found = spaces.rule_if_any(kind)
    return found.model_dump() if found else None


if __name__ == "__main__":
    run_stage(main)

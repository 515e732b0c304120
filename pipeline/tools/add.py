"""Write a benchmark's stages from a template: `python -m pipeline.add mnist`; without a name, of all that have some.

A benchmark is a folder with a benchmark.yaml. DVC sees it once it has a dvc.yaml too, which is benchmarks/images.yaml
or, where no judge is trained, benchmarks/points.yaml, with the benchmark's name and contestants; so the stages are
written once, and only what is wanted shows in `dvc status`. ``--suite NAME`` writes those of a suite's benchmarks;
with ``--targets`` it says what `dvc repro` is to be given for that suite: nothing for the embedded one.
"""

import argparse
import json
from pathlib import Path

from pipeline import params
from pipeline.files import atomic_write
from pipeline.stage import run_stage

NAME, CONTESTANTS = "{benchmark: NAME}", "foreach: CONTESTANTS"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a benchmark's dvc.yaml from its kind's stages.")
    parser.add_argument("benchmark", nargs="?", help="default: every benchmark that has a dvc.yaml")
    parser.add_argument("--suite", metavar="NAME", help="the benchmarks of a suite")
    parser.add_argument("--targets", action="store_true", help="write nothing; print what `dvc repro` is given")
    arguments = parser.parse_args()
    parameters = params.load()
    if arguments.suite:
        found = parameters.of_suite(arguments.suite)
    elif arguments.benchmark:
        found = [arguments.benchmark]
    else:
        found = [each for each in parameters.benchmarks() if stages_file(each).exists()]
    if arguments.targets:
        print(*[stages_file(name) for name in found if arguments.suite != params.EMBEDDED])
        return
    for name in found:
        keep(stages_file(name), stages(parameters.benchmark(name)))


def keep(file: Path, text: str) -> None:
    if not file.exists() or file.read_text() != text:
        atomic_write(file, text)
    print(f"{file} is there; `dvc repro {file}` runs it", flush=True)


def stages_file(benchmark: str) -> Path:
    return Path("benchmarks") / benchmark / "dvc.yaml"


def stages(benchmark: params.Benchmark) -> str:
    """The text of a benchmark's dvc.yaml."""
    template = Path("benchmarks") / ("images.yaml" if benchmark.judge else "points.yaml")
    text = template.read_text()
    if text.count(NAME) != 1 or text.count(CONTESTANTS) != 2:
        raise ValueError(f"{template} must hold {NAME!r} once, where the name goes, and {CONTESTANTS!r} twice")
    text = text.replace(NAME, f"{{benchmark: {benchmark.name}}}")
    return text.replace(CONTESTANTS, f"foreach: {contestants(benchmark)}")


def contestants(benchmark: params.Benchmark) -> str:
    """The contestants as DVC's `foreach` takes them: all of the kind's, or those that the benchmark names."""
    if not benchmark.own.get("contestants"):
        return f"${{{benchmark.kind}.models}}"
    return json.dumps({name: {"model": line.model} for name, line in benchmark.models.items()})


if __name__ == "__main__":
    run_stage(main)

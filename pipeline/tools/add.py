"""Write a benchmark's stages from a template: `python -m pipeline.add mnist`; without a name, of all that have some.

A benchmark is a folder with a benchmark.yaml. DVC sees it once it has a dvc.yaml too, which is benchmarks/images.yaml
or, where no judge is trained, benchmarks/points.yaml, with the benchmark's name and kind; so the stages are written
once, and only what is wanted shows in `dvc status`.
"""

import argparse
from pathlib import Path

from pipeline import params
from pipeline.files import atomic_write
from pipeline.stage import run_stage

PLACE = "- benchmark: NAME\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a benchmark's dvc.yaml from its kind's stages.")
    parser.add_argument("benchmark", nargs="?", help="default: every benchmark that has a dvc.yaml")
    name = parser.parse_args().benchmark
    parameters = params.load()
    for found in [name] if name else [each for each in parameters.benchmarks() if stages_file(each).exists()]:
        atomic_write(stages_file(found), stages(parameters.benchmark(found)))
        print(f"{stages_file(found)} is there; `dvc repro {stages_file(found)}` runs it", flush=True)


def stages_file(benchmark: str) -> Path:
    return Path("benchmarks") / benchmark / "dvc.yaml"


def stages(benchmark: params.Benchmark) -> str:
    """The text of a benchmark's dvc.yaml."""
    template = Path("benchmarks") / ("images.yaml" if benchmark.judge else "points.yaml")
    text = template.read_text()
    if text.count(PLACE) != 1:
        raise ValueError(f"{template} must hold the line {PLACE.strip()!r} once, where the name goes")
    return text.replace(PLACE, f"- benchmark: {benchmark.name}\n").replace("KIND.", f"{benchmark.kind}.")


if __name__ == "__main__":
    run_stage(main)

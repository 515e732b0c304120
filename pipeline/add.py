"""Write a benchmark's stages from its kind's: `python -m pipeline.add mnist`; without a name, of all that have some.

A benchmark is a folder with a benchmark.yaml. DVC sees it once it has a dvc.yaml too, which is benchmarks/<kind>.yaml
with the benchmark's name; so the stages of a kind are written once, and only what is wanted shows in `dvc status`.
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
        atomic_write(stages_file(found), stages(found, parameters.benchmark(found).kind))
        print(f"{stages_file(found)} is there; `dvc repro {stages_file(found)}` runs it", flush=True)


def stages_file(benchmark: str) -> Path:
    return Path("benchmarks") / benchmark / "dvc.yaml"


def stages(benchmark: str, kind: str) -> str:
    """The text of a benchmark's dvc.yaml."""
    template = Path("benchmarks") / f"{kind}.yaml"
    text = template.read_text()
    if text.count(PLACE) != 1:
        raise ValueError(f"{template} must hold the line {PLACE.strip()!r} once, where the name goes")
    return text.replace(PLACE, f"- benchmark: {benchmark}\n")


if __name__ == "__main__":
    run_stage(main)

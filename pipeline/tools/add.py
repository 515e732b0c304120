"""Write a benchmark's stages from a template: `python -m pipeline.add mnist`; without a name, of all that have some.

A benchmark is a folder with a benchmark.yaml. DVC sees it once it has a dvc.yaml too, which is benchmarks/images.yaml
or, where no judge is trained, benchmarks/points.yaml, with the benchmark's name and contestants; so the stages are
written once, and only what is wanted shows in `dvc status`. ``--suite NAME`` writes those of a suite's benchmarks;
with ``--targets`` it says what `dvc repro` is to be given for that suite: nothing for the embedded one.
"""

import json
from pathlib import Path

from pipeline import params
from pipeline.files import atomic_write
from pipeline.stage import Parser, run_stage

NAME, CONTESTANTS = "{benchmark: NAME}", "foreach: CONTESTANTS"
PREPARED = "      - artifacts/code/prepare/${dataset}\n"


def main() -> None:
    parser = Parser(prog="python -m pipeline.add", description="Write a benchmark's dvc.yaml from its kind's stages.")
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


def making(benchmark: str, stage: str = "") -> str:
    """The command that makes a benchmark's results, or a stage's: one without a dvc.yaml has to get it first."""
    file = stages_file(benchmark)
    return f"`dvc repro {file}{stage and f':{stage}'}`" if file.exists() else f"`make benchmark NAME={benchmark}`"


def stages(benchmark: params.Benchmark) -> str:
    """The text of a benchmark's dvc.yaml."""
    template = Path("benchmarks") / ("images.yaml" if benchmark.judge else "points.yaml")
    text = template.read_text()
    if text.count(NAME) != 1 or text.count(CONTESTANTS) != 2 or text.count(PREPARED) != 1:
        raise ValueError(f"{template} must hold {NAME!r} and {PREPARED!r} once, and {CONTESTANTS!r} twice")
    text = text.replace(NAME, f"{{benchmark: {benchmark.name}}}")
    text += "".join(f"\n{stage(text, name, samples(line, benchmark))}" for name, line in benchmark.brought.items())
    text = text.replace(PREPARED, PREPARED + on(pictures(benchmark)))
    return text.replace(CONTESTANTS, f"foreach: {contestants(benchmark)}")


def stage(text: str, name: str, files: list[str]) -> str:
    """The stage that evaluates samples made elsewhere: the oracle's, of these files."""
    oracle = text[text.index("  oracle:") : text.index("\n\n  train:")]
    _, rest = oracle.split("\n", 1)
    code = "      - artifacts/code/evaluate/${kind}/"
    rest = rest.replace(f"{code}oracle\n", f"{code}\n").replace("oracle", name)
    return f"  brought-{name}:  # samples made elsewhere\n{rest}\n".replace(f"{code}\n", f"{code}brought\n{on(files)}")


def on(paths: list[str]) -> str:
    """Lines of a stage's dependencies."""
    return "".join(f"      - {json.dumps(path)}\n" for path in paths)


def pictures(benchmark: params.Benchmark) -> list[str]:
    """The folder that the data are made of, if they are: whenever it changes, they are made anew."""
    path = benchmark.data.get("path")
    return [str(Path(path).expanduser())] if isinstance(path, str) else []


def samples(line: params.Brought, benchmark: params.Benchmark) -> list[str]:
    return [str(line.file(seed)) for seed in range(benchmark.seeds)]


def brought(benchmark: params.Benchmark) -> list[str]:
    """What stages depend on that a user has: pictures that data are made of, and samples that are compared."""
    return pictures(benchmark) + [file for line in benchmark.brought.values() for file in samples(line, benchmark)]


def contestants(benchmark: params.Benchmark) -> str:
    """The contestants as DVC's `foreach` takes them: all of the kind's, or those that the benchmark names."""
    if not benchmark.own.get("contestants"):
        return f"${{{benchmark.kind}.models}}"
    return json.dumps({name: {"model": line.model} for name, line in benchmark.models.items()})


if __name__ == "__main__":
    run_stage(main)

"""The judge stage: `python -m pipeline.judge BENCHMARK` makes the classifier that the image metrics look through.

Its accuracy on the images for validation and on the test images is printed and kept.
"""

import torch

from pipeline import arithmetic, params
from pipeline.cell import data_file, judge_file, scores_dir
from pipeline.evaluation import judging
from pipeline.stage import Parser, run_stage
from pipeline.work.sound import explained


def main() -> None:
    parser = Parser(prog="python -m pipeline.judge", description="Train the judge of a benchmark.")
    parser.add_argument("benchmark")
    torch.set_num_threads(1)  # as in the workers: the result is the same on any number of cores
    arithmetic.hasten()
    train(params.load().benchmark(parser.parse_args().benchmark))


def train(benchmark: params.Benchmark) -> None:
    """Train the judge of ``benchmark``, and write it and its accuracy."""
    if benchmark.judge is None:
        raise ValueError(f"{benchmark.name} has no judge: benchmarks of kind {benchmark.kind!r} are scored without one")
    files = (data_file(benchmark.name), judge_file(benchmark.name), scores_dir(benchmark.name) / "judge.json")
    with explained(files[0]):
        print(judging.train(benchmark.name, benchmark.judge.model_dump(), *files))


if __name__ == "__main__":
    run_stage(main)

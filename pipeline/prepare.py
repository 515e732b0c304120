"""The prepare stage: `python -m pipeline.prepare BENCHMARK` writes a benchmark's data set in the form that others load.

Files that a data set needs are looked for, and downloaded to, the folder BENCHMARK_DATA_ROOT (or artifacts/downloads).
"""

import os
from pathlib import Path

from benchmarks import datasets
from pipeline import data, params
from pipeline.cell import data_file
from pipeline.evaluation.sampling import check_samples
from pipeline.stage import Parser, run_stage

DOWNLOADS = "artifacts/downloads"


def main() -> None:
    parser = Parser(prog="python -m pipeline.prepare", description="Make the data of a benchmark ready.")
    parser.add_argument("benchmark")
    benchmark = params.load().benchmark(parser.parse_args().benchmark)
    root = Path(os.environ.get("BENCHMARK_DATA_ROOT") or DOWNLOADS).expanduser()
    splits = datasets.load(benchmark.dataset, root, benchmark.data)
    check_sizes(benchmark, splits)
    data.save(splits, data_file(benchmark.name))
    print(f"{benchmark.name}: {summary(splits)}")


def check_sizes(benchmark: params.Benchmark, splits: datasets.Splits) -> None:
    """Raise ValueError for a budget that these data are too few for: their files alone say how many there are."""
    try:
        check_samples(benchmark.name, benchmark.evaluation.samples, len(splits.test.x))
    except ValueError as error:
        raise ValueError(f"{benchmark.place('evaluation', 'samples')}: {error}") from None
    benchmark.check_batch(len(splits.train.x))


def summary(splits: datasets.Splits) -> str:
    size = " x ".join(map(str, splits.train.x.shape[1:]))
    kind = "clips" if splits.train.x.dim() == 5 else "images"
    what = f"{kind} of {size} in {splits.levels} levels" if splits.levels else f"points of {size} dimensions"
    shares = (
        f"{len(splits.train.x):,} for training, {len(splits.validation.x):,} for validation, {len(splits.test.x):,} to"
    )
    return f"{what}: {shares} test on; {splits.classes or 'no'} classes"


if __name__ == "__main__":
    run_stage(main)

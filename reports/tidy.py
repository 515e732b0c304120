"""All results as data frames for pandas: `reports.results` and `reports.columns`."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from reports.load import COST, SECONDS, Part, part

SCORES = Path(__file__).parent / "scores"
KEY = ["benchmark", "model", "seed", "status"]


def results(benchmarks: str | Sequence[str] | None = None, wide: bool = False, scores: Path = SCORES) -> pd.DataFrame:
    """A row for each value: benchmark, model, seed, status, metric, value; the oracle is a model here.

    ``wide``: a row for each seed and a column for each metric, also for seeds that diverged. Shares are in 0..1;
    missing values are left out, NaN where wide.
    """
    rows: list[tuple[object, ...]] = []
    seeds: list[tuple[object, ...]] = []
    for benchmark, model, found in read(benchmarks, scores):
        status = {entry["seed"]: entry["status"] for entry in found.seeds}
        seeds += [(benchmark, model, seed, said) for seed, said in status.items()]
        rows += [(benchmark, model, seed, status[seed], name, value) for _, seed, name, value in found.values]
    long = pd.DataFrame(rows, columns=[*KEY, "metric", "value"])
    if not wide:
        return long
    values = long.pivot(index=KEY, columns="metric", values="value")[list(long.metric.unique())]
    return pd.DataFrame(seeds, columns=KEY).merge(values.reset_index(), on=KEY, how="left")


def columns(benchmarks: str | Sequence[str] | None = None, scores: Path = SCORES) -> pd.DataFrame:
    """What each metric of each benchmark is: label, which direction is better, whether a share in per cent, a note."""
    found = [
        (benchmark, column.name, column.label, column.direction, column.percent, column.note)
        for benchmark, _, content in read(benchmarks, scores)
        for column in (*content.columns, *COST, SECONDS)
    ]
    names = ["benchmark", "metric", "label", "direction", "percent", "note"]
    return pd.DataFrame(found, columns=names).drop_duplicates(["benchmark", "metric"], ignore_index=True)


def read(benchmarks: str | Sequence[str] | None, scores: Path) -> Iterable[tuple[str, str, Part]]:
    """What is there of each model of the benchmarks, or of all."""
    there = sorted(folder.name for folder in scores.glob("*/") if any(folder.glob("*/scores.json")))
    if benchmarks is not None and not isinstance(benchmarks, Sequence):
        raise ValueError(f"benchmarks is {benchmarks!r}: give a name, several in a list, or none for all")
    for name in [benchmarks] if isinstance(benchmarks, str) else there if benchmarks is None else benchmarks:
        if name not in there:
            raise ValueError(f"no results of {name!r} in {scores}; there are {', '.join(there) or 'none'}")
        remedy = f"`dvc repro benchmarks/{name}/dvc.yaml`"
        for file in sorted((scores / name).glob("*/scores.json")):
            yield name, file.parent.name, part(file.parent.name, file.parent, remedy, lines=False)

"""Everything that a benchmark's report is made from, read once into tidy tables.

A file that is missing or damaged is an error of one line that names it and the command that makes it anew.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import pandas as pd

from reports.files import read_lines, read_seeds, readable
from reports.looks import Look, looks
from reports.samples import (
    Captioned,
    Clips,
    Density,
    Fills,
    Pixels,
    Retrieved,
    Samples,
    Translations,
    Walks,
    read_captions,
    read_clips,
    read_fills,
    read_pixels,
    read_retrieved,
    read_samples,
    read_snapshots,
    read_translations,
    read_walks,
)

ORACLE = "oracle"  # the row of fresh real samples: shown with the models, never ranked among them

Found = TypeVar("Found")


class Column(NamedTuple):
    """One number of the table and how it is shown; `note` is the sentence of its protocol."""

    name: str
    label: str
    direction: str | None  # "higher" or "lower" is better; None: not ranked
    decimals: int
    percent: bool = False
    main: bool = True
    note: str = ""


SPENT = (
    "Seconds of computing in a seed's training steps: of the processor, or of the GPU where one trained it; what a "
    "model fits after the last step, such as a prior or a mixture, is not in them."
)
SECONDS = Column("seconds", "s/seed", None, 1, note=SPENT)
COST = (  # what stands in every record of an evaluated seed
    Column("parameters", "Parameters", None, 0, main=False, note="Numbers that training moves, of all nets together."),
    Column(
        "evaluations", "Evaluations", None, 0, note="How often a net is evaluated for one sample: 1 of GANs and VAEs."
    ),
    Column(
        "sample_ms", "ms/sample", None, 4, 
        note="Milliseconds of computing per sample, made many at once: of a core, or of the GPU where one made them.",
    ),
)  # fmt: skip
SPARED = {column.name for column in COST}  # older results lack them
REASON = ["model", "seed", "metric", "reason"]
OUTCOME = ["model", "seed", "status", "step", "player", "estimator", "given", "task"]
SETTING = ["model", "family", "file", "setting", "value", "owner"]
SWEPT = ["model", "seed", "sweep", "at", "metric", "value"]

USES: dict[str, Callable[[Path, str], Any]] = {  # folders beside the samples: a model has those of what it can do
    "fills": read_fills,
    "walks": read_walks,
    "translations": read_translations,
    "pixels": read_pixels,
    "clips": read_clips,
    "captions": read_captions,
    "retrieved": read_retrieved,
}


@dataclass(frozen=True)
class Report:
    """A benchmark's results. Every table has one row a fact: no lists in cells, no numbers in column names."""

    benchmark: str
    kind: str
    models: tuple[str, ...]  # in the order of params.yaml
    columns: tuple[Column, ...]
    protocol: tuple[str, ...]
    seeds: pd.DataFrame  # OUTCOME: how it ended, how a likelihood is estimated, what samples are conditioned on
    scores: pd.DataFrame  # model, seed, metric, value; finished seeds only, unavailable values left out
    curves: pd.DataFrame  # model, seed, step, player, value
    progress: pd.DataFrame  # model, seed, step, metric, value: scores of the snapshots; finished seeds only
    samples: dict[str, Samples]  # of each model's first finished seed, the oracle's too
    snapshots: dict[str, dict[int, Samples]]  # model -> step -> what that same seed generated then
    fills: dict[str, Fills] = field(default_factory=dict)  # of that same seed, of models that fill holes
    walks: dict[str, Walks] = field(default_factory=dict)  # likewise, of models that have codes
    pixels: dict[str, Pixels] = field(default_factory=dict)  # likewise, of models that score pixel by pixel
    clips: dict[str, Clips] = field(default_factory=dict)  # likewise, of models that continue clips, the oracle's too
    captions: dict[str, Captioned] = field(default_factory=dict)  # likewise, of models that are given captions
    retrieved: dict[str, Retrieved] = field(default_factory=dict)  # likewise, of models that encode, and the oracle
    translations: dict[str, Translations] = field(default_factory=dict)  # likewise, of models that translate
    real: dict[str, float] = field(default_factory=dict)  # column -> what real data score, as many as a snapshot has
    density: Density | None = None
    ranked: tuple[str, ...] = ()  # the columns that a model's score counts
    floors: dict[str, float] = field(default_factory=dict)  # column -> what scores 0 in it
    # model, seed, sweep (a number that samplers take), at (its value), metric, value
    sweeps: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SWEPT))
    reasons: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=REASON))  # why a metric has no value
    # SETTING: what each contestant was run with, and whose it is: paper, search or house
    settings: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SETTING))
    unmended: dict[str, str] = field(default_factory=dict)  # contestant -> why a search finds nothing for it
    palette: dict[str, Look] = field(default_factory=dict)  # of all contestants: each has one look everywhere
    facts: dict[str, str] = field(default_factory=dict)  # heading -> words, for the top of the page

    def column(self, name: str) -> Column:
        """The column ``name`` of the table; where it has none, one by this name."""
        plain = Column(name, name.replace("_", " "), None, 2)
        return next((column for column in self.columns if column.name == name), plain)


class Part(NamedTuple):
    """What the folder of one model's scores holds."""

    columns: list[Column]
    protocol: list[str]
    seeds: list[dict[str, Any]]
    values: list[tuple[str, int, str, float]]
    reasons: list[tuple[str, int, str, str]]
    curves: list[pd.DataFrame]
    progress: list[pd.DataFrame]
    sweeps: list[tuple[str, int, str, float, str, float]]


def load(
    benchmark: str,
    kind: str,
    models: Sequence[str],
    scores: Path,
    samples: Mapping[str, Path],
    snapshots: Mapping[str, Path] = MappingProxyType({}),
    lines: bool = True,
) -> Report:
    """Read ``scores``/<model>/ of every model and the oracle, and the folders of each model's samples and snapshots;
    without ``lines`` neither curves nor progress.

    Raises ValueError or OSError for the first file that is damaged or missing. Older results lack progress/, snapshots.
    """
    remedy = f"`dvc repro benchmarks/{benchmark}/dvc.yaml`"
    parts = [part(model, scores / model, remedy, lines) for model in (*models, ORACLE)]
    columns: dict[str, Column] = {}
    for column in chain(*(found.columns for found in parts)):
        columns.setdefault(column.name, column)
    protocol = dict.fromkeys(line for found in parts for line in found.protocol)
    progress = pd.concat([tidy("metric"), *chain(*(found.progress for found in parts))], ignore_index=True)
    of_oracle = progress[progress.model == ORACLE]
    seeds = pd.DataFrame(list(chain(*(found.seeds for found in parts))), columns=OUTCOME)
    uses: dict[str, Any] = {
        name: of_first_seed(read, inside(samples, name), seeds, remedy) for name, read in USES.items()
    }
    return Report(
        benchmark=benchmark,
        kind=kind,
        models=tuple(models),
        columns=(*columns.values(), *COST, SECONDS),
        protocol=joined(protocol, models),
        seeds=seeds,
        scores=pd.DataFrame(chain(*(found.values for found in parts)), columns=["model", "seed", "metric", "value"]),
        reasons=pd.DataFrame(chain(*(found.reasons for found in parts)), columns=REASON),
        sweeps=pd.DataFrame(chain(*(found.sweeps for found in parts)), columns=SWEPT),
        curves=pd.concat([tidy("player"), *chain(*(found.curves for found in parts))], ignore_index=True),
        progress=progress[progress.model != ORACLE],
        real={str(metric): found.value.mean() for metric, found in of_oracle.groupby("metric")},
        samples=of_first_seed(read_samples, samples, seeds, remedy),
        snapshots=of_first_seed(read_snapshots, snapshots, seeds, remedy),
        palette=looks(dict.fromkeys(models, "")),
        **uses,
    )


def part(model: str, folder: Path, remedy: str, lines: bool = True) -> Part:
    """What one model's ``folder`` of scores holds."""
    content = read_seeds(folder / "scores.json", remedy)
    with readable(folder / "scores.json", remedy):
        columns, protocol = [Column(**entry) for entry in content["columns"]], content["protocol"]
        entries = content["seeds"]
        seeds = [outcome(model, entry) for entry in entries]
        digests = {entry["seed"]: entry.get("files", {}).get(f"progress/{entry['seed']}.csv") for entry in entries}
        values = [row for entry in entries for row in measured(model, entry, [*columns, *COST])]
        sweeps = [row for entry in entries for row in swept(model, entry)]
        reasons = [
            (model, entry["seed"], str(metric), str(reason))
            for entry in entries
            for metric, reason in (entry.get("reasons") or {}).items()
        ]
    finished = {seed["seed"] for seed in seeds if seed["status"] == "finished"}
    progress, curves = [], []
    if lines and (recorded := folder / "progress").exists():
        progress = [
            curve(model, seed, recorded / f"{seed}.csv", "metric", remedy, digests[seed]) for seed in sorted(finished)
        ]
    if model != ORACLE and not content.get("brought"):  # those are trained
        runs = trained(finished, folder / "training.json", remedy)
        values += [(model, seed, SECONDS.name, float(runs[seed]["seconds"])) for seed in sorted(finished)]
        curves = list(losses(model, runs, finished, folder / "curves", remedy)) if lines else []
    return Part(columns, protocol, seeds, values, reasons, curves, progress, sweeps)


def joined(protocol: Iterable[str], models: Sequence[str]) -> tuple[str, ...]:
    """The lines with those made one that say the same of several models: "a, b: each is told labels."."""
    said: dict[str, list[str]] = {}
    for line in protocol:
        name, _, rest = line.partition(" is ")
        said.setdefault(rest if name in models else line, []).extend([name] * (name in models))
    return tuple(
        f"{', '.join(names)}{': each' * (len(names) > 1)} is {line}" if names else line for line, names in said.items()
    )


def outcome(model: str, entry: dict[str, Any]) -> dict[str, Any]:
    if entry["status"] not in ("finished", "diverged"):
        raise ValueError(f"seed {entry['seed']} has status {entry['status']!r}, neither finished nor diverged")
    return {"model": model, "seed": entry["seed"], "status": entry["status"]} | {
        key: entry.get(key) for key in OUTCOME[3:]
    }


def measured(model: str, entry: dict[str, Any], columns: list[Column]) -> Iterator[tuple[str, int, str, float]]:
    """The finite values of one seed; a diverged seed has none, whatever stands in the file."""
    for name in [column.name for column in columns] * (entry["status"] == "finished"):
        value = entry.get(name) if name in SPARED else entry[name]
        if value is not None and math.isfinite(value):
            yield model, entry["seed"], name, float(value)


def swept(model: str, entry: dict[str, Any]) -> Iterator[tuple[str, int, str, float, str, float]]:
    """What a seed scored at each value of the numbers that its sampler takes."""
    for sweep, rows in (entry.get("sweeps") or {}).items():
        for row in rows:
            for metric, value in row.items():
                if metric != "at" and value is not None:
                    yield model, entry["seed"], str(sweep), float(row["at"]), str(metric), float(value)


def trained(finished: set[int], path: Path, remedy: str) -> dict[int, dict[str, Any]]:
    """What is on record of each seed's training, what it cost among it."""
    runs = {run["seed"]: run for run in read_seeds(path, remedy, {"seconds": int | float})["seeds"]}
    with readable(path, remedy):
        if missing := sorted(finished - runs.keys()):
            raise ValueError(f"it lacks seed {missing[0]}, which scores.json has")
    return runs


def tidy(name: str) -> pd.DataFrame:
    """No lines yet: what `curve` gives, empty."""
    return pd.DataFrame({"model": [], "seed": [], "step": [], name: [], "value": []})


def curve(model: str, seed: int, path: Path, name: str, remedy: str, digest: str | None = None) -> pd.DataFrame:
    """One seed's lines in long form: model, seed, step, ``name`` (which line), value."""
    lines = read_lines(path, remedy, digest)
    wide = pd.DataFrame(lines.values, columns=list(lines.names), dtype=float).assign(step=lines.steps)
    long = wide.melt("step", var_name=name).dropna().astype({"step": int, "value": float})
    return long.assign(model=model, seed=seed)


def losses(
    model: str, runs: Mapping[int, dict[str, Any]], finished: set[int], folder: Path, remedy: str
) -> Iterator[pd.DataFrame]:
    """The curves of the finished seeds, and of those that diverged where they got far enough to have one."""
    others = [int(path.stem) for path in folder.glob("*.csv") if path.stat().st_size and path.stem.isdigit()]
    for seed in (*sorted(finished), *sorted({*others} - finished)):
        digest = runs.get(seed, {}).get("files", {}).get(f"curves/{seed}.csv")
        yield curve(model, seed, folder / f"{seed}.csv", "player", remedy, digest)


def inside(folders: Mapping[str, Path], name: str) -> dict[str, Path]:
    return {model: folder / name for model, folder in folders.items()}


def of_first_seed(
    read: Callable[[Path, str], Found | None], folders: Mapping[str, Path], seeds: pd.DataFrame, remedy: str
) -> dict[str, Found]:
    """What ``read`` finds of each model's first finished seed, never the best one, where it finds anything."""
    first = seeds[seeds.status == "finished"].groupby("model").seed.min()
    paths = {model: folder / f"{first[model]}.npz" for model, folder in folders.items() if model in first}
    return {model: found for model, path in paths.items() if (found := read(path, remedy))}

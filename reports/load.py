"""Everything that a benchmark's report is made from, read once into tidy tables.

A file that is missing or damaged is an error of one line that names it and the command that makes it anew.
"""

import json
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd

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


SPENT = "Seconds of computing per trained seed: of the processor, or of the GPU where one trained it."
SECONDS = Column("seconds", "s/seed", None, 1, note=SPENT)
OUTCOME = ["model", "seed", "status", "step", "player", "estimator", "given", "task"]


class Samples(NamedTuple):
    """What one training seed generated; for the oracle, real data."""

    x: np.ndarray  # (n, D) float32 points, or (n, C, H, W) uint8 levels
    label: np.ndarray | None  # (n,) the label asked for
    seed: int
    levels: int  # grey levels of images; 0 for points


class Density(NamedTuple):
    """The true log density on a grid, for a picture."""

    xs: np.ndarray  # (W,)
    ys: np.ndarray  # (H,)
    values: np.ndarray  # (H, W) nats


class Fills(NamedTuple):
    """Damaged images and what one training seed of a model put into the holes; levels, all (..., C, H, W) uint8."""

    damage: tuple[str, ...]  # T kinds of it
    fits: np.ndarray  # (T,) bool: whether the model fills such holes
    whole: np.ndarray  # (k, ...)
    damaged: np.ndarray  # (T, k, ...)
    mean: np.ndarray  # (T, k, ...) of several draws
    draw: np.ndarray  # (T, k, ...) one of them
    levels: int


class Walks(NamedTuple):
    """What a model's decoder makes of codes: images, as (..., C, H, W) uint8 levels, or points in the plane."""

    ends: np.ndarray | None  # (k, 2, ...) held-out images
    walk: np.ndarray | None  # (k, steps, ...) along a straight line between their codes
    grid: np.ndarray | None  # (rows, across, ...) of a grid of codes of two numbers
    lines: np.ndarray | None  # (2, lines, points, 2) of such a grid's lines, where data are points
    levels: int


class Pixels(NamedTuple):
    """What each pixel of two held-out images costs a model, of the likeliest and of the least likely."""

    x: np.ndarray  # (2, C, H, W) uint8 levels
    nats: np.ndarray  # (2, C, H, W)
    levels: int


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
    real: dict[str, float] = field(default_factory=dict)  # column -> what real data score, as many as a snapshot has
    density: Density | None = None
    palette: tuple[str, ...] = ()  # all models of all benchmarks: a model has one colour everywhere
    facts: dict[str, str] = field(default_factory=dict)  # heading -> words, for the top of the page

    def column(self, name: str) -> Column:
        """The column ``name`` of the table; where it has none, one by this name."""
        plain = Column(name, name.replace("_", " "), None, 2)
        return next((column for column in self.columns if column.name == name), plain)


def load(
    benchmark: str,
    kind: str,
    models: Sequence[str],
    scores: Path,
    samples: Mapping[str, Path],
    snapshots: Mapping[str, Path] = MappingProxyType({}),
) -> Report:
    """Read ``scores``/<model>/ of every model and the oracle, and the folders of each model's samples and snapshots.

    Raises ValueError or OSError for the first file that is damaged or missing. Older results lack progress/, snapshots.
    """
    remedy = f"`dvc repro benchmarks/{benchmark}/dvc.yaml`"
    columns: dict[str, Column] = {}
    protocol: dict[str, None] = {}
    seeds, values = [], []
    curves, progress = [tidy("player")], [tidy("metric")]
    for model in (*models, ORACLE):
        with readable(scores / model / "scores.json", remedy) as path:
            content = json.loads(path.read_text())
            for entry in content["columns"]:
                columns.setdefault(entry["name"], Column(**entry))
            protocol |= dict.fromkeys(content["protocol"])
            seeds += [outcome(model, entry) for entry in content["seeds"]]
            values += [row for entry in content["seeds"] for row in measured(model, entry, content["columns"])]
        finished = {entry["seed"] for entry in content["seeds"] if entry["status"] == "finished"}
        if (folder := scores / model / "progress").exists():
            progress += [curve(model, seed, folder / f"{seed}.csv", "metric", remedy) for seed in sorted(finished)]
        if model != ORACLE:
            values += training(model, finished, scores / model / "training.json", remedy)
            folder = scores / model / "curves"
            curves += [curve(model, seed, folder / f"{seed}.csv", "player", remedy) for seed in sorted(finished)]
            curves += stopped(model, finished, folder, remedy)
    recorded = pd.concat(progress, ignore_index=True)
    of_oracle = recorded[recorded.model == ORACLE]
    frame = pd.DataFrame(seeds, columns=OUTCOME)
    return Report(
        benchmark=benchmark,
        kind=kind,
        models=tuple(models),
        columns=(*columns.values(), SECONDS),
        protocol=joined(protocol, models),
        seeds=frame,
        scores=pd.DataFrame(values, columns=["model", "seed", "metric", "value"]),
        curves=pd.concat(curves, ignore_index=True),
        progress=recorded[recorded.model != ORACLE],
        real={str(metric): found.value.mean() for metric, found in of_oracle.groupby("metric")},
        samples=of_first_seed(read_samples, samples, frame, remedy),
        snapshots=of_first_seed(read_snapshots, snapshots, frame, remedy),
        fills=of_first_seed(read_fills, {model: path / "fills" for model, path in samples.items()}, frame, remedy),
        walks=of_first_seed(read_walks, {model: path / "walks" for model, path in samples.items()}, frame, remedy),
        pixels=of_first_seed(read_pixels, {model: path / "pixels" for model, path in samples.items()}, frame, remedy),
        palette=tuple(models),
    )


def joined(protocol: Iterable[str], models: Sequence[str]) -> tuple[str, ...]:
    """The lines with those made one that say the same of several models: "a, b: each is told labels."."""
    said: dict[str, list[str]] = {}
    for line in protocol:
        name, _, rest = line.partition(" is ")
        said.setdefault(rest if name in models else line, []).extend([name] * (name in models))
    return tuple(
        f"{', '.join(names)}{': each' * (len(names) > 1)} is {line}" if names else line for line, names in said.items()
    )


@contextmanager
def readable(path: Path, remedy: str) -> Iterator[Path]:
    """Say which file it was, and what makes it anew, if reading ``path`` fails."""
    try:
        yield path
    except FileNotFoundError:
        raise OSError(f"{path} is missing; {remedy} makes it") from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{path} is damaged ({reason}); delete it, and {remedy} makes it anew") from error


def outcome(model: str, entry: dict[str, Any]) -> dict[str, Any]:
    if entry["status"] not in ("finished", "diverged"):
        raise ValueError(f"seed {entry['seed']} has status {entry['status']!r}, neither finished nor diverged")
    return {"model": model, "seed": entry["seed"], "status": entry["status"]} | {
        key: entry.get(key) for key in OUTCOME[3:]
    }


def measured(model: str, entry: dict[str, Any], columns: list[dict[str, Any]]) -> Iterator[tuple[str, int, str, float]]:
    """The finite values of one seed; a diverged seed has none, whatever stands in the file."""
    for name in [column["name"] for column in columns] * (entry["status"] == "finished"):
        value = entry[name]
        if value is not None and math.isfinite(value):
            yield model, entry["seed"], name, float(value)


def training(model: str, finished: set[int], path: Path, remedy: str) -> list[tuple[str, int, str, float]]:
    """What each finished seed cost, as one more measured column."""
    with readable(path, remedy):
        runs = {run["seed"]: float(run["seconds"]) for run in json.loads(path.read_text())["seeds"]}
        if missing := sorted(finished - runs.keys()):
            raise ValueError(f"it lacks seed {missing[0]}, which scores.json has")
        return [(model, seed, SECONDS.name, runs[seed]) for seed in sorted(finished)]


def tidy(name: str) -> pd.DataFrame:
    """No lines yet: what `curve` gives, empty."""
    return pd.DataFrame({"model": [], "seed": [], "step": [], name: [], "value": []})


def curve(model: str, seed: int, path: Path, name: str, remedy: str) -> pd.DataFrame:
    """One seed's lines in long form: model, seed, step, ``name`` (which line), value."""
    with readable(path, remedy):
        wide = pd.read_csv(path)
        long = wide.melt("step", var_name=name).dropna().astype({"step": int, "value": float})
        return long.assign(model=model, seed=seed)


def stopped(model: str, finished: set[int], folder: Path, remedy: str) -> Iterator[pd.DataFrame]:
    """The curves of the seeds that diverged, where they got far enough to have one."""
    for path in sorted(folder.glob("*.csv")):
        if path.stat().st_size and path.stem.isdigit() and int(path.stem) not in finished:
            yield curve(model, int(path.stem), path, "player", remedy)


def of_first_seed(
    read: Callable[[Path, str], Found | None], folders: Mapping[str, Path], seeds: pd.DataFrame, remedy: str
) -> dict[str, Found]:
    """What ``read`` finds of each model's first finished seed, never the best one, where it finds anything."""
    first = seeds[seeds.status == "finished"].groupby("model").seed.min()
    paths = {model: folder / f"{first[model]}.npz" for model, folder in folders.items() if model in first}
    return {model: found for model, path in paths.items() if (found := read(path, remedy))}


def read_samples(path: Path, remedy: str = "`dvc repro`") -> Samples:
    """The samples in ``path``, a file named for its seed."""
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        x, levels = file["x"], int(file["levels"])
        if x.ndim not in (2, 4) or (x.ndim == 4) != (levels > 0):
            raise ValueError(f"shape {x.shape} with {levels} levels is neither points nor images")
        return Samples(x, file.get("label"), int(path.stem), levels)


def read_snapshots(path: Path, remedy: str) -> dict[int, Samples]:
    """The samples taken during training in ``path``, by step; none where there is no file."""
    if not path.exists():
        return {}
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        steps, x, levels = file["step"].tolist(), file["x"], int(file["levels"])
        if len(steps) != len(x) or (steps and (x.ndim not in (3, 5) or (x.ndim == 5) != (levels > 0))):
            raise ValueError(f"shape {x.shape} with {levels} levels is not {len(steps)} sets of points or images")
        return {step: Samples(taken, None, int(path.stem), levels) for step, taken in zip(steps, x, strict=True)}


def read_fills(path: Path, remedy: str) -> Fills | None:
    """The filled holes in ``path``; None where there is no file."""
    if not path.exists():
        return None
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        kept = {name: file[name] for name in Fills._fields}
        kinds = (len(kept["damage"]), *kept["whole"].shape)
        if kept["fits"].shape != kinds[:1] or any(kept[name].shape != kinds for name in ("damaged", "mean", "draw")):
            raise ValueError(f"{kinds[0]} kinds of damage to {kinds[1]} images are not all there")
        return Fills(**kept | {"damage": tuple(kept["damage"].tolist()), "levels": int(kept["levels"])})


def read_walks(path: Path, remedy: str) -> Walks | None:
    """What was decoded from codes in ``path``; None where there is no file."""
    if not path.exists():
        return None
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        found = Walks(**{name: file.get(name) for name in Walks._fields})._replace(levels=int(file["levels"]))
        shapes = {name: getattr(found, name).ndim for name in ("ends", "walk", "grid", "lines") if name in file}
        if shapes not in ({"lines": 4}, {"ends": 5, "walk": 5}, {"ends": 5, "walk": 5, "grid": 5}):
            raise ValueError(f"{shapes} dimensions are neither lines of points nor walks of images")
        return found


def read_pixels(path: Path, remedy: str) -> Pixels | None:
    """What pixels cost in ``path``; None where there is no file."""
    if not path.exists():
        return None
    with readable(path, remedy), np.load(path, allow_pickle=False) as file:
        x, nats = file["x"], file["nats"]
        if x.ndim != 4 or x.shape != nats.shape or len(x) != 2:
            raise ValueError(f"shapes {x.shape} and {nats.shape} are not two images and what their pixels cost")
        return Pixels(x, nats, int(file["levels"]))

"""The trials of a search: read from their record, and what k of n trials would have found, in closed form.

A trial counts by its value, lower being better; one that diverged or has no value (None) is above all others.
"""

from collections.abc import Collection, Mapping, Sequence
from math import comb, exp, inf, isinf, log
from pathlib import Path
from statistics import fmean
from typing import Any

from reports.files import read_json, readable

Record = dict[str, Any]  # of a kind: the rule, and of each contestant its ranges and trials
BEFORE = ("house", "found")  # whose settings of before may be: params.yaml's, or an earlier search's
LEAST = 1e-9  # of a distance, which has a logarithm
WANTED = {
    "kind": str,
    "benchmarks": list,
    "by": dict,
    "trials": int,
    "shorter": int,
    "finals": int,
    "not_searched": dict,
    "notes": dict,
}


def read(path: Path, known: Collection[str]) -> Record:
    """The record of a search, of no other contestants than those. Raises OSError or ValueError, one line."""
    remedy = f"`python -m pipeline.search {path.stem}`"
    record = read_json(path, remedy)
    with readable(path, remedy):
        for key, kind in WANTED.items():
            if not isinstance(record[key], kind):
                raise TypeError(f"{key} = {record[key]!r}")
        for each in record["contestants"].values():
            if not values(each["trials"]):
                raise ValueError("a contestant without trials")
            tried = [trial["settings"] for trial in (*each["trials"], *each["finals"])]
            if any(told.keys() != each["paper"].keys() for told in (each["house"], *tried)):
                raise ValueError("settings of other names")
    if strangers := [name for name in record["contestants"] if name not in known]:
        raise ValueError(f"{path}: {strangers[0]} is no contestant of {record['kind']}; {remedy} makes it anew")
    return record


def values(trials: Sequence[Mapping[str, Any]]) -> list[float]:
    """Their values, infinite where there is none."""
    return [inf if trial["value"] is None or trial["diverged"] else float(trial["value"]) for trial in trials]


def ranked(trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that have a value, the lowest first, of equals the first trial."""
    paired = zip(values(trials), trials, strict=True)
    return [trial for value, trial in sorted(paired, key=lambda each: (each[0], each[1]["trial"])) if not isinf(value)]


def chosen(contestant: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a search has found: the lowest of the final, without a final the lowest of the trials; None if all have no
    value."""
    return next(iter(ranked(contestant["finals"] or contestant["trials"])), None)


def chosen_on(contestant: Mapping[str, Any], benchmark: str, distance: bool) -> Mapping[str, Any] | None:
    """What the final has found on one of its benchmarks alone; None if that is what it has found on all of them
    together, if its seeds there do not all lie below those of that, or there was no final."""
    runs = [[seed["values"][benchmark] for seed in each["seeds"]] for each in contestant["finals"]]
    means = [mean(each, distance) for each in runs]
    known = [(value, place) for place, value in enumerate(means) if value is not None]
    both = chosen(contestant)
    if not known or both is None:
        return None
    best, others = min(known)[1], contestant["finals"].index(both)
    clear = max(runs[best]) < min(inf if value is None else value for value in runs[others])
    return contestant["finals"][best] if clear else None


def mean(values: Collection[float | None], distance: bool) -> float | None:
    """The geometric mean of distances, the mean of others; None if one has no value."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return exp(fmean(log(max(LEAST, value)) for value in known)) if distance else fmean(known)


def ways(n: int, k: int) -> list[int]:
    """Of all ways to draw k of n trials, without replacement, in how many the best is the first, second, ... best of
    all: the other k - 1 are among those behind it."""
    return [comb(n - place, k - 1) for place in range(1, n + 1)]


def expected(found: Sequence[float], k: int) -> float:
    """The best of k of these trials, in the mean over all ways to draw k; infinite while all k can have diverged."""
    drawn = zip(ways(len(found), k), sorted(found), strict=True)
    return sum(count * value for count, value in drawn if count) / comb(len(found), k)


def beats(one: Sequence[float], other: Sequence[float], k: int) -> float:
    """How probable it is that the best of k trials of one is below the best of k of the other, ties half."""
    ours, theirs = (list(zip(ways(len(found), k), sorted(found), strict=True)) for found in (one, other))
    halves = sum(p * q * (2 if a < b else 1 if a == b else 0) for p, a in ours for q, b in theirs)
    return halves / (2 * comb(len(one), k) * comb(len(other), k))

"""The metrics, one file each: a file here is a metric, under its own name.

A metric file defines `COLUMNS`, and `score`, whose keywords say what evidence it needs and whose keys are the columns'
names. Evidence that a model cannot give arrives as None, and the columns that need it are None: printed n/a, never 0.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

EVIDENCE = {
    "real": "(N, *shape) held-out data as a model sees them, float32",
    "fake": "(n, *shape) generated samples, float32",
    "real_features": "(N, D) features of `real`",
    "fake_features": "(n, D) features of `fake`",
    "real_labels": "(N,) the judge's labels of `real`",
    "fake_labels": "(n,) the judge's labels of `fake`",
    "given_labels": "(n,) the labels that a conditional model was asked for",
    "classes": "how many classes there are; 0: unlabelled",
    "centres": "(K, D) the true modes",
    "sigma": "the true standard deviation of a mode",
    "log_prob": "(N,) log-likelihood of `real`, nats",
    "dims": "numbers in one sample, the product of its shape",
    "levels": "grey levels that `log_prob` is stated for; 0: continuous",
}


class Column(NamedTuple):
    """One number of the table and how it is shown."""

    name: str
    label: str
    direction: Literal["higher", "lower"] | None  # which is better; None: neither
    decimals: int
    percent: bool = False  # the value is a share, 0 to 1, and is shown times 100
    main: bool = True  # False: in the full table only
    note: str = ""  # the sentence of its protocol


def names() -> list[str]:
    """Every metric there is, sorted."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))


def load(name: str) -> ModuleType:
    """The module benchmarks/metrics/<name>.py."""
    if name not in names():
        nearest = get_close_matches(name, names(), n=1)
        remedy = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(names())}"
        raise ValueError(f"no metric is called {name!r}: {remedy}")
    return import_module(f"{__name__}.{name}")


def columns(chosen: Iterable[str]) -> list[Column]:
    """The columns of the chosen metrics, in their order."""
    return [column for name in chosen for column in load(name).COLUMNS]


def evaluate(chosen: Iterable[str], evidence: Mapping[str, Any]) -> dict[str, float | None]:
    """The values of every column of the chosen metrics; each metric is passed the evidence that it names."""
    values = {}
    for name in chosen:
        score = load(name).score
        values |= score(**{key: evidence.get(key) for key in signature(score).parameters})
    return values

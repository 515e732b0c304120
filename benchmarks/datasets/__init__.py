"""The data that contestants are measured on, one file per data set: a file here is a data set, under its own name.

Each defines ``load(*, <setting>: <type> = <default>, ...) -> Splits``, with ``root: Path`` among them where it reads
files. What they share is in ``common``.
"""

import difflib
import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from benchmarks.datasets.common.splits import Split, Splits, Truth

__all__ = ["Split", "Splits", "Truth", "check", "load", "names"]


class DataSet(Protocol):
    """What a data set's file defines."""

    load: Callable[..., Splits]


def names() -> list[str]:
    """Every data set there is, sorted."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))


def load(name: str, root: Path, settings: Mapping[str, Any]) -> Splits:
    """The data set ``name``; files that it needs lie under ``root``, or are downloaded there.

    Raises ValueError (a wrong name or setting, a damaged file) or OSError (a missing file that can't be downloaded).
    """
    check(name, settings)
    folder = {"root": Path(root)} if "root" in _parameters(name) else {}
    return _module(name).load(**settings, **folder)


def check(name: str, settings: Mapping[str, Any]) -> None:
    """Raise ValueError, in one line, if ``settings`` do not fit the signature of the data set's ``load``."""
    from pydantic import ConfigDict, ValidationError, create_model  # here: prepared data are read without it

    fields: dict[str, Any] = {key: (p.annotation, p.default) for key, p in _parameters(name).items() if key != "root"}
    schema = create_model("Settings", __config__=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False), **fields)
    try:
        schema.model_validate(dict(settings))
    except ValidationError as error:
        fault = error.errors()[0]
        key = str(fault["loc"][0])
        if key not in fields:
            raise ValueError(f"{name}: unknown setting {key!r}{_nearest(key, list(fields))}") from None
        reason = fault["msg"][0].lower() + fault["msg"][1:]
        raise ValueError(f"{name}: {key} = {fault['input']!r}: {reason}") from None


def defaults(name: str) -> dict[str, Any]:
    """The settings of the data set ``name`` where nothing else is said."""
    return {key: parameter.default for key, parameter in _parameters(name).items() if key != "root"}


def _parameters(name: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(_module(name).load, eval_str=True).parameters


def _module(name: str) -> DataSet:
    if name not in names():
        raise ValueError(f"unknown data set {name!r}{_nearest(name, names())}")
    return import_module(f"{__name__}.{name}")


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known) or 'none'}"

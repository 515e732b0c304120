"""The files of results: one reader for each format, which says of a damaged file which it is and what makes it anew."""

import csv
import hashlib
import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

FAULTS = (ValueError, LookupError, TypeError, AttributeError, EOFError, MemoryError, NotImplementedError, struct.error)
A_FOLDER = (IsADirectoryError, NotADirectoryError)
FAULTS_OF_ZIP = (zipfile.BadZipFile, zlib.error)


class Lines(NamedTuple):
    """A curve file: a value, or none, of each name at each step."""

    names: tuple[str, ...]
    steps: tuple[int, ...]
    values: tuple[tuple[float | None, ...], ...]  # of each step, by name


@contextmanager
def readable(path: Path, remedy: str) -> Iterator[Path]:
    """Say which file it was, and what makes it anew, if reading ``path`` fails."""
    try:
        yield path
    except FileNotFoundError:
        raise OSError(f"{path} is missing; {remedy} makes it") from None
    except (*FAULTS, *FAULTS_OF_ZIP, *A_FOLDER) as error:
        raise ValueError(f"{path} is damaged ({told(error)}); delete it, and {remedy} makes it anew") from error


def told(error: BaseException) -> str:
    """What is the matter, in a line, without a remedy, which its reader has. Of pickles only that: torch's and numpy's
    own words go on to say how to trust the file."""
    kind, words = type(error).__name__, re.split(r"; [^;]*`", " ".join(str(error).split()))[0][:300]
    return kind if "pickle" in words.lower() or "weights_only" in words else f"{kind}: {words}"


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """A record of plain values."""
    with readable(path, remedy):
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=no_number)
        if not isinstance(content, dict):
            raise TypeError(f"a {type(content).__name__} where a record is wanted")
        return content


def no_number(constant: str) -> NoReturn:
    """Python reads NaN, and writes none."""
    raise ValueError(f"{constant} where a number is wanted")


def complete(text: str) -> list[list[str]]:
    """The rows of a CSV, the header first. Raises ValueError for one that is cut short, which pandas would fill up."""
    rows = list(csv.reader(text.splitlines(keepends=True)))
    if not text.endswith("\n") or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("it is cut short")
    return rows


def read_seeds(path: Path, remedy: str, wanted: Mapping[str, Any] = {}) -> dict[str, Any]:
    """A record with `seeds`, a list of records that each have their number, and whatever else is wanted."""
    content = read_json(path, remedy)
    with readable(path, remedy):
        numbers = [entry["seed"] for entry in content["seeds"]]
        if len(set(numbers)) < len(numbers):
            raise ValueError("a seed is there twice")
        for entry in content["seeds"]:
            for name, kind in {"seed": int, "files": dict, **wanted}.items():
                if not isinstance(value := {"files": {}, **entry}[name], kind):  # older records lack digests of files
                    raise TypeError(f"seeds: {name} = {value!r}")
        return content


def read_judge(path: Path, remedy: str) -> dict[str, Any]:
    """How good a benchmark's judge is."""
    content = read_json(path, remedy)
    with readable(path, remedy):
        if not isinstance(content["accuracy"], float):
            raise TypeError(f"accuracy = {content['accuracy']!r}")
        return content


def read_lines(path: Path, remedy: str, digest: str | None = None) -> Lines:
    """A curve file, `step` and a column each; ``digest``: of the whole file, where it is known."""
    with readable(path, remedy):
        raw = path.read_bytes()
        if digest is not None and hashlib.sha256(raw).hexdigest() != digest:
            raise ValueError("it is not what was written")
        if not raw and digest is not None:  # of a seed that diverged at once
            return Lines((), (), ())
        header, *rows = complete(raw.decode())
        if header[0] != "step":
            raise ValueError("it is no table of steps")
        steps = tuple(int(row[0]) for row in rows)
        if any(later <= step for step, later in pairwise(steps)):
            raise ValueError("its steps do not rise")
        values = tuple(tuple(float(cell) if cell else None for cell in row[1:]) for row in rows)
        return Lines(tuple(header[1:]), steps, values)


def by_name(lines: Lines) -> dict[str, list[tuple[int, float]]]:
    """The points of each name that has any; none where there is no value, or not a finite one."""
    found: dict[str, list[tuple[int, float]]] = {}
    for step, values in zip(lines.steps, lines.values, strict=True):
        for name, value in zip(lines.names, values, strict=True):
            if value is not None and math.isfinite(value):
                found.setdefault(name, []).append((step, value))
    return found

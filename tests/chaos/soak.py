"""What the soaks share: how many tries, by which chance, and what is the same afterwards.

`make chaos TRIES=5` is a short run of each part, `SEED=7` another one, `CLONE=folder` goes on in
the clone of an earlier run.
"""

import hashlib
import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

TRIES = int(os.environ.get("TRIES") or 10**6)  # of each part, at most
SEED = int(os.environ.get("SEED") or 0)
TOOK = ("seconds", "steps_per_second", "made", "sample_ms")  # what a record says that is other each time
MADE = ("artifacts/*/*", "artifacts/*/*/*", "artifacts/code/**/*", "artifacts/settings/**/*", "reports/**/*")
BESIDE = ("artifacts/work/", "artifacts/mlflow/", "artifacts/downloads/")

Case = TypeVar("Case")


def chance(part: str) -> random.Random:
    return random.Random(f"{part} {SEED}")


def some(cases: Sequence[Case], part: str) -> list[Case]:
    """All of them, or as many as are wanted, by lot."""
    return list(cases) if len(cases) <= TRIES else chance(part).sample(cases, TRIES)


def tried(part: str, cases: Sequence[Case], attempt: Callable[[Case], str]) -> None:
    """Try each and print how many held. A case that did not hold fails the part, with what was said of it."""
    faults = {}
    for case in cases:
        if said := attempt(case):
            faults[str(case)] = said
            print(f"\n  {case}: {said}", flush=True)
    print(f"\n{part} {len(cases) - len(faults)}/{len(cases)} (SEED={SEED})", flush=True)
    if faults:
        pytest.fail("\n".join(f"{case}: {said}" for case, said in faults.items()), pytrace=False)


def results(clone: Path) -> dict[str, str]:
    """A digest of each file of results, but for what a seed took and what it was made on."""
    files = {file for pattern in MADE for file in clone.glob(pattern) if file.is_file()}
    named = {str(file.relative_to(clone)): file for file in files}
    return {name: digest(file) for name, file in sorted(named.items()) if not name.startswith(BESIDE)}


def digest(file: Path) -> str:
    raw = file.read_bytes()
    if file.suffix == ".json" and "settings" not in file.parts:
        raw = json.dumps(timeless(json.loads(raw))).encode()
    if "rendered" in file.parts and file.suffix != ".png":  # pages show the seconds
        raw = b"there"
    return hashlib.sha256(raw).hexdigest()


def timeless(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: timeless(value) for key, value in content.items() if key not in TOOK}
    return [timeless(value) for value in content] if isinstance(content, list) else content


def changed(before: dict[str, str], after: dict[str, str]) -> str:
    """What is not the same; nothing if all is."""
    other = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return f"{len(other)} results are not the same: {', '.join(other[:3])}" if other else ""

"""A unit is made: by the process that holds its lock, once."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from pipeline.files import atomic_write, file_digest
from pipeline.work.sound import begun_on, check_trained, explain, explained
from pipeline.work.units import Record, Unit, locked


def run(units: list[Unit], advance: list[Callable[[int], None]]) -> Iterator[tuple[int, Record | Exception]]:
    """The places of units and their records, made or found made, as they come: of one, or of several of a benchmark
    that are trained side by side; for one that failed, its error.

    For a worker process: it imports torch.
    """
    with ExitStack() as held:
        for lock in sorted(unit.file(".lock") for unit in units):  # in one order, so that no two wait for each other
            held.enter_context(locked(lock))
        found = {unit: unit.record() or (unit.record() if unit.taken_up() else None) for unit in units}
        missing = [place for place, unit in enumerate(units) if found[unit] is None]
        for place, unit in enumerate(units):
            if (record := found[unit]) is not None:
                advance[place](unit.steps)
                yield place, record
        read = {file: None for place in missing for file in inputs(units[place])}
        with explained(*read):
            for index, end in _made([units[place] for place in missing], [advance[place] for place in missing]):
                place = missing[index]
                yield place, explain(end, read) if isinstance(end, Exception) else finish(units[place], end)


def inputs(unit: Unit) -> list[Path]:
    """The files that a unit reads, where they are there: data, judge, and what an evaluation looks at."""
    return [path for path in (unit.data, unit.judge, *unit.training_files().values()) if path.exists()]


def _made(units: list[Unit], advance: list[Callable[[int], None]]) -> Iterator[tuple[int, Record | Exception]]:
    """What training or evaluation says of each unit, by its place."""
    if units and units[0].task != "evaluate":
        for unit in units:
            begin_anew_elsewhere(unit)
        yield from _trained(units, advance)
    elif units:
        from pipeline.evaluation.unit import evaluate

        for place, unit in enumerate(units):
            check_trained(unit)
            yield place, evaluate(unit, advance[place])


def _trained(units: list[Unit], advance: list[Callable[[int], None]]) -> Iterator[tuple[int, Record | Exception]]:
    if units[0].task == "trial":
        from pipeline.search.unit import tried

        return tried(units, advance)
    from pipeline.training.unit import train

    return train(units, advance)


def begin_anew_elsewhere(unit: Unit) -> None:
    """Drop a checkpoint of another kind of device: a seed is made on one kind from its first step to its last. And a
    damaged one: a seed that begins anew is the same."""
    from pipeline.data import chosen_device

    checkpoint = unit.file(".checkpoint")
    if checkpoint.exists() and (kind := begun_on(unit)) != chosen_device().type:
        print(f"{checkpoint} is {f'of a {kind}' if kind else 'damaged'}: the seed begins anew", flush=True)
        drop_begun(unit)


def drop_begun(unit: Unit) -> None:
    """Remove what only an unfinished unit needs."""
    for rest in (unit.file(".checkpoint"), unit.file(".csv"), unit.file(".snapshots")):
        shutil.rmtree(rest) if rest.is_dir() else rest.unlink(missing_ok=True)


def finish(unit: Unit, record: Record) -> Record:
    """Write the unit's record, which says that it is finished, and drop what only a running one needs."""
    drop_begun(unit)
    files = {str(file.relative_to(unit.work)): file_digest(file) for file in unit.files()}
    record = {"seed": unit.seed, **record, "files": files}
    atomic_write(unit.file(".json"), json.dumps(record) + "\n")
    return record

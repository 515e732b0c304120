"""What a search leaves in git: all its trials by kind, and the settings that were best.

A trial's value is the mean over the rule's benchmarks: of logarithms where the column is a distance, so that no unit
counts, and as it is where it is nats. The lowest is chosen, of equals the first; a trial that diverged, or has no
value, is above all others. Where there is a final, the lowest mean of the final is chosen; and on a benchmark whose own
runs of the final all say otherwise, what these say.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.files import atomic_write
from pipeline.search.spaces import FOUND, ON, found, part_of
from pipeline.search.study import Contestant, Study, Trial, file_of
from pipeline.work.units import Record as Made
from pipeline.work.units import Unit, locked
from reports.trials import Record, chosen, chosen_on, mean, read

NATS = ("nats", "bits_per_dim")  # what may be below 0
LISTS = ("trials", "finals")  # of a contestant
LOCK = Path("artifacts/work/search.lock")


def recorded(study: Study) -> Record:
    """What is on record of the kind. Raises OSError or ValueError, one line."""
    return read(file_of(study.kind), list(study.board))


def write(study: Study, tried: Mapping[Unit, Trial], made: Mapping[Unit, Made]) -> Record:
    """Put the contestants whose trials are all there into the kind's record; of those that are as they were there the
    final stays.

    Raises ValueError if others are to be kept that were searched by another rule.
    """
    with locked(LOCK):
        contestants = kept(study)
        for contestant in study.varied:
            trials = [row(study, *runs[0]) for runs in whole(study, contestant.name, tried, made)]
            if len(trials) == study.trials:
                finals = contestant.known["finals"] if same(trials, contestant.known.get("trials", [])) else []
                contestants[contestant.name] = {**about(contestant), "trials": trials, "finals": finals}
        return saved(study, contestants)


def same(trials: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these trials are those on record: made again, if they were, they had the same values."""
    told = [[(each["settings"], each["values"]) for each in some] for some in (trials, known)]
    return told[0] == told[1]


def write_finals(study: Study, tried: Mapping[Unit, Trial], made: Mapping[Unit, Made]) -> Record:
    """Put the finals that are whole into the kind's record, and the settings of all that is found into found.yaml."""
    with locked(LOCK):
        contestants = recorded(study)["contestants"]
        undecided = []
        for name in [each.name for each in study.varied if each.name in contestants]:
            found = whole(study, name, tried, made)
            if len(found) == len({trial.number for trial in tried.values() if trial.contestant == name}):
                contestants[name]["finals"] = [final(study, runs) for runs in found]
            else:
                undecided.append(name)
        record = saved(study, contestants)
        write_found(record, undecided)
    return record


def saved(study: Study, contestants: Mapping[str, Any]) -> Record:
    order = [name for name in study.board if name in contestants]
    record = {**rule(study), "contestants": {name: contestants[name] for name in order}}
    atomic_write(file_of(study.kind), text(record))
    return record


def rule(study: Study) -> dict[str, Any]:
    """By which rule settings are chosen, and who is not searched."""
    column = study.column
    return {
        "kind": study.kind,
        "benchmarks": study.rule.benchmarks,
        "by": {"column": column.name, "label": column.label, "decimals": column.decimals, "distance": distance(study)},
        "trials": study.trials,
        "shorter": study.shorter,
        "finals": study.finals,
        "not_searched": {each.name: each.why_not for each in study.contestants if each.why_not},
        "notes": study.rule.notes,
    }


def distance(study: Study) -> bool:
    return study.rule.by not in NATS


def about(contestant: Contestant) -> dict[str, Any]:
    ranges = {name: [each.low, each.high] for name, each in contestant.ranges.items()}
    return {"model": contestant.line.model, "ranges": ranges, "paper": contestant.paper, "house": contestant.before}


def kept(study: Study) -> dict[str, Any]:
    """The contestants of an earlier record that this search leaves alone. Raises ValueError if it had another rule."""
    path, searched = file_of(study.kind), [each.name for each in study.varied]
    if not study.only or not path.exists():
        return {}
    record = recorded(study)
    others = {name: each for name, each in record["contestants"].items() if name not in searched}
    now = rule(study)
    for key in ("benchmarks", "by", "trials", "shorter", "finals"):
        if others and record[key] != now[key]:
            raise ValueError(
                f"{path}: {key} = {record[key]} there and {now[key]} now; search as there, or all without --only"
            )
    return others


def whole(
    study: Study, name: str, tried: Mapping[Unit, Trial], made: Mapping[Unit, Made]
) -> list[list[tuple[Trial, dict[str, Made]]]]:
    """The trials of a contestant of which all units are made: of each a run for every seed, records by benchmark."""
    trials: dict[int, Trial] = {}
    runs: dict[int, dict[int, dict[str, Made]]] = {}
    for unit, trial in tried.items():
        if trial.contestant == name:
            trials[trial.number] = trial
            run = runs.setdefault(trial.number, {}).setdefault(unit.seed, {})
            if unit in made:
                run[unit.benchmark] = made[unit]
    wanted = len(study.rule.benchmarks)
    found = {number: list(each.values()) for number, each in runs.items()}
    all_made = [number for number, each in found.items() if all(len(run) == wanted for run in each)]
    return [[(trials[number], run) for run in found[number]] for number in all_made]


def row(study: Study, trial: Trial, made: Mapping[str, Made]) -> dict[str, Any]:
    values = {name: each["value"] for name, each in made.items()}
    return {
        "trial": trial.number,
        "of": trial.origin,
        "settings": trial.settings,
        "seed": next(iter(made.values()))["seed"],
        "value": mean(values.values(), distance(study)),
        "values": values,
        "seconds": round(sum(each["seconds"] for each in made.values()), 2),
        "diverged": any(each["diverged"] for each in made.values()),
    }


def final(study: Study, runs: Sequence[tuple[Trial, Mapping[str, Made]]]) -> dict[str, Any]:
    """A finalist: the runs of its seeds, and their mean."""
    rows = [row(study, *run) for run in runs]
    head = {key: rows[0][key] for key in ("trial", "of", "settings")}
    seeds = [{key: each[key] for key in ("seed", "value", "values", "seconds", "diverged")} for each in rows]
    value = mean([each["value"] for each in rows], distance(study))
    return {**head, "value": value, "diverged": any(each["diverged"] for each in rows), "seeds": seeds}


def text(record: Mapping[str, Any]) -> str:
    """JSON with a line for each trial and finalist, so that versions of it can be compared."""
    head = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in record.items() if key != "contestants"]
    blocks = []
    for name, each in record["contestants"].items():
        told = [f"   {json.dumps(key)}: {json.dumps(value)}," for key, value in each.items() if key not in LISTS]
        lists = ",\n".join(f"   {json.dumps(key)}: {listed(each[key])}" for key in LISTS)
        blocks.append("\n".join([f"  {json.dumps(name)}: {{", *told, lists, "  }"]))
    return "\n".join(["{", *head, ' "contestants": {', ",\n".join(blocks), " }", "}"]) + "\n"


def listed(trials: Iterable[Mapping[str, Any]]) -> str:
    lines = [f"    {json.dumps(trial)}" for trial in trials]
    return "[\n" + ",\n".join(lines) + "\n   ]" if lines else "[]"


def write_found(record: Record, undecided: Collection[str]) -> None:
    """Let found.yaml hold what is found of a kind, and as they were settings of other kinds and of the undecided."""
    content = {**found(Path())}
    decided = {name: each for name, each in record["contestants"].items() if name not in undecided}
    parts = {record["kind"]: {name: chosen(each) for name, each in decided.items()}}
    for benchmark in record["benchmarks"] if len(record["benchmarks"]) > 1 else ():
        part = part_of(record["kind"], params.load().benchmark(benchmark).dataset)
        parts[part] = {name: chosen_on(each, benchmark, record["by"]["distance"]) for name, each in decided.items()}
    kinds = params.load().board.kinds
    for part, trials in parts.items():
        settings = {name: trial["settings"] for name, trial in trials.items() if trial is not None}
        settings |= {name: each for name, each in content.get(part, {}).items() if name in undecided}
        content[part] = {name: settings[name] for name in kinds[record["kind"]].models if name in settings}
    order = sorted(content, key=lambda part: (list(kinds).index(part.split(ON)[0]), part))
    lines = [line for line in FOUND.read_text().splitlines() if line.startswith("#")]
    for part in order:
        if content[part]:
            lines += [f"{part}:", *(f"  {each}: {flow(settings)}" for each, settings in content[part].items())]
    atomic_write(FOUND, "\n".join(lines if any(content.values()) else [*lines, "{}"]) + "\n")


def flow(settings: Mapping[str, Any]) -> str:
    """Settings as a line of YAML."""
    return "{" + ", ".join(f"{name}: {value!r}" for name, value in settings.items()) + "}"

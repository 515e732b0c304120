"""Of each setting of a contestant, whose it is: its paper's, a search's, or the house's own.

What a search left as it was is whose it was before. The size of a net is the house's where a line does not state it:
all contestants have nets of one size, and not their papers'.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import models
from pipeline import params, rows
from pipeline.search import spaces
from pipeline.search.study import file_of
from pipeline.sections import Contestant
from reports.trials import Record, chosen, chosen_on, read

HOUSE = ("width", "depth", "importance")  # of a model file's defaults: the size of its nets, the draws of an evaluation


def lines(kind: str, only: Collection[str]) -> Iterator[str]:
    """A line for each contestant of the kind, of its numbers."""
    contestants = params.load().board.kinds[kind].models
    for name in only:
        params.known(name, list(contestants), "--only", "contestant")
    for name in only or contestants:
        yield f"{name}: {numbers(settings(kind, name, contestants[name])) or 'no number'}"
    for dataset, others in spaces.apart(kind).items():
        there = rows.contestants(kind, params.load().stated[kind], Path(), dataset)
        for name in others if not only else [each for each in only if each in others]:
            yield f"{name} on {dataset}: {numbers(settings(kind, name, there[name], dataset))}"


def numbers(found: dict[str, tuple[Any, str]]) -> str:
    shown = {key: each for key, each in found.items() if type(each[0]) in (int, float)}
    return ", ".join(f"{setting} {value:g} {owner}" for setting, (value, owner) in shown.items())


def settings(kind: str, name: str, line: Contestant, dataset: str = "") -> dict[str, tuple[Any, str]]:
    """The value and the owner of each setting of a contestant's line, as it is on a data set, those of params.yaml
    first."""
    stated = params.load().stated[kind].models[name].settings
    rule = spaces.rule_if_any(kind)
    papers = rule.paper.get(line.model, {}) if rule else {}
    defaults = {key: each.default for key, each in models.hyperparameters(models.load(line.model)).items()}
    said = {**line.settings, **{key: value for key, value in defaults.items() if key not in line.settings}}
    found = {key: each for key, each in searched(kind, name, line, dataset).items() if key not in stated}
    origin = winner(kind, line.of or name, found, dataset) if found else ""

    def owner(key: str, value: Any) -> str:
        if key in found:
            return origin
        if key in HOUSE and key not in papers:
            return "house"
        return "paper" if value == papers.get(key, defaults[key]) else "house"

    return {key: (value, owner(key, value)) for key, value in said.items()}


def winner(kind: str, name: str, found: dict[str, Any], dataset: str) -> str:
    """Whose the settings are that a search ended with: those drawn by it are its own."""
    path = file_of(kind)
    known = read(path, list(params.load().board.kinds[kind].models)) if path.exists() else {"contestants": {}}
    best = ended(known, name, dataset) if name in known["contestants"] else None
    if (
        best is None
        or best["of"] in ("drawn", "found")
        or any(best["settings"].get(key) != each for key, each in found.items())
    ):
        return "search"
    return str(best["of"])


def ended(known: Record, name: str, dataset: str) -> Mapping[str, Any] | None:
    """The trial that the search of a contestant ended with, on a data set of the kind if that is named."""
    each = known["contestants"][name]
    there = [part for part in known["benchmarks"] if params.load().benchmark(part).dataset == dataset]
    alone = [chosen_on(each, part, known["by"]["distance"]) for part in there]
    return next(filter(None, alone), None) or chosen(each)


def searched(kind: str, name: str, line: Contestant, dataset: str) -> dict[str, Any]:
    """The settings that a search found, of a contestant that takes them."""
    row = line.row if line.of else params.load().board.kinds[kind].settings
    return spaces.found_in(kind, dataset=dataset).get(line.of or name, {}) if row == "found" else {}

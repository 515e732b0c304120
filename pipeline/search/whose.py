"""Of each setting of a contestant, whose it is: its paper's, a search's, or the house's own.

What a search left as it was is whose it was before. The size of a net is the house's where a line does not state it:
all contestants have nets of one size, and not their papers'.
"""

from collections.abc import Collection, Iterator
from typing import Any

import models
from pipeline import params
from pipeline.search import record, spaces
from reports.trials import chosen, read

HOUSE = ("width", "depth", "importance")  # of a model file's defaults: the size of its nets, the draws of an evaluation


def lines(kind: str, only: Collection[str]) -> Iterator[str]:
    """A line for each contestant of the kind, of its numbers."""
    contestants = params.load().board.kinds[kind].models
    for name in only:
        params.known(name, list(contestants), "--only", "contestant")
    for name in only or contestants:
        found = {key: each for key, each in settings(kind, name).items() if type(each[0]) in (int, float)}
        told = [f"{setting} {value:g} {owner}" for setting, (value, owner) in found.items()]
        yield f"{name}: {', '.join(told) or 'no number'}"


def settings(kind: str, name: str) -> dict[str, tuple[Any, str]]:
    """The value and the owner of each setting, those of params.yaml first."""
    line = params.load().board.kinds[kind].models[name]
    stated = params.load().lines[kind][name].settings
    rule = spaces.rule_if_any(kind)
    papers = rule.paper.get(line.model, {}) if rule else {}
    defaults = {key: each.default for key, each in models.hyperparameters(models.load(line.model)).items()}
    said = {**line.settings, **{key: value for key, value in defaults.items() if key not in line.settings}}
    found = {key: each for key, each in searched(kind, name, line).items() if key not in stated}
    origin = winner(kind, line.of or name, found) if found else ""

    def owner(key: str, value: Any) -> str:
        if key in found:
            return origin
        if key in HOUSE and key not in papers:
            return "house"
        return "paper" if value == papers.get(key, defaults[key]) else "house"

    return {key: (value, owner(key, value)) for key, value in said.items()}


def winner(kind: str, name: str, found: dict[str, Any]) -> str:
    """Whose the settings are that a search ended with: those drawn by it are its own."""
    path = record.file_of(kind)
    tried = read(path, list(params.load().board.kinds[kind].models))["contestants"] if path.exists() else {}
    best = chosen(tried[name]) if name in tried else None
    if best is None or best["of"] == "drawn" or any(best["settings"].get(key) != each for key, each in found.items()):
        return "search"
    return str(best["of"])


def searched(kind: str, name: str, line: params.Contestant) -> dict[str, Any]:
    """The settings that a search found, of a contestant that takes them."""
    row = line.row if line.of else params.load().board.kinds[kind].settings
    return spaces.found_in(kind).get(line.of or name, {}) if row == "found" else {}

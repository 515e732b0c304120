"""Of each setting of a contestant, whose it is: its paper's, a search's, or the house's own."""

from collections.abc import Collection, Iterator
from typing import Any

import models
from pipeline import params
from pipeline.search import spaces


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
    found = searched(kind, name, line)
    return {
        key: (
            value,
            "search"
            if key in found and key not in stated
            else "paper"
            if value == papers.get(key, defaults[key])
            else "house",
        )
        for key, value in said.items()
    }


def searched(kind: str, name: str, line: params.Contestant) -> dict[str, Any]:
    """The settings that a search found, of a contestant that takes them."""
    row = line.row if line.of else params.load().board.kinds[kind].settings
    return spaces.found_in(kind).get(line.of or name, {}) if row == "found" else {}

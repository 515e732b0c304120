"""Whose settings a contestant has: those of its line in params.yaml, its paper's, or those that a search found.

A kind says so for all its lines (`settings: found`); a line may say it of itself and stand beside the line that it is
of: `gan_found: {model: gan, found: gan}`. Only numbers that a search varies differ between the three.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pipeline.search import spaces
from pipeline.validation import known

if TYPE_CHECKING:
    from pipeline.sections import Contestant, Kind

Row = Literal["house", "found", "paper"]
ROWS: tuple[Row, ...] = get_args(Row)


def settled(kinds: Mapping[str, "Kind"], root: Path) -> dict[str, "Kind"]:
    """The kinds, with the settings that their contestants are asked to have. Raises ValueError, one line."""
    return {name: kind.model_copy(update={"models": contestants(name, kind, root)}) for name, kind in kinds.items()}


def contestants(name: str, kind: "Kind", root: Path, dataset: str = "") -> dict[str, "Contestant"]:
    """Those of a kind, on one of its data sets where that is named."""
    if kind.settings == "house" and not any(line.of for line in kind.models.values()):
        return kind.models
    found = spaces.found_in(name, root, dataset)
    if kind.settings == "found" and not found:
        raise ValueError(
            f"params.yaml: {name}.settings = 'found': {spaces.FOUND} has nothing for {name}; bring it back, or write "
            f"house there and run `python -m pipeline.search {name}`"
        )
    meant = {key: settings(name, kind, key, root, found) for key in kind.models}
    return {key: line.model_copy(update={"settings": meant[key]}) for key, line in kind.models.items()}


def settings(name: str, kind: "Kind", key: str, root: Path, found: Mapping[str, Any]) -> dict[str, Any]:
    line = kind.models[key]
    if not line.of:
        # A number that the line itself states is somebody's wish: it stands before what was found.
        wished = line.settings if kind.settings == "found" else {}
        return {**row(name, kind, key, kind.settings, root, found), **wished}
    where = f"params.yaml: {name}.models.{key}.{line.row}"
    base = kind.models[known(line.of, [other for other in kind.models if not kind.models[other].of], where, "line")]
    if base.model != line.model:
        raise ValueError(f"{where} = {line.of!r}: is made from {base.model}, and {key} from {line.model}")
    if line.row == "found" and line.of not in found:
        raise ValueError(f"{where} = {line.of!r}: nothing was found yet; run `python -m pipeline.search {name}`")
    return {**row(name, kind, line.of, line.row, root, found), **line.settings}


def row(name: str, kind: "Kind", key: str, which: Row, root: Path, found: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a line, ``which`` of the three."""
    line = kind.models[key]
    if which == "found":
        return {**line.settings, **found.get(key, {})}
    if which == "paper":
        rule = spaces.rule_of(name, spaces.rules(root))
        varied = spaces.searched(spaces.space_of(line.model, root), rule.keep)
        papers = {key: value for key, value in rule.paper.get(line.model, {}).items() if key in varied}
        return {**{key: value for key, value in line.settings.items() if key not in varied}, **papers}
    return line.settings

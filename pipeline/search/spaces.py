"""The three files of a search: what is searched of a model, by which rules in a kind, and what was found.

Read without torch, because every stage reads parameters, and these are some.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from pipeline.validation import Section, known, shown, validated
from pipeline.yaml_files import read

SPACES = Path("models/spaces.yaml")
RULES = Path("benchmarks/search.yaml")
FOUND = Path("benchmarks/found.yaml")
ON = " on "  # of a kind and a data set, in the name of a part of found.yaml
Word = Literal["decade", "steps"]
Setting = dict[str, Any]  # settings of a model, by name
Names = list[str]


class Rule(Section):
    """How the contestants of a kind are searched."""

    benchmarks: Names = Field(min_length=1)
    by: str
    keep: Names = []
    paper: dict[str, Setting] = {}  # model -> settings
    notes: dict[str, str] = {}  # contestant -> why nothing is found


class Rules(Section):
    """benchmarks/search.yaml."""

    trials: int = Field(ge=2, le=1000)
    shorter: int = Field(ge=1, le=1000)
    finals: int = Field(ge=1, le=100)  # seeds of each finalist
    kinds: dict[str, Rule]


Space = dict[str, Word | Annotated[list[float], Field(min_length=2, max_length=2)]]
SPACE = TypeAdapter(Space, config=ConfigDict(strict=True))


def rules(root: Path = Path()) -> Rules:
    return validated(Rules, read(root / RULES), RULES)


def rule_of(kind: str, found: Rules) -> Rule:
    return found.kinds[known(kind, list(found.kinds), f"{RULES}: nothing is searched", "kind with a rule")]


def rule_if_any(kind: str) -> Rule | None:
    return rules().kinds.get(kind)


def space_of(model: str, root: Path = Path()) -> Space | str:
    """What a search varies of a model, or why there is nothing. Raises ValueError, one line, for what is no space."""
    spaces = read(root / SPACES) or {}
    if not isinstance(spaces, dict) or model not in spaces:
        raise ValueError(f"{SPACES}: {model} is missing; write what a search varies of it, or a text that says why not")
    space = spaces[model]
    if isinstance(space, str) and space.strip():
        return space
    try:
        checked = SPACE.validate_python(space)
    except ValidationError:
        raise ValueError(
            f"{SPACES}: {model} = {shown(space)}: a space is {{setting: decade}}, {{setting: [low, high]}} or a text "
            "that says why there is none"
        ) from None
    if not searched(checked):
        raise ValueError(f"{SPACES}: {model} = {shown(space)}: the space is empty; write a text that says why")
    for setting, word in checked.items():
        if not isinstance(word, str) and not word[0] < word[1]:
            what = "empty" if word[0] == word[1] else "reversed"
            raise ValueError(f"{SPACES}: {model}.{setting} = {word}: {what}; the lower end comes first")
    return checked


def searched(space: Space | str, keep: Names = []) -> list[str]:  # noqa: B006
    """The names of the settings that are searched."""
    if isinstance(space, str):
        return []
    return [setting for setting, word in space.items() if word != "steps" and setting not in keep]


def part_of(kind: str, dataset: str) -> str:
    """The name of what was found on one data set of a kind alone."""
    return f"{kind}{ON}{dataset}"


def found_in(kind: str, root: Path = Path(), dataset: str = "") -> dict[str, Setting]:
    """What a search has found for the contestants of a kind, on a data set of it what was found there; without a search
    nothing."""
    content = found(root)
    return {**content.get(kind, {}), **content.get(part_of(kind, dataset), {})}


def apart(kind: str, root: Path = Path()) -> dict[str, dict[str, Setting]]:
    """What was found on data sets of a kind alone."""
    parts = {tuple(part.split(ON)): each for part, each in found(root).items() if ON in part}
    return {dataset: each for (of, dataset), each in parts.items() if of == kind}


def found(root: Path) -> dict[str, dict[str, Setting]]:
    """found.yaml; empty where no search has been run. Raises ValueError, one line."""
    content = (read(root / FOUND) if (root / FOUND).exists() else {}) or {}
    whole = isinstance(content, dict) and all(isinstance(each, dict) for each in content.values())
    if not whole or not all(isinstance(line, dict) for each in content.values() for line in each.values()):
        raise ValueError(f"{FOUND}: settings of contestants by kind are wanted; `python -m pipeline.search` writes it")
    return content

"""YAML that people write, within bounds: what is no such text is refused in one line, soon and in little memory."""

import re
from collections.abc import Hashable
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml.resolver import implicit_resolvers
from yaml.composer import Composer
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.cyaml import CParser
from yaml.resolver import Resolver

LARGEST = 500_000  # bytes of a file
DEEPEST = 20  # levels of lists and mappings
MOST = 100_000  # values of a file, its aliases written out
WHOLE = 10**18  # whole numbers are smaller: 64 bits hold them


class Endless(str):
    """A whole number of too many digits: kept as it was written, and right nowhere."""


class Plain(Resolver):  # type: ignore[misc]
    """What a word without quotes is, as in YAML 1.2 and for DVC: 1e-4 is a number, `no` a name."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


for versions, tag, pattern, first in implicit_resolvers:
    if (1, 2) in versions:
        Plain.add_implicit_resolver(tag, pattern, first)


class Loader(Composer, CParser, SafeConstructor, Plain):  # type: ignore[misc]
    """Makes plain values of what libyaml parses, and stops where they become too deep or, aliases written out, too
    many; numbers are as people mean them: 1e4 is a whole one."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        for base in (Composer, SafeConstructor, Plain):
            base.__init__(self)
        self.depth = self.count = 0
        self.sizes: dict[int, int] = {}  # of whole nodes

    def compose_node(self, parent: Any, index: Any) -> Any:
        before, again = self.count, self.check_event(yaml.AliasEvent)
        self.depth, self.count = self.depth + 1, self.count + 1
        if self.depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} levels deep")
        node = super().compose_node(parent, index)
        if again and id(node) not in self.sizes:
            raise ValueError("an alias stands inside what it stands for")
        self.count += self.sizes[id(node)] if again else 0
        self.sizes.setdefault(id(node), self.count - before)
        if self.count > MOST:
            raise ValueError(f"it has more than {MOST:,} values, its aliases written out")
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        names: set[Hashable] = set()
        for key, _ in node.value:
            name = None if key.tag == "tag:yaml.org,2002:merge" else self.construct_object(key, deep=True)
            if name is None or not isinstance(name, Hashable):
                continue
            if name in names:
                raise ConstructorError(problem=f'found duplicate key "{name}"', problem_mark=key.start_mark)
            names.add(name)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int | Endless:
        text = self.construct_scalar(node).replace("_", "").lower()
        base = {"0b": 2, "0o": 8, "0x": 16}.get(text.lstrip("+-")[:2], 10)
        number = int(text, base) if len(text) < 100 else WHOLE
        return number if abs(number) < WHOLE else Endless(node.value)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> int | float:
        number = super().construct_yaml_float(node)
        return int(number) if "e" in node.value.lower() and number.is_integer() and abs(number) < WHOLE else number


Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)
Loader.add_constructor("tag:yaml.org,2002:float", Loader.construct_yaml_float)


def read(path: Path) -> Any:
    """The content of a file. Raises ValueError, one line that names it."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ValueError(f"{path} is missing; run this in the project's folder") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > LARGEST:
        raise ValueError(f"{path} has more than {LARGEST:,} bytes; parameters take a few thousand: is it another file?")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(f"{path} is not text in UTF-8 (line {line}); save it as UTF-8") from None
    try:
        return deepcopy(parsed(text))
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path} is not YAML that can be read: {reason(error)}") from None


@lru_cache(maxsize=64)  # the same few files are read over and over
def parsed(text: str) -> Any:
    return yaml.load(text, Loader)


def reason(error: Exception) -> str:
    """What is wrong and in which line, without the lines around it."""
    mark, problem = (getattr(error, name, None) for name in ("problem_mark", "problem"))
    said = " ".join(str(problem or error).split())
    return (f"line {mark.line + 1}: " if mark else "") + (said if len(said) <= 200 else said[:200] + "...")

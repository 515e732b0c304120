"""YAML that people write, within bounds: what is no such text is refused in one line, soon and in little memory."""

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import ruamel.yaml
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.scanner import Scanner

LARGEST = 500_000  # bytes of a file
DEEPEST = 20  # levels of lists and mappings
MOST = 100_000  # values of a file, its aliases written out
WHOLE = 10**18  # whole numbers are smaller: 64 bits hold them
TOO_DEEP = f"it is nested more than {DEEPEST} levels deep"


class Endless(str):
    """A whole number of too many digits: kept as it was written, and right nowhere."""


class Shallow(Scanner):
    """Sees brackets that are too deep before it looks for the end of each, which takes the square of their number."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:
        if len(self.flow_context) > DEEPEST:
            raise ValueError(TOO_DEEP)
        super().fetch_flow_collection_start(TokenClass, to_push)


class Bounded(Composer):
    """Makes a tree of what was parsed, and stops where it becomes too deep or, its aliases written out, too large."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader=loader)
        self.depth = self.count = 0
        self.sizes: dict[int, int] = {}  # of whole nodes

    def compose_node(self, parent: Any, index: Any) -> Any:
        before, again = self.count, self.parser.check_event(AliasEvent)
        self.depth, self.count = self.depth + 1, self.count + 1
        if self.depth > DEEPEST:
            raise ValueError(TOO_DEEP)
        node = super().compose_node(parent, index)
        if again and id(node) not in self.sizes:
            raise ValueError("an alias stands inside what it stands for")
        self.count += self.sizes[id(node)] if again else 0
        self.sizes.setdefault(id(node), self.count - before)
        if self.count > MOST:
            raise ValueError(f"it has more than {MOST:,} values, its aliases written out")
        self.depth -= 1
        return node


class Numbers(SafeConstructor):
    """Makes numbers as people mean them: 1e4 is a whole one."""

    def construct_yaml_int(self, node: Any) -> Any:
        number = super().construct_yaml_int(node) if len(node.value) < 100 else WHOLE
        return number if abs(number) < WHOLE else Endless(node.value)

    def construct_yaml_float(self, node: Any) -> Any:
        number = super().construct_yaml_float(node)
        return int(number) if "e" in node.value.lower() and number.is_integer() and abs(number) < WHOLE else number


Numbers.add_constructor("tag:yaml.org,2002:int", Numbers.construct_yaml_int)
Numbers.add_constructor("tag:yaml.org,2002:float", Numbers.construct_yaml_float)


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
    except (YAMLError, ValueError) as error:
        raise ValueError(f"{path} is not YAML that can be read: {reason(error)}") from None


@lru_cache(maxsize=64)  # the same few files are read over and over, and a long one takes half a second
def parsed(text: str) -> Any:
    yaml = ruamel.yaml.YAML(typ="safe", pure=True)  # as DVC: 1e-4 is a number
    yaml.Scanner, yaml.Composer, yaml.Constructor = Shallow, Bounded, Numbers
    return yaml.load(text)


def reason(error: Exception) -> str:
    """What is wrong and in which line, without the lines around it."""
    mark, problem = (getattr(error, name, None) for name in ("problem_mark", "problem"))
    said = " ".join(str(problem or error).split())
    return (f"line {mark.line + 1}: " if mark else "") + (said if len(said) <= 200 else said[:200] + "...")

"""What is wrong with a value in words: where it stands, what it is, and what fits. Nothing here knows a parameter."""

import difflib
import reprlib
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.yaml_files import Endless

LONGEST = 60  # characters of a value that are shown
MOST = 30  # names that a line lists
BRIEF = reprlib.Repr()
BRIEF.maxstring = BRIEF.maxother = LONGEST
KEY = ("[key]",)  # how pydantic ends the place of a key that is wrong itself


class Section(BaseModel):
    """A part of the parameters: every key known, every value of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def validated(schema: type[BaseModel], content: Any, path: Path, where: str = "") -> Any:
    """``content`` as a ``schema``, or a ValueError of one line for its first fault."""
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        faults = error.errors()
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise ValueError(f"{path}: {explain(faults[0], schema, where)}{more}") from None


def explain(fault: Any, schema: type[BaseModel], where: str) -> str:
    """One fault of pydantic's in our words: the key, the value, what fits."""
    of_key = fault["loc"][-1:] == KEY
    location = fault["loc"][:-1] if of_key else fault["loc"]
    place = ".".join([where] * bool(where) + [plain(part) for part in location]) or "the file"
    free = len(location) == 1 and location[0] not in schema.model_fields  # a section whose name is not ours to know
    if fault["type"] == "extra_forbidden" or (free and fault["type"] == "model_type" and fault["input"] is not None):
        keys = list(owner(schema, location[:-1]).model_fields)
        return f"{place}: unknown key{nearest(str(location[-1]), keys)}"
    if fault["type"] == "missing":
        return f"{place} is missing{misspelt(fault, schema)}"
    message = fault["msg"].removeprefix("Value error, ")
    if isinstance(fault["input"], Endless):
        message = f"a number of {len(fault['input']):,} digits; give one of 18 at most"
    value = "" if of_key else f" = {shown(fault['input'])}"
    return f"{place}{value}: {message[0].lower()}{message[1:]}"


def misspelt(fault: Any, schema: type[BaseModel]) -> str:
    """A name that is likely meant for a missing key, of those beside it or of the section that it is missed in."""
    inside, wanted = fault["loc"][:-1], fault["loc"][-1]
    fields = owner(schema, inside).model_fields
    there = [str(key) for key in fault["input"] if key not in fields] if isinstance(fault["input"], dict) else []
    meant = difflib.get_close_matches(str(wanted), there, n=1, cutoff=0.7)
    if meant:
        return f"; is {meant[0]!r} meant for it?"
    free = bool(inside) and inside[0] not in schema.model_fields
    section = difflib.get_close_matches(str(inside[0]), list(schema.model_fields), n=1, cutoff=0.8) if free else []
    return f"; is {inside[0]!r} meant for {section[0]!r}?" if section else ""


def owner(schema: type[BaseModel], location: tuple[str, ...]) -> type[BaseModel]:
    """The schema of the section at ``location``."""
    here: Any = schema
    for part in location:
        if is_section(here):
            free = here.__annotations__.get("__pydantic_extra__")  # of sections in which keys are free: a mapping
            here = here.model_fields[part].annotation if part in here.model_fields else get_args(free)[1]
        else:
            here = get_args(here)[1]
        if get_origin(here) is UnionType:  # of a section that may be left out
            here = next(filter(is_section, get_args(here)))
    return here


def is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def known(name: str, names: list[str], where: str, what: str) -> str:
    if name not in names:
        raise ValueError(f"{where}: unknown {what} {shown(name)}{nearest(name, names)}")
    return name


def nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name[:LONGEST], names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    more = f" and {len(names) - MOST} more" * (len(names) > MOST)
    return f"; known: {', '.join(sorted(names)[:MOST]) or 'none'}{more}"


def shown(value: Any) -> str:
    """A value as it would be written in Python, shortened."""
    return BRIEF.repr(str(value) if isinstance(value, Endless) else value)


def plain(key: Any) -> str:
    """A key as it is written, shortened; with marks of a text where it is no single word."""
    return key if isinstance(key, str) and key.isprintable() and len(key) <= LONGEST else shown(key)

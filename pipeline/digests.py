"""Digests of code: what a stage's result depends on, and nothing else.

A digest covers every file of ours that an entry imports, and what those import, as the syntax that Python makes of it:
comments, docstrings and layout are not in it. So an edit makes stale what runs the edited code, and no more.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("models", "benchmarks", "reports", "pipeline")


class Code(NamedTuple):
    """What there is to know of a file."""

    digest: str
    names: frozenset[str]  # dotted, which it imports


def digest(roots: Iterable[Path], top: Path = Path()) -> str:
    """One digest of the files ``roots`` and of all that they import of ours, under the folder ``top``."""
    lines = [f"{name} {found}\n" for name, found in sorted(digests(roots, top).items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def digests(roots: Iterable[Path], top: Path = Path()) -> dict[str, str]:
    """The digest of each of these files, by name."""
    return {file.as_posix(): _of_file(top / file).digest for file in closure(roots, top)}


def forget() -> None:
    """Read the files anew from now on: they may have been edited."""
    _imports.cache_clear()
    _of_file.cache_clear()


def closure(roots: Iterable[Path], top: Path = Path()) -> set[Path]:
    """The files ``roots`` and the files of ours that they import, and so on; roots that are not Python import none."""
    seen: set[Path] = set()
    todo = list(roots)
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo += _imports(top, file) if file.suffix == ".py" else []
    return seen


@cache
def _imports(top: Path, file: Path) -> tuple[Path, ...]:
    """The files of ours that run when ``file`` is imported, or when its functions import: not those for types alone."""
    found: set[Path] = set()
    for name in _of_file(top / file).names:
        parts = name.split(".")
        if parts[0] in PACKAGES:
            for end in range(1, len(parts) + 1):  # importing a.b.c runs a and a.b, too
                found |= {path for path in _candidates(Path(*parts[:end])) if (top / path).exists()}
    return tuple(found)


def _candidates(module: Path) -> tuple[Path, Path]:
    return module.with_suffix(".py"), module / "__init__.py"


def _names(node: ast.AST) -> Iterator[str]:
    """The dotted names that ``node`` imports; of `from a import b` both a and a.b, whichever is a file."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.module and node.level == 0, "imports are absolute"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        for statement in node.orelse:
            yield from _names(statement)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _names(child)


@cache
def _of_file(file: Path) -> Code:
    if file.suffix == ".py":
        return _of_text(file, file.read_text(encoding="utf-8"))
    return Code(hashlib.sha256(file.read_bytes()).hexdigest(), frozenset())


@cache
def _of_text(file: Path, text: str) -> Code:
    """Kept though files are read anew: few of them have been edited."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise ValueError(f"{file}:{error.lineno}: {error.msg}; Python cannot read it") from None
    return Code(hashlib.sha256(_written(tree).encode()).hexdigest(), frozenset(_names(tree)))


def _written(node: object) -> str:
    """Syntax as text, alike in all versions of Python: newer ones have more fields, which are empty in our code."""
    if isinstance(node, ast.AST):
        fields = ((name, _meant(node, value)) for name, value in ast.iter_fields(node))
        inner = ",".join(f"{name}={_written(value)}" for name, value in fields if value is not None and value != [])
        return f"{type(node).__name__}({inner})"
    if isinstance(node, list):
        return f"[{','.join(map(_written, node))}]"
    return repr(node)


def _meant(node: ast.AST, value: object) -> object:
    """A field's content but for docstrings, and for the empty strings that Python 3.12 sees in some f-strings."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        documented = value is node.body and ast.get_docstring(node, clean=False) is not None
        return node.body[1:] if documented else value
    if isinstance(node, ast.JoinedStr) and value is node.values:
        return [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
    return value

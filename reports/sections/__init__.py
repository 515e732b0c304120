"""The sections of a benchmark's page, one file each: found by listing this folder.

A section's file defines `POSITION` (where it stands on the page) and `render(report, out) -> Fragment | None`: it
writes its files into the folder ``out`` and says what the page shows of them, or gives None where it does not apply.
"""

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from reports import style
from reports.load import Report
from reports.tables import Legend, Table


class Picture(NamedTuple):
    file: str  # relative to the page
    caption: str


class Fragment(NamedTuple):
    """What a section puts on the page."""

    title: str
    text: str = ""  # a sentence or two under the title
    tables: tuple[tuple[str, Table], ...] = ()  # (heading, table); one without a heading is always open
    legend: Legend | None = None
    pictures: tuple[Picture, ...] = ()  # large, one under another
    gallery: tuple[Picture, ...] = ()  # small, side by side
    files: tuple[str, ...] = ()  # offered for download


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def render(report: Report, out: Path) -> list[Fragment]:
    """Every section that applies to ``report``, in the order of the page."""
    modules = sorted((import_module(f"{__name__}.{name}") for name in names()), key=lambda module: module.POSITION)
    with style.sheet():
        fragments = [module.render(report, out) for module in modules]
    return [fragment for fragment in fragments if fragment is not None]

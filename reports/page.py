"""Pages that open from the file system: one a benchmark, and an index of them in HTML and Markdown."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from reports import sections, statistics, suite, tables
from reports.load import Report

TEMPLATES = Path(__file__).parent / "templates"
COVER = 480  # pixels, the width of the small picture that stands for a benchmark


@cache
def environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def benchmark(report: Report, out: Path, index: str) -> None:
    """Write the page of one benchmark, with all its files, into the empty folder ``out``; ``index`` is the way back."""
    fragments = sections.render(report, out)
    page = environment().get_template("benchmark.html").render(report=report, fragments=fragments, index=index)
    (out / "index.html").write_text(page, encoding="utf-8")
    cover = next((fragment.cover for fragment in fragments if fragment.cover), None)
    if cover:
        picture = Image.open(out / cover).convert("RGB")
        picture.thumbnail((COVER, COVER))
        picture.quantize(64, Image.Quantize.MAXCOVERAGE, kmeans=1).save(out / "cover.png", optimize=True)


def index(folders: Sequence[Path], out: Path) -> dict[str, str | bytes]:
    """The index of the pages in ``folders``, for the folder ``out``: name of each file, relative to it -> content."""
    entries = []
    for folder in folders:
        comparison = tables.read(folder / "table.csv")
        entries.append(
            {
                "name": folder.name,
                "path": os.path.relpath(folder, out).replace(os.sep, "/"),
                "headline": statistics.headline(comparison),
                "table": tables.table(comparison),
                "markdown": (folder / "table.md").read_text(encoding="utf-8"),
                "has_cover": (folder / "cover.png").exists(),
            }
        )
    standing = suite.standing(folders)
    searches = sorted(page.parent.name for page in out.glob("search/*/index.html"))  # pages of `pipeline.search`
    pages = {
        name: environment().get_template(template).render(entries=entries, standing=standing, searches=searches)
        for name, template in (("index.html", "index.html"), ("README.md", "README.md.jinja"))
    }
    return pages | (standing.files if standing else {})

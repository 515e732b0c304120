"""Pages that open from the file system: one a benchmark, and an index of them in HTML and Markdown.

Both show the table and the pictures that a reader chooses from (`reports.explore`), from the same data.js.
"""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports import assets, cover, explore, sections, statistics, style, suite, tables
from reports.load import ORACLE, Report
from reports.looks import Look
from reports.ranking import SCORE

TEMPLATES = Path(__file__).parent / "templates"
DATA = "data.js"
BASELINES = "Baselines"  # the family of those that know too little


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
    beside = (Path(index).parent / assets.FOLDER).as_posix()
    template = environment().get_template("benchmark.html")
    page = template.render(report=report, fragments=fragments, index=index, assets=beside)
    (out / "index.html").write_text(page, encoding="utf-8")
    (out / DATA).write_text(explore.script(report), encoding="utf-8")
    if report.samples:
        with style.sheet():
            style.save(cover.draw(report), out / "cover.png", colours=64)


def leader(folder: Path, palette: Mapping[str, Look]) -> str:
    """Who has the highest score, in words, on a page that ranks; where that is a baseline, the best other, too."""
    if not (folder / "ranking.csv").exists():
        return ""
    ranks = tables.read(folder / "ranking.csv").dropna(subset=["mean"])
    ranks = ranks[(ranks.metric == SCORE.name) & (ranks.model != ORACLE)]
    if ranks.empty:
        return ""
    ranks = ranks.sort_values("mean", ascending=False, kind="stable")
    others = ranks[[model not in palette or palette[model].family != BASELINES for model in ranks.model]]
    shown = (
        ranks.head(1)
        if len(others) and others.model.iloc[0] == ranks.model.iloc[0]
        else pd.concat([ranks.head(1), others.head(1)])
    )
    said = [f"{row.model}{told(str(row.given))}, {row.mean:.3f}" for row in shown.itertuples()]
    return "Highest score: " + "; without baselines ".join(said)


def told(given: str) -> str:
    """What a model is told, in brackets."""
    return f" ({tables.TOLD[given]})" if given in tables.TOLD else ""


def index(folders: Sequence[Path], out: Path, palette: Mapping[str, Look]) -> dict[str, str | bytes]:
    """The index of the pages in ``folders``, for the folder ``out``: name of each file, relative to it -> content."""
    entries = []
    for folder in folders:
        comparison = tables.read(folder / "table.csv")
        entries.append(
            {
                "name": folder.name,
                "path": os.path.relpath(folder, out).replace(os.sep, "/"),
                "headline": leader(folder, palette) or statistics.headline(comparison),
                "markdown": (folder / "table.md").read_text(encoding="utf-8"),
                "has_cover": (folder / "cover.png").exists(),
                "has_data": (folder / DATA).exists(),  # what was drawn by an earlier version may have none
            }
        )
    standing = suite.standing(folders, palette)
    searches = sorted(page.parent.name for page in out.glob("search/*/index.html"))  # pages of `pipeline.search`
    data = [f"{entry['path']}/{DATA}" for entry in entries if entry["has_data"]]
    given = {"entries": entries, "standing": standing, "searches": searches, "data": data}
    pages = {
        name: environment().get_template(template).render(**given)
        for name, template in (("index.html", "index.html"), ("README.md", "README.md.jinja"))
    }
    return pages | (standing.files if standing else {}) | assets.written()

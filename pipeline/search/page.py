"""The page of a search, from its record."""

from pathlib import Path

from pipeline import params
from pipeline.cell import RENDERED
from pipeline.report import in_place_of, index_from
from pipeline.search.record import recorded
from pipeline.search.study import Study
from reports import search
from reports.looks import looks


def write(study: Study) -> Path:
    """Render what is on record of the kind, in place of the page that there was."""
    record = recorded(study)
    target = RENDERED / "search" / study.kind
    with in_place_of(target) as folder:
        search.write(record, folder, index=index_from(target), palette=looks(params.load().families()))
    return target / "index.html"

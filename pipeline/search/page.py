"""The page of a search, from its record."""

import os
import shutil
from pathlib import Path

from pipeline.cell import RENDERED
from pipeline.search.record import file_of
from pipeline.search.study import Study
from reports import search
from reports.trials import read


def write(study: Study) -> Path:
    """Render what is on record of the kind, in place of the page that there was."""
    record = read(file_of(study.kind), list(study.board))
    target = RENDERED / "search" / study.kind
    partial = target.with_name(f".{study.kind}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    search.write(record, partial, index=os.path.relpath(RENDERED / "index.html", target))
    shutil.rmtree(target, ignore_errors=True)
    os.replace(partial, target)
    return target / "index.html"

"""From the small files that the stages leave to tables, pictures and pages; `results` and `columns` for pandas.

Nothing here knows a stage, a model or a data set.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports.tidy import columns as columns
    from reports.tidy import results as results


def __getattr__(name: str) -> Any:
    """On demand: who reads a file of results has no need of pandas, which takes a second."""
    if name in ("columns", "results"):
        from reports import tidy

        return getattr(tidy, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

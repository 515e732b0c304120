"""The results of one benchmark as the page's script reads them: data.js, which a page and the index load alike.

A file that is opened from a disk may load scripts and fetch nothing, so that the data are a script.
"""

import json
from dataclasses import replace
from typing import Any

import pandas as pd

from reports import ranking, statistics, tables
from reports.charts import charts
from reports.load import COST, ORACLE, SECONDS, Report
from reports.looks import REAL, STRANGER

DIGITS = 5  # of a number that is drawn
SWEEP = ["model", "seed", "sweep", "at"]
PROGRESS = ("held", "lost", "fell")  # what is counted of single modes has a table of its own


def script(report: Report) -> str:
    """data.js: one call with all that there is."""
    return f"show({json.dumps(content(report), ensure_ascii=False, separators=(',', ':'), allow_nan=False)});\n"


def content(report: Report) -> dict[str, Any]:
    seeds = drawn(report)
    return {
        "benchmark": report.benchmark,
        "looks": {model: look._asdict() for model, look in looks(report).items()},
        "columns": columns(report),
        "rows": rows(report),
        **{name: packed(table) for name, table in seeds.items()},
        "charts": [chart._asdict() for chart in charts(report, seeds)],
    }


def looks(report: Report) -> dict[str, Any]:
    return {model: report.palette.get(model, STRANGER) for model in report.models} | {ORACLE: REAL}


def scored(report: Report) -> Report:
    """With the score of each run as a column like others, where models are ranked."""
    if len(report.models) < 2 or not ranking.ranked(report):
        return report
    runs = ranking.runs(report)
    scores = runs[runs.metric == ranking.SCORE.name][["model", "seed", "metric", "value"]]
    return replace(report, columns=(ranking.SCORE, *report.columns), scores=pd.concat([scores, report.scores]))


def columns(report: Report) -> list[dict[str, Any]]:
    """Those that anybody has a value in."""
    full = scored(report)
    there = set(full.scores.metric)
    return [
        {
            "name": column.name,
            "title": tables.heading(column),
            "main": column.main,
            "cost": column in (*COST, SECONDS),
            "note": column.note,
        }
        for column in full.columns
        if column.name in there
    ]


def rows(report: Report) -> list[dict[str, Any]]:
    """A row a contestant: of each column what is printed, what it is sorted by, and its mark."""
    comparison = statistics.compare(scored(report))
    found = {}
    for row, (model, values) in zip(
        tables.table(comparison).rows, comparison.groupby("model", sort=False), strict=True
    ):
        cells = {
            entry.metric: [cell.text, rounded(entry.mean), cell.mark][: 3 if cell.mark else 2]
            for entry, cell in zip(statistics.entries(values), row.cells, strict=True)
            if entry.n
        }
        found[str(model)] = {"model": row.model, "note": row.note, "cells": cells}
    return list(found.values())


def drawn(report: Report) -> dict[str, pd.DataFrame]:
    """What pictures are drawn from: a row a seed, a row a seed and snapshot, a row a seed and way of sampling."""
    full = scored(report)
    units = {column.name: 100 if column.percent else 1 for column in full.columns}
    recorded = report.progress[~report.progress.metric.isin(PROGRESS)]
    first = recorded[recorded.metric == next(iter(recorded.metric), "")]
    return {
        "seeds": wide(full.scores, ["model", "seed"], units),
        "progress": wide(first, ["model", "seed", "step"], units),
        "sweeps": wide(report.sweeps, SWEEP, units),
    }


def wide(table: pd.DataFrame, keys: list[str], units: dict[str, int]) -> pd.DataFrame:
    """A column a metric, in the unit that is printed."""
    if table.empty:
        return pd.DataFrame(columns=keys)
    shown = table.assign(value=table.value.astype(float) * table.metric.map(units).fillna(1))
    order = list(dict.fromkeys(table.metric))
    return shown.pivot(index=keys, columns="metric", values="value")[order].reset_index().rename_axis(columns=None)


def packed(table: pd.DataFrame) -> dict[str, Any]:
    """Names once, then the values of each row."""
    rows = [[rounded(value) for value in row] for row in table.itertuples(index=False, name=None)]
    return {"names": list(table), "rows": rows}


def rounded(value: Any) -> Any:
    """A number with few digits, None for none; words as they are."""
    if isinstance(value, str):
        return value
    number = float(f"{value:.{DIGITS}g}")
    return None if number != number else int(number) if number.is_integer() and abs(number) < 1e9 else number

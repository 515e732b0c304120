"""A picture of the page as a file, for a paper or a slide: SVG, PDF or PNG.

A page names points beside them and on demand; a file has a legend, which needs no browser to find room for names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import vl_convert

from reports import explore
from reports.charts import Chart, Spec, charts
from reports.load import Report

FORMATS: dict[str, Callable[..., str | bytes]] = {
    "svg": vl_convert.vegalite_to_svg,
    "pdf": vl_convert.vegalite_to_pdf,
    "png": vl_convert.vegalite_to_png,
}
SHARP = 2  # pixels of a PNG for one of the picture
HIGH = 16  # names in a column of the legend
MARK = 40  # the least area of a point, in square pixels: shapes are to be told apart
LEGEND: Spec = {"title": None, "symbolLimit": 0, "symbolSize": 70, "labelLimit": 200}
CONFIG: Spec = {"font": "DejaVu Sans, sans-serif"}  # a file looks the same wherever it is made


@dataclass(frozen=True)
class Drawing:
    """The pictures of a report by their keys, and the rows that they are drawn from."""

    report: Report
    tables: dict[str, pd.DataFrame]
    charts: dict[str, Chart]


def drawing(report: Report) -> Drawing:
    tables = explore.drawn(report)
    return Drawing(report, tables, {chart.key: chart for chart in charts(report, tables)})


def drawn(found: Drawing, chart: Chart, form: str, width: int, height: int) -> bytes:
    """A picture in one of FORMATS, ``width`` x ``height`` pixels; one with a row a contestant is as high as these."""
    more: dict[str, Any] = {"scale": SHARP} if form == "png" else {}
    made = FORMATS[form](spec(found, chart, width, height), **more)
    return made.encode() if isinstance(made, str) else made


def spec(found: Drawing, chart: Chart, width: int, height: int) -> Spec:
    """The picture with its data and a legend."""
    table = points(found, chart).astype(object)
    rows, there = table.where(table.notna(), None).to_dict("records"), set(table.model)
    looks = {model: look for model, look in explore.looks(found.report).items() if model in there}
    values = [row | looks[row["model"]]._asdict() for row in rows]
    in_rows = isinstance(chart.spec["height"], dict)
    legend = None if in_rows else {**LEGEND, "columns": -(-len(looks) // HIGH)}
    ranges = {
        "color": [look.colour for look in looks.values()],
        "fill": [look.colour if look.full else "white" for look in looks.values()],
        "shape": [look.shape for look in looks.values()],
    }
    told = {
        channel: {
            "field": "model",
            "type": "nominal",
            "scale": {"domain": list(looks), "range": each},
            "legend": legend,
        }
        for channel, each in ranges.items()
    }
    return {
        **chart.spec,
        "layer": [layer(each, told) for each in chart.spec["layer"] if each.get("name") != "named"],
        "config": {**chart.spec["config"], **CONFIG},
        "width": width,
        "height": chart.spec["height"] if in_rows else height,
        "data": {"name": "rows", "values": values},
    }


def shown(found: Drawing, chart: Chart) -> set[str]:
    """The contestants that have what the picture draws."""
    return set(points(found, chart).model)


def points(found: Drawing, chart: Chart) -> pd.DataFrame:
    """The rows that have both columns of the picture."""
    encoding = next(each for each in chart.spec["layer"] if each.get("name") == "points")["encoding"]
    table = found.tables[chart.data].dropna(subset=[encoding[channel]["field"] for channel in ("x", "y")])
    return table[table.sweep == chart.sweep] if chart.sweep else table


def layer(content: Spec, told: Spec) -> Spec:
    """A layer whose looks are told by the legend."""
    encoding = {key: told.get(key, value) for key, value in content["encoding"].items() if key != "fillOpacity"}
    mark = content["mark"]
    if mark["type"] == "point":
        mark = {**mark, "size": max(mark["size"], MARK)}
    return {**content, "mark": mark, "encoding": encoding}

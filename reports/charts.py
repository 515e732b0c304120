"""The questions that a reader has, a picture each, as Vega-Lite specifications without data: the page's script adds it,
or `reports.drawing` for a file.

Every seed is a point. `chosen` is a list of contestants that the script sets: they stand out, the others turn pale;
of an empty list all stand out. Where names fit, `reports/templates/page.js` writes them beside the means.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from reports.load import Report
from reports.ranking import SCORE
from reports.tables import heading

Spec = dict[str, Any]

SHOWN = "!length(chosen) || indexof(chosen, datum.model) >= 0"
FRECHET = ("fjd", "fd", "w1")
MODES = ("modes", "stacked_modes", "coverage", "recall")
SWEPT = ("fjd", "stacked_modes", "high_quality", "modes")
WIDE = 20  # a factor between a column's values from which its axis is logarithmic
PLOT, ROW = 300, 15  # pixels: the height of a picture, and of a row of one
LOOK: Spec = {
    "color": {"field": "colour", "type": "nominal", "scale": None},
    "fill": {"field": "colour", "type": "nominal", "scale": None},
    "fillOpacity": {"condition": {"test": "datum.full", "value": 0.75}, "value": 0},
    "shape": {"field": "shape", "type": "nominal", "scale": None},
}
SAME = ["model", "family", "colour", "shape", "full"]  # what all points of a contestant share
CONFIG: Spec = {
    "background": "white",
    "font": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif",
    "view": {"stroke": None},
    "axis": {"grid": True, "gridColor": "#eaeef2", "domainColor": "#8b949e", "tickColor": "#8b949e", "labelLimit": 0,
             "labelColor": "#1f2328", "titleColor": "#1f2328", "titleFontWeight": 500},
    "axisX": {"tickCount": 5},
}  # fmt: skip


class Axis(NamedTuple):
    """A column on an axis."""

    name: str
    title: str
    scale: str = "linear"

    @property
    def channel(self) -> Spec:
        # Rounded to powers of ten, a logarithmic axis could be empty for half of its length.
        scale: Spec = {"type": self.scale} | ({"nice": False, "padding": 8} if self.scale == "log" else {"zero": False})
        return {"field": self.name, "type": "quantitative", "title": self.title, "scale": scale}


class Chart(NamedTuple):
    """A picture: the question that it answers, how to read it, which rows it draws, and how."""

    question: str
    caption: str
    data: str  # "seeds", "progress" or "sweeps"
    spec: Spec
    sweep: str = ""  # of which number, where it draws sweeps

    @property
    def key(self) -> str:
        """The question as a word that needs no quotes: sharp-or-likely."""
        return "-".join(re.findall("[a-z0-9]+", self.question.lower()))


def charts(report: Report, tables: dict[str, pd.DataFrame]) -> list[Chart]:
    """The pictures that a benchmark has the columns for; ``tables``: the rows that are drawn, by name."""
    return [chart for part in (ranks, trades, modes, costs, codes) for chart in part(report, tables)]


def ranks(report: Report, tables: dict[str, pd.DataFrame]) -> Iterator[Chart]:
    if SCORE.name in tables["seeds"]:
        said = "The ranked columns as one number: 0 at fixed floors, 1 as real samples. Every seed is a point."
        yield Chart("Who is best, and how surely?", said, "seeds", strip(axis(report, tables["seeds"], SCORE.name)))


def trades(report: Report, tables: dict[str, pd.DataFrame]) -> Iterator[Chart]:
    """One good against another."""
    seeds = tables["seeds"]
    across, likely = first(seeds, FRECHET), first(seeds, ("nats",))
    if across and likely and both(seeds, across, likely):
        said = "Likelihood of held-out data against the distance of samples from them. Lower left is good at both."
        yield Chart("Sharp or likely?", said, "seeds", scatter(report, seeds, across, likely))
    if both(seeds, "recall", "precision"):
        said = "Precision: generated samples that look real. Recall: real data that the model reaches."
        yield Chart("Precise or diverse?", said, "seeds", scatter(report, seeds, "recall", "precision"))
    guided = tables["sweeps"].query("sweep == 'guidance'")
    if both(guided, "recall", "precision"):
        said = "A line follows a model from no guidance to the most; the number is the guidance."
        yield Chart(
            "What does guidance trade?", said, "sweeps", along(report, guided, "recall", "precision", "at"), "guidance"
        )


def modes(report: Report, tables: dict[str, pd.DataFrame]) -> Iterator[Chart]:
    seeds, progress = tables["seeds"], tables["progress"]
    if found := first(seeds, MODES):
        said = "How much of the data a model covers: far left, modes are dropped. Every seed is a point."
        yield Chart("Who drops modes?", said, "seeds", strip(axis(report, seeds, found)))
    if metric := first(progress, tuple(map(str, progress.columns[3:]))):
        column = report.column(metric)
        good = "A line that falls has lost modes." if column.direction == "higher" else "Lower is better."
        said = f"From samples taken in training: a point a seed, a line the mean. {good}"
        yield Chart(f"{column.label} against steps", said, "progress", over_steps(axis(report, progress, metric)))
    if both(seeds, "recall_train", "recall_gap"):
        said = "Recall of training data, and how much less of held-out data: far left drops, high up repeats."
        yield Chart("Dropped or repeated?", said, "seeds", scatter(report, seeds, "recall_train", "recall_gap"))
    if first(seeds, ("mode_spread",)):
        said = (
            "Standard deviation of samples within a mode over the true one: far left is narrow. Real samples have .97, "
            "since those beyond 3 sigma are not counted."
        )
        yield Chart("How wide is a mode?", said, "seeds", strip(axis(report, seeds, "mode_spread"), right=1))


def costs(report: Report, tables: dict[str, pd.DataFrame]) -> Iterator[Chart]:
    """Quality against what it takes."""
    seeds, sweeps = tables["seeds"], tables["sweeps"].query("sweep == 'evaluations'")
    quality = first(seeds, (SCORE.name, *FRECHET))
    if quality and both(seeds, "seconds", quality):
        said = "Seconds of computing that training took, on a logarithmic scale."
        yield Chart("What does quality cost?", said, "seeds", scatter(report, seeds, "seconds", quality))
    if swept := first(sweeps, SWEPT):
        said = "A line follows a model whose sampler may evaluate its net more often or less."
        yield Chart(
            "How many evaluations does a sample take?",
            said,
            "sweeps",
            evaluations(report, sweeps, swept),
            "evaluations",
        )
    elif quality and "evaluations" in seeds and seeds.evaluations.nunique() > 1:
        said = "How often a net is evaluated for one sample, on a logarithmic scale."
        shown = scatter(report, seeds, "evaluations", quality)
        yield Chart("How many evaluations does a sample take?", said, "seeds", shown)


def codes(report: Report, tables: dict[str, pd.DataFrame]) -> Iterator[Chart]:
    if both(tables["seeds"], "rate", "distortion"):
        said = "The two terms of the bound on likelihood: what codes say, and what they leave to say. Their sum counts."
        yield Chart("Rate or distortion?", said, "seeds", scatter(report, tables["seeds"], "rate", "distortion"))


def first(table: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    """The first of the columns that has values which are not all the same."""
    return next((name for name in names if name in table and table[name].nunique() > 1), None)


def both(table: pd.DataFrame, across: str, up: str) -> bool:
    """Whether two contestants at least have both."""
    there = {across, up} <= set(table)
    return there and table.dropna(subset=[across, up]).model.nunique() > 1


def axis(report: Report, table: pd.DataFrame, name: str) -> Axis:
    """Logarithmic where values span so much that the small ones would be one point; shares never are."""
    column = SCORE if name == SCORE.name else report.column(name)
    values = table[name].dropna().abs()
    share = column.direction == "higher" or (column.direction is None and values.max() <= 1)
    least = values.min() if (table[name].dropna() > 0).all() else values.median()
    wide = not share and values.max() > WIDE * least > 0
    return Axis(name, heading(column), ("log" if (table[name].dropna() > 0).all() else "symlog") if wide else "linear")


def plot(layers: list[Spec], height: int | Spec = PLOT) -> Spec:
    """A picture as wide as its place."""
    return {
        "config": CONFIG,
        "width": "container",
        "height": height,
        "autosize": {"contains": "padding"},
        "params": [{"name": "chosen", "value": []}],
        "layer": layers,
    }


def points(channels: Spec, told: list[str], size: int = 50) -> Spec:
    """A point a row in its contestant's look; what it is, where the pointer rests."""
    shown = {"condition": {"test": SHOWN, "value": 1}, "value": 0.08}
    tips = [{"field": name, "type": "nominal"} for name in ("model", "family", "seed")]
    tips += [{"field": name, "type": "quantitative"} for name in told]
    return {
        "name": "points",
        "mark": {"type": "point", "size": size, "strokeWidth": 1.2, "cursor": "pointer"},
        "encoding": {**LOOK, **channels, "opacity": shown, "tooltip": tips},
    }


def middle(x: Axis, y: Axis) -> Spec:
    """An unseen point in the middle of each contestant's, whatever the axes' scales, for its name."""
    aggregate = [{"op": "median", "field": each.name, "as": each.name} for each in (x, y)]
    return {
        "name": "named",
        "transform": [{"aggregate": aggregate, "groupby": SAME}],
        "mark": {"type": "point", "opacity": 0, "size": 40},
        "encoding": {"x": x.channel, "y": y.channel},
    }


def scatter(report: Report, table: pd.DataFrame, across: str, up: str) -> Spec:
    x, y = axis(report, table.dropna(subset=[across, up]), across), axis(report, table.dropna(subset=[across, up]), up)
    valid = {"filter": f"isValid(datum.{across}) && isValid(datum.{up})"}
    layers = [points({"x": x.channel, "y": y.channel}, [across, up]), middle(x, y)]
    return {**plot(layers), "transform": [valid]}


def strip(x: Axis, right: float | None = None) -> Spec:
    """A row a contestant, ordered by their means; ``right``: where a line says what is right."""
    order = {"field": x.name, "op": "mean", "order": "descending"}
    y: Spec = {"field": "model", "type": "nominal", "title": None, "sort": order}
    line: Spec = {"mark": {"type": "rule", "strokeDash": [4, 3]}, "encoding": {"x": {"datum": right}}}
    layers = [line] * (right is not None) + [points({"x": x.channel, "y": y}, [x.name], 40)]
    return {**plot(layers, {"step": ROW}), "transform": [{"filter": f"isValid(datum.{x.name})"}]}


def over_steps(y: Axis) -> Spec:
    """A point a seed, a line at the means, and the contestant's name at the line's end."""
    x = Axis("step", "step")
    mean = {"aggregate": [{"op": "mean", "field": y.name, "as": y.name}], "groupby": [*SAME, "step"]}
    shown = {"condition": {"test": SHOWN, "value": 0.9}, "value": 0.06}
    line: Spec = {
        "transform": [mean],
        "mark": {"type": "line", "strokeWidth": 1.3},
        "encoding": {
            "x": x.channel,
            "y": y.channel,
            "detail": {"field": "model"},
            "color": LOOK["color"],
            "opacity": shown,
        },
    }
    layers = [line, points({"x": x.channel, "y": y.channel}, ["step", y.name], 14), ends(x, y, [mean], "step")]
    return {**plot(layers), "transform": [{"filter": f"isValid(datum.{y.name})"}]}


def ends(x: Axis, y: Axis, drawn: list[Spec], order: str) -> Spec:
    """An unseen point where each contestant's line ends, for its name."""
    last = {"joinaggregate": [{"op": "max", "field": order, "as": "last"}], "groupby": ["model"]}
    return {**middle(x, y), "transform": [*drawn, last, {"filter": f"datum.{order} == datum.last"}]}


def along(report: Report, table: pd.DataFrame, across: str, up: str, order: str) -> Spec:
    """A line a contestant through its means in the order of ``order``, a point a seed."""
    x, y = axis(report, table, across), axis(report, table, up)
    aggregate = [{"op": "mean", "field": each.name, "as": each.name} for each in (x, y) if each.name != order]
    shown = {"condition": {"test": SHOWN, "value": 0.9}, "value": 0.06}
    line: Spec = {
        "transform": [{"aggregate": aggregate, "groupby": list(dict.fromkeys([*SAME, order]))}],
        "mark": {"type": "line", "strokeWidth": 1.3},
        "encoding": {"x": x.channel, "y": y.channel, "order": {"field": order, "type": "quantitative"},
                     "detail": {"field": "model"}, "color": LOOK["color"], "opacity": shown},
    }  # fmt: skip
    told = list(dict.fromkeys([order, across, up]))
    layers = [line, points({"x": x.channel, "y": y.channel}, told, 30), ends(x, y, line["transform"], order)]
    if order != across:
        layers.append({
            "transform": line["transform"],
            "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 10},
            "encoding": {"x": x.channel, "y": y.channel, "text": {"field": order}, "color": LOOK["color"],
                         "opacity": shown},
        })  # fmt: skip
    sweep = "evaluations" if order == across else "guidance"
    return {**plot(layers), "transform": [{"filter": f"datum.sweep == '{sweep}' && isValid(datum.{up})"}]}


def evaluations(report: Report, table: pd.DataFrame, metric: str) -> Spec:
    spec = along(report, table, "at", metric, "at")
    for layer in spec["layer"]:
        ticks = [2**power for power in range(int(table["at"].max()).bit_length() + 1)]
        layer["encoding"]["x"] = Axis("at", "evaluations a sample", "log").channel | {"axis": {"values": ticks}}
    return spec

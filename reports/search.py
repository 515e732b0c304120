"""The page of a search: every trial of each contestant, what searching gained, and who leads after how many trials."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reports import style, tables
from reports.looks import Look
from reports.page import environment
from reports.pictures import ROW, matrix, rows
from reports.searched import Contestant, contestants, fewest, named, ranks
from reports.sections import Fragment, Picture
from reports.statistics import BEST
from reports.tables import Cell, Legend, Row, Table
from reports.trials import Record, beats, chosen_on, expected

DIVERGED = "diverged"
LEADERS = 10  # contestants whose line is drawn in the colour of their family, the others in grey
LOWER = "in bold: the lower of the two"
TURNED = 15  # pairs that are listed
TURN = "Pairs whose order turns with the number of trials"
TRIALS = (
    "Every trial (dots), lower is better: with the settings of before (ring), with the paper's (square), which are "
    "those of before where there is no ring; trials that diverged stand at the right edge."
)
GROWTH = (
    "The best of k trials in the mean over all ways to draw k of the paper's and those of the sequence; those of "
    "before, which were chosen, are left out. A line begins where no k trials can all have diverged."
)
DUEL = (
    "How probable it is, in per cent, that the best of {} of the row's contestant is below the best of as many of the "
    "column's; those of before are left out."
)
NOTES = (
    ("paper", "Value with the paper's settings: the defaults in models/, or what the paper takes for such data."),
    ("before", "Value with the settings of before: the house's, or an earlier search's; without any the paper's."),
    ("best", "Lowest value of all trials, these two among them."),
    ("median", "Of all trials (of two in the middle the lower); diverged ones count as the worst."),
    ("best of k", "In the mean over all ways to draw k of the trials, those of before left out."),
    ("final", "The best trial's settings with all steps and new seeds: their mean."),
    ("against", "Likewise the settings of before, or the paper's; if they are the best, the second best."),
    ("gain", "How much lower, in the final, what is found is than before: in per cent, or in nats. These runs decided "
     "what is found, so it is never below 0, and new seeds would show a little less."),
    ("rank", "Place in the final if all had the settings of before, and if all have what was found."),
    ("minutes", "Of one core, of all trials and the final."),
)  # fmt: skip


WHOSE = {
    "paper": "the paper's: ",
    "house": "the house's: ",
    "found": "as an earlier search found: ",
    "drawn": "",
}


def write(record: Record, out: Path, index: str, palette: Mapping[str, Look]) -> None:
    """The page with all its files, into the empty folder ``out``; ``index`` is the way back."""
    found = contestants(record)
    with style.sheet():
        fragments = sections(record, found, out, palette)
    template = environment().get_template("search.html")
    page = template.render(kind=record["kind"], facts=facts(record, found), fragments=fragments, index=index)
    (out / "index.html").write_text(page, encoding="utf-8")


def facts(record: Record, found: list[Contestant]) -> dict[str, str]:
    on = " and ".join(record["benchmarks"])
    return {
        "Trials": f"{record['trials']} of each contestant, 1/{record['shorter']} of the steps, a seed of its own each",
        "Final": f"two of each contestant, all steps, {record['finals']} new seeds",
        "Chosen by": f"the lowest {record['by']['label']} on the validation data of {on}",
        "Cost": f"{sum(each.minutes for each in found) / 60:.1f} hours of one core",
    }


def sections(record: Record, found: list[Contestant], out: Path, palette: Mapping[str, Look]) -> list[Fragment]:
    if not found:
        return [Fragment("Trials", "No contestant has been searched yet")]
    return [distribution(record, found, out), growth(record, found, out, palette), duels(record, found, out)]


def distribution(record: Record, found: list[Contestant], out: Path) -> Fragment:
    """The table, and each contestant's trials."""
    style.save(drawn(record, found), out / "trials.png")
    content, said = table(record, found), legend(record, found)
    for name, text in tables.files("search", content, said, f"Search of {record['kind']}").items():
        (out / name).write_text(text, encoding="utf-8")
    tidy(found).to_csv(out / "trials.csv", index=False)
    tidy_finals(found).to_csv(out / "finals.csv", index=False)
    files = ("search.md", "search.tex", "trials.csv", "finals.csv")
    return Fragment("What was found", "", (("", content),), said, (Picture("trials.png", TRIALS),), files=files)


def legend(record: Record, found: list[Contestant]) -> Legend:
    on = record["benchmarks"]
    mean = f"the geometric mean over {' and '.join(on)}" if record["by"]["distance"] else "the mean over benchmarks"
    lines = [f"{record['by']['label']}" + (f", {mean}" if len(on) > 1 else "") + "; lower is better."]
    lines += [line for benchmark in on if len(on) > 1 for line in otherwise(record, benchmark)]
    for why in dict.fromkeys(record["notes"].values()):
        lines.append(f"{', '.join(name for name, each in record['notes'].items() if each == why)}: {why}.")
    lines += at_the_end(found)
    if missing := record["not_searched"]:
        lines.append("Not searched: " + "; ".join(f"{name} ({why})" for name, why in missing.items()) + ".")
    return Legend(tuple(lines), NOTES)


def at_the_end(found: list[Contestant]) -> list[str]:
    """In words, for how many a wider search may find more, and who keeps the paper's settings."""
    rated = [each for each in found if "lr" in each.trials[0]["settings"]]
    ends = [each.name for each in rated if "lr" in each.highest]
    kept = [each.name for each in found if each.finals and each.best and each.best["of"] == "paper"]
    wider = f"{len(ends)} of {len(rated)} end with the highest lr that was tried of them; higher ones may be better."
    return [wider] * bool(ends) + [f"The paper's settings were the best for {', '.join(kept)}."] * bool(kept)


def otherwise(record: Record, benchmark: str) -> list[str]:
    """In words, whose final ends otherwise on one benchmark, which then has other settings."""
    met = {name: chosen_on(each, benchmark, record["by"]["distance"]) for name, each in record["contestants"].items()}
    told = ", ".join(f"{name} ({said(best['settings'])})" for name, best in met.items() if best)
    return [f"By its runs on {benchmark} alone the final ends otherwise, and {benchmark} takes: {told}."] * bool(told)


def said(settings: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in settings.items())


def table(record: Record, found: list[Contestant]) -> Table:
    half = max(1, record["trials"] // 2)
    tried = ("paper", "before", "best", "median", f"best of {half}", "diverged")
    headings = (*tried, "final", "against", "gain", "rank", "minutes", "settings found")
    places = ranks(found)
    lines = (Row(each.name, "", tuple(cells(record, each, half, places.get(each.name, ())))) for each in found)
    return Table(headings, tuple(lines))


def cells(record: Record, each: Contestant, half: int, places: tuple[int, ...]) -> Iterator[Cell]:
    now, least = each.of("before"), float(each.found.min())
    for value in (each.of("paper"), now):
        yield Cell(number(record, value), "", "")
    yield Cell(number(record, least), BEST if least < now else "", "in bold: below that of before")
    yield Cell(number(record, float(np.sort(each.found)[(len(each.found) - 1) // 2])), "", "")
    yield Cell(number(record, expected(each.equal, min(half, len(each.equal)))), "", "")
    yield Cell(f"{int(np.isinf(each.found).sum())} of {len(each.found)}", "", "trials")
    first, other = each.met
    yield Cell(number(record, first) if each.finals else tables.UNAVAILABLE, BEST if first < other else "", LOWER)
    yield Cell(number(record, other) if each.finals else tables.UNAVAILABLE, BEST if other < first else "", LOWER)
    yield Cell(gain(record, *each.gained), "", "")
    yield Cell(" to ".join(map(str, dict.fromkeys(places))) or tables.UNAVAILABLE, "", "")
    best = each.best
    yield Cell(f"{each.minutes:.1f}", "", "")
    yield Cell(WHOSE[best["of"]] + said(best["settings"]) if best else tables.UNAVAILABLE, "", "")


def number(record: Record, value: float) -> str:
    return f"{value:.{record['by']['decimals']}f}" if isfinite(value) else DIVERGED


def gain(record: Record, now: float, least: float) -> str:
    if not isfinite(now) or not isfinite(least):
        return tables.UNAVAILABLE
    return f"{100 * (1 - least / now):.0f} %" if record["by"]["distance"] else f"{now - least:.2f} nats"


def drawn(record: Record, found: list[Contestant]) -> Figure:
    """A row a contestant, the best first."""
    figure, (axes,) = style.panels(1, 1, 6.4, 0.7 + ROW * len(found))
    rows(axes, [each.name for each in found])
    finite = np.concatenate([each.found for each in found])
    finite = finite[np.isfinite(finite)]
    if record["by"]["distance"]:
        axes.set_xscale("log")
        style.plain(axes.xaxis)
    edge = finite.max() * (1.5 if record["by"]["distance"] else 1.05) if len(finite) else 1.0
    for place, each in enumerate(found):
        for trial, value in zip(each.trials, each.found, strict=True):
            mark = {"before": "o", "paper": "s", "drawn": "."}[named(trial)]
            hue, inside = (style.HUES[0], "none" if named(trial) != "drawn" else style.HUES[0])
            if not isfinite(value):
                value, hue = edge, style.HUES[1]
            axes.plot(value, place, mark, color=hue, markerfacecolor=inside, markersize=5)
    axes.set_xlabel(record["by"]["label"])
    return figure


def growth(record: Record, found: list[Contestant], out: Path, palette: Mapping[str, Look]) -> Fragment:
    """The best of k trials as k grows."""
    counts = range(1, fewest(found) + 1)
    curves = {each.name: [expected(each.equal, k) for k in counts] for each in found}
    figure, (axes,) = style.panels(1, 1, 6.4, 3.6)
    drawn = style.lines([each.name for each in found[:LEADERS]], palette)
    faint: dict[str, Any] = {"color": style.pale(style.FAINT)}
    for name, curve in curves.items():
        shown = np.array([value if isfinite(value) else np.nan for value in curve])
        look = drawn[name] | {"label": name, "zorder": 3} if name in drawn else faint
        axes.plot(list(counts), shown, **look)
    if record["by"]["distance"]:
        axes.set_yscale("log")
        style.plain(axes.yaxis)
    axes.set_xlabel("k trials")
    axes.set_ylabel(record["by"]["label"])
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), handlelength=4)  # as long as the longest dashes need
    style.save(figure, out / "growth.png")
    pd.DataFrame(curves, index=pd.Index(counts, name="k")).to_csv(out / "growth.csv")
    return Fragment("As a search grows", pictures=(Picture("growth.png", GROWTH),), files=("growth.csv",))


def duels(record: Record, found: list[Contestant], out: Path) -> Fragment:
    """Who is ahead after one trial, and after half of them; whose order turns."""
    shares = {k: square(found, k) for k in range(1, fewest(found) + 1)}
    pairs = list(combinations([each.name for each in found], 2))
    entries = [(*pair, k, share.to_numpy()[place(share, pair)]) for pair in pairs for k, share in shares.items()]
    pd.DataFrame(entries, columns=["model", "other", "k", "probability"]).to_csv(out / "duels.csv", index=False)
    drawings = []
    for k in dict.fromkeys((1, max(1, fewest(found) // 2))):
        style.save(matrix(2 * shares[k] - 1, shares[k].map(lambda part: f"{100 * part:.0f}")), out / f"duels_{k}.png")
        drawings.append(Picture(f"duels_{k}.png", DUEL.format(f"{k} trial{'s' * (k > 1)}")))
    content = turned(pairs, shares)
    shown = ((TURN, content),) if content.rows else ()
    return Fragment("Who leads after k trials", "", shown, None, tuple(drawings), files=("duels.csv",))


def square(found: Sequence[Contestant], k: int) -> pd.DataFrame:
    """How often the best of k trials of the row's contestant is below the best of k of the column's."""
    names = [each.name for each in found]
    values = [[beats(one.equal, other.equal, k) for other in found] for one in found]
    return pd.DataFrame(values, index=names, columns=names)


def turned(pairs: Sequence[tuple[str, str]], shares: Mapping[int, pd.DataFrame]) -> Table:
    """Pairs of which one leads after one trial and the other after all, the widest turns first."""
    last = max(shares)
    ways = {pair: {k: float(share.to_numpy()[place(share, pair)]) for k, share in shares.items()} for pair in pairs}
    turns = [pair for pair, way in ways.items() if (way[1] - 0.5) * (way[last] - 0.5) < 0]
    turns.sort(key=lambda pair: -abs(ways[pair][last] - ways[pair][1]))
    shown = list(dict.fromkeys((1, min(2, last), max(1, last // 2), last)))
    told = {pair: tuple(Cell(f"{100 * ways[pair][k]:.0f} %", "", "") for k in shown) for pair in turns[:TURNED]}
    lines = tuple(Row(f"{model} before {other}", "", cells) for (model, other), cells in told.items())
    return Table(tuple(f"k = {k}" for k in shown), lines)


def place(share: pd.DataFrame, pair: tuple[str, str]) -> tuple[int, int]:
    names = list(share.index)
    return names.index(pair[0]), names.index(pair[1])


def tidy(found: list[Contestant]) -> pd.DataFrame:
    """A row a trial."""
    lines = []
    for each in found:
        for trial in each.trials:
            settings = " ".join(f"{name}={value:g}" for name, value in trial["settings"].items())
            told = {key: trial[key] for key in ("trial", "of", "seed", "value", "seconds", "diverged")}
            lines.append({"contestant": each.name, **told, **trial["values"], "settings": settings})
    return pd.DataFrame(lines)


def tidy_finals(found: list[Contestant]) -> pd.DataFrame:
    """A row a seed of a finalist."""
    runs = [(each.name, trial, run) for each in found for trial in each.finals for run in trial["seeds"]]
    keys = ("seed", "value", "seconds", "diverged")
    lines = [
        {"contestant": name, "trial": trial["trial"], "of": trial["of"]}
        | {key: run[key] for key in keys}
        | run["values"]
        for name, trial, run in runs
    ]
    return pd.DataFrame(lines or None, columns=None if lines else ["contestant", "trial", "of", *keys])

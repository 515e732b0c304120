"""The models over all benchmarks, for the index: a rank table, who beats whom, and performance profiles."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from reports import ranking, style, tables
from reports.load import readable
from reports.sections import Fragment, Picture
from reports.sections.ranking import CAPTION, beaten, matrix
from reports.statistics import entries
from reports.tables import Cell, Legend, Row, Table

FOLDER = "suite"  # beside the index
ALONE = {"published", "binary"}  # kinds of benchmarks that do not enter the ranking
COLOURED = 10  # models whose profile is drawn in colour, the others in grey
PROTOCOL = (
    "IQM: interquartile mean of the scores of all runs, a run being a training seed on a benchmark, and the 95 % "
    "interval of a bootstrap that resamples each benchmark's seeds; with few seeds such intervals are too narrow. "
    "Bold: the best; underlined: the interval of the difference from it contains 0.",
    "A score is the way from a floor (0) to real samples (1), mean over the ranked columns that the benchmark's page "
    "names. In the columns named for benchmarks: mean ± standard deviation over seeds.",
    "Mean rank: over seeds, ranked columns and benchmarks. A model that is not on every benchmark is averaged over "
    "those it is on, which compares it only with models on the same ones.",
)
PROFILE = (
    "Performance profiles: the share of each model's runs that score above tau; higher and further right is better."
)


class Standing(NamedTuple):
    """What the index shows of all benchmarks together."""

    fragment: Fragment
    markdown: str
    files: dict[str, str | bytes]  # name, relative to the index -> content


def standing(folders: Sequence[Path]) -> Standing | None:
    """The ranking over the pages in ``folders`` that have one; None with fewer than two benchmarks.

    Benchmarks that repeat a paper's protocol, and those for likelihoods alone, have few models, and stay out.
    """
    found = {folder: read_runs(folder / "runs.csv") for folder in folders if (folder / "runs.csv").exists()}
    found = {folder: runs for folder, runs in found.items() if not ALONE & set(runs.kind)}
    if len(found) < 2:
        return None
    runs = pd.concat(found.values(), ignore_index=True)
    scores = ranking.spread(runs, ranking.SCORE.name)
    summary = ranking.summed_up(scores)
    order = [entry.model for entry in summary]
    duels = ranking.duel(scores[order])
    single = {folder.name: tables.read(folder / "ranking.csv") for folder in found}
    table = rank_table(summary, duels, ranking.spread(runs, ranking.PLACE.name).mean(), single)
    legend = Legend((*PROTOCOL, ranking.rule(duels)), ())
    texts = tables.files(f"{FOLDER}/ranking", table, legend, "Ranking over all benchmarks")
    markdown = texts[f"{FOLDER}/ranking.md"]
    texts |= {
        f"{FOLDER}/ranking.csv": pd.DataFrame(summary).to_csv(index=False),
        f"{FOLDER}/runs.csv": runs.to_csv(index=False),
    }
    with style.sheet():
        drawn = {
            Picture(f"{FOLDER}/profile.png", PROFILE): profile(scores, order, tuple(runs.model.unique())),
            Picture(f"{FOLDER}/duels.png", CAPTION): matrix(duels),
        }
        pictures = {picture.file: png(figure) for picture, figure in drawn.items()}
    fragment = Fragment(
        "All benchmarks", tables=(("", table),), legend=legend, pictures=tuple(drawn), files=tuple(texts)
    )
    return Standing(fragment, markdown, texts | pictures)


def read_runs(path: Path) -> pd.DataFrame:
    with readable(path, "`dvc repro`"):
        return pd.read_csv(path, dtype={"model": str, "benchmark": str})[
            ["benchmark", "kind", "model", "seed", "metric", "value"]
        ]


def rank_table(
    summary: list[ranking.Summary], duels: ranking.Duels, places: pd.Series, single: dict[str, pd.DataFrame]
) -> Table:
    """A row a model, the best interquartile mean first; ``single``: each benchmark's own ranking."""
    beats, others = beaten(duels), duels.p.count(axis=1)
    scores = {
        name: {entry.model: tables.cell(entry) for entry in entries(frame[frame.metric == "score"])}
        for name, frame in single.items()
    }
    given = {entry.model: entry.given for frame in single.values() for entry in entries(frame)}
    rows = []
    for entry in summary:
        iqm = f"{entry.iqm:.3f} ({entry.low:.3f} to {entry.high:.3f})"
        cells = [
            Cell(iqm, entry.mark, f"{entry.runs} runs"),
            Cell(f"{places[entry.model]:.2f}", "", f"{entry.runs} runs"),
            Cell(f"{beats[entry.model]} of {others[entry.model]}", "", "models"),
            *(found.get(entry.model, Cell(tables.UNAVAILABLE, "", "")) for found in scores.values()),
        ]
        rows.append(Row(entry.model, tables.TOLD.get(given[entry.model], ""), tuple(cells)))
    return Table(("IQM ↑", "Mean rank ↓", "Beats", *(f"{name} ↑" for name in scores)), tuple(rows))


def profile(scores: pd.DataFrame, order: list[str], palette: tuple[str, ...]) -> Figure:
    """The share of each model's runs that score above tau; steps, since there are few runs."""
    figure, (axes,) = style.panels(1, 1, 6.4, 3.8)
    for place, model in reversed(list(enumerate(order))):
        shown = place < COLOURED
        axes.ecdf(
            scores[model].dropna(),
            complementary=True,
            color=style.colour(model, palette) if shown else style.FAINT,
            linewidth=1.4 if shown else 0.6,
            label=model if shown else None,
        )
    axes.set_xlim(0, 1.005)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("score tau")
    axes.set_ylabel("share of runs above tau")
    handles, labels = axes.get_legend_handles_labels()
    title = f"first {COLOURED} by IQM, others grey" if len(order) > COLOURED else "by IQM"
    axes.legend(handles[::-1], labels[::-1], loc="upper left", bbox_to_anchor=(1, 1), title=title, title_fontsize=7.5)
    return figure


def png(figure: Figure) -> bytes:
    target = BytesIO()
    style.save(figure, target)
    return target.getvalue()

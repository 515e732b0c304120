"""The models over several benchmarks, for the index: a table, performance profiles, and who improves on whom.

Models are ranked only beside models that ran the same benchmarks, so there is a field for each set of benchmarks.
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from reports import ranking, style, tables
from reports.files import complete, readable
from reports.looks import Look
from reports.pictures import matrix
from reports.sections import Fragment, Picture
from reports.statistics import AGAINST_BEST, MARGIN, entries, plan
from reports.tables import Cell, Legend, Row, Table

FOLDER = "suite"  # beside the index
NOTHING = "No two models ran the same two benchmarks that enter a ranking, so none is here.\n"
ALONE = {"published", "binary"}  # kinds of benchmarks that do not enter the ranking
COLOURED = 10  # models whose profile is drawn in the colour of their family, the others in grey
PROTOCOL = (
    "Ranked together are the models that ran all benchmarks of a table, by their runs on these, a run being a training "
    "seed on a benchmark. A run's score is the way from a fixed floor (0) to real samples (1), mean over the ranked "
    "columns that the benchmark's page names. Models of one benchmark alone are ranked on its page.",
    "IQM: interquartile mean of the scores of all runs. Optimality gap: how far runs fall short of 1 in the mean. "
    "P(next): the probability of improvement on the next model down, that a run scores above one of that model on "
    "the same benchmark, ties half, mean over benchmarks. In brackets the 95 % interval of a bootstrap that resamples "
    "each benchmark's seeds, for every model by itself; with few seeds such intervals are too narrow. Nothing else is "
    "bootstrapped, and nothing but the bootstrap's quantiles is interpolated.",
    "Mean rank: over seeds, ranked columns and benchmarks, among all models of each benchmark's page. In the columns "
    "named for benchmarks: mean ± standard deviation over seeds, marked as on the benchmark's page.",
)
FEW = f"Bold: the best IQM; with fewer than {AGAINST_BEST} seeds a benchmark no tie is marked."
ENOUGH = (
    f"Bold: the best IQM; underlined: within {100 * MARGIN:.0f} % of it, and the interval of the difference from it "
    "contains 0."
)
PROFILE = (
    "Performance profiles: the share of each model's runs that score above tau; higher and further right is better."
)
IMPROVEMENT = (
    "Probability of improvement: how probable it is, in per cent, that a run of the row's model scores above one of "
    "the column's on the same benchmark; 50: as good. Intervals stand in {}."
)


class Standing(NamedTuple):
    """What the index shows of several benchmarks together."""

    fragments: tuple[Fragment, ...]
    markdown: tuple[tuple[str, str, str], ...]  # of each field: title, table, picture of the profiles
    files: dict[str, str | bytes]  # name, relative to the index -> content


def standing(folders: Sequence[Path], palette: Mapping[str, Look]) -> Standing | None:
    """The rankings over the pages in ``folders`` that have one; None where no two models ran the same two benchmarks.

    Benchmarks that repeat a paper's protocol, and those for likelihoods alone, have few models, and stay out; so do
    those that run some of another's models with more seeds, whose data would count twice.
    """
    found = {folder: read_runs(folder / "runs.csv") for folder in folders if (folder / "runs.csv").exists()}
    found = {folder: runs for folder, runs in found.items() if not ALONE & set(runs.kind)}
    found = {folder: runs for folder, runs in found.items() if not any(repeats(runs, of) for of in found.values())}
    if len(found) < 2:
        return None
    runs = pd.concat(found.values(), ignore_index=True)
    single = {folder.name: tables.read(folder / "ranking.csv") for folder in found}
    fragments: list[Fragment] = []
    markdown: list[tuple[str, str, str]] = []
    files: dict[str, str | bytes] = {f"{FOLDER}/runs.csv": runs.to_csv(index=False)}
    every = ranking.spread(runs, ranking.SCORE.name).reindex(list(single), level="benchmark")
    for names, scores in ranking.fields(every).items():
        places = ranking.spread(runs[runs.benchmark.isin(names)], ranking.PLACE.name).mean()
        made, texts = field(names, scores, places, {name: single[name] for name in names}, palette)
        files |= texts
        said = Legend((), ()) if fragments else made.legend or Legend((), ())  # once is enough
        markdown.append((made.title, tables.markdown(made.tables[0][1], said), made.pictures[0].file))
        fragments.append(made._replace(legend=said))
    return Standing(tuple(fragments), tuple(markdown), files) if fragments else None


def repeats(runs: pd.DataFrame, of: pd.DataFrame) -> bool:
    return (
        set(runs.kind) == set(of.kind) and set(runs.model) < set(of.model) and runs.seed.nunique() > of.seed.nunique()
    )


def read_runs(path: Path) -> pd.DataFrame:
    with readable(path, f"`python -m pipeline.report {path.parent.name}`"):
        complete(path.read_text(encoding="utf-8"))
        return pd.read_csv(path, dtype={"model": str, "benchmark": str})[
            ["benchmark", "kind", "model", "seed", "metric", "value"]
        ]


def field(
    names: tuple[str, ...],
    scores: pd.DataFrame,
    places: pd.Series,
    single: dict[str, pd.DataFrame],
    palette: Mapping[str, Look],
) -> tuple[Fragment, dict[str, str | bytes]]:
    """One ranking, and its files; ``single``: each benchmark's own."""
    stem, title = f"{FOLDER}/{'_'.join(names)}", f"Ranking over {', '.join(names)}"
    summary = ranking.summed_up(scores)
    order = [entry.model for entry in summary]
    improvements = ranking.improvements(scores[order])
    table = rank_table(summary, improvements, places, single)
    seeds = min(len(stratum) for model in order for stratum in ranking.strata(scores, model))
    legend = Legend((*PROTOCOL, ENOUGH if plan(seeds).best else FEW), ())
    texts = tables.files(f"{stem}/ranking", table, legend, title)
    texts |= {
        f"{stem}/ranking.csv": pd.DataFrame(summary).to_csv(index=False),
        f"{stem}/improvement.csv": pd.DataFrame(improvements).to_csv(index=False),
    }
    better = pd.DataFrame(improvements).pivot(index="model", columns="other", values="probability").loc[order, order]
    with style.sheet():
        drawn = {
            Picture(f"{stem}/profile.png", PROFILE): profile(scores, order, palette),
            Picture(f"{stem}/improvement.png", IMPROVEMENT.format("improvement.csv")): matrix(
                2 * better - 1, better.map(lambda share: f"{100 * share:.0f}")
            ),
        }
        pictures = {picture.file: png(figure) for picture, figure in drawn.items()}
    fragment = Fragment(title, tables=(("", table),), legend=legend, pictures=tuple(drawn), files=tuple(texts))
    return fragment, texts | pictures


def rank_table(
    summary: list[ranking.Summary],
    improvements: list[ranking.Improvement],
    places: pd.Series,
    single: dict[str, pd.DataFrame],
) -> Table:
    """A row a model, the best interquartile mean first; ``single``: each benchmark's own ranking."""
    below = {upper.model: lower.model for upper, lower in pairwise(summary)}
    over_next = {entry.model: entry for entry in improvements if entry.other == below.get(entry.model)}
    scores = {
        name: {entry.model: tables.cell(entry) for entry in entries(frame[frame.metric == "score"])}
        for name, frame in single.items()
    }
    given = {entry.model: entry.given for frame in single.values() for entry in entries(frame)}
    rows = []
    for entry in summary:
        over, runs = over_next.get(entry.model), f"{entry.runs} runs"
        cells = [
            Cell(f"{entry.iqm:.3f} ({entry.low:.3f} to {entry.high:.3f})", entry.mark, runs),
            Cell(f"{entry.gap:.3f} ({entry.gap_low:.3f} to {entry.gap_high:.3f})", "", runs),
            Cell(f"{over.probability:.2f} ({over.low:.2f} to {over.high:.2f})" if over else "", "", runs),
            Cell(f"{places[entry.model]:.2f}", "", runs),
            *(found[entry.model] for found in scores.values()),
        ]
        rows.append(Row(entry.model, tables.TOLD.get(given[entry.model], ""), tuple(cells)))
    headings = ("IQM ↑", "Optimality gap ↓", "P(next) ↑", "Mean rank ↓", *(f"{name} ↑" for name in scores))
    return Table(headings, tuple(rows))


def profile(scores: pd.DataFrame, order: list[str], palette: Mapping[str, Look]) -> Figure:
    """The share of each model's runs that score above tau; steps, since there are few runs."""
    figure, (axes,) = style.panels(1, 1, 6.4, 3.8)
    faint: dict[str, Any] = {"color": style.FAINT, "linewidth": 0.6}
    drawn = style.lines(order[:COLOURED], palette)
    for model in reversed(order):
        look = drawn[model] | {"linewidth": 1.4, "label": model} if model in drawn else faint
        axes.ecdf(scores[model].dropna(), complementary=True, **look)
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

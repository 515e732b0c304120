"""The models of one benchmark in order; who beats whom, where there are seeds enough to tell."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from reports import ranking, statistics, tables
from reports.load import Column, Report
from reports.sections import Fragment
from reports.tables import Cell

POSITION = 12
BEST = (
    "p: the best by score against this model, of an unpaired permutation test of their seeds' scores, corrected for "
    "there being so many models by the largest gap in shuffles of all seeds (Romano and Wolf's stepdown)."
)
PAIRS = (
    "A model beats another where its mean score is higher and an unpaired permutation test of their seeds' scores "
    f"gives p < {statistics.LEVEL:g} after Holm's correction for all pairs; p: of the best by score against this model."
)


def render(report: Report, out: Path) -> Fragment | None:
    columns = ranking.ranked(report)
    if len(report.models) < 2 or not columns:
        return None
    comparison = ranking.compared(report)
    runs = ranking.runs(report).assign(benchmark=report.benchmark, kind=report.kind)
    scores = ranking.spread(runs, ranking.SCORE.name)[comparison.model.unique()]
    seeds = statistics.fewest(report)
    plan = statistics.plan(seeds, scores.shape[1])
    duels = ranking.duel(scores.dropna()) if plan.pairs else None
    table = tables.extended(tables.table(comparison), more(report, columns, scores, duels))
    said = [f"Ranked by {', '.join(column.label for column in columns)}; floors: {ranking.floors(report, columns)}."]
    said += [statistics.rule(seeds, "scored 0"), *([PAIRS] if plan.pairs else [BEST] * plan.best)]
    notes = tuple((column.label, column.note) for column in (ranking.SCORE, ranking.PLACE))
    legend = tables.Legend(tuple(said), notes)
    if duels:
        told(duels).to_csv(out / "duels.csv")
    comparison.to_csv(out / "ranking.csv", index=False)
    runs.to_csv(out / "runs.csv", index=False)
    for name, text in tables.files("ranking", table, legend, f"Ranking on {report.benchmark}").items():
        (out / name).write_text(text, encoding="utf-8")
    return Fragment(
        title="Ranking",
        tables=(("", table),),
        legend=legend,
        files=("ranking.md", "ranking.csv", "ranking.tex", "runs.csv", *(("duels.csv",) if duels else ())),
    )


def more(
    report: Report, columns: tuple[Column, ...], scores: pd.DataFrame, duels: ranking.Duels | None
) -> dict[str, dict[str, Cell]]:
    """The columns beside the scores: such as the number of seeds allows."""
    best = wins(report, columns)
    found = {"Best in": {model: Cell(f"{n} of {len(columns)}", "", "columns") for model, n in best.items()}}
    if statistics.plan(statistics.fewest(report)).best:
        p = dict(zip(map(str, scores), duels.p.iloc[0], strict=True)) if duels else ranking.below_best(scores.dropna())
        found["p"] = {
            model: Cell(f"{value:.2g}" if value == value else "", "", "corrected") for model, value in p.items()
        }
    if duels:
        others = len(scores.columns) - 1
        beaten = duels.beats.sum(axis=1)
        found["Beats"] = {str(model): Cell(f"{n} of {others}", "", "models") for model, n in beaten.items()}
    return found


def wins(report: Report, columns: tuple[Column, ...]) -> dict[str, int]:
    """In how many of the columns each model has the best mean."""
    comparison = statistics.compare(replace(report, columns=columns))
    best = comparison[comparison.mark == statistics.BEST].model.value_counts()
    return {model: int(best.get(model, 0)) for model in report.models}


def told(duels: ranking.Duels) -> pd.DataFrame:
    """Who beats whom: how much the row's model scores above the column's, in hundredths; * told apart by the test."""
    stars = (duels.p < statistics.LEVEL).replace({True: "*", False: ""})
    return duels.excess.map(lambda way: f"{100 * way:+.0f}") + stars

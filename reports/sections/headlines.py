"""What DVC shows of a benchmark: few numbers of each model (`dvc metrics show`), a curve a seed (`dvc plots show`)."""

import json
from pathlib import Path

import pandas as pd

from reports import ranking
from reports.load import SECONDS, Report
from reports.sections import Fragment
from reports.sections.progress import FELL, HELD, LOST

POSITION = 90
NUMBERS = ("nats", SECONDS.name)  # beside the score
DIGITS = 4


def render(report: Report, out: Path) -> Fragment | None:
    (out / "headlines").mkdir()
    for model, found in numbers(report).items():
        (out / "headlines" / f"{model}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    first = next((name for name in report.progress.metric.unique() if name not in (HELD, LOST, FELL)), None)
    lines = report.progress[report.progress.metric == first].astype({"seed": int, "step": int})
    lines[["model", "seed", "step", "value"]].to_csv(out / "progress.csv", index=False)
    return None


def numbers(report: Report) -> dict[str, dict[str, float]]:
    """Of each model the means over its seeds, and how many of these have diverged."""
    values = report.scores[report.scores.metric.isin(NUMBERS)]
    if ranking.ranked(report):
        runs = ranking.runs(report)
        values = pd.concat([runs[runs.metric == ranking.SCORE.name], values])
    found = {}
    for model in report.models:
        means = values[values.model == model].groupby("metric", sort=False).value.mean().to_dict()
        ends = report.seeds.status[report.seeds.model == model]
        found[model] = {str(name): float(f"{value:.{DIGITS}g}") for name, value in means.items()}
        found[model]["diverged"] = int((ends == "diverged").sum())
    return found

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
    means = report.scores[report.scores.metric.isin(NUMBERS)].groupby(["model", "metric"]).value.mean()
    if ranking.ranked(report):
        runs = ranking.runs(report)
        score = runs[runs.metric == ranking.SCORE.name].groupby(["model", "metric"]).value.mean()
        means = pd.concat([score, means])
    diverged = (report.seeds.status == "diverged").groupby(report.seeds.model).sum()
    return {
        model: {
            str(name): float(f"{value:.{DIGITS}g}") for (_, name), value in means[means.index.isin([model], 0)].items()
        }
        | {"diverged": int(diverged[model])}
        for model in report.models
    }
